"""Nothing secret lands in a record or a log: what is planted is taken out, and what is no secret stays."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import environment
from harness.data.source import TaskSource
from harness.runs import runner, worker
from harness.runs.job import Job, Note, Reporter, RunEnd
from harness.runs.local import LocalProcesses
from harness.store import records
from harness.store.redact import REDACTION, redact
from tests.support.records import make_environment, make_record, make_spec

ROOT = Path(__file__).resolve().parents[2]

# Planted, and no secret of anybody's.
PLANTED = "pl4nted-s3cret-v4lue"
TOKENS = {
    "hub": "hf_" + "aB3" * 11,
    "repository": "ghp_" + "x9Y" * 12,
    "fine-grained": "github_pat_" + "1A2b" * 8,
    "model service": "sk-" + "proj-" + "q7W" * 10,
    "package registry": "npm_" + "aB3d" * 9,
    "Python's package registry": "pypi-" + "AgEIcHlwaS5vcmc" + "Ab-_1" * 12,
    "image registry": "dckr_pat_" + "x-Y_9" * 6,
    "inside a name": "MY_" + "hf_" + "aB3" * 11,
    "cloud": "AKIA" + "ABCDEFGH12345678",
    "web": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
}
PEM = "MIIEpAIBAAKCAQEA75" * 3
SAID = {
    "a name and password in an address": (f"GET https://user:{PLANTED}@host.example/x failed", PLANTED),
    "a token as the user of an address": (f"git+https://{PLANTED}@host.example/x.git", PLANTED),
    "a parameter of an address": (f"https://host.example/f?a=1&access_token={PLANTED}&b=2", PLANTED),
    "a signed address": (f"https://host.example/f?X-Amz-Signature={PLANTED}", PLANTED),
    "a header": (f"{{'Authorization': 'Bearer {PLANTED}'}}", PLANTED),
    "a header of another scheme": (f"authorization: Basic {PLANTED}", PLANTED),
    "an assignment": (f"login(token='{PLANTED}')", PLANTED),
    "a variable": (f"export HF_TOKEN={PLANTED}", PLANTED),
    "a field": (f'{{"api_key": "{PLANTED}"}}', PLANTED),
    **{f"a token, {name}": (f"401 for {token}: denied", token) for name, token in TOKENS.items()},
    "somebody's home": ("/home/planted-name/models/x is missing", "planted-name"),
    "a home on a Mac": ("File '/Users/planted-name/x.py'", "planted-name"),
    "a home in an address": ("file:///home/planted-name/x", "planted-name"),
    "a home on Windows": (r"C:\Users\planted-name\x.py", "planted-name"),
    "a home below another folder": ("/mnt/data/home/planted-name/models", "planted-name"),
    "a home on a share": ("/nfs/homes/planted-name/x is missing", "planted-name"),
    "a home of a group": ("/home/students/planted-name/x", "planted-name"),
    "a home of a letter": ("/home/p/planted-name/x", "planted-name"),
    "a home of Windows in Linux": ("/mnt/c/Users/planted-name/x", "planted-name"),
    "a home on another disk of a Mac": ("/Volumes/Disk/Users/planted-name/x", "planted-name"),
    "a home in a message of Python on Windows": (r"'D:\\\\data\\\\Users\\\\planted-name\\\\x.py'", "planted-name"),
    "a home of Linux in Windows": (r"\\wsl$\Ubuntu\home\planted-name\x", "planted-name"),
    "a home by its user": ("see ~planted-name/x", "planted-name"),
    "a private key": (
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{PEM}\n-----END RSA PRIVATE KEY-----",
        PEM,
    ),
    "a key in one line": (f"-----BEGIN PRIVATE KEY-----\\n{PEM}\\n-----END PRIVATE KEY-----", PEM),
    "a key that is cut off": (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM}\n{PEM}\n", PEM),
    "the home of root": ("no such file: /root/models", "/root"),
}


@pytest.mark.parametrize("kind", SAID)
def test_secrets_and_homes_are_taken_out_of_a_text_and_the_rest_stays(kind: str) -> None:
    text, secret = SAID[kind]
    clean = redact(f"before {text} after")
    assert secret not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert REDACTION in clean or "~" in clean


@pytest.mark.parametrize(
    "text",
    [
        "the loss is nan at step 3 of 9",
        "killed by signal 9 (often out of memory)",
        "the prompt has 4097 tokens: 1 more than the window",
        "the tokenizer cannot be read: data did not match any variant",
        "KeyError: 'answer_key' (toy.py:12)",
        "https://host.example/a/b?page=2#part",
        "tokenizer.json in owner/name at results/root/home/x",
        "NVIDIA H100 80GB HBM3, 16 of 32 cores, 128 GiB",
        "Basic functionality: 100,000,000 tokens",
        "https://host.example/home/page and https://host.example/data/Users/list",
        "npm_config and pypi-server of dckr_pat_",
        "module.name.of.a.class in a-b.c-d",
        "-----BEGIN and -----END",
        "/usr/share/homeless/x in /data/homework/y",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


NEAR = (
    "a.", "a-", "eyJ-", "eyJhbGciOiJI.", "sk-", "?key", "?a&", "http:", "://", "a://", "@", "token ", "token=", "token_",
    "authorization: ", "bearer ", "-----BEGIN KEY-----", "-----BEGIN ", "-", "/a", "/(", "/home", "//", "C:/", "C:\\",
    "\\\\", "~a", "a", "_", " ", "npm_a", "hf_", "SG.", "\n",
)  # fmt: skip


@pytest.mark.parametrize("unit", NEAR, ids=repr)
def test_a_long_text_that_nearly_looks_like_a_secret_is_read_once(unit: str) -> None:
    text = unit * (2**17 // len(unit))
    once = redact(text)  # a rule that starts again at each character takes days: the test's limit
    assert redact(once) == once


@pytest.mark.parametrize(
    ("first", "second"), [("?key", "a"), ("eyJ", "-eyJ"), ("a", "://"), ("-----BEGIN K-----", "A" * 40)]
)
def test_a_long_text_of_one_and_then_of_another_is_read_once(first: str, second: str) -> None:
    half = 2**16
    redact(first * (half // len(first)) + second * (half // len(second)))
    redact((first + second) * (half // len(first + second)))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.sampled_from(sorted(SAID)), st.text(max_size=80))
def test_redacting_twice_is_redacting_once_and_never_fails(before: str, kind: str, after: str) -> None:
    once = redact(f"{before} {SAID[kind][0]} {after}")
    assert redact(once) == once


@pytest.mark.parametrize("name", ["HF_TOKEN", "WANDB_API_KEY", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "MY_KEY"])
def test_the_value_of_a_secret_variable_is_taken_out_wherever_it_stands(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "nothing special to look at")
    assert redact("he said: nothing special to look at!") == f"he said: {REDACTION}!"


def test_a_container_whose_home_is_the_root_keeps_its_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.chdir("/")
    assert redact("https://host.example/a/b in /data/x") == "https://host.example/a/b in /data/x"


ALLOWED = {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "OMP_NUM_THREADS"}


def test_no_variable_reaches_a_record_but_those_of_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = {"PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH"}
    for name in set(os.environ) - kept:
        monkeypatch.setenv(name, PLANTED)
    for name in ("HF_TOKEN", "USER", "HOSTNAME", "SSH_CONNECTION", "AWS_PROFILE", "http_proxy"):
        monkeypatch.setenv(name, PLANTED)
    for name in ALLOWED:
        monkeypatch.delenv(name, raising=False)
    seen = environment.describe("cpu", threads=1)
    records.write_record(tmp_path, make_record(environment=seen))
    text = (tmp_path / records.RECORD).read_text()
    assert PLANTED not in text
    assert os.uname().nodename not in text
    read = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse((ROOT / "harness" / "environment.py").read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv")
    ]
    assert set(read) <= ALLOWED | {"LD_PRELOAD", "CUDA_VISIBLE_DEVICES"}  # of these two no word is kept as it stands


def test_a_record_holds_no_secret_in_what_libraries_and_machine_said(tmp_path: Path) -> None:
    spec = make_spec()
    said = " · ".join(text for text, _ in SAID.values())
    place = make_environment(allocator=f"torch {TOKENS['hub']}", machine="/home/planted-name/cpu")
    records.write_record(tmp_path, make_record(spec, status="failed", reason=said, environment=place))
    text = (tmp_path / records.RECORD).read_text()
    assert [secret for _, secret in SAID.values() if secret in text] == []
    assert records.read_record(tmp_path).spec == spec


def talkative(job: Job, reporter: Reporter) -> None:
    for text, _ in SAID.values():
        print(text)
    os.write(2, b"\xff not UTF-8, and from below Python: " + TOKENS["hub"].encode() + b"\n")
    error = RuntimeError("; ".join(text for text, _ in SAID.values()))
    reporter.tell(RunEnd(*worker.explain(error)))
    raise error


class Deaf:
    def on_start(self, job: Job) -> None: ...

    def on_progress(self, job: Job, progress: object) -> None: ...

    def on_end(self, outcome: object) -> None: ...

    def on_note(self, job: Job, note: Note) -> None: ...

    def on_stop(self) -> None: ...


def test_a_run_that_prints_secrets_and_dies_of_them_leaves_none_in_log_and_reason(tmp_path: Path) -> None:
    spec = make_spec()
    job = Job(spec, records.run_dir(tmp_path, spec), TaskSource("toy"), Path("model"))
    (outcome,) = runner.run([job], LocalProcesses(talkative), Deaf()).outcomes
    assert outcome.status == "failed"
    log = (job.folder / records.LOG).read_bytes().decode("utf-8", "replace")
    assert "Traceback" in log
    assert "not UTF-8" in log
    for text in (log, outcome.reason, (job.folder / records.RECORD).read_text()):
        assert [secret for _, secret in SAID.values() if secret in text] == []


def test_a_log_is_cleaned_in_place_and_one_without_secrets_is_not_touched(tmp_path: Path) -> None:
    records.clean_log(tmp_path)  # there is none
    log = tmp_path / records.LOG
    log.write_text(f"hello\n{TOKENS['hub']}\nbye\n")
    records.clean_log(tmp_path)
    assert log.read_text() == f"hello\n{REDACTION}\nbye\n"
    before = log.stat().st_mtime_ns
    records.clean_log(tmp_path)
    assert log.stat().st_mtime_ns == before

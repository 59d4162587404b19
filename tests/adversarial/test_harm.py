"""No harm is done: no foreign code is run, no pickle is read, no name leaves the results folder."""

from __future__ import annotations

import ast
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import app, settings
from harness.data import published, registry
from harness.errors import HarnessError
from harness.model import checkpoint
from harness.runs import plan
from harness.runs.options import Options
from harness.store import records
from tests.support.fault_injection import write_inputs
from tests.support.records import make_record, make_spec

ROOT = Path(__file__).resolve().parents[2]
CODE = [path for folder in ("harness", "tasks") for path in (ROOT / folder).rglob("*.py")]

HOSTILE = ("../../../x", "..", "/etc/x", "a/../../b", "~root", ".hidden", "a\\..\\b", "x\0y", "", "C:x")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_task_model_or_method_of_a_record_leaves_the_results_folder(name: str, tmp_path: Path) -> None:
    spec = make_spec(task=name, model=name, method=name)
    for folder in (records.run_dir(tmp_path, spec), records.run_dir(tmp_path, replace(spec, rank=0))):
        assert folder.resolve().is_relative_to(tmp_path / "runs")
        assert len(folder.relative_to(tmp_path / "runs").parts) == 4


def test_publishing_a_hostile_record_writes_below_published_only(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "results"
    runs: list[records.Run] = []
    for name in ("../../../x", "..", "/etc/x"):
        record = make_record(make_spec(task=name, model=name, method=name))
        folder = root / "runs" / f"hostile{len(runs)}"
        records.write_record(folder, record)
        runs.append(records.Run(folder, record))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    records.publish(root, runs)
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len(new) == 3
    assert all(path.is_relative_to(root / "published") for path in new)


@given(st.text(max_size=60))
def test_any_text_becomes_one_folder_name(text: str) -> None:
    word = records.path_word(text)
    assert Path(word).parts == (word,)
    assert word not in (".", "..")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "-x", "a b"])
def test_a_plugin_with_a_name_that_is_a_path_is_broken(name: str, tmp_path: Path) -> None:
    source = "from dataclasses import replace\nfrom harness.data import registry\n"
    (tmp_path / "x.py").write_text(f"{source}TASK = replace(registry.task('cfa'), name={name!r})\n")
    entry = registry.tasks([tmp_path])["x"]
    assert entry.value is None
    assert "cannot be a folder's name" in entry.error


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/etc/x.safetensors", "sub/x.safetensors", "..\\x.safetensors"]
)
def test_an_index_of_weights_that_points_out_of_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    write_inputs(tmp_path)
    model = tmp_path / "model"
    (tmp_path / "outside.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    (model / checkpoint.INDEX).write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(HarnessError, match="not a file of its folder"):
        checkpoint.weight_files(model)


class Planted:
    """Whoever unpickles this makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["x.pkl", "x.pt", "x.npy", "x.jsonl", "x.csv", "x.parquet", "x.json"])
def test_a_pickle_is_no_data_whatever_it_is_called(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "run"
    (tmp_path / name).write_bytes(pickle.dumps(Planted(mark)))
    assert app.main(["check", str(tmp_path / name)]) == 2
    assert "error:" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors"])
def test_weights_that_are_a_pickle_are_refused_unread(name: str, tmp_path: Path) -> None:
    write_inputs(tmp_path)
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / name).write_bytes(pickle.dumps(Planted(tmp_path / "run")))
    with pytest.raises(HarnessError, match=r"safetensors format|corrupt checkpoint"):
        checkpoint.read(str(tmp_path / "model"))
    assert not (tmp_path / "run").exists()


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_no_code_of_ours_reads_pickles_unpacks_archives_or_runs_text() -> None:
    modules = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "tarfile"}
    banned = ("eval", "exec", "os.system", "yaml.load", "extractall", "unpack_archive", "read_pickle")
    for path in CODE:
        tree = ast.parse(path.read_text())
        names = {a.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
        names |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not names & modules, f"{path.name} imports {names & modules}"
        for name, call in calls(path):
            last = name.rpartition(".")[2]
            assert name not in banned, f"{path.name} calls {name}"
            assert last not in banned or name == "model.eval" or last == "eval", f"{path.name} calls {name}"
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get("shell", "False") == "False"
            assert given.get("allow_pickle", "False") == "False"
            assert name != "torch.load" or given.get("weights_only") == "True"
            assert name != "np.load" or given.get("allow_pickle") == "False"


def test_whoever_loads_from_a_model_folder_says_whether_its_code_may_run() -> None:
    seen = 0
    for path in (path for path in CODE if "tiny" not in path.parts):  # whose script reads what it wrote
        for name, call in calls(path):
            if name.startswith("Auto") and name.rpartition(".")[2] in ("from_pretrained", "from_config"):
                given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert given["trust_remote_code"] in ("remote_code", "spec.remote_code"), f"{path.name} calls {name}"
                seen += 1
    assert seen == 9


def test_a_file_inside_an_archive_is_read_where_it_is_and_nothing_is_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("../../escaped.jsonl", '{"a": 1}\n')
        archive.writestr("/absolute.jsonl", '{"a": 1}\n')
        archive.writestr("fine.jsonl", '{"a": 1}\n')
    before = set(tmp_path.rglob("*"))
    (found,) = published._files(folder, "x.zip::fine.jsonl")
    assert found.read_text(encoding="utf-8") == '{"a": 1}\n'
    assert published._files(folder, "x.zip::escaped.jsonl") == []
    assert set(tmp_path.rglob("*")) == before


def test_the_flag_alone_lets_foreign_code_run_and_the_record_says_so(tmp_path: Path) -> None:
    command = write_inputs(tmp_path)
    place = ("--results", str(tmp_path / "results"))
    asked = {
        words: plan.make(settings.run_options(app.read("run", [*command, *words, *place])))
        for words in ((), ("--trust-remote-code",))
    }
    plain, trusting = ([spec.fields() for spec in found[0].specs] for found in asked.values())
    assert not any("remote_code" in fields for fields in plain)
    assert all(fields["remote_code"] is True for fields in trusting)
    assert "remote_code" not in json.dumps(make_spec().fields())
    assert make_spec().id != replace(make_spec(), remote_code=True).id


def test_code_that_is_run_is_a_part_of_what_pins_the_model(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    model = tmp_path / "model"
    plain = checkpoint.read(str(model)).revision
    (model / "modeling.py").write_text("x = 1\n")
    assert checkpoint.read(str(model)).revision == plain
    one = checkpoint.read(str(model), remote_code=True).revision
    (model / "modeling.py").write_text("x = 2\n")
    assert len({plain, one, checkpoint.read(str(model), remote_code=True).revision}) == 3


@pytest.mark.parametrize("trusted", [False, True])
def test_code_is_fetched_from_the_hub_only_where_it_was_asked_for(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(tmp_path)
    asked: list[tuple[bool, list[str]]] = []

    def snapshot(model_id: str, *, allow_patterns: list[str], local_files_only: bool = False) -> str:
        asked.append((local_files_only, allow_patterns))
        return str(tmp_path / "model")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    checkpoint.read("owner/name", remote_code=trusted)
    assert all(("*.py" in patterns) == trusted for _, patterns in asked)
    assert not any(pattern in ("*", "*.bin", "*.pt", "*.pkl") for _, patterns in asked for pattern in patterns)
    assert asked[-1][0] is not trusted  # a copy without code is not taken for whole


def test_training_a_run_of_somebody_again_does_not_run_its_models_code_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli import lookup
    from harness.cli.commands import verify_rerun
    from harness.verify.reproduce import Outcome

    command = write_inputs(tmp_path)
    (made,) = plan.make(Options(tasks=(command[1],), model=command[3], results=tmp_path / "r", memory=False))
    record = make_record(replace(made.specs[0], remote_code=True))
    monkeypatch.setattr(checkpoint, "read", lambda *_, **__: pytest.fail("the model was looked at"))
    found = Options(tasks=(command[1],))
    verdict = verify_rerun.job_of([record], lookup.Lookup(found), found, command[3], tmp_path)
    assert isinstance(verdict, Outcome)
    assert "--trust-remote-code" in verdict.reasons[0]

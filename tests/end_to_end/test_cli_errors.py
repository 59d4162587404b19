"""Bad input: a clear error and exit code 2 before anything trains, for each way in which it can be bad."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.data import registry
from harness.runs import plan
from harness.runs.job import Event
from harness.runs.options import Options
from tests.support.answer_rows import with_schema
from tests.support.cli_runner import Desk, guess, without_torch
from tests.support.sample_inputs import write_model, write_task

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


class Alone:
    """A reporter to whom nobody listens."""

    def tell(self, event: Event) -> None:
        """Keep it to itself."""

    def should_stop(self) -> bool:
        return False


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of three finished runs, as `desk.train` would leave it."""
    folder = tmp_path_factory.mktemp("finished")
    asked = Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        methods=("base", "lora", "full"),
        ranks=(2,),
        model=str(write_model(folder / "model")),
        results=folder / "results",
        memory=False,
    )
    for job in plan.make(asked)[0].jobs():
        guess(job, Alone())
    return asked.results


@pytest.fixture
def results(desk: Desk, finished: Path) -> Desk:
    """A desk with finished runs in `results`."""
    shutil.copytree(finished, desk.results)
    return desk


def test_a_results_folder_of_a_newer_version_stops_the_run(results: Desk) -> None:
    desk = results
    assert desk.train() == 0
    assert desk.err.count("finished before") == 3
    path = next(desk.results.glob("runs/toy/model/full/*/record.json"))
    path.write_text(with_schema(path.read_text(), 99))
    assert desk.train() == 2
    assert "newer version" in desk.err
    assert str(path) in desk.err


Bad = Callable[[Path], list[str]]


def rewritten(change: Callable[[list[str]], str | bytes]) -> Bad:
    """A data file of the toy task with its lines changed."""

    def make(folder: Path) -> list[str]:
        path = write_task(folder / "bad.jsonl")
        text = change(path.read_text().splitlines(keepends=True))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["--task", str(path)]

    return make


def written(name: str, content: str | bytes) -> Bad:
    """A data file of this content."""

    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["--task", str(folder / name)]

    return make


def coded(code: str) -> Bad:
    """A task file `mine.py` with this code in a folder of its own."""

    def make(folder: Path) -> list[str]:
        (folder / "mytasks").mkdir()
        (folder / "mytasks" / "mine.py").write_text(code)
        return ["--task", "mine", "--tasks-dir", str(folder / "mytasks")]

    return make


def flagged(*flags: str) -> Bad:
    """The toy task with these flags."""
    return lambda _: ["--task", "toy.jsonl", *flags]


def table(header: str, row: str) -> str:
    """A CSV file of forty rows; `#` in a row is its number, `?` one of two labels."""
    rows = (row.replace("#", str(i)).replace("?", ("up", "down")[i % 2]) for i in range(40))
    return "".join(f"{line}\n" for line in (header, *rows))


def labelled(*targets: object) -> str:
    return "".join(json.dumps({"context": f"tweet {i}", "target": targets[i % len(targets)]}) + "\n" for i in range(40))


PLUGIN = """
from harness import Example, Source, Task, metrics, prompts
def load(folder, split):
    for i in range(4):
        yield EXAMPLE
TASK = Task(name="mine", version=1, title="mine", source=Source("."), load=load, prompt=PROMPT,
            metrics=(metrics.accuracy,))
"""
ONE = """Example(id=f"{split}{i}", question=f"{split} {i}?", target="a", choices=("a", "b"))"""


def plugin(example: str = ONE, prompt: str = "prompts.multiple_choice") -> Bad:
    return coded(PLUGIN.replace("EXAMPLE", example).replace("PROMPT", prompt))


BAD: dict[str, tuple[Bad, str]] = {
    "no task": (lambda _: [], "no task given"),
    "empty task": (lambda _: ["--task", ""], "--task has no value"),
    "unknown task": (lambda _: ["--task", "claimz"], "did you mean 'claims'"),
    "folder as task": (lambda folder: ["--task", str(folder)], "a folder, not a data file"),
    "unknown method": (flagged("--method", "qlorra"), "did you mean 'qlora'"),
    "unknown option": (lambda _: ["--rnak", "8"], "did you mean '--rank'"),
    "abbreviated option": (lambda _: ["--tas", "claims"], "unknown option --tas"),
    "option without value": (lambda _: ["--task"], "--task has no value"),
    "a card as device": (flagged("--device", "gpu"), "did you mean 'cuda'"),
    "one file twice": (flagged("--test-data", "toy.jsonl"), "one file is named for two splits"),
    "unknown command": (lambda _: ["verfy"], "did you mean 'verify'"),
    "task as command": (lambda _: ["claims"], "--task claims"),
    "unknown model": (flagged("--model", "tiney"), "did you mean 'tiny'"),
    "unknown model folder": (flagged("--model", "modle"), "did you mean 'model'"),
    "empty model": (flagged("--model", ""), "--model has no value"),
    "no such model": (flagged("--model", "./nowhere"), "nowhere"),
    "rank 0": (flagged("--rank", "0"), "rank 0 is below 1"),
    "rank below 0": (flagged("--rank", "-8"), "rank -8 is below 1"),
    "rank in words": (flagged("--rank", "abc"), "--rank 2,8,32"),
    "rank forgotten": (flagged("--rank", "8,,16"), "--rank 8,,16 is not a list of whole numbers"),
    "rank above the width": (flagged("--rank", "65"), "rank 65 is not between 1 and 64"),
    "no seeds": (flagged("--seeds", "0"), "--seeds 0"),
    "a seed for a count": (flagged("--seeds", "42"), "for the one seed 42: --seeds 42,"),
    "epochs below 0": (flagged("--epochs", "-1"), "--epochs -1 is not a number above 0"),
    "learning rate 0": (flagged("--learning-rate", "0"), "--learning-rate 0 is not a number above 0"),
    "half a batch": (flagged("--batch-size", "1.5"), "--batch-size 1.5 is not a whole number"),
    "two batch sizes": (flagged("--batch-size", "8,16"), "--batch-size 8,16 is not a whole number"),
    "window too large": (flagged("--max-tokens", "513"), "--max-tokens 512"),
    "unknown dtype": (flagged("--dtype", "fp31"), "did you mean 'fp32'"),
    "unknown scoring": (flagged("--scoring", "chioces"), "did you mean 'choices'"),
    "cuda": (flagged("--device", "cuda"), "no CUDA device"),
    "no permission": (lambda folder: flagged("--results", str(folder / "toy.jsonl" / "x"))(folder), "cannot write"),
    "empty results": (flagged("--results", ""), "--results has no value"),
    "no such data folder": (flagged("--data", "nowhere"), "no folder 'nowhere'"),
    "data is not in its folder": (lambda folder: ["--task", "openbookqa", "--data", str(folder)], "data is missing"),
    "no such tasks folder": (flagged("--tasks-dir", "nowhere"), "no folder 'nowhere'"),
    "tasks folder is a file": (flagged("--tasks-dir", "toy.jsonl"), "'toy.jsonl' is not a folder"),
    "unknown home": (flagged("--tasks-dir", "~nobody-of-this-name/tasks"), "no folder '~nobody"),
    "name too long": (lambda _: ["--task", "x" * 300 + ".jsonl"], "cannot be used"),
    "missing file": (lambda folder: ["--task", str(folder / "toi.jsonl")], "did you mean 'toy.jsonl'"),
    "empty file": (rewritten(lambda lines: ""), "empty"),
    "not UTF-8": (rewritten(lambda lines: "".join(lines).replace("rises", "rís").encode("latin-1")), "not UTF-8"),
    "UTF-16 without mark": (rewritten(lambda lines: "".join(lines).encode("utf-16-le")), "--encoding utf-16-le"),
    "no encoding": (flagged("--encoding", "cp1525"), "did you mean 'cp1252'"),
    "cut off": (rewritten(lambda lines: "".join(lines)[:-20]), "cut off"),
    "damaged in the middle": (rewritten(lambda lines: "".join([*lines[:3], lines[3][:-9] + "\n", *lines[4:]])), ":4"),
    "a list, not lines": (
        rewritten(lambda lines: f"[{','.join(lines)}]".replace("\n", "")),
        "not an object but a list",
    ),
    "missing column": (rewritten(lambda lines: "".join(lines).replace('"answer"', '"anser"')), "did you mean 'anser'"),
    "answer not a choice": (
        rewritten(lambda lines: lines[0].replace('"answer": "it rises"', '"answer": "up"') + "".join(lines[1:])),
        "'up' is not among the choices",
    ),
    "duplicate ids": (rewritten(lambda lines: "".join('{"id": "a", ' + line[1:] for line in lines)), "the id 'a'"),
    "one class": (written("one.jsonl", labelled("neutral")), "one class only"),
    "not-a-number": (written("nan.jsonl", labelled(1.5, float("nan"))), "the target is empty"),
    "CSV with carets": (
        written("a.csv", table("context^target", "so #^?")),
        "needed: question, choices, answer or context",
    ),
    "nearly a column": (written("a.csv", table("context,target,gruop", "so #,?,g#")), "nearly 'group'"),
    "empty task among others": (lambda _: ["--task", "cfa,,claims"], "between the commas is empty"),
    "CSV cut off": (written("a.csv", table("context,target", "so #,?")[:-3].rpartition(",")[0]), "cut off"),
    "CSV cut off in quotes": (written("a.csv", table("context,target", '"so #",?') + '"so'), "cut off"),
    "CSV not UTF-8": (written("a.csv", table("context,target", "só #,?").encode("latin-1")), "not UTF-8"),
    "CSV of a header": (written("a.csv", "context,target\n"), "a header and no rows"),
    "CSV without column": (written("a.csv", table("context,traget", "so #,?")), "did you mean 'traget'"),
    "CSV duplicate ids": (written("a.csv", table("id,context,target", "1,so #,?")), "the id '1'"),
    "no Parquet": (written("a.parquet", "context,target\n"), "not a Parquet file"),
    "Parquet cut off": (written("a.parquet", b"PAR1" + bytes(40)), "cut off"),
    "unknown extension": (written("a.xlsx", b"PK"), "unknown data file extension"),
    "syntax error": (coded("TASK = Task(\n"), "'mine' is broken: SyntaxError"),
    "missing package": (coded("import no_such_package\nTASK = 1\n"), "No module named 'no_such_package'"),
    "no task in it": (coded("TASK = 1\n"), "not a Task"),
    "load fails": (plugin("{}['x']"), "failed to load its train split: KeyError"),
    "load yields rows": (plugin("{'id': i}"), "not an Example"),
    "load yields numbers": (plugin(ONE.replace('target="a"', "target=1")), "the target is of type int, not text"),
    "prompt fails": (plugin(prompt="lambda e: e.nothing"), "the prompt fails: AttributeError"),
    "prompt is empty": (plugin(prompt="lambda e: ''"), "the prompt is not text, or empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_clear_error_with_exit_code_two_before_anything_trains(
    desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = BAD[name]
    monkeypatch.chdir(desk.folder)
    monkeypatch.setattr("harness.environment.cuda_present", lambda: False)
    given = make(desk.folder)
    model = [] if "--model" in given or name in ("unknown command", "task as command") else ["--model", "model"]
    before = sorted(desk.folder.rglob("*.json"))
    assert main([*given, *model]) == 2
    out, err = desk.capsys.readouterr()
    assert (out, err[:7]) == ("", "error: ")
    assert "\n  --> " in err
    assert "\n  help: " in err
    assert words in err
    assert "Traceback" not in err
    assert sorted(desk.folder.rglob("*.json")) == before


def test_no_disk_space_is_said_before_anything_trains(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.store.files.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    assert desk.train() == 2
    assert "not enough disk space" in desk.err


@pytest.mark.parametrize("command", ["report", "compare base full", "calibration", "publish"])
def test_results_of_a_newer_version_are_neither_shown_nor_published(results: Desk, command: str) -> None:
    path = next(results.results.glob("runs/toy/model/full/*/record.json"))
    path.write_text(with_schema(path.read_text(), 99))
    assert results.run(*command.split()) == 2
    assert "update this program" in results.err


def test_a_folder_that_may_not_be_written_is_said_before_anything_trains(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = desk.folder / "closed"
    closed.mkdir(mode=0o555)
    may = os.access
    monkeypatch.setattr("harness.store.files.os.access", lambda path, mode: may(path, mode) and Path(path) != closed)
    assert main(["--task", str(desk.task), "--model", str(desk.model), "--results", str(closed / "new")]) == 2
    err = desk.capsys.readouterr().err
    assert err.startswith(f"error: cannot write results: no permission\n  --> {closed}\n  help: ")
    assert list(closed.iterdir()) == []


def test_a_file_that_may_not_be_read_is_an_error_and_no_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", closed)
    assert main(["list", "--tasks-dir", str(coded("TASK = 1")(desk.folder)[-1])]) == 2
    err = desk.capsys.readouterr().err
    assert "Permission denied" in err
    assert "\n  help: check the path" in err


OTHER: dict[str, tuple[str, str]] = {
    "run that is not there": ("compare base qlora-r2 --results results", "did you mean 'lora-r2'"),
    "run like no other": ("compare base zzz --results results", "pass one of these names"),
    "task without runs": ("compare base full --task toi --results results", "did you mean 'toy'"),
    "one run only": ("compare base", "required: B"),
    "calibration of a task without runs": ("calibration --task toi --results results", "did you mean 'toy'"),
    "no results to calibrate": ("calibration --results nowhere", "no results"),
    "no results to compare": ("compare base full --results nowhere", "no results"),
    "no results to report": ("report --results nowhere", "no results to report"),
    "no results to verify": ("verify nowhere", "no results to verify"),
    "no results to publish": ("publish --results nowhere", "no finished runs to publish"),
    "answers damaged": ("report --results damaged", "the answers cannot be read: not a gzip file"),
    "record damaged": ("report --results broken", "the record cannot be read"),
    "nothing to check": ("check", "required: TASK|FILE"),
    "check of a typo": ("check claimz", "did you mean 'claims'"),
    "option of another command": ("list --rank 8", "unknown option --rank"),
    "tasks of one name": ("list --tasks-dir twins", "two tasks are named 'claims'"),
    "task in a file": ("new mine --tasks-dir toy.jsonl", "cannot write the task"),
    "task of a bad name": ("new My-Task", "cannot be a task's name"),
}


def damage(desk: Desk) -> None:
    """Put copies of the results with one run damaged beside them, and a second task `claims` into `twins`."""
    for name, file in (("damaged", "answers.jsonl.gz"), ("broken", "record.json")):
        shutil.copytree(desk.results, desk.folder / name)
        next((desk.folder / name).glob(f"runs/toy/model/full/*/{file}")).write_text('{"id":\n')
    (desk.folder / "twins").mkdir()
    (desk.folder / "twins" / "claims.py").write_text("TASK = 1\n")


@pytest.mark.parametrize("name", OTHER)
def test_the_other_commands_refuse_bad_input_alike(results: Desk, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command, words = OTHER[name]
    damage(results)
    monkeypatch.chdir(results.folder)
    assert main(command.split()) == 2
    out, err = results.capsys.readouterr()
    assert (out, err[:7]) == ("", "error: ")
    assert "\n  --> " in err
    assert "\n  help: " in err
    assert words in err


def test_several_tasks_are_checked_one_after_the_other(desk: Desk) -> None:
    second = shutil.copy(desk.task, desk.folder / "second.jsonl")
    assert main(["check", f"{desk.task},{second}"]) == 0
    assert "second: 9 of 9 hold" in desk.capsys.readouterr().out


def test_the_program_itself_ends_with_two_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run_all.py"), "--task", "cfaa"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: no task named 'cfaa'\n  --> {len(registry.tasks())} tasks known\n" + (
        "  help: did you mean 'cfa'?   python run_all.py list\n"
    )

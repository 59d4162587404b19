"""Bad input: a clear error and exit code 2 before anything trains, for each way in which it can be bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk, guess
from test_plan import write_task

from harness.cli import main


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("harness.commands.run.worker.run", guess)
    monkeypatch.setattr("harness.commands.outputs.plots.write", lambda *_: [])
    return Desk(tmp_path, capsys)


def test_a_results_folder_of_a_newer_version_stops_the_run(desk: Desk) -> None:
    desk.train()
    path = next(desk.results.glob("runs/toy/model/full/*/record.json"))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
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


BAD: dict[str, tuple[Bad, str]] = {
    "no task": (lambda _: [], "no task given"),
    "unknown task": (lambda _: ["--task", "claimz"], "no task named 'claimz'"),
    "unknown method": (lambda _: ["--task", "toy.jsonl", "--method", "qlorra"], "did you mean 'qlora'"),
    "unknown option": (lambda _: ["--rnak", "8"], "did you mean '--rank'"),
    "abbreviated option": (lambda _: ["--tas", "claims"], "unknown option --tas"),
    "option without value": (lambda _: ["--task"], "expected one argument"),
    "unknown command": (lambda _: ["verfy"], "did you mean 'verify'"),
    "task as command": (lambda _: ["claims"], "--task claims"),
    "rank 0": (lambda _: ["--task", "toy.jsonl", "--rank", "0"], "rank 0 is below 1"),
    "no seeds": (lambda _: ["--task", "toy.jsonl", "--seeds", "0"], "--seeds 0"),
    "unknown dtype": (lambda _: ["--task", "toy.jsonl", "--dtype", "fp31"], "did you mean 'fp32'"),
    "no such model": (lambda _: ["--task", "toy.jsonl", "--model", "./nowhere"], "nowhere"),
    "missing file": (lambda folder: ["--task", str(folder / "toi.jsonl")], "did you mean 'toy.jsonl'"),
    "empty file": (rewritten(lambda lines: ""), "empty"),
    "not UTF-8": (rewritten(lambda lines: "".join(lines).replace("rises", "rís").encode("latin-1")), "not UTF-8"),
    "cut off": (rewritten(lambda lines: "".join(lines)[:-20]), "cut off"),
    "missing column": (rewritten(lambda lines: "".join(lines).replace('"answer"', '"anser"')), "answer"),
    "answer not a choice": (
        rewritten(lambda lines: lines[0].replace('"answer": "it rises"', '"answer": "up"') + "".join(lines[1:])),
        "up",
    ),
    "duplicate ids": (rewritten(lambda lines: "".join('{"id": "a", ' + line[1:] for line in lines)), "id"),
    "one class": (
        lambda folder: ["--task", str(one_class(folder / "one.jsonl"))],
        "class",
    ),
    "no permission": (
        lambda folder: ["--task", "toy.jsonl", "--results", str(folder / "toy.jsonl" / "x")],
        "cannot write",
    ),
    "no such data folder": (lambda _: ["--task", "toy.jsonl", "--data", "nowhere"], "no folder 'nowhere'"),
    "cuda": (lambda _: ["--task", "toy.jsonl", "--device", "cuda"], "no CUDA device"),
}


def one_class(path: Path) -> Path:
    """A file of labels in which every label is the same."""
    path.write_text("".join(json.dumps({"context": f"tweet {i}", "target": "neutral"}) + "\n" for i in range(40)))
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_clear_error_with_exit_code_two_before_anything_trains(
    desk: Desk, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, words = BAD[name]
    monkeypatch.chdir(desk.folder)
    monkeypatch.setattr("harness.environment.cuda_present", lambda: False)
    given = make(desk.folder)
    model = [] if "--model" in given or name == "unknown command" or name == "task as command" else ["--model", "model"]
    before = sorted(desk.folder.rglob("*.json"))
    assert main([*given, *model]) == 2
    out, err = desk.capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "\n  --> " in err
    assert "\n  help: " in err
    assert words in err
    assert "Traceback" not in err
    assert sorted(desk.folder.rglob("*.json")) == before


def test_no_disk_space_is_said_before_anything_trains(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr("harness.store.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    assert desk.train() == 2
    assert "not enough disk space" in desk.err


def test_a_rank_above_the_layer_s_size_and_a_corrupt_checkpoint_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from toys import toy_folder

    model = toy_folder(tmp_path / "toymodel")
    command = ["plan", "--task", str(write_task(tmp_path / "toy.jsonl")), "--results", str(tmp_path / "results")]
    assert main([*command, "--model", str(model), "--rank", "33"]) == 2
    assert "rank 33" in capsys.readouterr().err
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert main([*command, "--model", str(model)]) == 2
    assert "corrupt checkpoint" in capsys.readouterr().err


def test_a_hub_id_without_network_says_what_to_do_instead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    assert main(["plan", "--task", str(write_task(tmp_path / "toy.jsonl")), "--model", "owner/name"]) == 2
    err = capsys.readouterr().err
    assert "owner/name" in err
    assert "--model DIR" in err

"""Adapters on other tasks: each gives the answers that its own run recorded, and the matrix holds them all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import cross_file
from harness.adapters.cross import AdapterScores
from harness.cli.app import main
from harness.data.source import TaskSource
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records
from tests.methods.test_more_methods import Ear
from tests.support.sample_inputs import write_task
from tests.support.tiny_models import toy_folder

Capture = pytest.CaptureFixture[str]
METHODS = ("lora", "qlora", "bottleneck")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a toy model was trained for a few steps by three methods."""
    folder = tmp_path_factory.mktemp("cross")
    write_task(folder / "first.jsonl", rows=36)
    write_task(folder / "second.jsonl", rows=48)
    options = Options(
        tasks=(str(folder / "first.jsonl"),),
        model=str(toy_folder(folder / "toy")),
        methods=METHODS,
        ranks=(4,),
        results=folder / "results",
        epochs=1.0,
        learning_rate=0.02,
        dtype="fp32",
        device="cpu",
        memory=False,
        jobs=1,
    )
    (made,) = plan.make(options)
    for job in made.jobs():
        records.prepare(job.folder)
        worker.run(job, Ear())
    return folder


def runs(desk: Path) -> Sequence[records.Run]:
    found = records.read_all(desk / "results")
    assert [run.record.status for run in found] == ["ok"] * len(METHODS), [run.record.reason for run in found]
    return found


def score(desk: Path, *words: str) -> int:
    place = ("--results", str(desk / "results"), "--model", str(desk / "toy"))
    return main(["adapters", "score", *words, *place])


def read(desk: Path, name: str) -> tuple[dict[str, Any], dict[tuple[str, str], AdapterScores]]:
    """What was written: the document as it stands, and its rows with their answers, computed anew."""
    path = desk / "results" / "merges" / f"{name}.json"
    tasks = {task: TaskSource(str(desk / f"{task}.jsonl")).task() for task in ("first", "second")}
    return json.loads(path.read_text()), {
        (one.adapter, one.task): one for one in cross_file.recompute(path, tasks).rows
    }


def test_an_adapter_gives_the_answers_of_its_own_run_and_is_scored_on_another_task(desk: Path, capsys: Capture) -> None:
    ids = [run.record.spec.id for run in runs(desk)]
    tasks = ("--task", str(desk / "first.jsonl"), "--task", str(desk / "second.jsonl"))
    assert score(desk, *ids, *tasks, "--name", "all") == 0
    out = capsys.readouterr().out
    stated, found = read(desk, "all")
    assert set(found) == {(name, task) for name in ("base", *ids) for task in ("first", "second")}
    retained = {(one["adapter"], one["task"]) for one in stated["retention"]}
    assert retained == {(id, "first") for id in ids[1:]}, "each against the first adapter of the task"
    assert "retention, % of the score" in out
    first = [found[id, "first"].answers[0].loglik[0] for id in ids]
    assert min(abs(a - b) for a in first for b in first if a is not b) > 0.01, "the adapters do something"
    for run in runs(desk):
        one = found[run.record.spec.id, "first"]
        assert one.data == run.record.spec.data
        own = run.answers()
        assert [answer.id for answer in one.answers] == [answer.id for answer in own]
        for answer, kept in zip(one.answers, own, strict=True):
            assert answer.loglik == pytest.approx(kept.loglik, abs=1e-4)
        assert one.scores["acc"].value == run.record.scores["acc"].value
        line = next(line for line in out.splitlines() if line.startswith(run.record.spec.id))
        for task in ("first", "second"):
            assert f"{100 * found[run.record.spec.id, task].scores['acc'].value:.1f} [" in line


def test_a_merged_adapter_is_scored_and_of_one_adapter_it_answers_as_that_does(desk: Path, tmp_path: Path) -> None:
    lora = next(run for run in runs(desk) if run.record.spec.method == "lora")
    out = tmp_path / "merged"
    results = ("--results", str(desk / "results"))
    assert main(["adapters", "merge", lora.record.spec.id, "--how", "sum", "--out", str(out), *results]) == 0
    assert score(desk, str(out), "--task", str(desk / "first.jsonl"), "--name", "merged") == 0
    (one,) = read(desk, "merged")[1].values()
    assert one.trained_on == ("first",)
    for answer, kept in zip(one.answers, lora.answers(), strict=True):
        assert answer.loglik == pytest.approx(kept.loglik, abs=1e-4)


def test_two_adapters_of_one_name_are_refused(desk: Path, capsys: Capture) -> None:
    id = runs(desk)[0].record.spec.id
    assert score(desk, id, id[:8], "--task", str(desk / "first.jsonl")) == 2
    assert f"two adapters are called {id}" in capsys.readouterr().err


def test_a_run_of_somebody_else_does_not_make_this_machine_run_code(
    desk: Path, tmp_path: Path, capsys: Capture
) -> None:
    lora = next(run for run in runs(desk) if run.record.spec.method == "lora")
    spec = replace(lora.record.spec, remote_code=True)
    folder = records.run_dir(tmp_path, spec)
    shutil.copytree(lora.folder, folder)
    records.write_record(folder, replace(lora.record, spec=spec))
    words = ["adapters", "score", spec.id, "--task", str(desk / "first.jsonl"), "--model", str(desk / "toy")]
    assert main([*words, "--results", str(tmp_path)]) == 2
    assert "--trust-remote-code" in capsys.readouterr().err


def test_another_base_model_and_a_name_that_is_taken_are_refused(desk: Path, tmp_path: Path, capsys: Capture) -> None:
    lora = next(run for run in runs(desk) if run.record.spec.method == "lora").record.spec
    other = toy_folder(tmp_path / "other", num_hidden_layers=1)
    words = ["adapters", "score", lora.id, "--task", str(desk / "first.jsonl"), "--results", str(desk / "results")]
    assert main([*words, "--model", str(other)]) == 2
    assert f"was made for {lora.model_revision}" in capsys.readouterr().err
    (desk / "results" / "merges").mkdir(exist_ok=True)
    (desk / "results" / "merges" / "taken.json").write_text("mine")
    assert main([*words, "--model", str(desk / "toy"), "--name", "taken"]) == 2
    assert "there is a score of this name" in capsys.readouterr().err
    assert (desk / "results" / "merges" / "taken.json").read_text() == "mine"

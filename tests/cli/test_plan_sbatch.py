"""`plan --sbatch`: an array script of the runs that are missing, whose tasks leave the runs of one command."""

from __future__ import annotations

import itertools
import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from harness.runs import plan
from harness.runs.forecast import fit
from harness.runs.forecast.preflight import Findings
from harness.store import records
from tests.support.cli_runner import Desk, guess, guess_but_lora_is_killed, without_torch


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


def submit(desk: Desk, *arguments: str, device: str = "cpu") -> list[list[str]]:
    """Return the calls of the script for the runs that are still to do."""
    flags = ("--method", "base,lora,full", "--rank", "2", "--seeds", "2", "--no-memory", "--device", device)
    words = ("--task", str(desk.task), "--model", str(desk.model), "--sbatch", str(desk.folder / "jobs"))
    (desk.folder / "jobs" / "array.sbatch").unlink(missing_ok=True)
    assert desk.run("plan", *words, *flags, *arguments) == 0, desk.err
    return calls(desk)


def calls(desk: Desk) -> list[list[str]]:
    path = desk.folder / "jobs" / "array.sbatch"
    lines = path.read_text().splitlines() if path.exists() else []
    return [shlex.split(line)[1:] for line in lines if line.startswith("    run ")]


def ids(desk: Desk) -> set[str]:
    return {run.record.spec.id for run in records.read_all(desk.results) if run.record.status == "ok"}


def test_the_tasks_of_the_array_leave_the_runs_of_one_command(desk: Desk) -> None:
    for words in submit(desk, "--challengers", "words,commonest"):
        assert desk.run(*words) == 0, desk.err
    assert not (desk.results / "leaderboard").exists()  # `report` makes the tables, once
    assert "next         python run_all.py report" in desk.out
    made = ids(desk)
    desk.results = desk.folder / "other"
    assert desk.train("--seeds", "2", "--device", "cpu", "--challengers", "words,commonest") == 0
    assert made == ids(desk)
    assert len(made) == 7


def test_the_same_command_again_submits_only_what_is_missing(desk: Desk) -> None:
    first = submit(desk)
    assert len(first) == 5
    desk.work = guess_but_lora_is_killed
    for words in first:
        desk.run(*words)
    again = submit(desk)
    assert [words[words.index("--method") + 1] for words in again] == ["lora", "lora"]
    assert "2 tasks for 2 runs, 3 done already" in " ".join(desk.out.split())
    desk.work = guess
    for words in again:
        assert desk.run(*words) == 0
    assert submit(desk) == []
    assert "nothing to submit: all runs are done" in desk.out
    assert "collect    python run_all.py report" in desk.out


def test_a_plan_for_a_gpu_needs_none_and_names_its_device_and_precision(desk: Desk) -> None:
    words = submit(desk, device="cuda")[-1]
    pairs = dict(itertools.pairwise(words))
    assert (pairs["--device"], pairs["--dtype"], pairs["--jobs"]) == ("cuda", "bf16", "1")
    script = (desk.folder / "jobs" / "array.sbatch").read_text()
    assert "#SBATCH --gres=gpu:1\n" in script


def test_a_divided_run_gets_a_card_for_each_of_its_processes(desk: Desk) -> None:
    calls = submit(desk, "--shard", "4", device="cuda")
    script = (desk.folder / "jobs" / "array.sbatch").read_text()
    assert "#SBATCH --gres=gpu:4\n" in script
    assert "#SBATCH --cpus-per-task=16\n" in script
    assert "#SBATCH --ntasks=1\n" in script
    assert "#SBATCH --time" not in script
    assert "the partition's limit holds; --slurm time=… sets it" in " ".join(desk.out.split())
    assert "shard: 4" in (desk.folder / "jobs" / "study.yaml").read_text()  # which each call reads
    assert all("--recipe" in words for words in calls)


def test_a_task_may_have_a_run_a_row_or_the_whole_model(desk: Desk) -> None:
    def tasks(*arguments: str) -> str:
        submit(desk, *arguments)
        return re.search(r"#SBATCH --array=(\S+)", (desk.folder / "jobs" / "array.sbatch").read_text())[1]  # type: ignore[index]

    assert tasks() == "0-4"
    assert tasks("--each", "cell") == "0-2"
    assert tasks("--each", "model") == "0-0"
    assert tasks("--tune", "3") == "0-2"  # the seeds of a row share its search


def test_partition_account_and_further_options_are_those_of_sbatch(desk: Desk) -> None:
    submit(
        desk,
        "--partition",
        "gpu",
        "--account",
        "risk",
        "--slurm",
        "gres=gpu:a100:1,time=08:00:00",
        "--slurm",
        "qos=low",
    )
    lines = (desk.folder / "jobs" / "array.sbatch").read_text().splitlines()
    chosen = dict(
        line.removeprefix("#SBATCH --").split("=", 1) for line in lines if line.startswith("#SBATCH") and "=" in line
    )
    assert chosen["partition"] == "gpu"
    assert chosen["account"] == "risk"
    assert (chosen["gres"], chosen["time"], chosen["qos"]) == ("gpu:a100:1", "08:00:00", "low")


def test_the_time_is_that_of_the_longest_task_on_the_card_that_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(request: fit.Request) -> fit.Outlook:
        seconds = {"base": None, "lora": 3000.0, "full": 7200.0}
        assert not any(spec.challenger for spec in request.specs)
        return fit.Outlook(
            tuple(fit.Forecast(spec, 0, None, True, seconds[spec.method], 60.0) for spec in request.specs), 0, (0, 0.0)
        )

    monkeypatch.setattr("harness.runs.forecast.fit.look_in_own_process", look)
    monkeypatch.setattr("harness.cli.commands.plan_sbatch.plan.make", partial(plan.make, look=lambda _: Findings(1000)))
    words = ("--task", str(desk.task), "--model", str(desk.model), "--method", "base,lora,full", "--rank", "2")
    assert (
        desk.run("plan", *words, "--challengers", "words", "--gpu", "H100", "--sbatch", str(desk.folder / "jobs")) == 0
    )
    assert "#SBATCH --time=04:12:00\n" in (desk.folder / "jobs" / "array.sbatch").read_text()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--each", "run", "--tune", "3"), "the seeds of a row share the search for its learning rate"),
        (("--slurm", 'comment=a"b'), "cannot stand in a script for SLURM"),
        (("--slurm", "exclusive"), "'exclusive=' cannot stand in a script for SLURM"),
        (("--each", "seed"), "--each seed is unknown"),
    ],
)
def test_what_cannot_be_submitted_is_refused(desk: Desk, words: tuple[str, ...], problem: str) -> None:
    task = ("--task", str(desk.task), "--model", str(desk.model), "--no-memory", "--device", "cpu")
    assert desk.run("plan", *task, "--sbatch", str(desk.folder / "jobs"), *words) == 2
    assert problem in desk.err
    assert not (desk.folder / "jobs" / "array.sbatch").exists()

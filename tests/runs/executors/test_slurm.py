"""The array script of `plan --sbatch`, run by bash as SLURM would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.record import RunSpec
from harness.runs.executors import slurm
from harness.runs.executors.slurm import Call, Task
from tests.support.records import make_spec

GIB = 2**30
SPECS = [
    make_spec(method="base", rank=0, epochs=0.0),
    make_spec(method="words", rank=0, epochs=0.0, challenger=1),
    *[make_spec(method="lora", rank=rank, seed=seed) for rank in (2, 8) for seed in (0, 1)],
]


def calls(*, by_cell: bool) -> list[Call]:
    return slurm.calls(SPECS, by_cell=by_cell, words=lambda specs: [spec.name for spec in specs])


def test_runs_without_training_are_one_call_and_each_other_run_has_one() -> None:
    assert [call.words for call in calls(by_cell=False)] == [
        ("base", "words"),
        *[("lora-r2",)] * 2,
        *[("lora-r8",)] * 2,
    ]


def test_all_seeds_of_a_row_are_one_call_if_they_share_a_search() -> None:
    assert [len(call.specs) for call in calls(by_cell=True)] == [2, 2, 2]


def test_a_task_has_one_call_or_those_of_the_whole_model() -> None:
    assert [len(task.calls) for task in slurm.tasks(calls(by_cell=False), "run")] == [1] * 5
    (task,) = slurm.tasks(calls(by_cell=False), "model")
    assert task.specs == tuple(SPECS)
    assert slurm.tasks([], "model") == []


def of(specs: list[RunSpec], device: str, shards: int = 1, **known: dict[str, float]) -> slurm.Resources:
    peaks = {name: round(value) for name, value in known.get("peaks", {}).items()}
    todo = slurm.tasks([Call((), tuple(specs))], "run")
    seconds = known.get("seconds", {})
    return slurm.resources(todo, device=device, cores=8, weights=GIB, peaks=peaks, seconds=seconds, shards=shards)


def test_a_task_asks_for_what_is_predicted_with_a_margin() -> None:
    run = make_spec()
    on_cpu = of([run], "cpu", peaks={run.id: 20 * GIB}, seconds={run.id: 3600.0})
    assert on_cpu.lines() == {
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": "8",
        "mem": "29G",  # 25 % more, and the libraries
        "time": "02:10:00",  # twice as long, and ten minutes
    }
    on_gpu = of([run], "cuda", peaks={run.id: 20 * GIB}).lines()
    assert on_gpu["gres"] == "gpu:1"
    assert on_gpu["mem"] == "7G"  # the peak is that of the card
    assert "time" not in on_gpu
    divided = of([run], "cuda", shards=4).lines()
    assert (divided["gres"], divided["cpus-per-task"], divided["mem"]) == ("gpu:4", "16", "14G")


# the script


class Cluster:
    """A folder with stand-ins of `squeue` and `scontrol`, and a program that the script calls."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder, self.state = folder, "RUNNING"
        (folder / "program.py").write_text(program)
        for name, line in (("squeue", 'echo "$STATE"'), ("scontrol", 'echo "$@" >> requeued')):
            (folder / name).write_text(f"#!/bin/bash\n{line}\n")
            (folder / name).chmod(0o755)

    def start(self, todo: list[Task], number: int, **variables: str) -> subprocess.Popen[str]:
        """Start a task of the array as `slurmd` would."""
        text = slurm.script(
            todo,
            {"mem": "1G"},
            program=(sys.executable, "program.py"),
            folder=self.folder,
            here=self.folder,
            collect="report",
        )
        path = slurm.write(self.folder, text, "task: toy\n")
        job = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "3", "STATE": self.state}
        search = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.Popen(["bash", str(path)], env=os.environ | search | job | variables, text=True)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file of the folder; none without it."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


TALKS = """
import os, sys
with open("called", "a") as file:
    print(*sys.argv[1:], os.environ["OMP_NUM_THREADS"], file=file)
sys.exit(int("fails" in sys.argv))
"""
WAITS = """
import signal, sys, time
def end(*_):
    print("stopped", file=open("called", "a"))
    time.sleep(0.2)
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
print("started", file=open("called", "a"), flush=True)
time.sleep(60)
"""


def task(*words: str) -> Task:
    return Task(tuple(Call(("run", word), ()) for word in words))


def test_a_task_of_the_array_makes_its_own_calls_and_no_other(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, TALKS)
    todo = [task("a b"), task("c", "fails", "d")]
    assert cluster.start(todo, 0).wait() == 0
    assert cluster.lines("called") == ["run a b 3"]
    assert cluster.start(todo, 1).wait() == 1  # the next call is made all the same
    assert cluster.lines("called")[1:] == ["run c 3", "run fails 3", "run d 3"]
    assert not cluster.lines("requeued")


@pytest.mark.parametrize(
    ("state", "restarts", "again"),
    [("RUNNING", "0", ["requeue 7"]), ("COMPLETING", "0", []), ("RUNNING", str(slurm.RESTARTS), [])],
    ids=["at the end of its time", "cancelled or preempted", "too often"],
)
def test_a_notice_reaches_the_program_and_the_task_is_queued_again(
    tmp_path: Path, state: str, restarts: str, again: list[str]
) -> None:
    cluster = Cluster(tmp_path, WAITS)
    cluster.state = state
    job = cluster.start([task("a", "b")], 0, SLURM_RESTART_COUNT=restarts)
    while cluster.lines("called") != ["started"]:
        time.sleep(0.05)
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 130
    assert cluster.lines("called") == ["started", "stopped"]  # and `b` is not started
    assert cluster.lines("requeued") == again


def test_the_script_has_the_options_of_sbatch_before_any_command(tmp_path: Path) -> None:
    text = slurm.script(
        [task("a"), task("b")],
        {"partition": "gpu", "comment": "two words"},
        program=("python",),
        folder=tmp_path,
        here=Path("/a folder"),
        collect="adaptbench report",
    )
    head, body = text.split("\n\n", 1)
    assert all(line.startswith("#") for line in head.splitlines())
    for line in ("--array=0-1", "--partition=gpu", '--comment="two words"', "--signal=B:TERM@60", "--requeue"):
        assert f"#SBATCH {line}" in head.splitlines()
    assert body.startswith("cd '/a folder' || exit 2\n")

"""An array of SLURM from the plan to the table: each task is started as a node would, preempted, and queued again."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.runs.executors import slurm
from harness.store import records
from tests.support.background import ROOT
from tests.support.sample_inputs import write_task

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="groups of processes")]


class Cluster:
    """`sbatch`, `squeue` and `scontrol` on this machine: the tasks of an array run here, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.starts = folder, 0
        for name, line in (("squeue", "echo RUNNING"), ("scontrol", f"touch '{folder}/again'")):
            (folder / name).write_text(f"#!/bin/bash\n{line}\n")
            (folder / name).chmod(0o755)

    def sbatch(self, script: Path, *, preempted_after: int = 0) -> list[int]:
        """Run every task of an array; return their exit codes.

        Args:
            script: with a line of its numbers.
            preempted_after: all processes of a task get SIGTERM once its run has made so many steps; 0 for never.
        """
        first, last = re.search(r"^#SBATCH --array=(\d+)-(\d+)$", script.read_text(), re.M).groups()  # type: ignore[union-attr]
        codes = []
        for number in range(int(first), int(last) + 1):
            again = self.folder / "again"
            code = self._task(script, number, preempted_after)
            while again.exists():
                again.unlink()
                code = self._task(script, number, 0)
            codes.append(code)
        return codes

    def _task(self, script: Path, number: int, preempted_after: int) -> int:
        self.starts += 1
        search = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        job = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}
        with (script.parent / slurm.LOGS / f"7_{number}.txt").open("a") as log:
            process = subprocess.Popen(
                ["bash", str(script)], env=os.environ | search | job, stdout=log, stderr=log, start_new_session=True
            )
        while preempted_after and process.poll() is None:
            if any(
                len(records.read_steps(path.parent)) >= preempted_after for path in self.folder.rglob("steps.jsonl")
            ):
                os.killpg(process.pid, signal.SIGTERM)
                break
            time.sleep(0.05)
        return process.wait()


def program(*words: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, str(ROOT / "run_all.py"), *words], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def left(results: Path) -> dict[str, Any]:
    """What the runs leave that was not measured."""
    found: dict[str, Any] = {}
    for run in records.read_all(results):
        losses = [step["loss"] for step in records.read_steps(run.folder)]
        weights = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in run.folder.glob("adapter/*")}
        record = run.record
        found[record.spec.id] = (
            record.status,
            record.scores,
            record.answers_sha256,
            record.final_loss,
            losses,
            weights,
        )
    return found


def test_an_array_whose_tasks_are_preempted_leaves_the_bytes_of_undisturbed_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from tests.support.tiny_models import toy_folder

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_task(tmp_path / "toy.jsonl")
    toy_folder(tmp_path / "toymodel")
    runs = "--task toy.jsonl --model toymodel --method base,lora --rank 2 --epochs 100 --challengers none"
    grid = [*runs.split(), *["--device", "cpu", "--dtype", "fp32", "--no-memory", "--results", "array"]]
    program("plan", *grid, "--sbatch", "jobs", cwd=tmp_path)
    cluster = Cluster(tmp_path)
    assert cluster.sbatch(tmp_path / "jobs" / slurm.SCRIPT, preempted_after=20) == [0, 0]
    assert cluster.starts == 3
    (trained,) = [run.record for run in records.read_all(tmp_path / "array") if run.record.spec.rank]
    assert trained.checkpoints
    assert trained.checkpoints.resumptions
    assert trained.checkpoints.lost_steps == 0
    assert "nothing to submit" in program("plan", *grid, "--sbatch", "jobs", cwd=tmp_path)
    assert "leaderboard/toy.csv" in program("report", "--results", "array", cwd=tmp_path)
    program(*grid[:-1], "single", "--jobs", "1", "--no-report", cwd=tmp_path)
    assert left(tmp_path / "array") == left(tmp_path / "single")

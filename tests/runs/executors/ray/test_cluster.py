"""A real Ray cluster of three nodes on this machine: a node killed in the middle, and the records of local runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.runs import local, runner, worker
from harness.runs.executors.ray.executor import RayCluster
from harness.runs.job import Job
from harness.store import records
from tests.runs.test_runner import Notes
from tests.support.ray_nodes import contents, grid_in, leaderboard, processes_with, three_nodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[4]
GRID = ("--task", "cfa", "--challengers", "none", "--train-examples", "64", "--test-examples", "60", "--no-report")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of three nodes with a core each, to which this process is connected."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    pytest.importorskip("ray")
    with three_nodes() as cluster:
        yield cluster


def test_a_node_killed_in_the_middle_loses_nothing_and_the_tables_are_those_of_this_machine(
    nodes: Any, tmp_path: Path
) -> None:
    import ray

    here, there = grid_in(tmp_path / "here", 4), grid_in(tmp_path / "there", 4)
    killed: list[float] = []

    def kill_a_node(job: Job) -> None:
        if not killed and job.spec.method == "lora":
            killed.append(time.monotonic())
            nodes.remove_node(nodes.list_all_nodes()[-1], allow_graceful=False)

    cluster, notes = RayCluster(ray, worker.run, root=str(tmp_path / "cache"), share=False), Notes(kill_a_node)
    with contextlib.closing(cluster):
        outcomes = runner.run(there.jobs(), cluster, notes).outcomes
    assert killed, notes.lines
    assert [outcome.status for outcome in outcomes] == ["ok"] * 5, [outcome.reason for outcome in outcomes]
    assert any("placed again" in line for line in notes.lines), notes.lines
    runner.run(here.jobs(), local.LocalProcesses(worker.run, slots=2), Notes())
    assert contents(there) == contents(here)
    assert leaderboard(there) == leaderboard(here)
    assert not list((tmp_path / "cache" / "runs").glob("*/runs/*/*/*/*/record.json"))


def test_ctrl_c_ends_the_command_its_runs_and_the_cluster_that_it_started(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    mark = f"mark-{os.getpid()}"
    words = [
        sys.executable,
        "run_all.py",
        *GRID,
        "--method",
        "lora",
        "--rank",
        "2",
        "--epochs",
        "40",
        "--cluster",
        "ray",
    ]
    words += ["--no-memory", "--results", str(tmp_path / "results")]
    environment = {**os.environ, "MARK_OF_A_TEST": mark, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("RAY_ADDRESS", None)
    with (tmp_path / "out.txt").open("wb") as out:
        process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out, env=environment, start_new_session=True)
        for _ in range(600):
            time.sleep(0.2)
            if "train" in (tmp_path / "out.txt").read_text(encoding="utf-8").partition("detects")[2]:
                break
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, (tmp_path / "out.txt").read_text(encoding="utf-8")
    (folder,) = {path.parent for path in (tmp_path / "results" / "runs").rglob(records.RECORD)}
    assert records.read_record(folder).status == "interrupted"
    for _ in range(100):
        if not processes_with(mark):
            return
        time.sleep(0.1)
    pytest.fail(f"processes are left: {processes_with(mark)}")

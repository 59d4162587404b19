"""A real Ray cluster of three nodes on this machine: a node killed in the middle, and the records of local runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.results import analyze
from harness.report import leaderboard as report
from harness.runs import local, plan, runner, worker
from harness.runs.executors.ray.executor import RayCluster
from harness.runs.job import Job
from harness.runs.options import Options
from harness.store import records
from tests.runs.test_checkpoints import without_times
from tests.runs.test_runner import Notes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[4]
GRID = ("--task", "cfa", "--challengers", "none", "--train-examples", "64", "--test-examples", "60", "--no-report")
MEASURED = {
    "train_seconds",
    "eval_seconds",
    "train_tokens_per_second",
    "first_date",
    "last_date",
    "neighbours",
    "load",
} | {
    "train_seconds_low",
    "train_seconds_high",
}
STORE = 80 * 2**20  # the least that Ray accepts is about this


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of three nodes with a core each, to which this process is connected."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    )
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def jobs_in(results: Path, seeds: int) -> plan.Plan:
    options = Options(
        tasks=("cfa",),
        methods=("base", "lora"),
        ranks=(2,),
        seeds=tuple(range(seeds)),
        epochs=1.0,
        train_examples=64,
        test_examples=60,
        results=results,
        jobs=2,
        memory=False,
        dtype="fp32",
    )
    return plan.make(options)[0]


def leaderboard(planned: plan.Plan) -> list[dict[str, Any]]:
    """The rows of the leaderboard, without what is measured by the clock or in bytes of a process."""
    runs = [records.finished_run(planned.options.results, spec) for spec in planned.specs]
    metrics = {planned.task.name: planned.task.metrics}
    found: list[tuple[Any, Any]] = [(run.record, run.answers()) for run in runs if run is not None]
    analysis = analyze(planned.task.name, found, metrics, {})
    rows = report.leaderboard(analysis.cells)
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def contents(planned: plan.Plan) -> dict[str, Any]:
    """The records without times and places, and the bytes of answers and weights."""
    found: dict[str, Any] = {}
    for spec in planned.specs:
        folder = records.run_dir(planned.options.results, spec)
        record = without_times(json.loads((folder / records.RECORD).read_text(encoding="utf-8")))
        found[spec.id] = {
            name: value for name, value in record.items() if name not in ("placement", "neighbours", "load")
        }
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".gz", ".safetensors") and not path.name.startswith("steps"):
                found[f"{spec.id} {path.relative_to(folder)}"] = path.read_bytes()
    return found


def ours(word: str) -> list[int]:
    """The processes of this machine with a word in their command or their environment."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and int(process.name) != os.getpid():
                text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                found += [int(process.name)] * (word.encode() in text)
    return found


def test_a_node_killed_in_the_middle_loses_nothing_and_the_tables_are_those_of_this_machine(
    nodes: Any, tmp_path: Path
) -> None:
    import ray

    here, there = jobs_in(tmp_path / "here", 4), jobs_in(tmp_path / "there", 4)
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
        if not ours(mark):
            return
        time.sleep(0.1)
    pytest.fail(f"processes are left: {ours(mark)}")

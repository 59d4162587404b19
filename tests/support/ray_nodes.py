"""A real Ray cluster of three nodes on this machine, a grid of runs for it, and what two results folders have in common."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.analysis.results import analyze
from harness.report import leaderboard as report
from harness.runs import plan
from harness.runs.executors.ray import session
from harness.runs.options import Options
from harness.store import records
from tests.runs.test_checkpoints import without_times

# columns of the leaderboard that clocks, dates and neighbours decide
MEASURED = frozenset(
    (
        "train_seconds",
        "eval_seconds",
        "train_tokens_per_second",
        "train_seconds_low",
        "train_seconds_high",
        "first_date",
        "last_date",
        "neighbours",
        "load",
    )
)
STORE = 80 * 2**20  # the least that Ray accepts is about this


@contextlib.contextmanager
def three_nodes() -> Iterator[Any]:
    """A cluster of three nodes with a core each, to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=STORE)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        session.mute()
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def grid_in(results: Path, seeds: int) -> plan.Plan:
    """The plan of the base model and so many seeds of LoRA, each a few seconds long."""
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


def timeless(runs: list[records.Run], task: str, metrics: Any) -> list[dict[str, Any]]:
    """The rows of the leaderboard of runs, without what is measured by the clock."""
    found: list[tuple[Any, Any]] = [(run.record, run.answers()) for run in runs]
    rows = report.leaderboard(analyze(task, found, {task: metrics}, {}).cells)
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def leaderboard(planned: plan.Plan) -> list[dict[str, Any]]:
    """The rows of the leaderboard of a plan's finished runs, without what is measured by the clock."""
    runs = [records.finished_run(planned.options.results, spec) for spec in planned.specs]
    return timeless([run for run in runs if run is not None], planned.task.name, planned.task.metrics)


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


def processes_with(word: str) -> list[int]:
    """The other processes of this machine with a word in their command or their environment."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and int(process.name) != os.getpid():
                text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                found += [int(process.name)] * (word.encode() in text)
    return found

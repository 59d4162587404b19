"""Itself: the time from records to tables, figures and page, which has to grow no faster than the records do."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from records import make_answers, make_record, make_spec

from benchmarks import subjects
from benchmarks.timing import Comparison, keep
from harness import store
from harness.commands.outputs import write_outputs
from harness.schema import RunSpec

SIZES = (10, 100, 1_000)
SEEDS = 5
RANKS = 4


def write(root: Path, count: int) -> None:
    """Write `count` finished runs of made-up tasks, 20 answers each: five seeds at four ranks a task."""
    answers = make_answers(15, 5)
    for number in range(count):
        group, place = divmod(number, SEEDS * RANKS)
        spec: RunSpec = make_spec(task=f"task{group:04d}", rank=2 ** (place // SEEDS + 1), seed=place % SEEDS)
        folder = store.run_dir(root, spec)
        digest = store.write_answers(folder, answers)
        store.write_record(folder, replace(make_record(spec), answers_sha256=digest))


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Measure each size once: what is long is measured long enough."""
    seconds: dict[str, tuple[float, ...]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write(root, size)
            started = time.perf_counter()
            write_outputs(root, store.read_all(root))
            seconds[f"{size:,} records"] = (time.perf_counter() - started,)
    told = ", ".join(f"{name} {taken[0]:.1f} s" for name, taken in seconds.items())
    first, last = (seconds[f"{size:,} records"][0] / size for size in (sizes[-2], sizes[-1]))
    found = Comparison("views", "records to tables, figures and page", {"ours": (first,), "ten times as many": (last,)},
                       {}, told, packages=subjects.versions(("torch",)),
                       notes=("seconds are those of one record, so 1.0 is growth in line with the records; figures are most of it, eight files a task",))  # fmt: skip
    keep(found)

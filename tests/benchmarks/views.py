"""Itself: the time from records to tables, figures and page, which has to grow no faster than the records do.

Two shapes of store. "Grids" is what the program's own command leaves: for each task and model the base model, LoRA and QLoRA
at three ranks each and full fine-tuning, four seeds of each, so 32 runs; there are 30 tasks, and then further models. A task
has five figures, with a panel in each for every model. "Ranks" is a task for every twenty records, one method at four ranks
and five seeds: figures weigh most. Every run has 20 answers, in both.

    python tests/benchmarks/views.py grids 1000     one size, as JSON: nothing drawn yet, and again with one run more
"""

from __future__ import annotations

import importlib.metadata
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:1] = [str(ROOT)]

from harness import environment, metrics
from harness.metrics.scoring import score_answers
from harness.record import Answer, RunSpec
from harness.report.write import write_outputs
from harness.store import records
from tests.benchmarks.timing import Comparison, keep, processor
from tests.support.records import make_answers, make_record, make_spec

SIZES = {"grids": (10, 100, 1_000, 10_000), "ranks": (10, 100, 1_000)}
TASKS, ANSWERS = 30, 20
ROWS = (("base", 0), *((method, rank) for method in ("lora", "qlora") for rank in (2, 8, 32)), ("full", 0))
TARGET = "10,000 records in 10 s"


def grids(number: int) -> RunSpec:
    """Return the spec of a run: four seeds of each row, all rows of a task and model, all tasks of a model."""
    rest, seed = divmod(number, 4)
    rest, row = divmod(rest, len(ROWS))
    model, task = divmod(rest, TASKS)
    method, rank = ROWS[row]
    return make_spec(task=f"task{task:02d}", model=f"model-{model:02d}", method=method, rank=rank, seed=seed)


def ranks(number: int) -> RunSpec:
    """Return the spec of a run: five seeds at each of four ranks, then the next task."""
    task, place = divmod(number, 20)
    return make_spec(task=f"task{task:04d}", rank=2 ** (place // 5 + 1), seed=place % 5)


SHAPES: dict[str, Callable[[int], RunSpec]] = {"grids": grids, "ranks": ranks}


def write(root: Path, shape: str, numbers: range) -> None:
    """Write finished runs, about six in ten answers of each right."""
    for number in numbers:
        spec, answers = SHAPES[shape](number), make_up(random.Random(number))
        folder = records.run_dir(root, spec)
        digest = records.write_answers(folder, answers)
        scores = score_answers(answers, (metrics.accuracy,))
        records.write_record(folder, replace(make_record(spec), scores=scores, answers_sha256=digest))


def make_up(rng: random.Random) -> list[Answer]:
    """Return answers of which some are right, each with log-likelihoods of its options."""
    right = [rng.random() < 0.6 for _ in range(ANSWERS)]
    told = [("a" if one else "b", tuple(-2 * rng.random() for _ in range(3))) for one in right]
    blank = make_answers(ANSWERS, 0)
    return [replace(one, text=t, parsed=t, loglik=nats) for one, (t, nats) in zip(blank, told, strict=True)]


def measure(shape: str, size: int) -> dict[str, Any]:
    """Make the views of a store where nothing is drawn, and again with one run more: seconds, and the peaks in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, shape, range(size))
        anew = timed(root)
        write(root, shape, range(size, size + 1))
        again = timed(root)
        page = (root / "report.html").stat().st_size
    peaks = [1024 * resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"anew": anew, "again": again, "page": page, "peak": peaks[0], "peak of another": peaks[1]}


def timed(root: Path) -> dict[str, float]:
    """Return the seconds that `report` takes by the clock and of the processors, of its processes too."""
    started, used = time.perf_counter(), processor()
    write_outputs(root, records.read_all(root))
    return {"clock": time.perf_counter() - started, "processors": processor() - used}


def apart(shape: str, size: int) -> dict[str, Any]:
    """As `measure`, in a process of its own, for peaks are those of a whole life."""
    command = [sys.executable, str(Path(__file__)), shape, str(size)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    """Measure each size once: what is long is measured long enough."""
    found = {shape: {size: apart(shape, size) for size in sizes} for shape, sizes in SIZES.items()}
    work = {
        "anew": "records to tables, figures and page, nothing drawn before",
        "again": "records to tables, figures and page, with one run more than what is drawn",
    }
    for kind, name in (("anew", "views"), ("again", "views-again")):
        told = [f"{shape}: {_told(sizes, kind)}" for shape, sizes in found.items()]
        (_, less), (_, most) = list(found["grids"].items())[-2:]
        small, large = SIZES["grids"][-2:]
        seconds = {
            "ours": (less[kind]["processors"] / small,),
            "ten times as many": (most[kind]["processors"] / large,),
        }
        notes = (
            f"the target is {TARGET} by the clock",
            "the first number is by the clock and the second of all processors together",
            f"{environment.cores()} processes side by side",
            "seconds of the ratio are the processors', of one record, so 1.0 is growth in line with the records",
            "grids: 30 tasks and as many models as that takes, 8 rows of 4 seeds each; ranks: a task every 20 records",
            f"at {large:,} the page has {most['page'] / 2**20:.0f} MiB and most memory is {most['peak'] / 2**20:.0f} MiB"
            f" in the main process, {most['peak of another'] / 2**20:.0f} MiB in the largest of the others",
        )
        packages = {library: importlib.metadata.version(library) for library in ("matplotlib", "numpy")}
        keep(Comparison(name, work[kind], seconds, {}, "; ".join(told), notes, packages))


def _told(sizes: dict[int, dict[str, Any]], kind: str) -> str:
    shown = (
        f"{size:,} records {one[kind]['clock']:.1f} s ({one[kind]['processors']:.1f} s)" for size, one in sizes.items()
    )
    return ", ".join(shown)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))

"""Boards of a real model: every row of a task, the rows that matter most first, until the time is over.

    python -m tests.gpu.board --model smollm2-135m --data DATA [--tasks tfns,ner] [--seeds 3] [--minutes 9]

The same commands run on a laptop over days and on a GPU in minutes: `run_all.py` keeps every finished run, so that a board
which was stopped goes on where it was. `tests/gpu/board.sh` takes the model and the data to a machine without a network.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.store import records as store

PART = 15 * 2**20  # bytes of a packed part
PARTS = 7
STOP_SECONDS = 30.0
WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class Entry:
    """A task of the boards: its training and test examples, its passes, and flags that only it takes.

    if `scoring` is generate, answers have no options, so that nothing is calibrated.
    """

    task: str
    train: int
    test: int
    epochs: float = 1.0
    scoring: str = "choices"
    flags: tuple[str, ...] = ()


# What a model can do before training, by log-likelihood, and the task by other rules: for forgetting, and what carries over.
ABILITIES = "arc_challenge,openbookqa,mmlu,wikitext,shifted"
# In the order in which they are computed. The test tells about 7 points apart if the data set has as many questions.
ENTRIES = (
    Entry("tfns", 800, 500),
    Entry("fiqa", 140, 70, 4.0),
    Entry("ner", 600, 400),
    Entry("financial_math", 600, 200, 1.0, "generate", ("--gold", "audited")),
    Entry("xbrl_tag", 58, 37, 3.0, scoring="generate"),
    Entry("xbrl_value", 65, 30, 3.0, scoring="generate"),
    Entry("xbrl_term", 800, 200, scoring="generate"),
    Entry("finer", 300, 150, scoring="generate"),
    Entry("auto_claims", 197, 98, 2.0),
    Entry("cfa", 1000, 400, flags=("--probe", ABILITIES)),
    Entry("claims", 600, 300, scoring="generate"),
    Entry("sec_qa", 600, 300, scoring="generate"),
    Entry("reserving", 600, 300),
)
DRY = Entry("reserving", 24, 8)


@dataclass(frozen=True)
class Stage:
    """A part of a board: methods at ranks, and flags of its own.

    `like` names the method whose tuned rate at rank 8 its runs take. One rate serves all ranks, since alpha is the same for all,
    and rows of one method would not compare ranks if only one of them were tuned.
    """

    name: str
    methods: str
    ranks: str = "8"
    flags: tuple[str, ...] = ("--challengers", "none")
    seeds: bool = True
    like: str = ""


STAGES = (
    Stage("base", "base,calibrated,fewshot", flags=(), seeds=False),
    Stage("headline", "lora,qlora,full", flags=("--challengers", "none", "--tune", "3")),
    Stage("lora ranks", "lora", "2,32", like="lora"),
    Stage("qlora ranks", "qlora", "2,32", like="qlora"),
    Stage("precision", "full-bf16", like="full"),
)


def command(verb: str, entry: Entry, stage: Stage, seeds: int, options: argparse.Namespace) -> list[str]:
    """Return the command line of a stage, after `run_all.py`."""
    methods = [name for name in stage.methods.split(",") if entry.scoring == "choices" or name != "calibrated"]
    flags = {
        "--task": entry.task,
        "--model": options.model,
        "--method": ",".join(methods),
        "--rank": stage.ranks,
        "--seeds": str(seeds),
        "--train-examples": str(entry.train),
        "--test-examples": str(entry.test),
        "--epochs": str(entry.epochs),
        "--results": str(options.results),
    }
    if options.data:
        flags["--data"] = str(options.data)
    if options.jobs:
        flags["--jobs"] = str(options.jobs)
    if stage.like and (rate := tuned_rate(options.results, entry.task, stage.like)):
        flags["--learning-rate"] = str(rate)
    pairs = [word for pair in flags.items() for word in pair]
    return [verb, *pairs, *entry.flags, *stage.flags]


def tuned_rate(results: Path, task: str, method: str) -> float | None:
    """Return the rate that was chosen for a method on a task; None if none was yet."""
    for run in store.read_all(results, task):
        if run.record.spec.method == method and run.record.spec.tuned_over:
            return run.record.spec.learning_rate
    return None


def commands(entries: Iterable[Entry], options: argparse.Namespace, verb: str = "run") -> Iterator[list[str]]:
    """Yield the commands of all boards: of each task all stages with a seed first, then the further seeds."""
    stages = tuple(stage for stage in STAGES if stage.name in options.stages.split(","))
    for entry in entries:
        for stage in stages:
            yield command(verb, entry, stage, 1, options)
        if options.seeds > 1:
            for stage in stages:
                if stage.seeds:
                    yield command(verb, entry, stage, options.seeds, options)


def perform(line: list[str], deadline: float) -> int | None:
    """Run a command of `run_all.py`, interrupted at the deadline, and return its exit code; None after the deadline."""
    left = deadline - time.monotonic()
    if left <= STOP_SECONDS:
        return None
    print("python run_all.py", *line, flush=True)
    process = subprocess.Popen([sys.executable, str(ROOT / "run_all.py"), *line], cwd=ROOT, start_new_session=True)
    try:
        return process.wait(left - STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return None


def pack(results: Path, out: Path) -> list[Path]:
    """Pack the runs and trials into parts that fit a narrow transfer, weights last, and return what found no room."""
    files = [path for name in ("runs", "trials") for path in (results / name).rglob("*") if path.is_file()]
    files.sort(key=lambda path: (path.name.endswith(WEIGHTS), path.stat().st_size, str(path)))
    room, part, rest = 0, 0, []
    with contextlib.ExitStack() as stack:
        archive: tarfile.TarFile | None = None
        for path in files:
            size = path.stat().st_size + 2048  # with the file's header and padding
            if size > room:
                if part == PARTS or size > PART:
                    rest.append(path)
                    continue
                part, room = part + 1, PART
                archive = stack.enter_context(tarfile.open(out / f"results.{part}.tar", "w"))
            assert archive is not None
            archive.add(path, arcname=str(path.relative_to(results)))
            room -= size
    return rest


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.board", description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="a model folder, a GGUF file or a short name")
    parser.add_argument("--data", type=Path, help="the folder of data that the project does not ship")
    parser.add_argument("--tasks", help="these tasks only, by commas")
    names = ",".join(stage.name for stage in STAGES)
    parser.add_argument("--stages", default=names, help=f"these parts of each board only, by commas (all: {names})")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, help="runs at a time")
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="stop after so many minutes")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--out", type=Path, help="pack the results into this folder at the end")
    parser.add_argument("--plan", action="store_true", help="show what would run, and do nothing")
    parser.add_argument(
        "--dry-run", action="store_true", help="every stage on the embedded model, a few questions each"
    )
    options = parser.parse_args(words)
    if strange := set(options.stages.split(",")) - {stage.name for stage in STAGES}:
        parser.error(f"no stage {', '.join(sorted(strange))}; there are {names}")
    if options.dry_run:
        options.model, options.seeds = "tiny", 1
    return options


def entries(options: argparse.Namespace) -> tuple[Entry, ...]:
    """Return the tasks of the boards in their order.

    Raises:
        SystemExit: a task is named that no board has.
    """
    if options.dry_run:
        return (DRY,)
    if not options.tasks:
        return ENTRIES
    names = options.tasks.split(",")
    if strange := set(names) - {entry.task for entry in ENTRIES}:
        raise SystemExit(f"no board of {', '.join(sorted(strange))}; there are {', '.join(e.task for e in ENTRIES)}")
    return tuple(entry for entry in ENTRIES if entry.task in names)


def main(words: list[str] | None = None) -> int:
    """Run the commands in order; a task that fails does not stop the others. Return the worst exit code."""
    options = arguments(words)
    deadline = time.monotonic() + options.minutes * 60
    worst, done = 0, 0
    for line in commands(entries(options), options, "plan" if options.plan else "run"):
        code = perform(line, deadline)
        if code is None:
            print("The time is over. The same command goes on from here.", flush=True)
            break
        worst, done = max(worst, code), done + 1
    print(f"{done} commands done", flush=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        for path in pack(options.results, options.out):
            print(f"no room for {path.relative_to(options.results)}")
    return worst


if __name__ == "__main__":
    sys.exit(main())

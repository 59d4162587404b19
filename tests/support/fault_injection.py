"""A grid of runs that costs next to nothing, and ways to break off in the middle of it; imports no torch.

Everything here happens in forked processes: what is broken in one of them is whole in the next.
"""

from __future__ import annotations

import errno
import functools
import gc
import json
import math
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import app
from harness.data import loading, registry
from harness.data.source import TaskSource
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.record import Answer
from harness.runs.job import Event, Job, Progress, Reporter, Running
from harness.store import records
from tests.support import logged_steps
from tests.support.records import make_environment, make_record
from tests.support.run_costs import cost_of

OPTIONS = ("it rises", "it falls", "it stays")
WRITES = {"open", "os.mkdir", "fsync"}  # what needs room on the disk
CHANGES = WRITES | {"os.rename", "os.remove", "os.rmdir"}
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}")

Event_ = tuple[str, str]  # what is done, and to which file


class Quiet:
    """A reporter that nobody hears."""

    def tell(self, event: Event) -> None:
        """Say nothing."""

    def should_stop(self) -> bool:
        """Go on."""
        return False


class Here:
    """An executor that does each run in this very process: a kill takes starter and worker at once."""

    placement = None

    def __init__(self, target: Any = None, slots: int = 1) -> None:
        """Ignore both: there is one worker, and one run at a time."""

    def takes(self, job: Job, running: Sequence[Running]) -> bool:
        """Return whether none is in progress."""
        return not running

    def start(self, job: Job, running: Sequence[Running]) -> Here:
        """Do the run."""
        try:
            with (job.folder / records.LOG).open("a") as log:
                log.write("started\n")
            finish(job, Quiet())
        except OSError:  # a worker of its own would say so in its last word
            pass
        return self

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """All is done already."""

    def events(self) -> list[Event]:
        """None."""
        return []

    def exit_reason(self) -> str:
        """By itself."""
        return ""

    def stop(self) -> None:
        """Too late."""

    def kill(self) -> None:
        """Too late."""


def finish(job: Job, reporter: Reporter) -> None:
    """Do a run that trains nothing: an adapter, steps, answers that depend on the spec alone, the record."""
    reporter.tell(Progress("train", 1, 1))
    answers, found = _answered(job.source.name, job.spec.method, job.spec.rank)
    digest = records.write_answers(job.folder, answers)
    cost = cost_of(job.spec)
    record = make_record(job.spec, **found, answers_sha256=digest, cost=cost)
    seconds = 1 + math.fsum(phase.seconds for phase in cost.phases.values())
    loss = random.Random(job.spec.id).random() if job.spec.train_examples else None
    logged_steps.write_all(job.folder, replace(record, seconds=seconds, final_loss=loss))


@functools.cache
def _answered(path: str, method: str, rank: int) -> tuple[list[Answer], dict[str, Any]]:
    """Return the answers of a run and what its record says of them."""
    task = TaskSource(path).task()
    examples = loading.load_splits(task).test
    answers = []
    for n, example in enumerate(examples):
        right = n % 7 < 2 + rank + 2 * (method == "full")
        said = example.target if right else next(c for c in example.choices if c != example.target)
        loglik = tuple(-0.5 if choice == said else -1.5 for choice in example.choices)
        group = example.group or example.id
        answer = Answer(example.id, group, example.target, said, said, example.choices, loglik)
        answers.append(replace(answer, end_loglik=loglik, slices=dict(example.slices)))
    found = {"scores": score_answers(answers, task.metrics), "parse_rate": parse_rate(answers)}
    return answers, found | {
        "chance": chance(task, examples),
        "guess": task.guess,
        "environment": make_environment(),
    }


def slowly(job: Job, reporter: Reporter) -> None:
    """As `finish`, in its own time, telling nothing; the process's id lies in the run's folder."""
    (job.folder / "pid").write_text(str(os.getpid()))
    time.sleep(float(os.environ.get("RUN_SECONDS", "0.1")))
    finish(job, reporter)


def write_inputs(folder: Path) -> list[str]:
    """Write questions and something that looks like a model; return the command of the grid without its results."""
    rows = [
        {"question": f"Filing {n}: {OPTIONS[n % 3]}?", "choices": OPTIONS, "answer": OPTIONS[n % 3], "group": f"g{n}"}
        for n in range(60)
    ]
    (folder / "toy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "llama", "hidden_size": 64, "max_position_embeddings": 512}')
    header = b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (model / "tokenizer.json").write_text("{}")
    command = ["--task", str(folder / "toy.jsonl"), "--model", str(model), "--no-memory", "--dtype", "fp32"]
    return [
        *command,
        "--method",
        "base,lora,full",
        "--rank",
        "2,4",
        "--device",
        "cpu",
        "--jobs",
        "1",
        "--challengers",
        "none",
    ]


def without_torch(worker: Callable[[Job, Reporter], None] = slowly) -> None:
    """In this process for good: runs are `worker`'s, nobody looks at the model, and no figure is drawn."""
    for place, value in (
        ("runs.local.PRELOAD", []),
        ("cli.commands.run.worker.run", worker),
        ("cli.commands.run.plan.check", lambda plans, **_: None),
        ("report.figures.write.write", lambda *_: []),
    ):
        pytest.MonkeyPatch().setattr(f"harness.{place}", value)


def in_this_process() -> None:
    """As `without_torch`, and runs start no process."""
    without_torch()
    for place, value in (
        ("cli.commands.run.local.LocalProcesses", Here),
        ("cli.commands.run.local.warm_up", lambda: None),
        ("environment.commit", lambda: "abcdef012345"),
        ("data.registry.entry_points", lambda _: []),
    ):
        pytest.MonkeyPatch().setattr(f"harness.{place}", value)


def warm_up(task: str) -> None:
    """Read once, before forking, what every fork would read again."""
    for method, rank in (("base", 0), ("lora", 2), ("lora", 4), ("full", 0)):
        _answered(task, method, rank)
    registry.recorded()


def forked(work: Callable[[], int], said: Path) -> int:
    """Do this in a fork, its output in a file; return its exit code, or minus the signal that ended it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except BaseException:  # the test's time is over: nobody else would end the fork
            os.kill(child, signal.SIGKILL)
            raise
    gc.disable()  # it would touch, and so copy, every page of the parent's
    code = 99
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout = sys.stderr = open(out, "w", buffering=1)  # noqa: SIM115, PTH123
        in_this_process()
        code = work()
        sys.stdout.flush()
    finally:
        os._exit(code)


class Breaking:
    """Counts what is done to files below a folder, and breaks off at one of these points."""

    def __init__(self, root: Path, at: int, how: Callable[[], None], kinds: set[str] = CHANGES) -> None:
        self.root, self.at, self.how, self.kinds = str(root), at, how, kinds
        self.seen: list[Event_] = []

    def install(self) -> None:
        """In this process for good."""
        sys.addaudithook(self._hook)
        os.fsync = self._fsync  # type: ignore[assignment]

    def _hook(self, name: str, args: tuple[Any, ...]) -> None:
        if name not in CHANGES or not isinstance(args[0], str | os.PathLike):
            return
        if name == "open" and not (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        self._pass(name, str(args[1] if name == "os.rename" else args[0]))

    def _fsync(self, file: int) -> None:
        path = str(Path(f"/proc/self/fd/{file}").readlink())
        if self._next("fsync", path):
            os.ftruncate(file, os.fstat(file).st_size // 2)  # half of it had reached the disk
        self._pass("fsync", path)  # and no more: what a kill leaves does not depend on the disk

    def _next(self, name: str, path: str) -> bool:
        return path.startswith(self.root) and name in self.kinds and len(self.seen) == self.at

    def _pass(self, name: str, path: str) -> None:
        if not path.startswith(self.root) or name not in self.kinds:
            return
        self.seen.append((name, re.sub(r"\.[0-9a-f]{8}$", ".part", Path(path).name)))
        if len(self.seen) > self.at:
            self.how()


def killed() -> None:
    """What `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def refused(number: int) -> Callable[[], None]:
    """What the system says from now on whenever something is written."""

    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    return refuse


full_disk, read_only = refused(errno.ENOSPC), refused(errno.EROFS)


def never() -> None:
    """Break nothing."""


def snapshot(results: Path) -> dict[str, bytes]:
    """Every table, page, answer and record of a results folder, times aside; nothing half-written may lie there."""
    files = {path.relative_to(results).as_posix(): path for path in results.rglob("*") if path.is_file()}
    left = [name for name in files if LEFTOVER.fullmatch(Path(name).name)]
    assert not left, f"left behind: {left}"
    kept = {name: path.read_bytes() for name, path in files.items() if path.name in (records.ANSWERS, records.STEPS)}
    for path in (path for name, path in files.items() if path.name == records.RECORD):
        record = replace(records.read_record(path.parent), started="", seconds=0.0)
        kept[path.relative_to(results).as_posix()] = records.record_text(record).encode()
    views = {name: path.read_bytes() for name, path in files.items() if not name.startswith("runs/")}
    return kept | views


def command_line() -> int:
    """The program with the grid's worker in processes of their own, for a test that kills them."""
    without_torch()
    return app.main(sys.argv[1:])

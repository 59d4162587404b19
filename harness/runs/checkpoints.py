"""Checkpoints inside a run: its training goes on after an interruption instead of anew, with the same bytes at the end.

A checkpoint is written every few minutes, and at a request to stop if a few seconds are enough for it. It is of the settings,
the code, the packages and the processor of its run; with any other the run starts anew and names the difference. A finished
run has none. Methods with work of their own after each step (AdaLoRA) change more than weights and have no checkpoints.
"""

from __future__ import annotations

import hashlib
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import environment
from harness.errors import HarnessError, one_line
from harness.record import Checkpoints
from harness.runs.job import Job
from harness.schema import Method
from harness.store import checkpoint_files, files, training_files
from harness.store.codec import decode, encode

if TYPE_CHECKING:
    from harness.training.state import State

STOP_SECONDS = 5.0  # that a checkpoint may take at a request to stop
DISK = 2e8  # bytes a second: a guess before the first checkpoint was written
LAST_SHARE = 0.1  # of the interval: a training ends with a checkpoint if it took longer since the one before
DIFFERENCES = {
    "spec": "settings",
    "code": "code",
    "python": "version of Python",
    "packages": "versions of packages",
    "device": "processor or GPU",
    "threads": "number of threads",
}


@dataclass
class RunKeeper:
    """Stores the state of one run's training (a `Keeper`), and has that of its interrupted attempt.

    Attributes:
        job: the run.
        start: when the run began, in its first attempt.
        say: is called with a sentence about a checkpoint.
        earlier_seconds: of training in attempts before.
        totals: what the record says of checkpoints; None if none was written.
    """

    job: Job
    start: str
    say: Callable[[str], None]
    earlier_seconds: float = 0.0
    totals: Checkpoints | None = None
    _state: State | None = None
    _last: float = field(default_factory=time.perf_counter)
    _write_seconds: float | None = None

    def take(self) -> State | None:
        """Return the state to go on from; None at the start, and after the first call."""
        state, self._state = self._state, None
        self._last = time.perf_counter()
        return state

    def offer(self, capture: Callable[[], State], *, urgent: bool, is_last: bool) -> None:
        """Store the state if it is time; `urgent` if training stops here by request, `is_last` after its last step."""
        from harness.training.state import size

        interval, age = 60 * self.job.checkpoint_minutes, time.perf_counter() - self._last
        if not self._agreed(urgent or age >= interval or (is_last and age >= LAST_SHARE * interval)):
            return
        state = capture()
        needed = self._write_seconds or size(state) / DISK
        if self._agreed(urgent and needed > STOP_SECONDS):
            return self.say(f"no checkpoint at this stop: it would take about {needed:.0f} s")
        self._write(state)

    def _agreed(self, decision: bool) -> bool:
        """Return the decision of all processes of the run."""
        return decision

    def _save(self, steps: int, whole: dict[str, Any], card: Callable[[], dict[str, Any]]) -> None:
        """Write a state and its card."""
        import torch

        checkpoint_files.write(self.job.folder, steps, lambda file: torch.save(whole, file), card)

    def _write(self, state: State) -> None:
        """Write a checkpoint; a disk that is full is no reason to end the training."""
        from harness.training.state import train_seconds

        start, earlier = time.perf_counter(), self.totals
        before = earlier or Checkpoints()
        lines = training_files.steps_bytes(self.job.folder).decode()
        steps = lines.count("\n")

        def card() -> dict[str, Any]:
            spent = before.seconds + time.perf_counter() - start
            self.totals = replace(before, writes=before.writes + 1, seconds=spent)
            about = {"key": key(self.job), "start": self.start, "train_seconds": train_seconds(state)}
            return about | {"totals": encode(self.totals)}

        whole = {"training": state, "log": lines}
        try:
            self._save(steps, whole, card)
        except (HarnessError, OSError, RuntimeError) as error:
            self.totals = earlier
            self.say(f"no checkpoint could be written: {one_line(error)}")
        self._last = time.perf_counter()
        self._write_seconds = self._last - start

    def resume(self) -> None:
        """Read the checkpoint of an interrupted attempt, if there is one; drop it with a sentence if it cannot be used."""
        try:
            self._read()
        except HarnessError as error:
            self.say(f"the checkpoint is not used, and the run starts anew: {error.problem}")
        except Exception as error:  # what torch raises for a damaged file has no base class of its own
            self.say(f"the checkpoint is not used, and the run starts anew: it has another form, {one_line(error)}")
        if self._state is None:
            discard(self.job.folder)

    def _read(self) -> None:
        import torch

        folder = self.job.folder
        card = checkpoint_files.read_card(folder)
        if card is None:
            return
        wanted = card.get("key", {})
        if other := [DIFFERENCES[name] for name, value in key(self.job).items() if wanted.get(name) != value]:
            raise HarnessError(f"it is of other {' and '.join(other)}", where=str(folder), fix=checkpoint_files.FIX)
        with checkpoint_files.state(folder, card) as file:
            whole = torch.load(file, map_location="cpu", weights_only=True)
        lines = whole["log"].encode()
        steps, lost = lines.count(b"\n"), _seconds_behind(folder, lines)
        before = decode(Checkpoints, card["totals"])
        self.totals = replace(
            before,
            resumptions=(*before.resumptions, steps),
            lost_steps=before.lost_steps + len(lost),
            lost_seconds=before.lost_seconds + math.fsum(lost),
        )
        self.start, self.earlier_seconds = card["start"], card["train_seconds"]
        # The card first: lost steps are in no other file once the log is cut.
        checkpoint_files.write_card(folder, {**card, "totals": encode(self.totals)})
        files.write(folder / training_files.STEPS, lines)
        self._state = whole["training"]
        again = f"; {len(lost)} steps behind it are done again" if lost else ""
        self.say(f"goes on from its checkpoint after step {steps}{again}")


def of_run(
    job: Job, method: Method, start: str, say: Callable[[str], None], make: Callable[..., RunKeeper] = RunKeeper
) -> RunKeeper | None:
    """Return the keeper of a run's state, with that of its interrupted attempt; None if it writes no checkpoints."""
    if not job.checkpoint_minutes or method.after_step:
        discard(job.folder)
        return None
    keeper = make(job, start, say)
    keeper.resume()
    return keeper


def discard(folder: Path) -> None:
    """Remove a run's checkpoint and the steps of its attempt: the run starts anew."""
    checkpoint_files.drop(folder)
    (folder / training_files.STEPS).unlink(missing_ok=True)


def key(job: Job) -> dict[str, Any]:
    """Return everything that has to be equal for a run to go on from a checkpoint with the same bytes at the end."""
    method = hashlib.sha256(Path(job.method).read_bytes()).hexdigest() if job.method else ""
    return {
        "spec": job.spec.id,
        "code": f"{environment.code_hash()} {method}".strip(),
        "python": platform.python_version(),
        "packages": environment.package_versions((*environment.PACKAGES, "flwr")),
        "device": environment.cuda_name() if job.spec.device == "cuda" else environment.processor(),
        "threads": job.threads,
    }


def _seconds_behind(folder: Path, lines: bytes) -> list[float]:
    """Return the seconds of each logged step that is not among these lines."""
    count = lines.count(b"\n")
    return [float(step["seconds"]) for step in training_files.read_steps(folder)[count:]]

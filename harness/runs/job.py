"""What passes between the one who starts runs and the process that does one: a job, its events, its outcome.

A run does not know who started it. Whatever can start a process with a `Job` and carry `Event`s back is an `Executor`:
local processes today (`harness.runs.local`), a batch queue tomorrow, and the record is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from harness.data.probes import MAX_QUESTIONS
from harness.data.source import TaskSource
from harness.record import Record, RunSpec, Status

PhaseName = Literal["load", "train", "evaluate", "probe"]


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs; unlike the spec it may hold paths of this machine.

    The worker reads the examples of `source` again. `probes` and `joined` name further tasks, in the order of the spec's
    keys; both are read from the folders of `source`.

    Attributes:
        spec: the run.
        folder: of the run's record.
        source: how the task's examples are obtained.
        model_folder: of the base model.
        threads: that the run may use.
        predicted_peak_bytes: of training; 0 if nothing was predicted.
        save_full: whether full fine-tuning keeps its weights.
        method: the file that `--method` named; empty if the spec's name is enough.
        probes: the tasks that the trained model is asked.
        probe_limit: at most so many questions of each probe; 0 is all.
        start: the folder of the run that this one continues.
        joined: the tasks whose training examples are mixed in, limited as those of `source`.
    """

    spec: RunSpec
    folder: Path
    source: TaskSource
    model_folder: Path
    threads: int = 1
    predicted_peak_bytes: int = 0
    save_full: bool = False
    method: str = ""
    probes: tuple[str, ...] = ()
    probe_limit: int = MAX_QUESTIONS
    start: Path | None = None
    joined: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` steps or answers of a phase; `seconds_left` in this phase."""

    phase: PhaseName
    done: int = 0
    total: int = 0
    loss: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Ended:
    """The worker's last word. The record holds more; this is what is left where the record could not be written."""

    status: Status
    reason: str = ""


Event = Progress | Ended


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `busy` means that another process is doing the same run at this moment.

    `record` is None where it could not be written, or nothing ran; `status` and `reason` are always there.
    """

    job: Job
    status: Status | Literal["busy"]
    reason: str = ""
    record: Record | None = field(default=None, compare=False)


class Stopped(Exception):
    """Raised inside a run where it is asked to stop, after the step in hand."""


class Reporter(Protocol):
    """What a worker is given to speak with the one who started it."""

    def tell(self, event: Event) -> None:
        """Pass an event on."""

    def should_stop(self) -> bool:
        """Whether the run was asked to stop after the step in hand."""


class Running(Protocol):
    """A started job."""

    def events(self) -> Sequence[Event]:
        """Events since the last call."""

    def ended(self) -> str | None:
        """None while the process lives; else how it ended, empty where it ended by itself."""

    def stop(self) -> None:
        """Ask the run to finish its step and stop."""

    def kill(self) -> None:
        """End the process at once."""


class Executor(Protocol):
    """Starts jobs somewhere. `slots` is how many it runs at a time."""

    slots: int

    def start(self, job: Job) -> Running:
        """Start a job."""

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """Return when one of them has something to tell, or after `seconds`."""


class Watcher(Protocol):
    """Who is told how the runs go; `ui` shows it."""

    def started(self, job: Job) -> None:
        """A run starts."""

    def progress(self, job: Job, progress: Progress) -> None:
        """A run got further."""

    def ended(self, outcome: Outcome) -> None:
        """A run ended, one way or the other."""

    def stopping(self) -> None:
        """The user asked to stop; runs in hand finish their step."""

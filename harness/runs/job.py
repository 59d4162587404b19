"""The messages between the program that starts runs and the process of each run: a job, its events, its outcome.

A run does not know its starter. Anything able to start a process with a `Job` and carry `Event`s back is an `Executor`: the
processes of `harness.runs.local`, or a module of `harness.runs.executors`. The record is the same with every executor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from harness.data.probes import MAX_QUESTIONS
from harness.data.source import TaskSource
from harness.endpoint.settings import Endpoint
from harness.record import Placement, Record, RunSpec, Status

PhaseName = Literal["load", "train", "fit", "evaluate", "probe", "validation"]


@dataclass(frozen=True)
class Share:
    """A process's share of a run over several: its rank from 0, the file by which they meet, and the run's folder."""

    rank: int
    store: Path
    folder: Path


@dataclass(frozen=True)
class Job:
    """A run as a worker needs it; unlike the spec it may hold paths of this machine.

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
        endpoint: the server of a challenger that asks one.
        checkpoint_minutes: between two checkpoints of the training; 0 for none.
        share: of one process of a run over several, None for a whole run.
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
    endpoint: Endpoint | None = None
    checkpoint_minutes: float = 0.0
    share: Share | None = None

    @property
    def results(self) -> Path:
        """The results folder, five folders above that of the run."""
        parents = self.folder.absolute().parents
        return parents[min(4, len(parents) - 1)]


@dataclass(frozen=True)
class Progress:
    """The progress of a run: `done` of `total` steps or answers of a phase, and the seconds left in this phase."""

    phase: PhaseName
    done: int = 0
    total: int = 0
    loss: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Note:
    """A sentence about a run that goes on, such as where it was resumed."""

    text: str


@dataclass(frozen=True)
class RunEnd:
    """The worker's last event. The record says more; this remains if the record could not be written."""

    status: Status
    reason: str = ""


Event = Progress | Note | RunEnd


@dataclass(frozen=True)
class Outcome:
    """The end of a job. The status `busy` means that another process is doing the same run at this moment.

    `record` is None if it could not be written, or nothing ran; `status` and `reason` are always there.
    """

    job: Job
    status: Status | Literal["busy"]
    reason: str = ""
    record: Record | None = field(default=None, compare=False)


class Interruption(Exception):
    """Raised inside a run that is asked to stop, after the current step."""


class Reporter(Protocol):
    """The worker's line to the program that started it."""

    def tell(self, event: Event) -> None:
        """Pass an event on."""

    def should_stop(self) -> bool:
        """Whether the run was asked to stop after the current step."""


class Running(Protocol):
    """A job in progress. `placement` is the card or the node that it has, None if every run has the same."""

    placement: Placement | None

    def events(self) -> Sequence[Event]:
        """Return the events since the last call."""

    def exit_reason(self) -> str | None:
        """Return None while the run lives, else a reason; empty if it ended by itself.

        From the first reason on, `job.folder` has all files that the run left, wherever it ran.
        """

    def stop(self) -> None:
        """Ask the run to finish its step and stop."""

    def kill(self) -> None:
        """End the process at once."""


class Executor(Protocol):
    """Starts jobs and carries back what they report; the runner alone decides what becomes of them.

    `running` are the jobs in progress, all of them started by this executor.
    """

    def takes(self, job: Job, running: Sequence[Running]) -> bool:
        """Return whether a job can start beside those in progress; if there are none, the answer is yes."""

    def start(self, job: Job, running: Sequence[Running]) -> Running:
        """Start a job that it takes."""

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """Return if one of them has an event, or after `seconds`."""


class Watcher(Protocol):
    """Receives the progress of all runs; `cli.terminal.progress` shows it."""

    def on_start(self, job: Job) -> None:
        """A run starts."""

    def on_progress(self, job: Job, progress: Progress) -> None:
        """A run got further."""

    def on_note(self, job: Job, note: Note) -> None:
        """A run has something to say and goes on."""

    def on_end(self, outcome: Outcome) -> None:
        """A run ended, one way or the other."""

    def on_stop(self) -> None:
        """The user asked to stop; each run finishes its current step."""

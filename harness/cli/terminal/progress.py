"""Progress of the runs: a live display on a terminal, plain lines if stderr is piped. It is a `Watcher`."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output
from harness.format import about, duration, interval, number, one_line, run_name, size
from harness.record import Record
from harness.runs.job import Job, Outcome, Progress
from harness.runs.plan import Plan

if TYPE_CHECKING:
    from rich.progress import TaskID

MARK = {"ok": "✓", "oom": "✗", "failed": "✗", "interrupted": "■", "busy": "…"}
HEARTBEAT_SECONDS = 60.0
NAME_WIDTH = 20
SMOOTHING = 0.8  # weight of the losses before in the mean that is shown


class Watch:
    """A context manager that shows the runs of one plan on stderr."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._console = output.err()
        self._headline = plan.task.metrics[0].name
        self._unit = plan.task.metrics[0].unit
        self._ended = 0
        self._took: list[float] = []
        self._began: dict[str, float] = {}
        self._to_go: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._spoke: dict[str, float] = {}
        self._losses: dict[str, float] = {}
        self._live: Any = _bars(self._console) if _is_live(self._console) else None
        self._all: TaskID | None = None

    def __enter__(self) -> Watch:
        for spec in self._plan.specs:
            if spec.id in self._plan.done:
                self._print(f"  ✓ {run_name(spec):<{NAME_WIDTH}} finished before")
        if self._live and self._plan.todo:
            self._live.start()
            self._show_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def on_start(self, job: Job) -> None:
        """Show that a run starts."""
        self._began[job.spec.id] = self._spoke[job.spec.id] = time.monotonic()
        if self._live:
            self._bars[job.spec.id] = self._live.add_task(f"  {run_name(job.spec)}", total=None, text="starting")
            self._show_all()

    def on_progress(self, job: Job, progress: Progress) -> None:
        """Show the progress of a run."""
        text = _position(progress, self._smoothed(job, progress))
        if progress.phase == "train" and progress.seconds_left is not None:
            self._to_go[job.spec.id] = time.monotonic() + progress.seconds_left
        if self._live:
            self._live.update(self._bars[job.spec.id], total=progress.total or None, completed=progress.done, text=text)
            self._live.update(self._all, text=self._left())
        elif time.monotonic() - self._spoke[job.spec.id] > HEARTBEAT_SECONDS:
            self._spoke[job.spec.id] = time.monotonic()
            self._print(f"    {run_name(job.spec):<{NAME_WIDTH}} {text}")

    def _smoothed(self, job: Job, progress: Progress) -> float | None:
        """Return the mean of a run's losses with falling weights: that of one batch says little."""
        if progress.loss is None:
            return None
        mean = self._losses.get(job.spec.id, progress.loss)
        self._losses[job.spec.id] = SMOOTHING * mean + (1 - SMOOTHING) * progress.loss
        return self._losses[job.spec.id]

    def on_end(self, outcome: Outcome) -> None:
        """Print the line of a run that ended."""
        self._ended += 1
        start = self._began.pop(outcome.job.spec.id, None)
        self._to_go.pop(outcome.job.spec.id, None)
        if outcome.status == "ok" and start is not None and outcome.job.spec.train_examples:
            self._took.append(time.monotonic() - start)
        if self._live and outcome.job.spec.id in self._bars:
            self._live.remove_task(self._bars.pop(outcome.job.spec.id))
            self._live.update(self._all, completed=self._ended, text=self._left())
        self._print(self._line(outcome))

    def on_stop(self) -> None:
        """Print that the runs are being stopped."""
        self._print("  stopping after the current step; Ctrl-C again stops at once")

    def _line(self, outcome: Outcome) -> str:
        spec, record = outcome.job.spec, outcome.record
        head = f"  {MARK[outcome.status]} {run_name(spec):<{NAME_WIDTH}}"
        if outcome.status != "ok" or record is None:
            return f"{head} {outcome.status}: {outcome.reason}"
        score = record.scores[self._headline]
        within = interval(score.low, score.high, self._unit)
        return f"{head} {number(score.value, self._unit):>5}   {within:<15} {peak(record):>14}  {duration(record.seconds):>8}"

    def _show_all(self) -> None:
        """Move the bar of all runs below those of the current runs."""
        if self._all is not None:
            self._live.remove_task(self._all)
        total = len(self._plan.todo)
        self._all = self._live.add_task("  all", total=total, completed=self._ended, text=self._left())

    def _left(self) -> str:
        """Return the number of ended runs of all, and the time left if it is known."""
        left = self._seconds_left()
        return f"{self._ended}/{len(self._plan.todo)}" + (f" · {about(left)} left" if left else "")

    def _seconds_left(self) -> float | None:
        """Return the seconds left, from the training runs ended here, else from the current ones, else from earlier records."""
        now = time.monotonic()
        projected = [end - self._began[run] for run, end in self._to_go.items() if run in self._began]
        durations = self._took or projected
        if not durations:
            return self._plan.seconds / self._plan.options.jobs if self._plan.seconds else None
        usual = sum(durations) / len(durations)
        waiting = len(self._plan.todo) - self._ended - len(self._began)
        in_hand = sum(max(0.0, usual - (now - start)) for start in self._began.values())
        return (waiting * usual + in_hand) / self._plan.options.jobs

    def _print(self, line: str) -> None:
        self._console.print(one_line(line))


def peak(record: Record) -> str:
    """Return the peak of the training phase; if nothing was trained that of the test, named as such."""
    phases = record.cost.phases if record.cost else {}
    train, test = phases.get("train"), phases.get("evaluate")
    phase = train or test
    return f"{size(phase.peak_bytes)}{' test' * (not train)}" if phase and phase.peak_bytes else ""


def _position(progress: Progress, loss: float | None) -> str:
    parts = [f"{progress.phase} {progress.done}/{progress.total}" if progress.total else progress.phase]
    if loss is not None:
        parts.append(f"mean loss {loss:.2f}")
    if progress.seconds_left:
        parts.append(f"{duration(progress.seconds_left)} left")
    return " · ".join(parts)


def _is_live(console: Any) -> bool:
    return bool(console.is_terminal and not console.is_dumb_terminal)


def _bars(console: Any) -> Any:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description:<21}"),
        BarColumn(bar_width=22),
        TextColumn("{task.fields[text]}"),
        console=console,
        transient=True,
    )

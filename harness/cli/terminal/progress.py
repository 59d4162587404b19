"""Progress of the runs: a live display on a terminal, plain lines if stderr is piped. It is a `Watcher`."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output, silence
from harness.format import about, duration, interval, number, one_line, run_name, size, spoken
from harness.record import Record
from harness.runs.job import Job, Note, Outcome, Progress
from harness.runs.plan import Plan

if TYPE_CHECKING:
    from rich.progress import TaskID

MARK = {"ok": "✓", "oom": "✗", "failed": "✗", "interrupted": "■", "busy": "…"}
HEARTBEAT_SECONDS = 60.0
LEFT_SECONDS = 30.0  # between two lines about the time left
NAME_WIDTH = 20
SMOOTHING = 0.8  # weight of the losses before in the mean that is shown
TRUST = 10.0  # seconds of expected work that count as if they had taken as long


class Watch:
    """A context manager that shows the runs of one plan on stderr."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._console = output.err()
        self._headline = plan.task.metrics[0].name
        self._unit = plan.task.metrics[0].unit
        self._ended = 0
        self._over: set[str] = set()
        self._took: dict[str, float] = {}
        self._trained = {spec.id for spec in plan.todo if spec.train_examples}
        self._began: dict[str, float] = {}
        self._to_go: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        self._spoke: dict[str, float] = {}
        self._now: dict[str, str] = {}
        self._silence = contextlib.ExitStack()
        self._losses: dict[str, float] = {}
        self._spoke_of_all = time.monotonic()
        self._live: Any = _bars(self._console) if _is_live(self._console) else None
        self._all: TaskID | None = None

    def __enter__(self) -> Watch:
        self._silence.enter_context(silence.stage(self._in_hand))
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
        self._silence.close()
        if self._live:
            self._live.stop()

    def _in_hand(self) -> str:
        """Return the runs in hand with their position, and the number of ended runs with the time left."""
        return " | ".join([*self._now.values(), self._left()])

    def on_start(self, job: Job) -> None:
        """Show that a run starts."""
        self._began[job.spec.id] = self._spoke[job.spec.id] = time.monotonic()
        self._now = {**self._now, job.spec.id: f"{spoken(job.spec)} starting"}  # anew: read by another thread
        if self._live:
            self._bars[job.spec.id] = self._live.add_task(f"  {run_name(job.spec)}", total=None, text="starting")
            self._show_all()

    def on_progress(self, job: Job, progress: Progress) -> None:
        """Show the progress of a run."""
        text = _position(progress, self._smoothed(job, progress))
        self._now = {**self._now, job.spec.id: f"{spoken(job.spec)} {text}"}
        if progress.phase == "train" and progress.seconds_left is not None:
            self._to_go[job.spec.id] = time.monotonic() + progress.seconds_left
        if self._live:
            self._live.update(self._bars[job.spec.id], total=progress.total or None, completed=progress.done, text=text)
            self._live.update(self._all, text=self._left())
        elif time.monotonic() - self._spoke[job.spec.id] > HEARTBEAT_SECONDS:
            self._spoke[job.spec.id] = time.monotonic()
            self._print(f"    {run_name(job.spec):<{NAME_WIDTH}} {text} · {self._left()}")

    def _smoothed(self, job: Job, progress: Progress) -> float | None:
        """Return the mean of a run's losses with falling weights: that of one batch says little."""
        if progress.loss is None:
            return None
        mean = self._losses.get(job.spec.id, progress.loss)
        self._losses[job.spec.id] = SMOOTHING * mean + (1 - SMOOTHING) * progress.loss
        return self._losses[job.spec.id]

    def on_note(self, job: Job, note: Note) -> None:
        """Print a sentence about a run that goes on."""
        self._print(f"    {run_name(job.spec):<{NAME_WIDTH}} {note.text}")

    def on_end(self, outcome: Outcome) -> None:
        """Print the line of a run that ended."""
        self._ended += 1
        self._over.add(outcome.job.spec.id)
        start = self._began.pop(outcome.job.spec.id, None)
        self._now = {run: text for run, text in self._now.items() if run != outcome.job.spec.id}
        self._to_go.pop(outcome.job.spec.id, None)
        if outcome.status == "ok" and start is not None:
            self._took[outcome.job.spec.id] = time.monotonic() - start
        if self._live and outcome.job.spec.id in self._bars:
            self._live.remove_task(self._bars.pop(outcome.job.spec.id))
            self._live.update(self._all, completed=self._ended, text=self._left())
        self._print(self._line(outcome))
        self._say_what_is_left()

    def _say_what_is_left(self) -> None:
        """Print the time left as a line of its own, not too often, if there is no display that shows it all the time."""
        now, left = time.monotonic(), self._seconds_left()
        if not self._live and left and now - self._spoke_of_all >= LEFT_SECONDS:
            self._spoke_of_all = now
            self._print(f"    {self._left()}")

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
        """Return the seconds left: by the expected durations if there are any, else by the runs that ended or train here."""
        now = time.monotonic()
        if self._plan.durations:
            return self._by_expectation(now) / self._plan.options.jobs
        projected = [end - self._began[run] for run, end in self._to_go.items() if run in self._began]
        durations = [seconds for run, seconds in self._took.items() if run in self._trained] or projected
        if not durations:
            return self._plan.seconds / self._plan.options.jobs if self._plan.seconds else None
        usual = sum(durations) / len(durations)
        waiting = len(self._plan.todo) - self._ended - len(self._began)
        in_hand = sum(max(0.0, usual - (now - start)) for start in self._began.values())
        return (waiting * usual + in_hand) / self._plan.options.jobs

    def _by_expectation(self, now: float) -> float:
        """Return the seconds of work left, the expected ones corrected by what the runs so far took."""
        expected = self._plan.durations
        ended = {spec.id for spec in self._plan.todo} & self._took.keys()
        training = {run: end for run, end in self._to_go.items() if run in self._began}
        real = sum(self._took[run] for run in ended) + sum(end - self._began[run] for run, end in training.items())
        hoped = sum(expected[run].total for run in ended) + sum(expected[run].training for run in training)
        factor = (real + TRUST) / (hoped + TRUST)
        left = 0.0
        for spec in self._plan.todo:
            if spec.id in self._began:
                rest = expected[spec.id].rest if spec.id in training else expected[spec.id].total
                end = training.get(spec.id, self._began[spec.id]) + factor * rest
                left += max(0.0, end - now)
            elif spec.id not in self._over:
                left += factor * expected[spec.id].total
        return left

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

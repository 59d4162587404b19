"""Events and tables to the terminal: the only module that prints. Tables go to stdout, progress and errors to stderr."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness import environment
from harness.cli.terminal import tables as ui_tables
from harness.data import loading
from harness.errors import HarnessError
from harness.format import about, number, printable, quantity, run_name, size, spoken
from harness.metrics import power
from harness.report import calibration as calibration_tables
from harness.report import comparison as side_by_side
from harness.report import forgetting, notes, tables, verdict
from harness.report import robustness as report_robustness

if TYPE_CHECKING:
    from rich.console import Console

    from harness.analysis.compare import Comparison
    from harness.analysis.results import TaskResults
    from harness.analysis.sections import Section
    from harness.format import Table
    from harness.runs.forecast.fit import Outlook, Request
    from harness.runs.forecast.history import PredictionError
    from harness.runs.plan import Plan
    from harness.schema import Task
    from harness.verify.check import Check
    from harness.verify.waivers import Waiver

TABLE_WIDTH = 240
LINE_WIDTH = 100
FLIPS = 10  # questions of each kind that a terminal lists
FILE_FLAGS = "for a data file: --task FILE, with the --labels, --relabel and --data of the run"


def out() -> Console:
    """The console for tables."""
    return _console(stderr=False)


def err() -> Console:
    """The console for progress and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool, width: int | None = None) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # an ASCII terminal gets `?` for a mark, not a crash
    width = width if stream.isatty() else TABLE_WIDTH
    settings: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
    if width is not None:  # rich overrules a width that comes without a height
        settings |= {"width": width, "height": 50}
    return Console(file=stream, **settings)


def error(problem: HarnessError) -> None:
    """What is wrong, where, and how to fix it."""
    print(f"error: {printable(str(problem))}", file=sys.stderr)


def say(text: str = "") -> None:
    """A line on stdout."""
    out().print(text)


def note(text: str) -> None:
    """A line on stderr."""
    err().print(text)


def header(plan: Plan) -> None:
    """What is about to run, on what, and what its test can show."""
    spec, splits = plan.default_specs[0], plan.splits
    sizes = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    counts = " · ".join(f"{name} {len(examples):,}" for name, examples in sizes if examples)
    weights = f" · {quantity(plan.findings.weights)} weights" if plan.findings else ""
    unused, start = loading.passed_over(plan.task, plan.options.data), plan.options.start
    begins = (
        f"at {spoken(start.spec)} of {start.spec.task} ({start.spec.id}), so no leaderboard shows it" if start else ""
    )
    cores, memory = environment.cores(), environment.memory_bytes() / 2**30
    device = f"CPU, {cores} core{'s' * (cores != 1)}" if spec.device == "cpu" else environment.cuda_name() or "CUDA"
    lines = (
        (f"{plan.task.name} v{plan.task.version}", f"{plan.task.title} · {counts} in {plan.test_groups:,} groups"),
        ("model", f"{plan.model.name} @ {plan.model.revision[:7]}…{weights} · {spec.dtype}"),
        (
            "device",
            f"{device} · {memory:.0f} GiB" + (f" · {plan.options.jobs} runs at a time" * (plan.options.jobs > 1)),
        ),
        *[("--data", unused)] * bool(unused),
        ("plan", plan_line(plan)),
        *[("starts", begins)] * bool(start),
        *[("asks too", " · ".join(f"{p.task.name}, {len(p.examples):,} questions" for p in plan.probes))]
        * bool(plan.probes),
        *[("detects", line) for line in detects(plan.task, plan.test_groups)],
    )
    console = out()
    for first, rest in lines:
        console.print(folded(f"{first:<10} ", rest, indent=11))
    console.print()


def detects(task: Task, groups: int) -> list[str]:
    """How large a true difference must be to be found by the task's test split; nothing for metrics that are no share."""
    if task.metrics[0].unit != "share" or groups < 2:
        return []
    least = number(power.detectable_at_planning(groups))
    return [f"a difference of {least} points, 8 times in 10, if two models differ on 1 question in 5"]


def plan_line(plan: Plan) -> str:
    """How many runs, how many are done, the largest predicted memory, and how long it will take."""
    count, trials = len(plan.specs) + len(plan.waiting), len(plan.trials)
    parts = [f"{count} run{'s' * (count != 1)}"]
    if trials:
        parts.append(f"{trials} trial{'s' * (trials != 1)} of learning rates, {plan.options.tune} each, on validation")
    if plan.done:
        parts.append(f"{len(plan.done)} done already" if plan.ahead else "all done already")
    if largest := max((plan.predicted(spec) for spec in (*plan.specs, *plan.ahead)), default=0):
        parts.append(f"largest {size(largest)} predicted")
    if plan.seconds and plan.ahead:
        parts.append(about(plan.seconds / plan.options.jobs))
    return " · ".join(parts)


def planned(plan: Plan) -> None:
    """Each run of a plan: done or not, and its predicted memory."""
    rows = []
    for spec in (*plan.trials, *plan.specs):
        state = "done" if spec.id in plan.done else "to do"
        rate = f"{spec.learning_rate:.2g}" if spec.learning_rate else ""
        predicted = size(plan.predicted(spec)) if plan.predicted(spec) else ""
        rows.append((run_name(spec), state, predicted, rate, spec.id))
    for spec, _ in plan.waiting:
        rows.append((run_name(spec), "after its trials", size(plan.predicted(spec)) if plan.findings else "", "", ""))
    _show(ui_tables.words_only(rows, "run", "state", "predicted", "learning rate", "id"))


def forecast(plan: Plan, request: Request, found: Outlook, *, price: float | None) -> None:
    """What fits a GPU, in which way, how fast and at what cost."""
    from harness.cli.terminal import forecast as ui_forecast

    console = out()
    for first, rest in ui_forecast.heading(plan, found, request):
        console.print(folded(f"{first:<10} ", rest, indent=11))
    console.print()
    _show(ui_forecast.forecasts(found, request, price))
    console.print()
    for line in ui_forecast.notes(found, request, price):
        console.print(folded("  ", line, indent=4))
    console.print()


def accuracy(found: Sequence[PredictionError]) -> None:
    """How near past predictions of memory came."""
    from harness.cli.terminal import forecast as ui_forecast

    _show(ui_forecast.accuracy(found))


def untuned(plan: Plan) -> None:
    """Which runs are left out for want of a trial, and why."""
    for spec, reason in plan.waiting:
        note(f"  – {run_name(spec)} is not run: {reason}")


def results(analysis: TaskResults) -> None:
    """Print the tables that end a run and how to read them."""
    console = out()
    # A base model that was scored in both ways has its other score as a row of the table of gains.
    trained = [s for s in analysis.sections if any(cell.spec.method != "base" for cell in s.headline)]
    for section in trained or analysis.sections:
        console.print()
        _section(section)
    probes = [(forgetting.table(probe), forgetting.reading(probe)) for probe in forgetting.probes(analysis.changes)]
    for shown, lines in (*probes, *report_robustness.tables(analysis.twins)):
        console.print()
        _show(shown)
        console.print()
        for line in lines:
            console.print(folded("  ", line, indent=2))


def _section(section: Section) -> None:
    """Print the tables of a section, its verdict, how to read them and what is doubtful."""
    console = out()
    for table in (
        tables.headline(section, reasons=False),
        tables.further(section),
        tables.gains(section),
        ui_tables.costs(section),
    ):
        if table is not None:
            _show(table)
            console.print()
    console.print(folded("verdict      ", verdict.verdict(section), indent=13))
    console.print()
    for line in notes.reading(section):
        console.print(folded("  ", line, indent=2))
    for line in notes.alarms(section):
        console.print(folded("  ! ", line, indent=4))


def conditions(plan: Plan) -> None:
    """Print what the runs of a plan have in common and what was not tuned."""
    console = out()
    console.print()
    for line in ui_tables.conditions(plan):
        console.print(folded("", line, indent=13))


def folded(first: str, text: str, *, indent: int) -> str:
    """Return text in lines as wide as the terminal (`LINE_WIDTH` where there is none), the first after `first`."""
    width = max(40, out().width) if sys.stdout.isatty() else LINE_WIDTH
    style: dict[str, Any] = {"initial_indent": first, "subsequent_indent": " " * indent}
    return textwrap.fill(printable(text), width, break_long_words=False, break_on_hyphens=False, **style)


def table(found: Table) -> None:
    """A table on stdout."""
    _show(found)


def _show(table: Table) -> None:
    """Print a table as wide as it needs: a narrow window folds its lines, but no figure is ever cut."""
    _console(stderr=False, width=TABLE_WIDTH).print(ui_tables.drawn(table))


def folders(paths: Iterable[Path]) -> list[Path]:
    """Tables and figures in short: the files of a single figure, the folder of several."""
    found = list(paths)
    drawn = {path.with_suffix("") for path in found if path.suffix in (".svg", ".png")}
    several = {one.parent for one in drawn if sum(other.parent == one.parent for other in drawn) > 1}
    return list(dict.fromkeys(p.parent if p.with_suffix("") in drawn and p.parent in several else p for p in found))


def written(paths: Iterable[Path], *next_commands: str) -> None:
    """Where the results lie, and what to type next, one after the other."""
    console = out()
    for place, path in enumerate(folders(paths)):
        console.print(f"{'written' if place == 0 else '':<12} {path}")
    for place, command in enumerate(next_commands):
        console.print(f"{'next' if place == 0 else 'then':<12} {command}")


def comparison(found: Comparison, everything: str) -> None:
    """Two runs side by side: settings that differ, scores with a paired difference, what flipped, memory and time.

    `everything` is the command that lists every question that flipped.
    """
    console = out()
    if found.fields:
        _show(side_by_side.settings(found))
        console.print()
    if found.scores:
        _show(side_by_side.scores(found))
        console.print()
    for line in side_by_side.verdict(found):
        console.print(folded("  " * bool(found.scores), line, indent=2))
    if found.flips:
        console.print()
        shown = side_by_side.flips(found, most=FLIPS)
        _show(shown)
        if len(shown.rows) < len(found.flips):
            console.print(f"{len(found.flips) - len(shown.rows)} more: {everything}")
    console.print()
    if found.cost_why_not:
        console.print(folded("memory and time: ", found.cost_why_not, indent=17))
    else:
        _show(side_by_side.costs(found))


def calibration(task: str, found: Sequence[tuple[Section, Sequence[calibration_tables.CalibratedRun]]]) -> None:
    """How well the confidence of a task's runs says what is right, section by section."""
    console = out()
    for section, rows in found:
        console.print(folded(f"{task}  ", section.title, indent=2))
        shown = calibration_tables.table(rows)
        if shown is None:
            console.print(folded("  ", calibration_tables.why_not(section), indent=2))
        else:
            _show(shown)
            console.print()
            for line in calibration_tables.reading(rows):
                console.print(folded("  ", line, indent=2))
        console.print()


def document(text: str) -> None:
    """A whole document on stdout, as it is."""
    print(text.rstrip("\n"))


def verified(count: int, unknown: Sequence[str], unlike: Sequence[str] = ()) -> None:
    """How many runs were verified, which could not be for want of their task, and which differ from their data file."""
    console = out()
    console.print(f"{count} run{'s' * (count != 1)} verified")
    for name in sorted(set(unknown)):
        console.print(f"{unknown.count(name)} not verified: the task '{name}' is not known here ({FILE_FLAGS})")
    if unlike:
        console.print(f"{len(unlike)} differ{'s' * (len(unlike) == 1)} on a data file: was it read alike? {FILE_FLAGS}")


def each_check(name: str, found: Sequence[Check]) -> None:
    """Every check on a line of its own, what differs with what was found, and how many hold."""
    console = out()
    for check in found:
        console.print(
            folded(f"  {'✓' if check.ok else '✗'} ", check.name + ("" if check.ok else f": {check.detail}"), indent=4)
        )
    console.print(f"{name}: {sum(check.ok for check in found)} of {len(found)} hold")


def checks(name: str, found: Sequence[Check], waived: Mapping[Check, Waiver] = MappingProxyType({})) -> None:
    """One line for a run that verifies; each check that differs for one that does not, and those that are waived."""
    bad = [check for check in found if not check.ok]
    console = out()
    console.print(f"{'✗' if set(bad) - set(waived) else '✓'} {name}  {len(found) - len(bad)}/{len(found)} checks")
    for check in bad:
        told = ": ".join(filter(None, (check.name, check.path, check.detail)))
        excuse = f" (waived {waived[check].date.isoformat()}: {waived[check].reason})" if check in waived else ""
        console.print(f"    {'waived' if excuse else 'differs'}: {told}{excuse}")

"""Output on the terminal; no other room prints. Tables go to stdout, progress and errors to stderr."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness import environment
from harness.cli.terminal import streams
from harness.cli.terminal import tables as ui_tables
from harness.data import loading
from harness.errors import HarnessError
from harness.format import about, number, one_line, printable, quantity, run_name, size, spoken
from harness.methods.parts import packing
from harness.metrics import power
from harness.metrics.sampling import FEWEST_GROUPS
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
UNPREDICTED = "not predicted"
LINE_WIDTH = 100
FLIPS = 10  # questions of each kind that a terminal lists
FILE_FLAGS = "for a data file: --task FILE, with the --labels, --relabel and --data of the run"


def out() -> Console:
    """Return the console for tables."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console for progress and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool, width: int | None = None) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # an ASCII terminal gets `?` for a mark, not a crash
    width = width if stream.isatty() else TABLE_WIDTH
    settings: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
    if width is not None:  # rich overrules a width that comes without a height
        settings |= {"width": width, "height": 50}
    return streams.console(stream, **settings)


def error(problem: HarnessError) -> None:
    """Print an error: the problem, its place and the fix."""
    parts = (problem.problem.strip().replace("\n", "\n       "), one_line(problem.where), one_line(problem.fix))
    lines = HarnessError(parts[0], where=parts[1], fix=parts[2])
    print(f"error: {printable(str(lines))}", file=sys.stderr)


def say(text: str = "") -> None:
    """Print a line on stdout."""
    out().print(text)


def note(text: str) -> None:
    """Print a line on stderr."""
    err().print(one_line(text))


def rows_read(path: Path, rows: int) -> None:
    """Print how many rows of a long data file have been read."""
    note(f"reading {printable(path.name)}: {rows:,} rows")


def header(plan: Plan) -> None:
    """Print task, model, device, plan and detectable difference before a run."""
    spec, splits = plan.default_specs[0], plan.splits
    sizes = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    counts = " · ".join(f"{name} {len(examples):,}" for name, examples in sizes if examples)
    weights = f" · {quantity(plan.findings.weights)} weights" if plan.findings else ""
    quantised = f" · stored {packing.words(plan.model.quantised)}" if plan.model.quantised else ""
    adapters = plan.findings.adapters if plan.findings else ""
    unused, start = loading.passed_over(plan.task, plan.options.data), plan.options.start
    begins = (
        f"from {spoken(start.spec)} of {start.spec.task} ({start.spec.id}); leaderboards do not show it"
        if start
        else ""
    )
    cores, memory = environment.cores(), environment.memory_bytes() / 2**30
    device = f"CPU, {cores} core{'s' * (cores != 1)}" if spec.device == "cpu" else environment.cuda_name() or "CUDA"
    lines = (
        (f"{plan.task.name} v{plan.task.version}", f"{plan.task.title} · {counts} in {plan.test_groups:,} groups"),
        ("model", f"{plan.model.name} @ {plan.model.revision[:7]}…{weights} · {spec.dtype}{quantised}"),
        *[("format", spec.model_format)] * bool(spec.model_format),
        *[("template", " · ".join(spec.template))] * bool(spec.template),
        (
            "device",
            f"{device} · {memory:.0f} GiB" + (f" · {plan.options.jobs} runs at a time" * (plan.options.jobs > 1)),
        ),
        *[("--data", unused)] * bool(unused),
        ("plan", plan_line(plan)),
        *[("adapters", adapters)] * bool(adapters),
        *[("starts", begins)] * bool(start),
        *[("probes", " · ".join(f"{p.task.name}, {len(p.examples):,} questions" for p in plan.probes))]
        * bool(plan.probes),
        *[("detects", line) for line in detects(plan.task, plan.test_groups)],
    )
    console = out()
    for first, rest in lines:
        console.print(folded(f"{first:<10} ", rest, indent=11))
    console.print()


def detects(task: Task, groups: int) -> list[str]:
    """Return a line about the difference that the test split can detect; none for metrics that are no share."""
    if task.metrics[0].unit != "share" or groups < 2:
        return []
    if groups < FEWEST_GROUPS:
        return [f"no difference: too few groups: {groups}; at least {FEWEST_GROUPS} are needed"]
    least = number(power.detectable_at_planning(groups))
    return [f"a difference of {least} points with a power of 80 %, if two models differ on 1 question in 5"]


def plan_line(plan: Plan) -> str:
    """Return the number of runs and of finished ones, the largest predicted memory, and the expected time."""
    count, trials = len(plan.specs) + len(plan.waiting), len(plan.trials)
    parts = [f"{count} run{'s' * (count != 1)}"]
    if trials:
        parts.append(
            f"{trials} trial{'s' * (trials != 1)} of learning rates, {plan.options.tune} for each method and rank, on validation"
        )
    if plan.done:
        parts.append(f"{len(plan.done)} done already" if plan.ahead else "all done already")
    if largest := max((plan.predicted(spec) for spec in (*plan.specs, *plan.ahead)), default=0):
        parts.append(f"largest predicted peak {size(largest)}")
    if plan.seconds and plan.ahead:
        parts.append(about(plan.seconds / plan.options.jobs))
    return " · ".join(parts)


def planned(plan: Plan) -> None:
    """Print each run of a plan: its state and its predicted memory."""
    rows = []
    for spec in (*plan.trials, *plan.specs):
        state = "done" if spec.id in plan.done else "to do"
        rate = f"{spec.learning_rate:.2g}" if spec.learning_rate else ""
        predicted = size(plan.predicted(spec)) if plan.predicted(spec) else UNPREDICTED * plan.lacks_prediction(spec)
        rows.append((run_name(spec), state, predicted, rate, spec.id))
    for spec, _ in plan.waiting:
        predicted = size(plan.predicted(spec)) if plan.predicted(spec) else UNPREDICTED * plan.lacks_prediction(spec)
        rows.append((run_name(spec), "after its trials", predicted, "", ""))
    _show(ui_tables.text_table(rows, "run", "state", "predicted", "learning rate", "id"))


def forecast(plan: Plan, request: Request, outlook: Outlook, *, price: float | None) -> None:
    """Print the runs that fit a GPU, their settings, time and cost."""
    from harness.cli.terminal import forecast as ui_forecast

    console = out()
    for first, rest in ui_forecast.heading(plan, outlook, request):
        console.print(folded(f"{first:<10} ", rest, indent=11))
    console.print()
    _show(ui_forecast.forecasts(outlook, request, price))
    console.print()
    for line in ui_forecast.notes(outlook, request, price):
        console.print(folded("  ", line, indent=4))
    console.print()


def accuracy(errors: Sequence[PredictionError]) -> None:
    """Print the errors of past predictions of memory."""
    from harness.cli.terminal import forecast as ui_forecast

    _show(ui_forecast.accuracy(errors))


def untuned(plan: Plan) -> None:
    """Print the runs that lack a trial of learning rates, with the reason."""
    for spec, reason in plan.waiting:
        note(f"  – {run_name(spec)} is not run: {reason}")


def results(analysis: TaskResults) -> None:
    """Print the tables that end a run and how to read them."""
    console = out()
    # A base model scored in both ways has its other score as a row of the table of gains.
    trained = [s for s in analysis.sections if any(cell.spec.method != "base" for cell in s.headline)]
    for section in trained or analysis.sections:
        console.print()
        _section(section)
    probes = [(forgetting.table(probe), forgetting.reading(probe)) for probe in forgetting.probes(analysis.changes)]
    for table, lines in (*probes, *report_robustness.tables(analysis.twins)):
        console.print()
        _show(table)
        console.print()
        for line in lines:
            console.print(folded("  ", line, indent=2))


def _section(section: Section) -> None:
    """Print the tables of a section, its verdict, notes and warnings."""
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
    """Print the settings shared by the runs of a plan, and those not tuned."""
    console = out()
    console.print()
    for line in ui_tables.conditions(plan):
        console.print(folded("", line, indent=13))


def folded(first: str, text: str, *, indent: int) -> str:
    """Return text in lines as wide as the terminal (else `LINE_WIDTH`), the first line after `first`."""
    width = max(40, out().width) if sys.stdout.isatty() else LINE_WIDTH
    style: dict[str, Any] = {"initial_indent": first, "subsequent_indent": " " * indent}
    return textwrap.fill(printable(text), width, break_long_words=False, break_on_hyphens=False, **style)


def table(content: Table) -> None:
    """Print a table on stdout."""
    _show(content)


def _show(table: Table) -> None:
    """Print a table at its full width: a narrow window folds its lines, but no number is ever cut."""
    _console(stderr=False, width=TABLE_WIDTH).print(ui_tables.rich_table(table))


def folders(paths: Iterable[Path]) -> list[Path]:
    """Return a short list of paths: the files of a single figure, the folder of several."""
    listed_paths = list(paths)
    figures = {path.with_suffix("") for path in listed_paths if path.suffix in (".svg", ".png")}
    several = {path.parent for path in figures if sum(figure.parent == path.parent for figure in figures) > 1}
    return list(
        dict.fromkeys(p.parent if p.with_suffix("") in figures and p.parent in several else p for p in listed_paths)
    )


def closing(paths: Iterable[Path], *next_commands: str) -> None:
    """Print the paths of the results, and the commands to type next."""
    console = out()
    for position, path in enumerate(folders(paths)):
        console.print(f"{'written' if position == 0 else '':<12} {path}")
    for position, command in enumerate(next_commands):
        console.print(f"{'next' if position == 0 else 'then':<12} {command}")


def comparison(compared: Comparison, all_flips: str) -> None:
    """Print two runs side by side: different settings, scores with a paired difference, flips, memory and time.

    `all_flips` is the command that lists every flip.
    """
    console = out()
    if compared.fields:
        _show(side_by_side.settings(compared))
        console.print()
    if compared.scores:
        _show(side_by_side.scores(compared))
        console.print()
    for line in side_by_side.verdict(compared):
        console.print(folded("  " * bool(compared.scores), line, indent=2))
    if compared.flips:
        console.print()
        table = side_by_side.flips(compared, most=FLIPS)
        _show(table)
        if len(table.rows) < len(compared.flips):
            console.print(f"{len(compared.flips) - len(table.rows)} more: {all_flips}")
    console.print()
    if compared.cost_why_not:
        console.print(folded("memory and time: ", compared.cost_why_not, indent=17))
    else:
        _show(side_by_side.costs(compared))


def calibration(task: str, calibrated: Sequence[tuple[Section, Sequence[calibration_tables.CalibratedRun]]]) -> None:
    """Print the calibration of a task's runs, section by section."""
    console = out()
    for section, rows in calibrated:
        console.print(folded(f"{task}  ", section.title, indent=2))
        table = calibration_tables.table(rows)
        if table is None:
            console.print(folded("  ", calibration_tables.why_not(section), indent=2))
        else:
            _show(table)
            console.print()
            for line in calibration_tables.reading(rows):
                console.print(folded("  ", line, indent=2))
        console.print()


def document(text: str) -> None:
    """Print a document on stdout."""
    print(printable(text.rstrip("\n")))


def verified(count: int, unknown: Sequence[str], differing: Sequence[str] = ()) -> None:
    """Print the number of verified runs, those with an unknown task, and those that differ on a data file."""
    console = out()
    console.print(f"{count} run{'s' * (count != 1)} verified")
    for name in sorted(set(unknown)):
        console.print(
            f"{unknown.count(name)} not verified: the task '{one_line(name)}' is not known here ({FILE_FLAGS})"
        )
    if differing:
        console.print(
            f"{len(differing)} differ{'s' * (len(differing) == 1)} on a data file: check that it is read with the same flags. {FILE_FLAGS}"
        )


def each_check(name: str, checks: Sequence[Check]) -> None:
    """Print every check on a line of its own, a failed one with its detail, and the number that hold."""
    console = out()
    for check in checks:
        console.print(
            folded(f"  {'✓' if check.ok else '✗'} ", check.name + ("" if check.ok else f": {check.detail}"), indent=4)
        )
    console.print(f"{one_line(name)}: {sum(check.ok for check in checks)} of {len(checks)} hold")


def checks(name: str, results: Sequence[Check], waived: Mapping[Check, Waiver] = MappingProxyType({})) -> None:
    """Print one line for a run that verifies, otherwise each failed check, and each waived check."""
    bad = [check for check in results if not check.ok]
    console = out()
    console.print(
        f"{'✗' if set(bad) - set(waived) else '✓'} {one_line(name)}  {len(results) - len(bad)}/{len(results)} checks"
    )
    for check in bad:
        text = ": ".join(filter(None, (check.name, check.path, check.detail)))
        excuse = f" (waived {waived[check].date.isoformat()}: {waived[check].reason})" if check in waived else ""
        console.print(f"    {'waived' if excuse else 'differs'}: {one_line(text + excuse)}")

"""Output on the terminal; no other room prints. Tables go to stdout, progress and errors to stderr."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import streams
from harness.cli.terminal import tables as ui_tables
from harness.errors import HarnessError
from harness.format import one_line, printable
from harness.report import alarms, forgetting, notes, recommendation, tables, verdict
from harness.report import calibration as calibration_tables
from harness.report import robustness as report_robustness
from harness.store import records

if TYPE_CHECKING:
    from rich.console import Console

    from harness.analysis.pair import Comparison
    from harness.analysis.results import TaskResults
    from harness.analysis.sections import Section
    from harness.format import Table
    from harness.verify.check import Check

TABLE_WIDTH = 240
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
        show(table)
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
            show(table)
            console.print()
    console.print(folded("verdict      ", verdict.verdict(section), indent=13))
    for line in verdict.beside(section):
        console.print(folded(" " * 13, line, indent=13))
    console.print()
    for line in notes.reading(section):
        console.print(folded("  ", line, indent=2))
    for line in alarms.alarms(section):
        console.print(folded("  ! ", line, indent=4))


def recommendations(analysis: TaskResults, results: Path) -> None:
    """Print the recommendation of each section: the row to use, its costs, the command that exports it, reservations.

    The command names the results folder unless it is the default.
    """
    for section in analysis.sections:
        advice = recommendation.recommendation(section)
        if advice and len(analysis.sections) > 1:
            say(section.title)
        name = ""
        for label, text in advice.lines if advice else ():
            if label == "export":  # never folded, so that it can be copied
                folder = "" if results == records.DEFAULT_ROOT else f" --results {shlex.quote(str(results))}"
                say(f"{label:<13}{text}{folder}")
            else:
                say(folded(f"{label if label != name else '':<13}", text, indent=13))
            name = label


def folded(first: str, text: str, *, indent: int) -> str:
    """Return text in lines as wide as the terminal (else `LINE_WIDTH`), the first line after `first`."""
    width = max(40, out().width) if sys.stdout.isatty() else LINE_WIDTH
    style: dict[str, Any] = {"initial_indent": first, "subsequent_indent": " " * indent}
    return textwrap.fill(printable(text), width, break_long_words=False, break_on_hyphens=False, **style)


def table(content: Table) -> None:
    """Print a table on stdout."""
    show(content)


def show(table: Table) -> None:
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
    """Print two rows side by side: different settings, scores with a paired difference, flips, memory and time.

    `all_flips` is the command that lists every flip.
    """
    from harness.report import comparison as side_by_side  # the help of other commands loads little

    console = out()
    if compared.fields:
        show(side_by_side.settings(compared))
        console.print()
    if compared.scores:
        show(side_by_side.scores(compared))
        console.print()
    for line in side_by_side.verdict(compared):
        console.print(folded("  " * bool(compared.scores), line, indent=2))
    if compared.flips:
        console.print()
        table = side_by_side.flips(compared, most=FLIPS)
        show(table)
        if len(table.rows) < len(compared.flips):
            console.print(f"{len(compared.flips) - len(table.rows)} more: {all_flips}")
    console.print()
    if compared.cost_why_not:
        console.print(folded("memory and time: ", compared.cost_why_not, indent=17))
    else:
        show(side_by_side.costs(compared))


def calibration(task: str, calibrated: Sequence[tuple[Section, Sequence[calibration_tables.CalibratedRun]]]) -> None:
    """Print the calibration of a task's runs, section by section."""
    console = out()
    for section, rows in calibrated:
        console.print(folded(f"{task}  ", section.title, indent=2))
        table = calibration_tables.table(rows)
        if table is None:
            console.print(folded("  ", calibration_tables.why_not(section), indent=2))
        else:
            show(table)
            console.print()
            for line in calibration_tables.reading(rows):
                console.print(folded("  ", line, indent=2))
        console.print()


def document(text: str) -> None:
    """Print a document on stdout."""
    print(printable(text.rstrip("\n")))


def each_check(name: str, checks: Sequence[Check]) -> None:
    """Print every check on a line of its own, a failed one with its detail, and the number that hold."""
    console = out()
    for check in checks:
        console.print(
            folded(f"  {'✓' if check.ok else '✗'} ", check.name + ("" if check.ok else f": {check.detail}"), indent=4)
        )
    console.print(f"{one_line(name)}: {sum(check.ok for check in checks)} of {len(checks)} hold")

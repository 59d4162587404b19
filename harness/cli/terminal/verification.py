"""Output of `verify` on the terminal: the result first, then causes, consequences and waivers, then pass or fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import errors
from harness.cli.terminal import output
from harness.format import one_line
from harness.verify import review
from harness.verify.check import Check
from harness.verify.review import Finding, Review

FILES_NAMED = 3  # of one kind of consequence


@dataclass(frozen=True)
class Gaps:
    """Tasks whose runs could not be verified, or not in full, a name for each such run.

    `unknown` tasks are not known here, `changed` ones differ on their data file, and for `blind` ones the data is not here.
    `absent` are data files of unknown tasks, by task, that are gone or have changed.
    """

    unknown: Sequence[str] = ()
    changed: Sequence[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    blind: Sequence[str] = ()


def show(verdict: Review, checks: Mapping[str, Sequence[Check]], gaps: Gaps, tables: Sequence[Path] = ()) -> None:
    """Print what `verify` finds in a folder.

    Args:
        verdict: the review.
        checks: by run, empty for all runs together.
        gaps: the runs that were not verified, or not in full.
        tables: one beside the runs, if tables are not among what was checked.
    """
    count = sum(map(len, checks.values()))
    failed, waived = review.failures(verdict), [finding for finding in verdict.findings if finding.waiver]
    causes = [finding for finding in failed if not review.is_consequence(verdict, finding)]
    consequences = [finding for finding in failed if review.is_consequence(verdict, finding)]
    counts = _counts(
        len({review.item_of(verdict, finding)[0] for finding in causes}),
        len({finding.check.name for finding in consequences}),
    )
    output.say(f"{one_line(verdict.path)}  {_runs(verdict.runs)}, {count:,} check{'s' * (count != 1)}: {counts}")
    for heading, lines in (
        ("causes", _by_item(verdict, causes)),
        ("consequences, of these causes", _by_kind(consequences)),
        ("waived", _waivers(waived)),
    ):
        output.say("\n".join([heading, *lines])) if lines else None
    _tell(gaps)
    if tables:
        command = errors.command("verify", str(tables[0]))
        output.say(f"tables, figures and page were not compared with the runs; this does: {command}")
    sound = sum(all(check.ok for check in of_run) for name, of_run in checks.items() if name)
    if failed:
        output.say(f"FAIL: {counts}; {sound} of {_runs(verdict.runs)} without a fault of its own")
    elif checks:
        parts = [f"{_runs(verdict.runs)} verified", f"{len(waived)} waived" * bool(waived)]
        parts.append(f"{len(gaps.unknown)} NOT verified, see above" * bool(gaps.unknown))
        output.say(f"PASS: {', '.join(filter(None, parts))}")


def _tell(gaps: Gaps) -> None:
    """Print which runs were not verified, or not in full, and what is needed."""
    for name in sorted(set(gaps.unknown)):
        output.say(f"{gaps.unknown.count(name)} not verified: {reason(name, gaps.absent)} ({output.FILE_FLAGS})")
    if changed := len(gaps.changed):
        output.say(
            f"{changed} differ{'s' * (changed == 1)} on a data file: check that it is read with the same flags. {output.FILE_FLAGS}"
        )
    for name in sorted(set(gaps.blind)):
        runs = _runs(gaps.blind.count(name))
        output.say(
            f"questions and right answers of {runs} not compared: the data of '{one_line(name)}' is not here; --data DIR"
        )


def reason(task: str, absent: Mapping[str, str]) -> str:
    """Return why the runs of a task cannot be verified."""
    if task in absent:
        return f"the data file of '{one_line(task)}' is gone or has changed since the run: {one_line(absent[task])}"
    return f"the task '{one_line(task)}' is not known here"


def overall(*, passed: bool) -> None:
    """Print the result of several folders."""
    output.say("PASS: every folder" if passed else "FAIL: see above")


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"


def _counts(causes: int, consequences: int) -> str:
    """Return the number of items with a fault of their own, and of kinds of views that follow from them."""
    if not causes and not consequences:
        return "all hold"
    parts = [f"{causes} cause{'s' * (causes != 1)}"] * bool(causes)
    parts += [f"{consequences} consequence{'s' * (consequences != 1)}"] * bool(consequences)
    return " and ".join(parts)


def _by_item(verdict: Review, findings: Sequence[Finding]) -> list[str]:
    """Return the lines of each item (a run, a file, or all runs together) once, with all its faults."""
    items: dict[str, list[str]] = {}
    for finding in findings:
        item, inside = review.item_of(verdict, finding)
        items.setdefault(item, []).append(f"    differs: {_fault(finding.check, inside if inside != item else '')}")
    return [
        line
        for item, faults in items.items()
        for line in (f"  ✗ {one_line(item) or 'all runs together'}", *dict.fromkeys(faults))
    ]


def _by_kind(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each check that fails as a consequence, with a few of its files."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.check.name, []).append(finding)
    lines = []
    for name, of_kind in kinds.items():
        files = [finding.path for finding in of_kind if finding.path]
        more = f" and {len(files) - FILES_NAMED} more" if len(files) > FILES_NAMED else ""
        detail = ", ".join(files[:FILES_NAMED]) + more or of_kind[0].check.detail
        lines.append(f"    differs: {one_line(f'{name}: {detail}')}")
    return lines


def _waivers(findings: Sequence[Finding]) -> list[str]:
    lines = []
    for finding in findings:
        assert finding.waiver is not None
        excuse = f"(waived {finding.waiver.date.isoformat()}: {finding.waiver.reason})"
        lines.append(f"    waived: {_fault(finding.check, finding.path)} {one_line(excuse)}")
    return lines


def _fault(check: Check, path: str) -> str:
    return one_line(": ".join(filter(None, (check.name, path, check.detail))))

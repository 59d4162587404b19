"""The report of a review: a verdict on every check of `verify`, and a command that shows each finding.

The report is a pure function of the findings: equal findings give equal bytes, as Markdown and as a page for a browser.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness import errors
from harness.format import Table, escape, markdown
from harness.store import records
from harness.verify import trust, waivers
from harness.verify.check import Check
from harness.verify.checks.catalogue import CONCERNS
from harness.verify.checks.publication import files, views
from harness.verify.checks.record import provenance
from harness.verify.waivers import Waiver

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Verdict = Literal["PASS", "FAIL", "WAIVED", "NOT APPLICABLE"]


@dataclass(frozen=True)
class Finding:
    """A failed check with its run or file, a command that shows it, and its waiver, if any."""

    check: Check
    path: str
    command: str
    waiver: Waiver | None


@dataclass(frozen=True)
class Item:
    """A line of the checklist: a check, the fault that it catches, how often it was made, and its findings."""

    concern: str
    name: str
    catches: str
    count: int
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict: WAIVED if every finding is waived, NOT APPLICABLE if the check was never made."""
        if not self.count:
            return "NOT APPLICABLE"
        if not self.findings:
            return "PASS"
        return "WAIVED" if all(finding.waiver for finding in self.findings) else "FAIL"


@dataclass(frozen=True)
class Review:
    """The complete checklist for a folder, in the order of `CONCERNS`.

    `runs` is the number of verified runs, `folders` are theirs below `path`.
    """

    path: str
    runs: int
    items: tuple[Item, ...]
    waivers: tuple[Waiver, ...]
    folders: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, waived or not."""
        return tuple(finding for item in self.items for finding in item.findings)

    @property
    def ok(self) -> bool:
        """Whether every finding is waived."""
        return all(item.verdict != "FAIL" for item in self.items)

    def count(self, verdict: Verdict) -> int:
        """Return the number of checks with this verdict."""
        return sum(item.verdict == verdict for item in self.items)


def judge(
    path: Path, results: Mapping[str, Sequence[Check]], excuses: Sequence[Waiver] = (), *, complete: bool = True
) -> Review:
    """Return the review of a folder.

    Args:
        path: the results folder, as the user named it.
        results: checks by run: its folder relative to `path`, empty for the checks of all runs together.
        excuses: the waivers.
        complete: whether the entire folder was verified, so that each waiver must excuse a finding.
    """
    counts: dict[str, int] = {}
    findings: dict[str, list[Finding]] = {}
    used: list[Waiver] = []

    def add(run: str, check: Check) -> None:
        counts[check.name] = counts.get(check.name, 0) + 1
        if not check.ok:
            target = check.path or run
            waiver = next((excuse for excuse in excuses if excuse.covers(check, target)), None)
            used.extend([waiver] if waiver else [])
            findings.setdefault(check.name, []).append(Finding(check, target, command_for(path, check, target), waiver))

    for run, checks in results.items():
        for check in checks:
            add(run, check)
    if excuses and complete:
        add("", waivers.unused(excuses, used))
    items = tuple(
        Item(concern, name, catches, counts.get(name, 0), tuple(findings.get(name, ())))
        for concern, names in CONCERNS.items()
        for name, catches in names.items()
    )
    folders = tuple(run for run in results if run)
    return Review(str(path), len(folders), items, tuple(excuses), folders)


def command_for(path: Path, check: Check, target: str) -> str:
    """Return the command that shows a finding; `target` is a run's folder or a file below `path`."""
    folder = shlex.quote(str(path))
    if check.name in (files.CHECKSUMS, files.FILES_PRESENT):
        return f"(cd {folder} && sha256sum --check --quiet {files.SUMS})"
    if check.name == provenance.HISTORY:
        return f"git log -p -- {shlex.quote(str(path / target))}"
    if check.name in (provenance.COMMIT, provenance.COMMITTED):
        return f"grep -rh --include=record.json '\"commit\"' {folder} | sort | uniq -c"
    inside = target and (path / target).exists() and check.name != files.FILES_LISTED
    return errors.command("verify", str(path / target if inside else path))


def failures(review: Review) -> list[Finding]:
    """Return the findings that no waiver excuses."""
    return [finding for finding in review.findings if not finding.waiver]


def is_consequence(review: Review, finding: Finding) -> bool:
    """Whether a finding may follow from others: a view that differs because the runs or files below it do.

    A view whose own checksum is wrong was changed itself. If nothing but views differs, nothing else can be the cause.
    """
    names = set(views.KINDS.values())
    if finding.check.name not in names:
        return False
    others = [other for other in failures(review) if other.check.name not in names]
    changed = any(other.path == finding.path for other in others if finding.path)
    return bool(others) and not changed


def item_of(review: Review, finding: Finding) -> tuple[str, str]:
    """Return the item of a finding and its path: a run's folder for the files in it, else the path itself."""
    runs = [run for run in review.folders if finding.path == run or finding.path.startswith(f"{run}/")]
    item = max(runs, key=len, default=finding.path)
    return item, finding.path.removeprefix(f"{item}/")


def write(folder: Path, review: Review) -> list[Path]:
    """Write `review.md` and `review.html` into a folder, each atomically."""
    texts = {"review.md": as_markdown(review), "review.html": page(review)}
    return [records.write_text(folder / name, text) for name, text in texts.items()]


def summary(review: Review) -> str:
    """Return the counts of runs, checks and verdicts as a sentence."""
    counts = [(review.count(verdict), verdict) for verdict in ("PASS", "FAIL", "WAIVED", "NOT APPLICABLE")]  # type: ignore[arg-type]
    verdicts = ", ".join(f"{count} {verdict}" for count, verdict in counts if count)
    return f"{review.runs} run{'s' * (review.runs != 1)}, {len(review.items)} checks: {verdicts}."


def as_markdown(review: Review) -> str:
    """Return the review as Markdown; texts of results are escaped, commands are in code blocks."""
    blocks = [f"# Review of {escape(review.path)}", escape(summary(review)), "## Findings"]
    for heading, findings in findings_by_kind(review):
        blocks += [f"### {heading}", *map(_finding, findings)]
    blocks += [] if review.findings else ["None."]
    for concern in CONCERNS:
        rows = [item for item in review.items if item.concern == concern]
        table = Table(
            concern,
            ("verdict", "check", "count", "catches"),
            tuple((item.verdict, item.name, f"{item.count:,}", item.catches) for item in rows),
            left=frozenset({0, 1, 3}),
        )
        blocks += [f"## {concern}", markdown(table)]
    blocks += ["## Taken on trust", trust.NOTE]
    blocks.append("\n".join(f"- {escape(line)}" for line in trust.lines()))
    return "\n\n".join(blocks) + "\n"


def findings_by_kind(review: Review) -> list[tuple[str, list[Finding]]]:
    """Return the findings by heading: causes, consequences, waived; without empty ones."""
    failed = failures(review)
    kinds = [
        ("Causes", [finding for finding in failed if not is_consequence(review, finding)]),
        ("Consequences", [finding for finding in failed if is_consequence(review, finding)]),
        ("Waived", [finding for finding in review.findings if finding.waiver]),
    ]
    return [kind for kind in kinds if kind[1]]


def _finding(finding: Finding) -> str:
    lines = [f"**{'WAIVED' if finding.waiver else 'FAIL'}** {escape(finding.check.name)}"]
    lines += [f"- path: {escape(finding.path)}"] * bool(finding.path)
    lines += [f"- fault: {escape(finding.check.detail)}"] * bool(finding.check.detail)
    if finding.waiver:
        lines.append(f"- waived on {finding.waiver.date.isoformat()}: {escape(finding.waiver.reason)}")
    command = _UNPRINTABLE.sub("�", " ".join(finding.command.split()))
    return "\n".join([*lines, "", f"      {command}" if lines[1:] else f"    {command}"])


def page(review: Review) -> str:
    """Return the review as one page without scripts, with every text of results escaped."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_printable)
    template = environment.from_string(Path(__file__).with_name("review.html").read_text(encoding="utf-8"))
    kinds = findings_by_kind(review)
    return (
        template.render(review=review, kinds=kinds, concerns=list(CONCERNS), summary=summary(review), trust=trust)
        + "\n"
    )


def _printable(value: Any) -> Any:
    return _UNPRINTABLE.sub("�", value) if isinstance(value, str) else value

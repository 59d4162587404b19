"""The report of a review: every check of `verify` as PASS, FAIL or WAIVED, with what shows each finding.

A pure function of what `verify` found: same findings, same bytes, as Markdown and as a page that opens from disk.
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
from harness.verify import waivers
from harness.verify.check import Check
from harness.verify.checks import files, provenance
from harness.verify.checks.catalogue import CONCERNS
from harness.verify.waivers import Waiver

_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Verdict = Literal["PASS", "FAIL", "WAIVED", "NOT MADE"]


@dataclass(frozen=True)
class Finding:
    """A check that does not hold, where, the command that shows it, and the waiver that excuses it, if one does."""

    check: Check
    place: str
    command: str
    waiver: Waiver | None


@dataclass(frozen=True)
class Item:
    """One line of the checklist: a check, what it is there to catch, how often it was made, and what was found."""

    concern: str
    name: str
    catches: str
    made: int
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """WAIVED only where every finding is; NOT MADE where there was nothing to look at."""
        if not self.made:
            return "NOT MADE"
        if not self.findings:
            return "PASS"
        return "WAIVED" if all(finding.waiver for finding in self.findings) else "FAIL"


@dataclass(frozen=True)
class Review:
    """The whole checklist for a folder, in the order of `CONCERNS`. `runs` is how many were looked at."""

    path: str
    runs: int
    items: tuple[Item, ...]
    waivers: tuple[Waiver, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, excused or not."""
        return tuple(finding for item in self.items for finding in item.findings)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that no waiver excuses."""
        return all(item.verdict != "FAIL" for item in self.items)

    def count(self, verdict: Verdict) -> int:
        """How many checks have this verdict."""
        return sum(item.verdict == verdict for item in self.items)


def judge(
    path: Path, found: Mapping[str, Sequence[Check]], excuses: Sequence[Waiver] = (), *, whole: bool = True
) -> Review:
    """Turn what was found into a review.

    Args:
        path: the results folder, as the user named it.
        found: checks by place: a run's folder relative to `path`, empty for those of all runs together.
        excuses: the waivers.
        whole: whether all of the folder was looked at, so that each waiver should excuse something.
    """
    made: dict[str, int] = {}
    findings: dict[str, list[Finding]] = {}
    used: list[Waiver] = []

    def note(place: str, check: Check) -> None:
        made[check.name] = made.get(check.name, 0) + 1
        if not check.ok:
            at = check.where or place
            waiver = next((one for one in excuses if one.covers(check, at)), None)
            used.extend([waiver] if waiver else [])
            findings.setdefault(check.name, []).append(Finding(check, at, shown_by(path, check, at), waiver))

    for place, checks in found.items():
        for check in checks:
            note(place, check)
    if excuses and whole:
        note("", waivers.unused(excuses, used))
    items = tuple(
        Item(concern, name, catches, made.get(name, 0), tuple(findings.get(name, ())))
        for concern, names in CONCERNS.items()
        for name, catches in names.items()
    )
    return Review(str(path), sum(place != "" for place in found), items, tuple(excuses))


def shown_by(path: Path, check: Check, place: str) -> str:
    """Return the command that shows a finding."""
    folder = shlex.quote(str(path))
    if check.name in (files.SHA256, files.THERE):
        return f"(cd {folder} && sha256sum --check --quiet {files.SUMS})"
    if check.name == provenance.APPENDED:
        return f"git log -p -- {shlex.quote(str(path / place))}"
    if check.name in (provenance.KNOWN, provenance.CLEAN):
        return f"grep -rh --include=record.json '\"commit\"' {folder} | sort | uniq -c"
    inside = place and (path / place).exists() and check.name != files.NO_OTHER
    return errors.command("verify", str(path / place if inside else path))


def write(folder: Path, review: Review) -> list[Path]:
    """Write `review.md` and `review.html` into a folder, each whole or not at all."""
    texts = {"review.md": as_markdown(review), "review.html": page(review)}
    return [records.write_text(folder / name, text) for name, text in texts.items()]


def summary(review: Review) -> str:
    """Say in one sentence what came of it."""
    counts = [(review.count(verdict), verdict) for verdict in ("PASS", "FAIL", "WAIVED", "NOT MADE")]  # type: ignore[arg-type]
    told = ", ".join(f"{count} {verdict}" for count, verdict in counts if count)
    return f"{review.runs} run{'s' * (review.runs != 1)}, {len(review.items)} checks: {told}."


def as_markdown(review: Review) -> str:
    """Return the review as Markdown; text of results is escaped, commands stand in code blocks."""
    blocks = [f"# Review of {escape(review.path)}", escape(summary(review))]
    for concern in CONCERNS:
        rows = [item for item in review.items if item.concern == concern]
        table = Table(
            concern,
            ("", "check", "made", "catches"),
            tuple((item.verdict, item.name, f"{item.made:,}", item.catches) for item in rows),
            left=frozenset({0, 1, 3}),
        )
        blocks += [f"## {concern}", markdown(table)]
    blocks.append("## Findings")
    blocks += [_finding(finding) for finding in review.findings] or ["None."]
    return "\n\n".join(blocks) + "\n"


def _finding(finding: Finding) -> str:
    lines = [f"**{'WAIVED' if finding.waiver else 'FAIL'}** {escape(finding.check.name)}"]
    lines += [f"- where: {escape(finding.place)}"] * bool(finding.place)
    lines += [f"- found: {escape(finding.check.detail)}"] * bool(finding.check.detail)
    if finding.waiver:
        lines.append(f"- waived on {finding.waiver.date.isoformat()}: {escape(finding.waiver.reason)}")
    command = _UNDRAWABLE.sub("�", " ".join(finding.command.split()))
    return "\n".join([*lines, "", f"      {command}" if lines[1:] else f"    {command}"])


def page(review: Review) -> str:
    """Return the review as one page without scripts, every text of results escaped."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_drawable)
    template = environment.from_string(Path(__file__).with_name("review.html").read_text(encoding="utf-8"))
    return template.render(review=review, concerns=list(CONCERNS), summary=summary(review)) + "\n"


def _drawable(value: Any) -> Any:
    return _UNDRAWABLE.sub("�", value) if isinstance(value, str) else value

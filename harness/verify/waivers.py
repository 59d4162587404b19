"""Waivers: findings of `verify` that a person accepted, each with a reason and a date.

    # results/waivers.toml
    [[waiver]]
    check = "figures are reproducible byte for byte"
    where = "figures/cfa/*.png"        # optional: pattern of runs or files; * and ? as in file names
    reason = "an older matplotlib drew them; the SVG files are equal"
    date = 2026-03-01

The file is read strictly: a misspelt check, an unknown field or a missing reason is an error. A waiver that matches no
finding fails the check `every waiver is used`. Former names of checks are accepted.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, did_you_mean
from harness.verify.check import Check, check
from harness.verify.checks.catalogue import FORMER_NAMES, NAMES, WAIVERS

FILE = "waivers.toml"
FIELDS = {"check": str, "where": str, "reason": str, "date": datetime.date}
MIN_REASON = 10  # characters
KINDS: dict[type, str] = {str: "text", datetime.date: "a date such as 2026-03-01"}


@dataclass(frozen=True)
class Waiver:
    """An accepted finding: the check's name, a pattern of runs or files, the reason and the date."""

    check: str
    pattern: str
    reason: str
    date: datetime.date

    def covers(self, check: Check, path: str) -> bool:
        """Return whether it excuses this check at a path: a run's folder or a file, relative to the verified folder."""
        return check.name == self.check and fnmatchcase(path, self.pattern)


def waiver_file(path: Path) -> Path | None:
    """Return the file of waivers of a results folder, or of the folder above `published`; None if there is none."""
    folders = [path, path.parent] if path.name == "published" else [path]
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def read(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers of a file.

    Raises:
        HarnessError: the file is not TOML, or has an unknown table, field or check, a missing or ill-typed field, or two
            waivers of one check and pattern.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _error(f"the waivers cannot be read: {error}", path) from None
    items = data.pop("waiver", [])
    if data or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _error("the file has content other than [[waiver]] tables", path)
    waivers = [_waiver(item, number, path) for number, item in enumerate(items, start=1)]
    targets = [(waiver.check, waiver.pattern) for waiver in waivers]
    if duplicate := next((target for target in targets if targets.count(target) > 1), None):
        raise _error(f"two waivers excuse {duplicate[0]!r} at {duplicate[1]!r}", path)
    return tuple(waivers)


def _waiver(item: dict[str, Any], number: int, path: Path) -> Waiver:
    name = f"waiver {number}"
    if unknown := sorted(item.keys() - FIELDS.keys()):
        raise _error(f"{name} has the unknown field {unknown[0]!r}", path, did_you_mean(unknown[0], FIELDS))
    item = {"where": "*"} | item
    for field, kind in FIELDS.items():
        if type(item.get(field)) is not kind:  # a datetime is an instance of date too
            raise _error(f"{name} needs the field {field!r} as {KINDS[kind]}, found {item.get(field)!r}", path)
    check_name = FORMER_NAMES.get(item["check"], item["check"])
    if check_name not in NAMES:
        raise _error(f"{name} has the unknown check {check_name!r}", path, did_you_mean(check_name, NAMES))
    if len(item["reason"].strip()) < MIN_REASON:
        raise _error(
            f"{name} has the reason {item['reason']!r}, at least {MIN_REASON} characters are needed",
            path,
            "give the reason for accepting this finding in a sentence",
        )
    if not item["where"].strip():
        raise _error(f"{name} has an empty field 'where', a pattern is needed", path)
    return Waiver(check_name, item["where"], item["reason"], item["date"])


def _error(problem: str, path: Path, fix: str = "") -> HarnessError:
    return HarnessError(
        problem, where=str(path), fix=fix or "a [[waiver]] has the fields check, reason and date, and optionally where"
    )


def unused(waivers: Iterable[Waiver], used: Iterable[Waiver]) -> Check:
    """Return the check that each waiver excuses a finding."""
    used = set(used)
    return check(WAIVERS, [f"{waiver.check} at {waiver.pattern}" for waiver in waivers if waiver not in used], FILE)

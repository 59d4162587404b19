"""Waivers: findings of `verify` that are known and accepted, each with a reason and the date it was given.

    # results/waivers.toml
    [[waiver]]
    check = "figures are drawn again byte for byte"
    where = "figures/cfa/*.png"        # optional: which runs or files; * and ? as in file names
    reason = "drawn with an older matplotlib; the SVG files are equal"
    date = 2026-03-01

The file is read strictly: a misspelt check, a field too many or a reason left out is an error, and a waiver that excuses
nothing fails a check of its own.
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
from harness.verify.checks.catalogue import NAMES, WAIVERS

FILE = "waivers.toml"
FIELDS = {"check": str, "where": str, "reason": str, "date": datetime.date}
SHORTEST = 10  # characters of a reason


@dataclass(frozen=True)
class Waiver:
    """One accepted finding: the check's name, where (a pattern of places), why, and since when."""

    check: str
    where: str
    reason: str
    date: datetime.date

    def covers(self, found: Check, place: str) -> bool:
        """Whether it excuses this check at this place (a run's folder or a file, relative to what is verified)."""
        return found.name == self.check and fnmatchcase(place, self.where)


def find(path: Path) -> Path | None:
    """Return the waivers that belong to a results folder: in it, or in the folder that `published` lies in."""
    places = [path, path.parent] if path.name == "published" else [path]
    return next((place / FILE for place in places if (place / FILE).is_file()), None)


def read(path: Path) -> tuple[Waiver, ...]:
    """Read a file of waivers.

    Raises:
        HarnessError: not TOML, an unknown table or field, a missing or ill-typed one, an unknown check, or one twice.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _error(f"the waivers cannot be read: {error}", path) from None
    listed = data.pop("waiver", [])
    if data or not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise _error("the file holds something else than [[waiver]] tables", path)
    found = [_waiver(item, number, path) for number, item in enumerate(listed, start=1)]
    places = [(waiver.check, waiver.where) for waiver in found]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise _error(f"two waivers excuse {twice[0]!r} at {twice[1]!r}", path)
    return tuple(found)


def _waiver(item: dict[str, Any], number: int, path: Path) -> Waiver:
    name = f"waiver {number}"
    if unknown := sorted(item.keys() - FIELDS.keys()):
        raise _error(f"{name} has the unknown field {unknown[0]!r}", path, did_you_mean(unknown[0], FIELDS))
    item = {"where": "*"} | item
    for field, kind in FIELDS.items():
        if type(item.get(field)) is not kind:  # a datetime is a date too, but not a day
            raise _error(f"{name} has no {field}, or one that is no {kind.__name__}", path)
    if item["check"] not in NAMES:
        raise _error(f"{name} excuses an unknown check {item['check']!r}", path, did_you_mean(item["check"], NAMES))
    if len(item["reason"].strip()) < SHORTEST:
        raise _error(f"{name} gives no reason", path, "say why this finding is accepted, in a sentence")
    if not item["where"].strip():
        raise _error(f"{name} excuses nothing: its where is empty", path)
    return Waiver(**item)


def _error(problem: str, path: Path, fix: str = "") -> HarnessError:
    return HarnessError(
        problem, where=str(path), fix=fix or "a [[waiver]] has check, reason and date, and may have where"
    )


def unused(waivers: Iterable[Waiver], used: Iterable[Waiver]) -> Check:
    """Check that each waiver excuses something that was found."""
    kept = set(used)
    return check(WAIVERS, [f"{waiver.check} at {waiver.where}" for waiver in waivers if waiver not in kept], FILE)

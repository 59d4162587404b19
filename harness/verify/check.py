"""What `verify` looks at, one module a concern; every check has a name, by which reviews and waivers speak of it.

`files` and `identity` ask whether the evidence is whole and is what it says, `arithmetic` whether the numbers follow from
it, `data` and `provenance` where it comes from, `cost` whether machine and memory make sense, `seeds` whether runs were
left out or picked, `views` whether tables, figures and page are those of the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing looked at: its name, whether it holds, what was found where it does not, and the file if it is one."""

    name: str
    ok: bool
    detail: str = ""
    where: str = ""


def check(name: str, faults: Sequence[str], where: str = "") -> Check:
    """Return a check that holds where there are no faults; the first three are told."""
    shown = ", ".join(faults[:3]) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
    return Check(name, not faults, shown, where)


def same(name: str, recorded: object, found: object) -> Check:
    """Return a check that holds where what was recorded is what was found."""
    return Check(name, recorded == found, "" if recorded == found else f"recorded {recorded}, found {found}")


def each(name: str, places: Iterable[str], fault: Callable[[str], str]) -> list[Check]:
    """Return a failed check for each place that has a fault, or the one that holds."""
    found = [Check(name, False, text, place) for place in places if (text := fault(place))]
    return found or [Check(name, True)]

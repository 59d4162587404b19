"""The result of one check of `verify`; reviews and waivers refer to a check by its name.

The modules of `checks` hold one concern each. `files` and `identity` ask whether the evidence is complete and unchanged.
`arithmetic` asks whether the numbers follow from the answers. `data` and `provenance` check the origin of data, code and
model. `cost` checks machine and memory. `seeds` looks for runs left out or selected. `views` compares tables, figures
and page with the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A check's result: its name, whether it holds, a description of the fault, and the file it is about, if any."""

    name: str
    ok: bool
    detail: str = ""
    path: str = ""


def check(name: str, faults: Sequence[str], path: str = "") -> Check:
    """Return a check that holds if there are no faults; its detail lists the first three."""
    detail = ", ".join(faults[:3]) + (f" and {len(faults) - 3} more" if len(faults) > 3 else "")
    return Check(name, not faults, detail, path)


def check_equal(name: str, recorded: object, actual: object) -> Check:
    """Return a check that holds if the recorded value equals the actual one."""
    return Check(name, recorded == actual, "" if recorded == actual else f"recorded {recorded}, found {actual}")


def check_each(name: str, paths: Iterable[str], fault: Callable[[str], str]) -> list[Check]:
    """Return a failed check for each path with a fault, or a single check that holds."""
    failures = [Check(name, False, text, path) for path in paths if (text := fault(path))]
    return failures or [Check(name, True)]

"""The one error a user sees: what is wrong, where, and how to fix it.

Raised anywhere below `cli`, printed by `ui` in one shape, ends the program with exit code 2.
"""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

FROM_SOURCE = "python run_all.py"


INSTALLED = "adaptbench"  # of [project.scripts] in pyproject.toml


DIVERGED = "the loss is"  # how the reason of a run begins whose loss stopped being a number


class HarnessError(Exception):
    """A problem that the user can fix.

    Args:
        problem: what is wrong, one sentence without a full stop.
        where: the file, line, flag or value concerned.
        fix: what to do next, a command where there is one.
    """

    def __init__(self, problem: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.problem]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.fix:
            lines.append(f"  help: {self.fix}")
        return "\n".join(lines)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def one_line(error: BaseException) -> str:
    """Return what an error of a library says, in one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def command(*words: str) -> str:
    """Return the command line that runs this program with these words, the way the program itself was started."""
    started = Path(sys.argv[0]).name
    name = INSTALLED if started.split(".")[0].removesuffix("-script") == INSTALLED else FROM_SOURCE
    return f"{name} {shlex.join(words)}".strip()

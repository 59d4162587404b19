"""The error for users, with the problem, its location and a fix.

Any room may raise it. `cli` prints it in one format and ends the program with exit code 2.
"""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

FROM_SOURCE = "python run_all.py"


INSTALLED = "adaptbench"  # the name in [project.scripts] of pyproject.toml


DIVERGED = "the loss is"  # the reason of a run begins so if its loss is not finite


class HarnessError(Exception):
    """A problem that the user can fix.

    Args:
        problem: one sentence without a full stop, with the object, the value found and the value needed.
        where: the file, line, flag or value concerned.
        fix: the next step for the user, if possible a command.
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


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest of the names, or an empty string."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def one_line(error: BaseException) -> str:
    """Return the message of a library's error in one line of at most 200 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:199]}…"


def command(*words: str) -> str:
    """Return a command line for this program with these words, with the name by which the user started it."""
    program = Path(sys.argv[0]).name
    name = INSTALLED if program.split(".")[0].removesuffix("-script") == INSTALLED else FROM_SOURCE
    return f"{name} {shlex.join(words)}".strip()

"""The error for users, with the problem, its location and a fix.

Any room may raise it. `cli` prints it in one format and ends the program with exit code 2.
"""

from __future__ import annotations

import difflib
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

FROM_SOURCE = "python run_all.py"


INSTALLED = "adaptbench"  # the name in [project.scripts] of pyproject.toml


# Names of errors, of libraries that are not imported here, that no answer of a server came with.
UNREACHABLE = frozenset(
    {"ConnectError", "ConnectionError", "TimeoutException", "Timeout", "ProxyError", "gaierror"}
) | {"OfflineModeIsEnabled"}


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


def why_not_fetched(error: BaseException) -> str:
    """Return the reason why the hub's client could not fetch something, in plain words; else its first line."""
    names = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    if names & UNREACHABLE:
        return "the hub cannot be reached from this machine (no network, or a proxy or firewall in between)"
    if "GatedRepoError" in names:
        return "its owner wants terms accepted on its page first; then set HF_TOKEN to your token"
    if "RepositoryNotFoundError" in names:
        return "the hub has nothing of this name, or it is private; then set HF_TOKEN to a token that may read it"
    line = str(error).strip().split("\n")[0][:200]  # the next lines are advice for another program
    return line or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def program() -> tuple[str, ...]:
    """Return the words that start this program with this Python from any folder, for a script."""
    source = Path(__file__).absolute().parents[1] / FROM_SOURCE.split()[1]
    if source.exists():
        return sys.executable, str(source)
    return sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"


def command(*words: str) -> str:
    """Return a command line for this program with these words, with the name by which the user started it."""
    program = Path(sys.argv[0]).name
    name = INSTALLED if program.split(".")[0].removesuffix("-script") == INSTALLED else FROM_SOURCE
    return f"{name} {shlex.join(words)}".strip()

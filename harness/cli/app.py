"""The program: find the command, read its flags, call its function, return an exit code.

0 done · 1 done, but a run failed or a check differs · 2 could not start · 130 interrupted
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import harness
from harness import errors, signals
from harness.cli import examples, recipe
from harness.cli.arguments import Arguments, Flag, Parser
from harness.cli.terminal import output, silence, streams
from harness.data import bounds
from harness.errors import HarnessError, did_you_mean
from harness.store import links

if TYPE_CHECKING:
    from harness.runs.local import Target

DONE, DIFFERS, CANNOT_START, INTERRUPTED = 0, 1, 2, 130

# A command NAME is the module harness/cli/commands/NAME.py, which is imported when the command is typed.
COMMANDS = {
    "run": "train and test the methods on a task (the default command)",
    "sequence": "train on one task after the other, and ask all of them after each",
    "plan": "show what `run` would do, with memory and time, and do nothing",
    "list": "list the tasks and methods, and where each comes from",
    "compare": "set two runs side by side, paired on the same questions",
    "calibration": "show how far each run's confidence can be trusted, and what share could be automated",
    "report": "write tables (also for LaTeX and model cards), figures and report.html from the results",
    "verify": "recompute every score of the results from the answers",
    "publish": "copy finished runs into results/published, which only grows",
    "intruders": "find the directions that training brought into the weights of a run",
    "check": "check a task or a data file without training",
    "new": "write the file of a new task, with data to start from",
    "adapters": "list, show, export, upload, merge and score the adapters of finished runs",
    "serve": "answer over HTTP with one base model and the adapters of finished runs",
}


class Command(Protocol):
    """The module of a command: its flags, and its function, which returns an exit code."""

    FLAGS: Sequence[Flag]

    def main(self, arguments: Arguments) -> int:
        """Do what the command does."""


def main(words: Sequence[str] | None = None, *, work: Target | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        words: the command line; None for that of the shell.
        work: does a run in the place of a worker, for tests.
    """
    with streams.safe_streams():
        return _exit_code(words, work)


def _exit_code(words: Sequence[str] | None, work: Target | None) -> int:
    bounds.watch(output.rows_read)
    try:
        with signals.keyboard_interrupts():
            return _main(list(sys.argv[1:] if words is None else words), work)
    except HarnessError as problem:
        output.error(problem)
        return CANNOT_START
    except KeyboardInterrupt:
        _end_helpers()
        output.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return DONE
    except OSError as problem:  # a path that is closed to us, too long, or gone in the meantime; a disk that is full
        text = f"a file or folder cannot be used: {problem.strerror or problem}"
        name, fix = problem.filename or type(problem).__name__, "check the path, its permissions and the free space"
        output.error(_dangling(problem) or HarnessError(text, where=str(name), fix=fix))
        return CANNOT_START
    except SystemExit as end:  # --help
        return end.code if isinstance(end.code, int) else DONE


def _dangling(problem: OSError) -> HarnessError | None:
    """Return the error that names a symbolic link to nothing, if that is why the system calls an absent path existing."""
    try:
        if isinstance(problem.filename, str):
            links.require_targets(Path(problem.filename))
    except HarnessError as error:
        return error
    return None


def _end_helpers() -> None:
    """Kill what this process started if it was interrupted between a start and the place that knows of it."""
    if "multiprocessing" in sys.modules:
        from harness import lifetime

        lifetime.kill_children()


def module(name: str) -> Command:
    """Return the module of a command."""
    return cast(Command, importlib.import_module(f"harness.cli.commands.{name}"))


def read(name: str, words: Sequence[str]) -> Arguments:
    """Return the values of a command's flags; `words` are those after the command's name."""
    command = module(name)
    notes = (_overview() if name == "run" else getattr(command, "NOTES", ""), examples.text(name))
    prog = errors.command(*[name] * (name != "run"))
    parser = Parser(command.FLAGS, prog=prog, description=COMMANDS[name], epilog="\n\n".join(filter(None, notes)))
    return parser.read(recipe.expanded(words, command.FLAGS))


def _main(words: list[str], work: Target | None) -> int:
    if words == ["--version"]:
        output.say(f"{errors.INSTALLED} {harness.__version__}")
        return DONE
    name = words[0] if words and not words[0].startswith("-") else "run"
    if name not in COMMANDS:
        raise HarnessError(
            f"no command named '{name}'", where=f"commands: {', '.join(COMMANDS)}", fix=_suggestion(name)
        )
    arguments = read(name, words[1:] if words and words[0] == name else words)
    arguments.line, arguments.work = errors.command(*words), work
    if (results := getattr(arguments, "results", None)) is not None:
        links.protect(results)
    with silence.broken(name):
        return module(name).main(arguments)


def _overview() -> str:
    commands = "commands:\n" + "\n".join(f"  {name:<11} {summary}" for name, summary in COMMANDS.items())
    return f"{commands}\n\n--version alone prints the version"


def _suggestion(name: str) -> str:
    from harness.data import registry

    if name in registry.tasks() or Path(name).suffix:
        return errors.command("--task", name)
    return did_you_mean(name, COMMANDS) or errors.command("--help")

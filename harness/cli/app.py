"""Parse, call one function, return an exit code.

0 done · 1 done, but a run failed or a check differs · 2 could not start · 130 interrupted
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from harness import errors, signals
from harness.cli import examples, flags
from harness.cli.terminal import output as ui
from harness.errors import HarnessError, did_you_mean
from harness.runs import options

DONE, DIFFERS, CANNOT_START, INTERRUPTED = 0, 1, 2, 130

OUTPUTS = ("json", "md")

COMMANDS = {
    "run": "train and test the methods on a task (the default command)",
    "sequence": "train on one task after the other, and ask all of them after each",
    "plan": "show what `run` would do, with memory and time, and do nothing",
    "list": "list the tasks and methods, and where each comes from",
    "compare": "set two runs side by side, paired on the same questions",
    "calibration": "show how far each run's confidence can be trusted, and what share could be automated",
    "report": "write tables, figures and report.html from the results",
    "verify": "recompute every score of the results from the answers",
    "publish": "copy finished runs into results/published, which only grows",
    "intruders": "find the directions that training brought into the weights of a run",
    "check": "check a task or a data file without training",
    "new": "write the file of a new task, with data to start from",
    "adapters": "list, show, export, upload, merge and score the adapters of finished runs",
    "serve": "answer over HTTP with one base model and the adapters of finished runs",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `HarnessError`s with a suggestion."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Turn argparse's complaint into an error of the one shape."""
        raise HarnessError(message, where=self.prog, fix=f"{self.prog} --help")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse; an unknown option is answered with the nearest known one."""
        found, unknown = self.parse_known_args(arguments)
        if unknown:
            word = unknown[0].split("=")[0]
            known = [text for action in self._actions for text in action.option_strings]
            kind = "option" if word.startswith("-") else "argument"
            fix = did_you_mean(word, known) or f"{self.prog} --help"
            raise HarnessError(f"unknown {kind} {word}", where=self.prog, fix=fix)
        self._refuse_blank(found)
        return found

    def _refuse_blank(self, found: argparse.Namespace) -> None:
        """Refuse `--results ""`, as an unset variable in a script leaves it: it would mean the working folder."""
        for action in self._actions:
            if action.nargs == argparse.REMAINDER:
                continue  # another parser's
            given = getattr(found, action.dest, None)
            texts = given if isinstance(given, list) else [given]
            if any(isinstance(text, str) and not text.strip() for text in texts):
                name = action.option_strings[0] if action.option_strings else action.metavar
                raise HarnessError(f"{name} has no value", where=self.prog, fix=f"{self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; `arguments` are those of the shell where None."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with signals.keyboard_interrupts():
            return _main(words)
    except HarnessError as problem:
        ui.error(problem)
        return CANNOT_START
    except KeyboardInterrupt:
        ui.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return DONE
    except OSError as problem:  # a path that is closed to us, too long, or gone in the meantime; a disk that is full
        where = str(problem.filename or type(problem).__name__)
        said = f"a file or folder cannot be used: {problem.strerror or problem}"
        ui.error(HarnessError(said, where=where, fix="check the path, its permissions and the free space"))
        return CANNOT_START
    except SystemExit as done:  # --help
        return done.code if isinstance(done.code, int) else DONE


def _main(words: list[str]) -> int:
    name = words[0] if words and not words[0].startswith("-") else "run"
    if name not in COMMANDS:
        fix = _meant(name)
        raise HarnessError(f"no command named '{name}'", where=f"commands: {', '.join(COMMANDS)}", fix=fix)
    rest = words[1:] if words and words[0] == name else words
    parser = Parser(prog=errors.command(*[name] * (name != "run")), description=COMMANDS[name])
    if name == "run":
        parser.epilog = "commands:\n" + "\n".join(f"  {key:<11} {text}" for key, text in COMMANDS.items())
    build, call = _COMMANDS[name]
    build(parser)
    parser.epilog = "\n\n".join(filter(None, (parser.epilog, examples.text(name))))
    return call(parser.parse(rest), errors.command(*words))


def _meant(name: str) -> str:
    from harness.data import registry

    if name in registry.tasks() or Path(name).suffix:
        return errors.command("--task", name)
    return did_you_mean(name, COMMANDS) or errors.command("--help")


def _run(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import run

    return run.run(flags.read_options(found), command)


def _sequence_flags(parser: argparse.ArgumentParser) -> None:
    from harness.cli.commands import sequence

    sequence.flags(parser)


def _sequence(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import sequence

    return sequence.run(sequence.read_options(found), command, joint=found.joint)


def _plan(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import plan

    if found.accuracy:
        return plan.show_accuracy(options.path(found.results))
    return plan.show(flags.read_options(found), plan.read_gpu(found))


def _list(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import tasks

    return tasks.show_list(*flags.folders(found))


def _compare_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="a run's name such as lora-r8, its id, or its folder")
    parser.add_argument("b", metavar="B", help="another: its scores are held against those of A")
    parser.add_argument("--task", metavar="NAME", help="of which task, where a name alone is not enough")
    parser.add_argument(
        "--output", metavar="|".join(OUTPUTS), help="a document with every question that flipped, instead of tables"
    )
    parser.add_argument("--fail-if-worse", action="store_true", help="exit code 1 where B is worse by a paired test")
    flags.folder_flags(parser)
    flags.results_flag(parser)


def _compare(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import compare

    tasks_dirs, data = flags.folders(found)
    output = None if found.output is None else options.one_of(found.output, OUTPUTS, "--output")
    return compare.show(
        found.a,
        found.b,
        options.path(found.results),
        task=found.task,
        output=output,
        fail_if_worse=found.fail_if_worse,
        tasks_dirs=tasks_dirs,
        data_dir=data,
    )


def _calibration_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", metavar="NAME", help="only this task (default: all)")
    parser.add_argument(
        "--output", metavar="|".join(OUTPUTS), help="a document with every run's bins, instead of tables"
    )
    parser.add_argument("--tasks-dir", action="append", metavar="DIR", help="a folder of further task files")
    flags.results_flag(parser)


def _calibration(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import calibration

    return calibration.show(
        options.path(found.results),
        task=found.task,
        output=None if found.output is None else options.one_of(found.output, OUTPUTS, "--output"),
        tasks_dirs=tuple(options.folder(text, "--tasks-dir") for text in found.tasks_dir or ()),
    )


def _report(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import report as results

    return results.write_report(options.path(found.results))


def _verify_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="a run, a folder of runs or a table, instead of all")
    parser.add_argument("--report", metavar="DIR", help="write the review there: review.md and review.html")
    parser.add_argument(
        "--waivers", metavar="FILE", help="accepted findings (default: waivers.toml beside `published`)"
    )
    parser.add_argument("--rerun", metavar="RUN", help="train this run (a name, id or folder) again and compare")
    parser.add_argument("--model", metavar="DIR|ID", help="for --rerun: where the model is, if its name does not say")
    parser.add_argument("--trust-remote-code", action="store_true", help=f"for --rerun: {flags.REMOTE_CODE}")
    parser.add_argument("--task", action="append", metavar="FILE", help="the data file of runs on a task without code")
    flags.data_flags(parser)
    flags.results_flag(parser)


def _verify(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import verify, verify_rerun

    path, asked = options.path(found.path or found.results), flags.task_options(found)
    if found.rerun is not None:
        return verify_rerun.rerun(path, found.rerun, asked, model=found.model)
    report, waivers = (options.path(text) if text else None for text in (found.report, found.waivers))
    return verify.verify(path, asked, report=report, excuses=waivers)


def _publish_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", action="append", metavar="NAME", help="only these tasks (default: all)")
    flags.data_flags(parser)
    flags.results_flag(parser)


def _publish(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import publish

    return publish.publish(options.path(found.results), flags.task_options(found))


def _intruders_flags(parser: argparse.ArgumentParser) -> None:
    from harness.cli.commands import intruders

    intruders.flags_of(parser)


def _intruders(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import intruders

    return intruders.call(found)


def _check_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK|FILE", help="tasks by name, or data files, joined by commas")
    parser.add_argument(
        "--model", metavar="DIR|ID", default="tiny", help="whose window the examples should fit (default: tiny)"
    )
    flags.data_flags(parser)


def _check(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import check

    found.task = [found.task]
    return check.check(replace(flags.task_options(found), model=found.model))


def _new_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="small letters, digits and _")
    parser.add_argument("--tasks-dir", metavar="DIR", help="where to write it (default: the project's tasks folder)")


def _new(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import tasks

    return tasks.new(found.name, options.path(found.tasks_dir) if found.tasks_dir else None)


def _adapters_flags(parser: argparse.ArgumentParser) -> None:
    from harness.cli.commands import adapters

    parser.add_argument("action", metavar="ACTION", help="one of those below; each has its own --help")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="what the action takes")
    parser.epilog = "actions:\n" + "\n".join(f"  {name:<7} {text}" for name, (text, _, _) in adapters.ACTIONS.items())


def _adapters(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import adapters

    text, build, call = adapters.action(found.action)
    parser = Parser(prog=errors.command("adapters", found.action), description=text)
    build(parser)
    return call(parser.parse(found.rest))


def _serve_flags(parser: argparse.ArgumentParser) -> None:
    from harness.cli.commands import serve

    serve.flags(parser)


def _serve(found: argparse.Namespace, command: str) -> int:
    from harness.cli.commands import serve

    return serve.serve(found)


_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, str], int]]] = {
    "run": (flags.run_flags, _run),
    "sequence": (_sequence_flags, _sequence),
    "plan": (flags.plan_flags, _plan),
    "list": (flags.folder_flags, _list),
    "compare": (_compare_flags, _compare),
    "calibration": (_calibration_flags, _calibration),
    "report": (flags.results_flag, _report),
    "verify": (_verify_flags, _verify),
    "publish": (_publish_flags, _publish),
    "intruders": (_intruders_flags, _intruders),
    "check": (_check_flags, _check),
    "new": (_new_flags, _new),
    "adapters": (_adapters_flags, _adapters),
    "serve": (_serve_flags, _serve),
}

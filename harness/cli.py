"""Parse, call one function, return an exit code.

0 done · 1 done, but a run failed or a check differs · 2 could not start · 130 interrupted
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from harness import options, program, store, ui
from harness.errors import HarnessError, did_you_mean
from harness.options import Options

DONE, DIFFERS, CANNOT_START, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "run": "train and test the methods on a task (the default command)",
    "plan": "show what `run` would do, with memory and time, and do nothing",
    "list": "list the tasks and methods, and where each comes from",
    "compare": "set two runs side by side, paired on the same questions",
    "report": "write tables, figures and report.html from the results",
    "verify": "recompute every score of the results from the answers",
    "publish": "copy finished runs into results/published, which only grows",
    "check": "check a task or a data file without training",
    "new": "write the file of a new task, with data to start from",
}

SCORINGS, DTYPES, DEVICES = ("choices", "generate", "both"), ("bf16", "fp32"), ("cpu", "cuda")
GOLDS, OUTPUTS = ("source", "audited"), ("json", "md")


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
            given = getattr(found, action.dest, None)
            texts = given if isinstance(given, list) else [given]
            if any(isinstance(text, str) and not text.strip() for text in texts):
                name = action.option_strings[0] if action.option_strings else action.metavar
                raise HarnessError(f"{name} has no value", where=self.prog, fix=f"{self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; `arguments` are those of the shell where None."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
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
    parser = Parser(prog=program.command(*[name] * (name != "run")), description=COMMANDS[name])
    if name == "run":
        parser.epilog = "commands:\n" + "\n".join(f"  {key:<9} {text}" for key, text in COMMANDS.items())
    build, call = _COMMANDS[name]
    build(parser)
    return call(parser.parse(rest), program.command(*words))


def _meant(name: str) -> str:
    from harness import registry

    if name in registry.tasks() or Path(name).suffix:
        return program.command("--task", name)
    return did_you_mean(name, COMMANDS) or program.command("--help")


def _run_flags(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what runs")
    what.add_argument("--task", action="append", metavar="NAME|FILE", help="task, or a .jsonl, .csv or .parquet file")
    what.add_argument("--method", action="append", metavar="A,B", help="default base,lora,qlora,full")
    what.add_argument("--rank", action="append", metavar="2,8,32", help="ranks of LoRA and its like")
    what.add_argument("--seeds", metavar="3|0,1,2", help="how many seeds, or which (default 1)")
    what.add_argument(
        "--model", metavar="DIR|ID", default="tiny", help="model folder or hub id (default: tiny, embedded)"
    )
    _data_flags(parser)
    how = parser.add_argument_group("how it trains and tests")
    for flag, text in (
        ("--epochs", "passes over the training examples (default: the task's)"),
        ("--batch-size", "examples per optimizer step"),
        ("--micro-batch", "of them at once: memory, not results"),
        ("--learning-rate", "for every method that trains (default: by method and model width)"),
        ("--tune", "try so many learning rates for each method and rank, choose on the validation split"),
        ("--alpha", "LoRA's alpha (default 32)"),
        ("--train-examples", "use at most so many training examples, whole groups"),
        ("--test-examples", "use at most so many test examples, whole groups"),
        ("--max-tokens", "window for prompt and answer (default: the model's, 4096 at most)"),
        ("--jobs", "runs at a time, sharing the cores (default: one per core for a small model on the CPU, else 1)"),
    ):
        how.add_argument(flag, metavar="N", help=text)
    for flag, known, text in (
        (
            "--scoring",
            SCORINGS,
            "by log-likelihood of the options, by what is written, or base by both (default: the task's)",
        ),
        ("--dtype", DTYPES, "number format (default: bf16 where the processor is fast at it)"),
        ("--device", DEVICES, "where it runs (default: cuda where there is one)"),
    ):
        how.add_argument(flag, metavar="|".join(known), help=text)
    how.add_argument("--save-full", action="store_true", help="keep the weights of full fine-tuning (large)")
    how.add_argument("--no-memory", action="store_true", help="plan without predicting memory")
    _results_flag(parser)


def _data_flags(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("where tasks and data come from")
    _folder_flags(data)
    data.add_argument("--labels", action="append", metavar="A,B", help="for a data file: its classes")
    data.add_argument("--relabel", action="append", metavar="OLD=NEW", help="for a data file: rename a label")
    text = "gold answers of the source, or corrected by the task's audit (default: source)"
    data.add_argument("--gold", metavar="|".join(GOLDS), default=GOLDS[0], help=text)


def _folder_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument("--tasks-dir", action="append", metavar="DIR", help="a folder of further task files")
    parser.add_argument(
        "--data", "--data-dir", dest="data", metavar="DIR", help="where the tasks' data lies, if elsewhere"
    )


def _results_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", metavar="DIR", default=str(store.DEFAULT_ROOT), help="default: results")


def read_options(found: argparse.Namespace) -> Options:
    """Turn the run's flags into `Options`, refusing what makes no sense."""

    def given(name: str, read: Callable[[str, str], Any]) -> Any:
        text = getattr(found, name.strip("-").replace("-", "_"))
        return None if text is None else read(text, name)

    def word(name: str, known: Sequence[str]) -> Any:
        return given(name, lambda text, flag: options.one_of(text, known, flag))

    if not found.task:
        fix = f"{program.command('--task', 'cfa')}   ({program.command('list')})"
        raise HarnessError("no task given", where="--task", fix=fix)
    tasks_dirs, data = _folders(found)
    return Options(
        tasks=options.words(found.task, "--task"),
        methods=options.words(found.method, "--method") if found.method else options.METHODS,
        ranks=options.ranks(",".join(found.rank)) if found.rank else options.RANKS,
        seeds=options.seeds(found.seeds) if found.seeds is not None else (0,),
        model=found.model,
        results=options.path(found.results),
        save_full=found.save_full,
        memory=not found.no_memory,
        tasks_dirs=tasks_dirs,
        data=data,
        labels=options.words(found.labels, "--labels") if found.labels else (),
        relabel=options.relabel(found.relabel),
        gold=_gold(found),
        epochs=given("--epochs", options.positive),
        batch_size=given("--batch-size", options.count),
        micro_batch=given("--micro-batch", options.count),
        learning_rate=given("--learning-rate", options.positive),
        tune=given("--tune", options.count) or 0,
        alpha=given("--alpha", options.positive),
        max_tokens=given("--max-tokens", options.count),
        train_examples=given("--train-examples", options.count) or 0,
        test_examples=given("--test-examples", options.count) or 0,
        scoring=word("--scoring", SCORINGS),
        dtype=word("--dtype", DTYPES),
        device=word("--device", DEVICES),
        jobs=given("--jobs", options.count) or 0,
    )


def _run(found: argparse.Namespace, command: str) -> int:
    from harness.commands import run

    return run.run(read_options(found), command)


def _plan(found: argparse.Namespace, command: str) -> int:
    from harness.commands import run

    return run.show_plan(read_options(found))


def _list(found: argparse.Namespace, command: str) -> int:
    from harness.commands import tasks

    return tasks.show_list(*_folders(found))


def _compare_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="a run's name such as lora-r8, its id, or its folder")
    parser.add_argument("b", metavar="B")
    parser.add_argument("--task", help="where a name alone is not enough")
    parser.add_argument("--output", metavar="|".join(OUTPUTS), help="a document with every question that flipped")
    parser.add_argument("--fail-if-worse", action="store_true", help="exit code 1 where B is worse by a paired test")
    _folder_flags(parser)
    _results_flag(parser)


def _compare(found: argparse.Namespace, command: str) -> int:
    from harness.commands import comparison

    tasks_dirs, data = _folders(found)
    output = None if found.output is None else options.one_of(found.output, OUTPUTS, "--output")
    return comparison.show(
        found.a,
        found.b,
        options.path(found.results),
        task=found.task,
        output=output,
        fail_if_worse=found.fail_if_worse,
        tasks_dirs=tasks_dirs,
        data_dir=data,
    )


def _report(found: argparse.Namespace, command: str) -> int:
    from harness.commands import results

    return results.write_report(options.path(found.results))


def _verify_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="one run's folder, or a folder of runs, instead of all")
    parser.add_argument("--task", action="append", metavar="FILE", help="the data file of runs on a task without code")
    _data_flags(parser)
    _results_flag(parser)


def _verify(found: argparse.Namespace, command: str) -> int:
    from harness.commands import results

    return results.verify(options.path(found.path or found.results), _task_options(found))


def _publish_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", action="append", metavar="NAME", help="only these tasks")
    _data_flags(parser)
    _results_flag(parser)


def _publish(found: argparse.Namespace, command: str) -> int:
    from harness.commands import results

    return results.publish(options.path(found.results), _task_options(found))


def _check_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="TASK|FILE")
    _data_flags(parser)


def _check(found: argparse.Namespace, command: str) -> int:
    from harness.commands import tasks

    found.task = [found.task]
    return tasks.check(_task_options(found))


def _new_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="small letters, digits and _")
    parser.add_argument("--tasks-dir", metavar="DIR", help="where to write it (default: the project's tasks folder)")


def _new(found: argparse.Namespace, command: str) -> int:
    from harness.commands import tasks

    return tasks.new(found.name, options.path(found.tasks_dir) if found.tasks_dir else None)


def _folders(found: argparse.Namespace) -> tuple[tuple[Path, ...], Path | None]:
    """The folders of tasks and of data; each must be there."""
    tasks_dirs = tuple(options.folder(text, "--tasks-dir") for text in found.tasks_dir or ())
    return tasks_dirs, options.folder(found.data, "--data") if found.data else None


def _gold(found: argparse.Namespace) -> Any:
    return options.one_of(found.gold, GOLDS, "--gold")


def _task_options(found: argparse.Namespace) -> Options:
    """The flags that say which tasks and where from, for commands that do not run anything."""
    tasks_dirs, data = _folders(found)
    return Options(
        tasks=options.words(found.task, "--task") if found.task else (),
        tasks_dirs=tasks_dirs,
        data=data,
        labels=options.words(found.labels, "--labels") if found.labels else (),
        relabel=options.relabel(found.relabel),
        gold=_gold(found),
    )


_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace, str], int]]] = {
    "run": (_run_flags, _run),
    "plan": (_run_flags, _plan),
    "list": (_folder_flags, _list),
    "compare": (_compare_flags, _compare),
    "report": (_results_flag, _report),
    "verify": (_verify_flags, _verify),
    "publish": (_publish_flags, _publish),
    "check": (_check_flags, _check),
    "new": (_new_flags, _new),
}

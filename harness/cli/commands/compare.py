"""`compare`: two rows, each a run or all its seeds, paired on the same questions, for a person, a document or a program; and a gate for CI."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.analysis import pair
from harness.analysis.items import Run
from harness.analysis.pair import Comparison
from harness.cli import flags, next_command
from harness.cli.arguments import Arguments, Flag
from harness.cli.flags import choice
from harness.cli.terminal import output as terminal
from harness.data import loading, registry
from harness.errors import HarnessError
from harness.report import comparison
from harness.schema import Example, Task
from harness.store import records
from harness.store.find import find_row, own_or_published

DONE, DIFFERS = 0, 1
FORMATS = ("json", "md")
FLAGS = (
    Flag("a", "a row's name such as lora-r8 for all its seeds, or a run's id or folder", metavar="A", example="base"),
    Flag("b", "another, whose scores are compared with those of A", metavar="B", example="lora-r8"),
    Flag("--task", "the task, if a name alone is not enough", metavar="NAME", example="cfa"),
    choice("--output", "a document with every question that flipped, instead of tables", FORMATS),
    Flag("--fail-if-worse", "exit code 1 if B is worse by a paired test", switch=True),
    *flags.FOLDERS,
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Compare two rows."""
    return show(
        arguments.a,
        arguments.b,
        arguments.results,
        task=arguments.task,
        output=arguments.output,
        fail_if_worse=arguments.fail_if_worse,
        tasks_dirs=arguments.tasks_dirs or (),
        data_dir=arguments.data,
    )


def show(
    a: str,
    b: str,
    results: Path,
    *,
    task: str | None = None,
    output: str | None = None,
    fail_if_worse: bool = False,
    tasks_dirs: Sequence[Path] = (),
    data_dir: Path | None = None,
) -> int:
    """Compare two rows; A and B are names such as `lora-r8`, which stand for all seeds, or ids or folders of single runs.

    Args:
        a: the first row, with which the second is compared.
        b: the second.
        results: the results folder.
        task: needed if a name alone is not enough.
        output: "json" or "md" for a document on stdout, None for the terminal's tables.
        fail_if_worse: return 1 if B is worse on any metric by a paired test (5 %, Holm-adjusted over the metrics). Two
            rows that cannot be compared are then an error: a gate that cannot judge must not open.
        tasks_dirs: folders of further task files.
        data_dir: the folder of the tasks' data, if it is elsewhere.
    """
    first, second = _pair(a, b, results, task)
    definition = registry.recorded(tasks_dirs).get(first[0][0].spec.task)
    compared = pair.compare_rows(first, second, {definition.name: definition.metrics} if definition else {})
    if fail_if_worse and compared.why_not:
        raise HarnessError(
            f"--fail-if-worse cannot judge: {compared.why_not}", where=f"{a} and {b}", fix="name two rows on one task"
        )
    if output:
        questions = _questions(definition, compared, data_dir) if definition else {}
        terminal.document((comparison.as_json if output == "json" else comparison.as_markdown)(compared, questions))
    else:
        terminal.comparison(compared, _with_every_flip(a, b, results, task))
    return DIFFERS if fail_if_worse and compared.worse else DONE


def _with_every_flip(a: str, b: str, results: Path, task: str | None) -> str:
    """Return the command for a list of every question that flipped."""
    more = ("--task", task) if task else ()
    return next_command.command("compare", shlex.quote(a), shlex.quote(b), *more, "--output", "md", results=results)


def _questions(task: Task, compared: Comparison, data_dir: Path | None) -> dict[str, Example]:
    """Return the questions that flipped, if the task's data is at hand and has these answers still."""
    gold = {flip.question.id: flip.question.target for flip in compared.flips}
    try:
        examples = loading.load_splits(task, data_dir=data_dir).test
    except HarnessError:
        return {}
    return {example.id: example for example in examples if gold.get(example.id) == example.target}


def _pair(a: str, b: str, results: Path, task: str | None) -> tuple[list[Run], list[Run]]:
    """Return the runs of both rows with their answers."""
    runs, _ = own_or_published(results, task)
    if not runs and not all((Path(name) / records.RECORD).is_file() for name in (a, b)):
        raise next_command.no_runs(task, results)
    return _row(a, runs), _row(b, runs)


def _row(name: str, runs: Sequence[records.Run]) -> list[Run]:
    return [(run.record, run.answers() or None) for run in find_row(name, runs)]

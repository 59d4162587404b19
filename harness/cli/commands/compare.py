"""`compare`: two runs, paired on the same questions, for a person, a document or a program; and a gate for CI."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.analysis import compare
from harness.analysis.compare import Comparison
from harness.cli import next_command
from harness.cli.terminal import output as ui
from harness.data import loading, registry
from harness.errors import HarnessError
from harness.report import comparison
from harness.schema import Example, Task
from harness.store import records
from harness.store.find import find_run

DONE, DIFFERS = 0, 1


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
    """Set two runs side by side; A and B are names such as `lora-r8`, ids, or folders.

    Args:
        a: the first run, against which the second is held.
        b: the second.
        results: the results folder.
        task: where a name alone is not enough.
        output: "json" or "md" for a document on stdout, None for the terminal's tables.
        fail_if_worse: return 1 where B is worse on any metric by a paired test (5 %, Holm-adjusted over the metrics). Two
            runs that cannot be compared are then an error: a gate that cannot judge must not open.
        tasks_dirs: folders of further task files.
        data_dir: where the tasks' data lies, if elsewhere.
    """
    first, second = _both(a, b, results, task)
    known = registry.recorded(tasks_dirs).get(first.record.spec.task)
    found = compare.compare_records(
        (first.record, first.answers() or None),
        (second.record, second.answers() or None),
        {known.name: known.metrics} if known else {},
    )
    if fail_if_worse and found.why_not:
        raise HarnessError(
            f"--fail-if-worse cannot judge: {found.why_not}", where=f"{a} and {b}", fix="name two runs on one task"
        )
    if output:
        questions = _questions(known, found, data_dir) if known else {}
        ui.document((comparison.as_json if output == "json" else comparison.as_markdown)(found, questions))
    else:
        ui.comparison(found, _everything(a, b, results, task))
    return DIFFERS if fail_if_worse and found.worse else DONE


def _everything(a: str, b: str, results: Path, task: str | None) -> str:
    more = ("--task", task) if task else ()
    return next_command.command("compare", shlex.quote(a), shlex.quote(b), *more, "--output", "md", results=results)


def _questions(task: Task, found: Comparison, data_dir: Path | None) -> dict[str, Example]:
    """The questions that flipped as the task has them, where its data is at hand and still has these answers."""
    gold = {flip.a.id: flip.a.target for flip in found.flips}
    try:
        examples = loading.load_splits(task, data_dir=data_dir).test
    except HarnessError:
        return {}
    return {example.id: example for example in examples if gold.get(example.id) == example.target}


def _both(a: str, b: str, results: Path, task: str | None) -> tuple[records.Run, records.Run]:
    runs = records.read_all(results, task) or records.read_published(results, task)  # as `report` does
    if not runs and not all((Path(name) / records.RECORD).is_file() for name in (a, b)):
        raise next_command.no_runs(task, results)
    return find_run(a, runs), find_run(b, runs)

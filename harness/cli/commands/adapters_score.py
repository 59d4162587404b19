"""`adapters score`: adapters, merged ones too, on the test split of any task; every answer is stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import errors, processes
from harness.adapters import cross, cross_file, library, retention
from harness.adapters.cross import TrainedAdapter
from harness.adapters.cross_file import CrossScores
from harness.cli import flags, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.lookup import Lookup, find
from harness.cli.terminal import output
from harness.data import loading
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.model import checkpoint
from harness.record import RunSpec
from harness.runs import plan
from harness.schema import Task
from harness.store import records
from harness.store.codec import decode

DONE = 0


FLAGS = (
    Flag("adapters", "a run, or a folder that `merge` wrote", metavar="RUN|FOLDER", example="merged", nargs="+"),
    replace(flags.TASK, help="tasks to score on", required=True, group=""),
    flags.BASE_MODEL,
    flags.REMOTE_CODE,
    *(replace(row, group="") for row in flags.rows("--test-examples")),
    Flag(
        "--name",
        "name of the file below results/merges",
        metavar="NAME",
        example="both",
        unset="the names of the adapters",
    ),
    *flags.SOURCES,
    flags.RESULTS,
)
MATRIX_FLAGS = (
    Flag(
        "file",
        "a result of `adapters score`, such as results/merges/NAME.json",
        parse.path,
        metavar="FILE",
        example="results/merges/both.json",
    ),
    replace(flags.TASK_FILE, help="the data file of a task without code"),
    *flags.SOURCES,
)


def main(arguments: Arguments) -> int:
    """Score every adapter on every task, print the matrix and write it with the answers."""
    results, options = arguments.results, settings.options(arguments)
    adapters = [_adapter(name, results) for name in arguments.adapters]
    names = [adapter.name for adapter in adapters]
    if twice := next((name for name in names if names.count(name) > 1), None):
        fix = "name each adapter once; folders are told apart by their last part"
        raise HarnessError(f"two adapters are called {twice}", where="adapters score", fix=fix)
    library.require_same_base([spec for adapter in adapters for spec in adapter.specs])
    path = results / "merges" / f"{records.path_word(arguments.name or '-'.join(names))[:100]}.json"
    if path.exists():
        raise HarnessError("there is a score of this name", where=str(path), fix="--name NAME, or remove the file")
    tasks = []
    for name in options.tasks:
        task = plan.load_task(name, options)
        splits = options.source(name).splits(task)
        tasks.append((task, splits, loading.fingerprint(task, splits)))
        if unused := loading.passed_over(task, options.data):
            output.note(f"--data {unused}")
    folder = cross.base_folder(adapters, arguments.model, remote_code=options.remote_code)
    return _finish(path, _score(adapters, folder, tasks))


def _score(adapters: Sequence[TrainedAdapter], folder: Path, tasks: Sequence[tuple[Task, Splits, str]]) -> CrossScores:
    """Return the scores of all adapters, and of several the share of each one's gain that the others keep."""
    processes.quieten()
    definitions = [task for task, _, _ in tasks]
    names = ", ".join(task.name for task in definitions)
    scores: list[cross.AdapterScores] = []
    for adapter in adapters:
        output.note(f"{adapter.name} answers {names}")
        scores += cross.score(adapter, folder, tasks)
    references = retention.references(adapters, definitions) if len(adapters) > 1 else []
    retained: list[retention.Retention] = []
    if references:
        output.note(f"{cross.BASE} answers {names}")
        scores = [*cross.score_base(adapters[0], folder, tasks), *scores]
        retained = retention.measure(scores, references, {task.name: task for task in definitions})
    spec = adapters[0].spec
    return CrossScores(spec.model, spec.model_revision, tuple(scores), tuple(retained))


def matrix(arguments: Arguments) -> int:
    """Compute scores and retention anew from stored answers, print them, and write document and figure again."""
    lookup = Lookup(settings.options(arguments))
    return _finish(arguments.file, cross_file.recompute(arguments.file, lookup.tasks))


def _finish(path: Path, crossed: CrossScores) -> int:
    output.table(cross.score_table(crossed.rows))
    output.say()
    if crossed.retention:
        _show_retention(crossed)
    output.closing(cross_file.write(path, crossed), errors.command("adapters", "matrix", str(path)))
    return DONE


def _show_retention(crossed: CrossScores) -> None:
    """Print the share of its gain that each adapter keeps, and the tasks without a gain to keep."""
    for table in retention.tables(crossed.retention, crossed.rows):
        output.say(table.title)
        output.table(table)
        output.say()
    rows = [row for row in crossed.retention if row.reason == retention.NO_GAIN]
    without_gain = {(row.task, row.single): row for row in rows}
    for row in without_gain.values():
        low, high = (f"{100 * end:+.1f}" for end in (row.gain.low, row.gain.high))
        output.say(f"{row.task}: adapter {row.single} is not shown to be above base ({low} to {high} points)")
    if without_gain:
        output.say()


def _adapter(name: str, results: Path) -> TrainedAdapter:
    """Return the adapter of a run, or of a folder that `adapters merge` wrote."""
    folder = parse.path(name)
    if (folder / library.RECIPE).is_file():
        try:
            rows = json.loads((folder / library.RECIPE).read_text(encoding="utf-8"))["runs"]
            specs = tuple(decode(RunSpec, {key: row[key] for key in row if key != "id"}) for row in rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fix = "merge the adapters again"
            raise HarnessError(f"{library.RECIPE} cannot be read: {error}", where=str(folder), fix=fix) from error
        checkpoint.read_shapes(folder / library.WEIGHTS)
        return TrainedAdapter(folder.resolve().name, folder, specs, single=False)
    stored = find(name, results)
    return TrainedAdapter(stored.spec.id, stored.folder, (stored.spec,), single=True)

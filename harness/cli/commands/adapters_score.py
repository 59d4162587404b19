"""`adapters score`: adapters, merged ones too, on the test split of any task; every answer is kept."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from harness import errors, processes
from harness.adapters import cross, cross_file, library, retention
from harness.adapters.cross import Tuned
from harness.adapters.cross_file import Crossed
from harness.adapters.library import Kept
from harness.cli import flags as shared
from harness.cli.commands.adapters_merge import RECIPE
from harness.cli.lookup import Lookup
from harness.cli.terminal import output
from harness.data import loading
from harness.errors import HarnessError
from harness.model import checkpoint
from harness.record import RunSpec
from harness.runs import options, plan
from harness.store import records
from harness.store.codec import decode

DONE = 0


def flags(parser: argparse.ArgumentParser) -> None:
    """What `adapters score` takes."""
    parser.add_argument("adapters", nargs="+", metavar="RUN|FOLDER", help="a run, or a folder that `merge` wrote")
    parser.add_argument("--task", action="append", metavar="NAME|FILE", required=True, help="tasks to score on")
    parser.add_argument("--model", metavar="DIR|ID", help="where the base model is, if its name does not say")
    parser.add_argument("--trust-remote-code", action="store_true", help=shared.REMOTE_CODE)
    parser.add_argument(
        "--test-examples", metavar="N", help="use at most so many test examples, whole groups (default: all)"
    )
    parser.add_argument("--name", metavar="NAME", help="of the file below results/merges (default: the adapters')")
    shared.data_flags(parser)
    shared.results_flag(parser)


def score(found: argparse.Namespace) -> int:
    """Score every adapter on every task, print the matrix and write it with the answers."""
    results, asked = options.path(found.results), shared.task_options(found)
    tuned = [_tuned(name, results) for name in found.adapters]
    names = [one.name for one in tuned]
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        fix = "name each adapter once; folders are told apart by their last part"
        raise HarnessError(f"two adapters are called {twice}", where="adapters score", fix=fix)
    library.same_base([spec for one in tuned for spec in one.specs])
    path = results / "merges" / f"{records.path_word(found.name or '-'.join(names))[:100]}.json"
    if path.exists():
        raise HarnessError("there is a score of this name", where=str(path), fix="--name NAME, or remove the file")
    limit = options.count(found.test_examples, "--test-examples") if found.test_examples else 0
    tasks = []
    for name in asked.tasks:
        task = plan.load_task(name, asked)
        splits = replace(asked.source(name), test_limit=limit).splits(task)
        tasks.append((task, splits, loading.fingerprint(task, splits)))
        if unused := loading.passed_over(task, asked.data):
            output.note(f"--data {unused}")
    folder = cross.base_folder(tuned, found.model, remote_code=asked.remote_code)
    scored = []
    processes.quieten()
    for one in tuned:
        output.note(f"{one.name} answers {', '.join(task.name for task, _, _ in tasks)}")
        scored += cross.score(one, folder, tasks)
    known = [task for task, _, _ in tasks]
    whole = retention.references(tuned, known) if len(tuned) > 1 else []
    kept: list[retention.Retained] = []
    if whole:
        output.note(f"{cross.BASE} answers {', '.join(task.name for task in known)}")
        scored = [*cross.score_base(tuned[0], folder, tasks), *scored]
        kept = retention.measure(scored, whole, {task.name: task for task in known})
    spec = tuned[0].spec
    return _finish(path, Crossed(spec.model, spec.model_revision, tuple(scored), tuple(kept)))


def matrix_flags(parser: argparse.ArgumentParser) -> None:
    """What `adapters matrix` takes."""
    parser.add_argument("file", metavar="FILE", help="what `adapters score` wrote, such as results/merges/NAME.json")
    parser.add_argument("--task", action="append", metavar="FILE", help="the data file of a task without code")
    shared.data_flags(parser)


def matrix(found: argparse.Namespace) -> int:
    """Compute scores and retention anew from kept answers, print them, and write document and figure again."""
    path, asked = options.path(found.file), shared.task_options(found)
    return _finish(path, cross_file.recompute(path, Lookup(asked).known))


def _finish(path: Path, found: Crossed) -> int:
    output.table(cross.matrix(found.scored))
    output.say()
    if found.kept:
        _tell(found)
    output.written(cross_file.write(path, found), errors.command("adapters", "matrix", str(path)))
    return DONE


def _tell(found: Crossed) -> None:
    """Print what each adapter keeps, and of which tasks there is nothing to keep."""
    for table in retention.tables(found.kept, found.scored):
        output.say(table.title)
        output.table(table)
        output.say()
    nothing = {(one.task, one.single): one for one in found.kept if one.reason == retention.NOTHING}
    for one in nothing.values():
        low, high = (f"{100 * end:+.1f}" for end in (one.gain.low, one.gain.high))
        output.say(f"{one.task}: adapter {one.single} is not shown to be above base ({low} to {high} points)")
    if nothing:
        output.say()


def _tuned(name: str, results: Path) -> Tuned:
    """Return the adapter of a run, or of a folder that `adapters merge` wrote."""
    from harness.cli.lookup import find

    folder = options.path(name)
    if (folder / RECIPE).is_file():
        try:
            rows = json.loads((folder / RECIPE).read_text(encoding="utf-8"))["runs"]
            specs = tuple(decode(RunSpec, {key: row[key] for key in row if key != "id"}) for row in rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fix = "merge the adapters again"
            raise HarnessError(f"{RECIPE} cannot be read: {error}", where=str(folder), fix=fix) from error
        checkpoint.read_shapes(folder / library.WEIGHTS)
        return Tuned(folder.resolve().name, folder, specs, own=False)
    kept: Kept = find(name, results)
    return Tuned(kept.spec.id, kept.folder, (kept.spec,), own=True)

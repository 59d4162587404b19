"""`adapters`: the adapters of the finished runs, listed, shown, exported for other programs and uploaded, without torch."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.adapters import card, library
from harness.adapters.library import Kept
from harness.analysis.items import Run
from harness.cli import flags, next_command
from harness.cli.commands import adapters_merge, adapters_score
from harness.cli.lookup import Lookup, find
from harness.cli.terminal import output
from harness.data import hub, registry
from harness.errors import HarnessError, did_you_mean
from harness.runs import options
from harness.store import records
from harness.verify.checks import data as data_checks

DONE = 0

Build = Callable[[argparse.ArgumentParser], None]
Call = Callable[[argparse.Namespace], int]


def action(name: str) -> tuple[str, Build, Call]:
    """Return what an action does in words, its flags and its function.

    Raises:
        HarnessError: there is no such action.
    """
    if name not in ACTIONS:
        fix = did_you_mean(name, ACTIONS) or f"one of {', '.join(ACTIONS)}"
        raise HarnessError(f"no action named '{name}'", where="adapters", fix=fix)
    return ACTIONS[name]


def show_list(found: argparse.Namespace) -> int:
    """List every run's adapter."""
    results = options.path(found.results)
    runs = library.of(records.read_kept(results))
    if not runs:
        raise next_command.nothing("no run here has left an adapter", results)
    output.table(library.table(runs, _licences()))
    output.say()
    output.say(next_command.command("adapters", "export", runs[0].record.spec.id, "FOLDER", results=results))
    return DONE


def show(found: argparse.Namespace) -> int:
    """Show all that is known of one adapter."""
    kept = find(found.run, options.path(found.results))
    for name, value in library.facts(kept, _licences().get(kept.spec.task, "")):
        output.say(output.folded(f"{name:<17} ", value, indent=18))
    return DONE


def _licences() -> dict[str, str]:
    return {name: task.source.license for name, task in registry.recorded().items()}


def export(found: argparse.Namespace) -> int:
    """Write one adapter in PEFT's layout, with its model card, into a new folder."""
    folder = options.path(found.folder)
    kept = find(found.run, options.path(found.results))
    library.require_peft(kept)
    library.require_empty(folder)
    output.written(_write(kept, folder, found))
    return DONE


def push(found: argparse.Namespace) -> int:
    """Upload one adapter with its model card to the hub: what `export` writes, and nothing else."""
    kept = find(found.run, options.path(found.results))
    library.require_peft(kept)
    hub.check_push(found.repo)
    with tempfile.TemporaryDirectory() as place:
        _write(kept, Path(place), found)
        address = hub.push(Path(place), found.repo, public=found.public)
    output.say(f"uploaded to {address}")
    return DONE


def _write(kept: Kept, folder: Path, found: argparse.Namespace) -> list[Path]:
    results, asked = options.path(found.results), flags.task_options(found)
    lookup, record = Lookup(asked), kept.run.record
    task = lookup.task(record)
    splits = lookup.splits(task.name) if task else None
    limits = data_checks.limits(task, [record], splits) if task and splits else None
    text = card.card(
        kept,
        (record, kept.run.answers() or None),
        _base_of(kept, results),
        task,
        limits=limits,
        words=next_command.task_words(asked) if task and task.name in lookup.files else (),
    )
    return library.export(kept, folder, text)


def _base_of(kept: Kept, results: Path) -> Run | None:
    """Return the base model's run on the same questions, scored in the same way, where it is among the results."""
    same = ("task", "task_version", "data", "scoring", "model", "model_revision", "test_examples", "dtype", "device")
    for run in records.read_all(results, kept.spec.task, skip_damaged=True):
        alike = all(getattr(run.record.spec, name) == getattr(kept.spec, name) for name in same)
        if alike and run.record.spec.method == "base" and run.record.status == "ok":
            return run.record, run.answers() or None
    return None


def _run_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", metavar="RUN", help="the beginning of a run's id, its name such as lora-r8, or its folder"
    )
    flags.results_flag(parser)


def _export_flags(parser: argparse.ArgumentParser) -> None:
    _run_flag(parser)
    parser.add_argument("folder", metavar="FOLDER", help="a new or empty folder")
    _card_flags(parser)


def _push_flags(parser: argparse.ArgumentParser) -> None:
    _run_flag(parser)
    parser.add_argument("repo", metavar="OWNER/NAME", help="a model of the hub, made where it is not there")
    parser.add_argument("--public", action="store_true", help="make it one that everybody sees (default: private)")
    _card_flags(parser)


def _card_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", action="append", metavar="FILE", help="the data file of a run on a task without code")
    flags.data_flags(parser)


ACTIONS: dict[str, tuple[str, Build, Call]] = {
    "list": ("list the adapter of every finished run", flags.results_flag, show_list),
    "show": ("show all that is known of one adapter", _run_flag, show),
    "export": ("write an adapter for other programs, with its model card", _export_flags, export),
    "push": ("upload an adapter to the hub, with its model card", _push_flags, push),
    "merge": ("make one adapter of several of one base model", adapters_merge.flags, adapters_merge.merge),
    "score": (
        "answer the test split of tasks with adapters, trained on one and scored on another",
        adapters_score.flags,
        adapters_score.score,
    ),
    "matrix": (
        "compute what `score` wrote anew from its answers, and draw it",
        adapters_score.matrix_flags,
        adapters_score.matrix,
    ),
}

"""`adapters`: the adapters of finished runs: list, show, export for other programs and upload, without torch."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import errors
from harness.adapters import card, library
from harness.adapters.library import StoredAdapter
from harness.analysis.items import Run
from harness.cli import flags, next_command, parse, settings
from harness.cli.arguments import Arguments, Flag, Parser
from harness.cli.commands import adapters_merge, adapters_score
from harness.cli.lookup import Lookup, find
from harness.cli.terminal import output
from harness.data import hub, registry
from harness.errors import HarnessError, did_you_mean
from harness.report import leaderboard, recommendation
from harness.store import records
from harness.verify.checks.answers import data as data_checks

DONE = 0


@dataclass(frozen=True)
class Action:
    """An action: its purpose in words, its flags, and its function, which returns an exit code."""

    summary: str
    flags: Sequence[Flag]
    call: Callable[[Arguments], int]


FLAGS = (
    Flag("action", "one of those below; each has its own --help", metavar="ACTION", example="list"),
    Flag("rest", "the flags of the action", metavar="...", nargs=argparse.REMAINDER),
)


def main(arguments: Arguments) -> int:
    """Do an action."""
    return action(arguments.action).call(read(arguments.action, arguments.rest))


def read(name: str, words: Sequence[str]) -> Arguments:
    """Return the values of an action's flags."""
    entry = action(name)
    return Parser(entry.flags, prog=errors.command("adapters", name), description=entry.summary).read(words)


def action(name: str) -> Action:
    """Return the action of this name.

    Raises:
        HarnessError: there is none.
    """
    if name not in ACTIONS:
        fix = did_you_mean(name, ACTIONS) or f"one of {', '.join(ACTIONS)}"
        raise HarnessError(f"no action named '{name}'", where="adapters", fix=fix)
    return ACTIONS[name]


def show_list(arguments: Arguments) -> int:
    """List every run's adapter."""
    runs = library.finished_with_adapter(records.read_with_sequences(arguments.results))
    if not runs:
        raise next_command.no_results("no run here has left an adapter", arguments.results)
    output.table(library.table(runs, _licences()))
    output.say()
    suggested = False
    for task in dict.fromkeys(run.record.spec.task for run in runs):
        for row in leaderboard.recommended_rows(arguments.results, task):
            suggested = True
            output.say(f"recommended  {leaderboard.row_words(row)}")
            name = recommendation.folder_name(task, row["method"], row["rank"])
            output.say(_export_command(row["export_run"], name, arguments.results))
    if not suggested:
        output.say("recommended  no adapter, by the tables of these results (report.html has the reasons)")
        output.say(_export_command("ID", "FOLDER", arguments.results))
    return DONE


def _export_command(run: str, folder: str, results: Path) -> str:
    return f"export       {next_command.command('adapters', 'export', run, folder, results=results)}"


def show(arguments: Arguments) -> int:
    """Show all that is known of one adapter."""
    adapter = find(arguments.run, arguments.results)
    for name, value in library.details(adapter, _licences().get(adapter.spec.task, "")):
        output.say(output.folded(f"{name:<17} ", value, indent=18))
    return DONE


def _licences() -> dict[str, str]:
    return {name: task.source.license for name, task in registry.recorded().items()}


def export(arguments: Arguments) -> int:
    """Write one adapter in PEFT's layout, with its model card, into a new folder."""
    adapter = find(arguments.run, arguments.results)
    library.require_peft(adapter)
    library.require_empty(arguments.folder)
    output.closing(_write(adapter, arguments.folder, arguments))
    return DONE


def push(arguments: Arguments) -> int:
    """Upload one adapter with its model card to the hub: what `export` writes, and nothing else."""
    adapter = find(arguments.run, arguments.results)
    library.require_peft(adapter)
    hub.check_push(arguments.repo)
    with tempfile.TemporaryDirectory() as folder:
        _write(adapter, Path(folder), arguments)
        address = hub.push(Path(folder), arguments.repo, public=arguments.public)
    output.say(f"uploaded to {address}")
    return DONE


def _write(adapter: StoredAdapter, folder: Path, arguments: Arguments) -> list[Path]:
    options, record = settings.options(arguments), adapter.run.record
    lookup = Lookup(options)
    task = lookup.task(record)
    splits = lookup.splits(task.name) if task else None
    limits = data_checks.limits(task, [record], splits) if task and splits else None
    others = _compared(adapter, arguments.results)
    words = next_command.source_words(lookup.source(task)) if task and task.name in lookup.files else ()
    text = card.card(
        adapter,
        (record, adapter.run.answers() or None),
        _base_of(adapter, others),
        task,
        others=others,
        examples=splits.test if splits else (),
        limits=limits,
        command=errors.command(*next_command.rebuild(adapter.spec, task, limits or (0, 0), words)),
    )
    return library.export(adapter, folder, text)


def _compared(adapter: StoredAdapter, results: Path) -> list[Run]:
    """Return the finished runs on the same questions and of the same base model, challengers included."""
    fields = (
        "task",
        "task_version",
        "data",
        "scoring",
        "model",
        "model_revision",
        "serving",
        "test_examples",
        "split",
    )
    runs = records.read_all(results, adapter.spec.task, skip_damaged=True)
    near = [run for run in runs if all(getattr(run.record.spec, n) == getattr(adapter.spec, n) for n in fields)]
    return [(run.record, run.answers() or None) for run in near if run.record.status == "ok"]


def _base_of(adapter: StoredAdapter, runs: Sequence[Run]) -> Run | None:
    """Return the base model's run with the same numerics; None if it is not among the runs."""
    for record, answers in runs:
        same = record.spec.dtype == adapter.spec.dtype and record.spec.device == adapter.spec.device
        if same and record.spec.method == "base":
            return record, answers
    return None


RUN = Flag(
    "run", "the beginning of a run's id, its name such as lora-r8, or its folder", metavar="RUN", example="cfa/lora-r8"
)
CARD = (flags.TASK_FILE, *flags.SOURCES)  # the card of a run shows its task
ACTIONS = {
    "list": Action("list the adapter of every finished run", (flags.RESULTS,), show_list),
    "show": Action("show all that is known of one adapter", (RUN, flags.RESULTS), show),
    "export": Action(
        "write an adapter for other programs, with its model card",
        (
            RUN,
            Flag("folder", "a new or empty folder", parse.path, metavar="FOLDER", example="my-adapter"),
            *CARD,
            flags.RESULTS,
        ),
        export,
    ),
    "push": Action(
        "upload an adapter to the hub, with its model card",
        (
            RUN,
            Flag("repo", "a model of the hub, made if it is not there", metavar="OWNER/NAME", example="owner/name"),
            Flag("--public", "make it one that everybody sees", unset="private", switch=True),
            *CARD,
            flags.RESULTS,
        ),
        push,
    ),
    "merge": Action("make one adapter of several of one base model", adapters_merge.FLAGS, adapters_merge.main),
    "score": Action(
        "answer the test split of tasks with adapters, trained on one and scored on another",
        adapters_score.FLAGS,
        adapters_score.main,
    ),
    "matrix": Action(
        "compute the result of `score` anew from its answers, and draw it",
        adapters_score.MATRIX_FLAGS,
        adapters_score.matrix,
    ),
}
NOTES = "actions:\n" + "\n".join(f"  {name:<7} {entry.summary}" for name, entry in ACTIONS.items())

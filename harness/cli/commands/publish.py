"""`publish`: copy verified runs into `results/published`, and write every view of that folder."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import environment
from harness.cli import flags, next_command, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.lookup import Lookup
from harness.cli.terminal import output
from harness.data import probes
from harness.errors import HarnessError
from harness.format import counted
from harness.record import Answer, Record
from harness.runs.options import Options
from harness.schema import Task
from harness.store import records as store
from harness.store import training_files, withhold
from harness.verify import run as checking
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.answers import data as data_checks
from harness.verify.checks.publication import files
from harness.verify.checks.record import provenance, seeds

DONE = 0
WEIGHTS = ("all", "first-seed", "none")
FLAGS = (
    replace(flags.TASK, help="only these tasks", metavar="NAME", unset="all", group=""),
    Flag(
        "--adapters",
        "the runs whose trained weights are published, too: all, the first seed of each row, none; `verify --replay` "
        "cannot ask the others again",
        reader=parse.one_of(WEIGHTS),
        metavar="|".join(WEIGHTS),
        example="first-seed",
        default="all",
    ),
    Flag(
        "--adapter-mib",
        "publish no trained weights of more MiB than this for one run",
        reader=parse.integer(0, training_files.MAX_PUBLISHED // 2**20),
        example="16",
        default=training_files.MAX_PUBLISHED // 2**20,
    ),
    Flag(
        "--single-seed",
        "publish tables of seed 0 alone, too; they say that each row is about one trained model",
        switch=True,
    ),
    *flags.SOURCES,
    flags.RESULTS,
)
FIXES = {
    provenance.COMMITTED: "commit what changed and run again",
    provenance.COMMIT: "run again with code that is committed here",
    provenance.MODEL: "run again: a model folder or hub id pins itself by its weights or commit",
    provenance.DATA: "give the task's Source a sha256 or a revision, raise its version and run again",
    data_checks.AVAILABLE: "name where it is: --data DIR",
    seeds.NO_GAPS: "run the seeds that are missing, for every row",
    seeds.DISTINCT_SEEDS: "delete the copies and run those seeds",
    seeds.ONE_SETTING: "choose settings on validation examples; move runs of other settings out of the results folder",
}


def main(arguments: Arguments) -> int:
    """Publish runs."""
    options = settings.options(arguments)
    most = arguments.adapter_mib * 2**20
    return publish(arguments.results, options, weights=arguments.adapters, most=most, single_seed=arguments.single_seed)


def publish(
    results: Path,
    options: Options,
    *,
    weights: str = "all",
    most: int = training_files.MAX_PUBLISHED,
    single_seed: bool = False,
) -> int:
    """Publish the runs of these tasks, or of all if none is named; nothing is written unless all of them can be.

    Trained weights go with the runs that `weights` names, up to `most` bytes for one run. A table of seed 0 alone is
    published if `single_seed` is set.

    If no run is left to publish, the tables, figures and page of the published ones are made anew by the present code.

    Raises:
        HarnessError: the code is not committed, a run was cut short or does not verify, a row has fewer than three
            seeds, model or data are not pinned, or a published file was changed.
    """
    from harness.report.write import write_outputs

    lookup = Lookup(options)
    runs = [run for run in store.read_all(results) if not lookup.selected or run.record.spec.task in lookup.selected]
    runs = _without_unknown(runs, lookup)
    published = results / "published"
    if not any(run.record.status == "ok" for run in runs) and (lookup.selected or not store.find(published)):
        raise HarnessError(
            "there are no finished runs to publish",
            where=str(results / "runs"),
            fix=next_command.command("--task", "cfa", "--seeds", str(seeds.MIN_SEEDS), results=results),
        )
    _refuse_unclean()
    for run in runs:
        _refuse_unproved(run, lookup)
    _refuse_unfit_together(_with_published(published, runs), lookup, results)
    if not single_seed:
        _refuse_single_seeds([run.record for run in runs], results)
    texts = {run.record.spec.id: text for run in runs if (text := _to_hand_on(run, lookup)) is not None}
    probe_texts = {run.record.spec.id: _probes_to_hand_on(run, lookup) for run in runs}
    with_weights = _with_weights(runs, weights, most)
    open_runs = [run.record.spec.id for run in with_weights if _may_hand_on_weights(run, lookup)]
    new = store.publish(results, runs, texts, probe_texts, open_runs)
    for folder in new:
        output.say(f"published  {folder}")
    output.say(f"{len(new)} new, {len(runs) - len(new)} published before")
    _tell_withheld([run for run in with_weights if run.record.spec.id not in open_runs])
    paths = write_outputs(published, store.find(published), lookup.tasks, publication=True)
    store.write_text(published / files.SUMS, files.sums_text(published))
    commands = [shlex.join(("git", "add", str(published)))]
    if results == store.DEFAULT_ROOT:  # the README shows what is published there
        commands.append("python results/make_readme.py   (writes the new results into the README)")
    again = next_command.command(
        "verify", str(published), *next_command.task_words(options), results=store.DEFAULT_ROOT
    )
    output.closing([*paths, published / files.SUMS], *commands, again)
    return DONE


def _without_unknown(runs: Sequence[store.Run], lookup: Lookup) -> list[store.Run]:
    """Return the runs of tasks known here; print a note on the others, which cannot be verified."""
    unknown = Counter(run.record.spec.task for run in runs if lookup.task(run.record) is None)
    for name, count in sorted(unknown.items()):
        output.note(
            f"skipped  {count} run{'s' * (count != 1)} of '{name}', a task not known here ({output.FILE_FLAGS})"
        )
    return [run for run in runs if run.record.spec.task not in unknown]


def _refuse_unclean() -> None:
    commit = environment.commit()
    if commit.endswith("+"):
        raise HarnessError(
            "the code has changes that are in no commit, and tables made by it could not be made again",
            where=f"commit {commit}",
            fix="git status; commit what changed in harness/ and tasks/, or stash it",
        )


def _refuse_unproved(run: store.Run, lookup: Lookup) -> None:
    if run.record.status not in store.PUBLISHABLE:
        raise HarnessError(
            f"a run was cut short: it is {run.record.status}" + f", {run.record.reason}" * bool(run.record.reason),
            where=str(run.folder),
            fix="run the same command again, or move the folder out of the results",
        )
    task = lookup.task(run.record)
    assert task is not None
    checks = checking.verify(
        run.folder,
        task,
        examples=lookup.examples(task.name),
        validation=lookup.examples(task.name, "validation"),
        probed=lookup.probed(run.record),
    )
    bad = next((check for check in checks if not check.ok), None)
    if bad is not None:
        raise HarnessError(
            f"the run does not verify: {bad.name}: {bad.detail}",
            where=str(run.folder),
            fix=output.FILE_FLAGS if task.name in lookup.files else "run it again, then publish",
        )


def _with_published(published: Path, runs: Sequence[store.Run]) -> list[store.Run]:
    """Return the runs and those published before, whose files must be unchanged."""
    if changed := files.changed_runs(published):
        raise HarnessError(
            "a published file was changed or removed since",
            where=str(published / changed[0]),
            fix=shlex.join(("git", "checkout", "--", str(published))),
        )
    ids = {run.record.spec.id for run in runs}
    return [*runs, *(run for run in store.find(published) if run.record.spec.id not in ids)]


def _refuse_unfit_together(runs: Sequence[store.Run], lookup: Lookup, results: Path) -> None:
    records = [run.record for run in runs]
    if lost := sorted({record.spec.task for record in records} - lookup.tasks.keys()):
        raise HarnessError(
            f"runs of '{lost[0]}' are published and that task is not known here",
            where=str(results / "published"),
            fix=f"name where it is: --tasks-dir DIR; {output.FILE_FLAGS}",
        )
    bad = next((check for check in checking.together(runs, lookup.of(records)) if not check.ok), None)
    if bad is None:
        return
    raise HarnessError(
        f"these runs cannot be published, a check fails: {bad.name}",
        where=bad.detail,
        fix=_more_seeds(bad.detail.split(" ")[0], results)
        if bad.name == seeds.SEED_COUNT
        else FIXES.get(bad.name, next_command.command("verify", results=results)),
    )


def _refuse_single_seeds(records: Sequence[Record], results: Path) -> None:
    for task, model in sorted(seeds.single_seed_tables(records)):
        raise HarnessError(
            f"each trained row of this table has 1 seed, at least {seeds.MIN_SEEDS} are needed",
            where=f"{task} {model}",
            fix=f"{_more_seeds(task, results)}; or --single-seed, and each row is about one trained model only",
        )


def _more_seeds(task: str, results: Path) -> str:
    return next_command.command("--task", task, "--seeds", str(seeds.MIN_SEEDS), results=results)


def _with_weights(runs: Sequence[store.Run], weights: str, most: int) -> list[store.Run]:
    """Return the runs whose weights are published, if their licence allows it."""
    if weights == "none":
        return []
    first: dict[Path, int] = {}
    for run in runs:
        row, seed = run.folder.parent, run.record.spec.seed
        first[row] = min(seed, first.get(row, seed))
    chosen = [run for run in runs if weights == "all" or run.record.spec.seed == first[run.folder.parent]]
    return [run for run in chosen if training_files.size_of_weights(run.folder) <= most]


def _may_hand_on_weights(run: store.Run, lookup: Lookup) -> bool:
    """Return whether the licence of the training data lets its text be handed on; weights may have learned it by heart."""
    task = lookup.task(run.record)
    return task is not None and task.source.redistributable and not run.record.spec.joined


def _tell_withheld(runs: Sequence[store.Run]) -> None:
    withheld = Counter(run.record.spec.task for run in runs if training_files.weight_files(run.folder))
    for task, count in sorted(withheld.items()):
        output.note(
            f"withheld   the trained weights of {counted(count, 'run')} of {task}: the licence of the training data, "
            "whose text weights may hold, does not let it be handed on"
        )


def _to_hand_on(run: store.Run, lookup: Lookup) -> tuple[Answer, ...] | None:
    """Return answers with stand-ins for texts that may not be handed on; None if the answers go out as they are.

    Raises:
        HarnessError: the scores cannot be computed from stand-ins.
    """
    return _fit_to_hand_on(run.folder, run.record, run.answers(), lookup.task(run.record))


def _probes_to_hand_on(run: store.Run, lookup: Lookup) -> dict[str, tuple[Answer, ...]]:
    """Return as `_to_hand_on` the answers to probes by task, without those that go out as they are."""
    tasks = lookup.probed(run.record)
    fit = {
        name: _fit_to_hand_on(run.folder, probes.as_run(run.record, name), answers, tasks[name][0])
        for name, answers in run.probe_answers().items()
    }
    return {name: answers for name, answers in fit.items() if answers is not None}


def _fit_to_hand_on(
    folder: Path, record: Record, answers: Sequence[Answer], task: Task | None
) -> tuple[Answer, ...] | None:
    if task is None or task.source.redistributable or not answers:
        return None
    hidden = withhold.stand_in_answers(answers)
    if _score_alike(record, hidden, task):
        return hidden
    if withhold.has_no_text(answers):
        return None
    raise HarnessError(
        f"the licence of the data of '{task.name}' lets no text of it be published, and this run's scores need it",
        where=str(folder),
        fix="publish other tasks (--task NAME), or use a metric that only asks whether two texts are equal",
    )


def _score_alike(record: Record, answers: Sequence[Answer], task: Task) -> bool:
    try:
        checks = arithmetic.answer_checks(record, answers, task)
    except Exception:  # a task's own parser or metric met a stand-in instead of a text of its form
        return False
    return all(check.ok for check in checks)

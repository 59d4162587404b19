"""`intruders RUN … --scale 0,0.5,1`: the effect of a run's intruders: it answers again with them scaled."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import processes
from harness.adapters.intruders import scaling, spectrum, study, study_figure, study_tables
from harness.adapters.intruders.scaling import Directions
from harness.adapters.intruders.study import Study, TaskQuestions
from harness.adapters.intruders.weights import FOLDER, RunWeights
from harness.cli.commands.intruders_count import DONE, ready_all
from harness.cli.lookup import Lookup
from harness.cli.terminal import output as terminal
from harness.data import probes
from harness.data.split import sample
from harness.errors import HarnessError
from harness.format import spoken
from harness.report.figures import write
from harness.runs.options import Options
from harness.store import records
from harness.verify.checks.answers import data as data_checks

NAME = "scaled.json"

Parts = Sequence[tuple[Directions, Directions]]


def scale(
    names: Sequence[str],
    factors: Sequence[float],
    options: Options,
    *,
    epsilon: float,
    top: int,
    model: str | None = None,
    output: str | None = None,
) -> int:
    """Ask runs again with their intruders, and then a control, scaled by each factor; write and show the results.

    `results/intruders/<task>/<model>/<method>/<run>/` gets `scaled.json` and every answer, the folder of the model the
    figure.

    Args:
        names: runs, by name, id or folder.
        factors: 0 or more; a factor of 1 is always added.
        options: the tasks and data at hand, the probes, the results folder, and the number of questions.
        epsilon: the bound on |cosine| below which a direction is an intruder.
        top: how many of the largest directions of each weight are examined.
        model: the folder or hub id of the base model, if the recorded name is neither.
        output: "json" for a document on stdout, None for tables.

    Raises:
        HarnessError: as `intruders.show`; a task, a probe or its data is not here or has changed; no run has an
            intruder; or with a factor of 1 a run does not give its recorded answers.
    """
    lookup = Lookup(options)
    task = next(iter(lookup.selected), None)
    selected = ready_all(names, options.results, task, model, remote_code=options.remote_code)
    questions = [_questions(weights, lookup, options) for weights in selected]
    processes.quieten()
    bases = spectrum.BaseVectors(keep=len(selected) > 1)
    parts = [_find(weights, bases, epsilon, top) for weights in selected]
    if not any(intruders.count for part in parts for intruders, _ in part):
        problem = f"no weight has an intruder: none of its {top} largest directions has |cosine| < {epsilon:g}"
        raise HarnessError(problem, where=", ".join(names), fix="a larger --epsilon or --k, or another run")
    outcomes: list[Study] = []
    documents, paths = [], []
    for weights, run_questions, part in zip(selected, questions, parts, strict=True):
        if not any(intruders.count for intruders, _ in part):
            terminal.note(f"{spoken(weights.spec)} has no intruders: nothing to scale")
            continue
        outcome = study.measure(
            weights.run, weights.folder, weights.base.folder, run_questions, part, factors, terminal.note
        )
        for agreement in outcome.agreement:
            if agreement.equal < agreement.recorded:
                batches = " (fewer questions make other batches, which round otherwise)" * bool(options.test_examples)
                terminal.note(f"warning: {spoken(weights.spec)} on {agreement.words}{batches}")
        folder = options.results / FOLDER / records.relative_dir(weights.spec)
        document = _write(outcome, run_questions, folder, epsilon, top)
        outcomes.append(outcome)
        documents.append(document)
        paths.append(folder / NAME)
    for key in dict.fromkeys((outcome.spec.task, outcome.spec.model) for outcome in outcomes):
        outcomes_of_model = [outcome for outcome in outcomes if (outcome.spec.task, outcome.spec.model) == key]
        paths += _figure(outcomes_of_model, options.results)
    if output:
        terminal.document(json.dumps(documents, indent=1, allow_nan=False))
        return DONE
    for outcome in outcomes:
        _show(outcome)
    terminal.closing(paths)
    return DONE


def _questions(weights: RunWeights, lookup: Lookup, options: Options) -> list[TaskQuestions]:
    """Return the questions for a run: its test questions as before, and the probes."""
    record, spec = weights.run.record, weights.spec
    task = lookup.task(record)
    splits = lookup.splits(task.name) if task else None
    if task is None or splits is None:
        problem = f"the task '{spec.task}' or its data is not here"
        raise HarnessError(problem, where=f"{spec.task} {spoken(spec)} ({spec.id})", fix=terminal.FILE_FLAGS)
    runs = records.read_all(options.results, spec.task)
    like = [record, *(run.record for run in runs if run.record.spec.data == spec.data)]
    limits = data_checks.limits(task, like, splits)
    if limits is None or task.version != spec.task_version:
        problem = f"{task.name} v{task.version} here has other examples or prompts than the run was asked"
        raise HarnessError(problem, where=f"{spec.task} {spoken(spec)} ({spec.id})", fix=terminal.FILE_FLAGS)
    task = dataclasses.replace(task, scoring=spec.scoring)
    examples = sample(sample(splits.test, limits[1]), options.test_examples)
    questions = [TaskQuestions(task, spec, examples, spec.data, probe=False, recorded=weights.run.answers())]
    probe_answers = weights.run.probe_answers()
    source = lookup.source(task)
    for probe in probes.read_all(options.probes, source, task, splits.test, embedded=weights.base.embedded):
        result = record.probes.get(probe.task.name)
        recorded = probe_answers.get(probe.task.name, ()) if result is not None and result.data == probe.data else ()
        few = sample(probe.examples, options.test_examples)
        questions.append(TaskQuestions(probe.task, probe.spec(spec), few, probe.data, probe=True, recorded=recorded))
    return questions


def _find(weights: RunWeights, bases: spectrum.BaseVectors, epsilon: float, top: int) -> Parts:
    terminal.note(f"decomposing the weights of {spoken(weights.spec)}")
    return [scaling.intruders_and_control(change, bases, epsilon=epsilon, top=top) for change in weights.changes()]


def _write(outcome: Study, questions: Sequence[TaskQuestions], folder: Path, epsilon: float, top: int) -> Any:
    """Write the answers and the document of a run, the document last."""
    names = [(study_tables.answers_file(point), point.answers) for point in outcome.points]
    files = {name: records.write_answers(folder, answers, name) for name, answers in names}
    document = study_tables.document(outcome, questions, epsilon=epsilon, top=top, files=files)
    records.write_text(folder / NAME, json.dumps(document, indent=1, allow_nan=False) + "\n")
    return document


def _figure(outcomes: Sequence[Study], results: Path) -> list[Path]:
    spec = outcomes[0].spec
    folder = (results / FOLDER / records.relative_dir(spec)).parent.parent
    name = "scaled-" + "-".join(outcome.spec.id for outcome in outcomes)
    return write.write_figure(folder / name[:100], lambda: study_figure.draw(spec.task, outcomes))


def _show(outcome: Study) -> None:
    task = outcome.spec.task
    for probe in dict.fromkeys(point.task for point in outcome.points if point.task != task):
        table = study_tables.table(outcome, task, probe)
        terminal.say(table.title)
        terminal.table(table)
        terminal.say()
    for line in study_tables.notes(outcome):
        terminal.say(terminal.folded("  ", line, indent=2))
    terminal.say()

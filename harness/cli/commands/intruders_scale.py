"""`intruders RUN … --scale 0,0.5,1`: do the intruders of a run matter? It is asked again with them scaled."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import processes
from harness.adapters.intruders import scaling, spectrum, study, study_figure, study_tables
from harness.adapters.intruders.scaling import Directions
from harness.adapters.intruders.study import Outcome, Questions
from harness.adapters.intruders.weights import FOLDER, RunWeights
from harness.cli.commands.intruders_count import DONE, ready_all
from harness.cli.lookup import Lookup
from harness.cli.terminal import output as ui
from harness.data import probes
from harness.data.split import sample
from harness.errors import HarnessError
from harness.format import spoken
from harness.report.figures import write
from harness.runs.options import Options
from harness.store import records
from harness.verify.checks import data as data_checks

NAME = "scaled.json"

Found = Sequence[tuple[Directions, Directions]]


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
    """Ask runs again with their intruders, and then a control, scaled by each factor; write and show what comes of it.

    `results/intruders/<task>/<model>/<method>/<run>/` gets `scaled.json` and every answer, the folder of the model the
    figure.

    Args:
        names: runs, by name, id or folder.
        factors: 0 or more; a factor of 1 is asked whether it is among them or not.
        options: which tasks and data are at hand, the probes, the results folder, and how many questions are asked.
        epsilon: the bound on |cosine| below which a direction is an intruder.
        top: how many of the largest directions of each weight are looked at.
        model: the folder or hub id of the base model, where the recorded name is none.
        output: "json" for a document on stdout, None for tables.

    Raises:
        HarnessError: as `intruders.show`; a task, a probe or its data is not here or has changed; no run has an
            intruder; or with a factor of 1 a run does not give its recorded answers.
    """
    lookup = Lookup(options)
    task = next(iter(lookup.wanted), None)
    asked = ready_all(names, options.results, task, model, remote_code=options.remote_code)
    questions = [_questions(one, lookup, options) for one in asked]
    processes.quieten()
    bases = spectrum.Bases(keep=len(asked) > 1)
    found = [_find(one, bases, epsilon, top) for one in asked]
    if not any(own.count for one in found for own, _ in one):
        problem = f"no weight has an intruder: none of its {top} largest directions has |cosine| < {epsilon:g}"
        raise HarnessError(problem, where=", ".join(names), fix="a larger --epsilon or --k, or another run")
    outcomes: list[Outcome] = []
    documents, paths = [], []
    for one, wanted, parts in zip(asked, questions, found, strict=True):
        if not any(own.count for own, _ in parts):
            ui.note(f"{spoken(one.spec)} has no intruders: nothing to scale")
            continue
        outcome = study.measure(one.run, one.kept, one.base.folder, wanted, parts, factors, ui.note)
        for alike in outcome.alike:
            if alike.same < alike.recorded:
                batches = " (fewer questions make other batches, which round otherwise)" * bool(options.test_examples)
                ui.note(f"warning: {spoken(one.spec)} on {alike.words}{batches}")
        folder = options.results / FOLDER / records.relative_dir(one.spec)
        document = _write(outcome, wanted, folder, epsilon, top)
        outcomes.append(outcome)
        documents.append(document)
        paths.append(folder / NAME)
    for drawn in dict.fromkeys((one.spec.task, one.spec.model) for one in outcomes):
        own_outcomes = [one for one in outcomes if (one.spec.task, one.spec.model) == drawn]
        paths += _figure(own_outcomes, options.results)
    if output:
        ui.document(json.dumps(documents, indent=1, allow_nan=False))
        return DONE
    for outcome in outcomes:
        _show(outcome)
    ui.written(paths)
    return DONE


def _questions(one: RunWeights, lookup: Lookup, options: Options) -> list[Questions]:
    """Return what a run is asked: its own test questions, as it was asked them, and the probes."""
    record, spec = one.run.record, one.spec
    task = lookup.task(record)
    splits = lookup.splits(task.name) if task else None
    if task is None or splits is None:
        problem = f"the task '{spec.task}' or its data is not here"
        raise HarnessError(problem, where=f"{spec.task} {spoken(spec)} ({spec.id})", fix=ui.FILE_FLAGS)
    runs = records.read_all(options.results, spec.task)
    like = [record, *(run.record for run in runs if run.record.spec.data == spec.data)]
    limits = data_checks.limits(task, like, splits)
    if limits is None or task.version != spec.task_version:
        problem = f"{task.name} v{task.version} here has other examples or prompts than the run was asked"
        raise HarnessError(problem, where=f"{spec.task} {spoken(spec)} ({spec.id})", fix=ui.FILE_FLAGS)
    task = dataclasses.replace(task, scoring=spec.scoring)
    examples = sample(sample(splits.test, limits[1]), options.test_examples)
    found = [Questions(task, spec, examples, spec.data, probe=False, recorded=one.run.answers())]
    said = one.run.probed()
    source = lookup.source(task)
    for probe in probes.read_all(options.probes, source, task, splits.test, embedded=one.base.embedded):
        kept = record.probes.get(probe.task.name)
        own = said.get(probe.task.name, ()) if kept is not None and kept.data == probe.data else ()
        few = sample(probe.examples, options.test_examples)
        found.append(Questions(probe.task, probe.spec(spec), few, probe.data, probe=True, recorded=own))
    return found


def _find(one: RunWeights, bases: spectrum.Bases, epsilon: float, top: int) -> Found:
    ui.note(f"decomposing the weights of {spoken(one.spec)}")
    return [scaling.pick(change, bases, epsilon=epsilon, top=top) for change in one.changes()]


def _write(outcome: Outcome, questions: Sequence[Questions], folder: Path, epsilon: float, top: int) -> Any:
    """Write the answers and the document of a run, the document last."""
    names = [(study_tables.answers_file(point), point.answers) for point in outcome.points]
    files = {name: records.write_answers(folder, answers, name) for name, answers in names}
    document = study_tables.document(outcome, questions, epsilon=epsilon, top=top, files=files)
    records.write_text(folder / NAME, json.dumps(document, indent=1, allow_nan=False) + "\n")
    return document


def _figure(outcomes: Sequence[Outcome], results: Path) -> list[Path]:
    spec = outcomes[0].spec
    folder = (results / FOLDER / records.relative_dir(spec)).parent.parent
    name = "scaled-" + "-".join(one.spec.id for one in outcomes)
    return write.write_figure(folder / name[:100], lambda: study_figure.draw(spec.task, outcomes))


def _show(outcome: Outcome) -> None:
    task = outcome.spec.task
    for probe in dict.fromkeys(point.task for point in outcome.points if point.task != task):
        table = study_tables.table(outcome, task, probe)
        ui.say(table.title)
        ui.table(table)
        ui.say()
    for line in study_tables.reading(outcome):
        ui.say(ui.folded("  ", line, indent=2))
    ui.say()

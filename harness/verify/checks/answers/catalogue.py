"""The checks of answers: against the task, against the record, and against those of other runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.data.loading import Splits
from harness.record import Answer, Record
from harness.schema import Example, Task
from harness.store.records import Run
from harness.verify.check import Check
from harness.verify.checks.answers import arithmetic, challengers, copies, data, form, lengths, likeness, probes

CONCERNS: Mapping[str, Mapping[str, str]] = {
    "Identity": {
        probes.PROBE_LIST: "a probe was removed, or added from another run",
    },
    "Arithmetic": {
        arithmetic.ANSWER_COUNT: "answers were removed or added",
        arithmetic.UNIQUE_ANSWERS: "an answer was counted twice",
        form.FORM: "likelihoods removed, added or impossible",
        arithmetic.PARSES: "an answer was parsed more favourably than the parser does",
        arithmetic.TOP_OPTION: "an option was recorded that the model did not prefer",
        arithmetic.SCORES: "a score or a bound of its interval was changed",
        challengers.REFIT: "a challenger was made weaker or stronger than it is",
        arithmetic.PARSE_RATE: "the share of readable answers was changed",
        arithmetic.TRUNCATION: "truncated inputs were concealed",
        arithmetic.CHANCE: "the chance level was changed",
        likeness.TRUNCATED: "tokens of a test input that another row did not cut",
        arithmetic.NO_SCORES: "an unfinished run claims a score",
    },
    "Data": {
        data.AVAILABLE: "data that is not available cannot be checked",
        data.FINGERPRINT: "examples or prompts differ from those of the runs",
        arithmetic.GOLD: "gold answers were changed",
        arithmetic.SLICES: "breakdowns were changed or removed",
        arithmetic.ORDER: "answers were sorted anew",
        data.COUNTS: "numbers of examples that the data does not have",
    },
    "Machine and cost": {
        lengths.WRITTEN: "tokens of a test in which texts are written were changed",
    },
    "Seeds and selection": {
        likeness.UNTRAINED: "likelihoods of one base row that another does not have",
        copies.STIRRED: "one run under several names, with noise, another scale or as a mean",
        copies.SINGLE: "answers of one run in another",
        copies.WRITTEN: "likelihoods of one run's texts were removed",
        likeness.COPIES: "one run under several names, also with noise added",
        likeness.MEASURED: "measurements of one run under several names",
    },
}

FORMER_NAMES: Mapping[str, str] = {
    "the probes are those of the spec": probes.PROBE_LIST,
    "there are as many answers as test examples": arithmetic.ANSWER_COUNT,
    "no question is answered twice": arithmetic.UNIQUE_ANSWERS,
    "every raw text parses to what was stored": arithmetic.PARSES,
    "every option picked is the likeliest": arithmetic.TOP_OPTION,
    "every score comes out again": arithmetic.SCORES,
    "the parse rate comes out again": arithmetic.PARSE_RATE,
    "the inputs that were cut are counted": arithmetic.TRUNCATION,
    "options, groups and gold are the task's": arithmetic.GOLD,
    "what guessing scores comes out again": arithmetic.CHANCE,
    "an unfinished run claims no scores": arithmetic.NO_SCORES,
    "the task's data is at hand": data.AVAILABLE,
    "examples and prompts have the recorded fingerprint": data.FINGERPRINT,
}


def run_checks(
    folder: Path,
    record: Record,
    answers: Sequence[Answer],
    task: Task,
    *,
    examples: Sequence[Example] | None,
    validation: Sequence[Example] | None,
    probed: probes.ProbeTasks,
) -> list[Check]:
    """Return the checks of one run's answers; arguments as in `harness.verify.run.verify`."""
    return [
        *form.run_checks(record, answers),
        *arithmetic.answer_checks(record, answers, task),
        *arithmetic.gold_checks(record, answers, task, examples),
        *probes.validation_checks(folder, record, task, validation),
        *probes.run_checks(folder, record, probed),
    ]


def task_checks(task: Task, runs: Sequence[Run], splits: Splits | None) -> list[Check]:
    """Return the checks of a task's examples against the runs on them; None for data that is not available."""
    records = [run.record for run in runs]
    return [*data.task_checks(task, records, splits), *challengers.task_checks(task, runs, splits)]


def publication_checks(models: Sequence[Run]) -> list[Check]:
    """Return the checks of the answers of all models' runs against each other."""
    return [
        *likeness.publication_checks(models),
        *copies.publication_checks(models),
        *lengths.publication_checks(models),
    ]

"""Two rows side by side, paired on the same questions, from records and answers alone.

A row is a run, or the runs of one spec that differ in their seed only; its score is the mean over these. p-values are
Holm-adjusted over the metrics of the pair.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis.aggregate import Difference
from harness.analysis.compare import with_correction
from harness.analysis.costs import machine_difference, typical_cost
from harness.analysis.items import Metrics, Run, find_metric, item_scores
from harness.metrics import stats
from harness.record import Answer, Cost, Record, RunSpec
from harness.schema import Metric


@dataclass(frozen=True)
class Flip:
    """A question with different scores in the two rows, with the answers of each seed. `won`: the second row has the better one.

    The scores are means over the seeds.
    """

    a: tuple[Answer, ...]
    b: tuple[Answer, ...]
    a_score: float
    b_score: float
    won: bool

    @property
    def question(self) -> Answer:
        """An answer to the question, for what all answers share: its id, group, options and right answer."""
        return self.a[0]


@dataclass(frozen=True)
class EngineChange:
    """The answers that another engine changed: two rows that differ in nothing but the program that answered.

    `changed` of `questions` answers differ as the task's parser reads them; `low` and `high` are the 95 % interval of their
    share. `same_weights`: both answered with the same stored weights, or with the base model.
    """

    first: str
    second: str
    questions: int
    changed: int
    low: float
    high: float
    same_weights: bool

    @property
    def rate(self) -> float:
        """The share of answers that differ."""
        return self.changed / self.questions


@dataclass(frozen=True)
class Comparison:
    """Two rows side by side, the records of each in seed order; differences are `b` less `a`.

    `fields` are the fields of the spec that differ, as (name, a's, b's). If the rows are not comparable, `why_not` has the
    reason and `scores` is empty; `cost_why_not` has the reason for memory and time. `flips` are the questions with different
    scores on the headline metric, those lost by `b` first, in id order. `worse` names the metrics on which `b` is worse by
    a paired test (5 %, Holm-adjusted over the metrics). `engines` is set if the rows differ in nothing but their engine.
    """

    a: tuple[Record, ...]
    b: tuple[Record, ...]
    fields: tuple[tuple[str, Any, Any], ...]
    scores: Mapping[str, Difference]
    why_not: str
    cost_why_not: str
    headline: str = ""
    flips: tuple[Flip, ...] = ()
    worse: tuple[str, ...] = ()
    engines: EngineChange | None = None

    @property
    def costs(self) -> tuple[Cost | None, Cost | None]:
        """The cost of the median run of each row, None if it is not known."""
        return typical_cost(self.a), typical_cost(self.b)

    def means(self, metric: str) -> tuple[float, float]:
        """Return the mean score of each row over its seeds."""
        first, second = ([record.scores[metric].value for record in row] for row in (self.a, self.b))
        return math.fsum(first) / len(first), math.fsum(second) / len(second)


def compare_rows(a: Sequence[Run], b: Sequence[Run], metrics: Metrics | None = None) -> Comparison:
    """Compare two rows metric by metric, paired by example, p-values Holm-adjusted over the metrics.

    Args:
        a: the records of a row and their answers (None if they are gone), one for each seed.
        b: those of the other.
        metrics: as for `compare.cells`.
    """
    first, second = (tuple(record for record, _ in row) for row in (a, b))
    task, why_not = first[0].spec.task, _why_not(first, second)
    differences: dict[str, stats.Paired] = {}
    if not why_not:
        names = [name for name in first[0].scores if all(name in record.scores for record in (*first, *second))]
        for name in names:
            metric = find_metric(task, name, metrics or {})
            left, right = (item_scores(row, metric) if metric else None for row in (a, b))
            if left is not None and right is not None and left.pairs_with(right):
                differences[name] = right.minus(left)
        why_not = "" if differences else "not comparable: the two have no answers to the same questions"
    scores = with_correction(differences)
    headline = next((name for name in _headline_first(first[0], metrics or {}) if name in scores), "")
    return Comparison(
        a=first,
        b=second,
        fields=_fields(first, second),
        scores=scores,
        why_not=why_not,
        cost_why_not=_cost_why_not(first, second),
        headline=headline,
        flips=_flips(a, b, find_metric(task, headline, metrics or {})) if headline else (),
        worse=tuple(
            name for name, difference in scores.items() if _is_worse(difference, first[0].scores[name].higher_is_better)
        ),
        engines=None if why_not else _engine_change(a, b),
    )


def _fields(a: Sequence[Record], b: Sequence[Record]) -> tuple[tuple[str, Any, Any], ...]:
    """Return the fields of the spec that differ, with both values; the seed only between two single runs."""
    names = [field.name for field in dataclasses.fields(RunSpec)]
    pairs = [(name, getattr(a[0].spec, name), getattr(b[0].spec, name)) for name in names]
    single = len(a) == len(b) == 1
    return tuple(pair for pair in pairs if pair[1] != pair[2] and (single or pair[0] != "seed"))


def _cost_why_not(a: Sequence[Record], b: Sequence[Record]) -> str:
    reasons = (machine_difference(a[0], record) for record in (*a[1:], *b))
    return next((reason for reason in reasons if reason), "")


def _engine_change(a: Sequence[Run], b: Sequence[Run]) -> EngineChange | None:
    """Return what another engine changed, seed by seed; None if the rows differ in more or in less, or read texts only."""
    by_seed = {record.spec.seed: (record, answers) for record, answers in b}
    runs = [(run, by_seed[run[0].spec.seed]) for run in a if run[0].spec.seed in by_seed]
    if len(runs) < max(len(a), len(b)):
        return None
    specs = {tuple(replace(record.spec, engine="", probes=()) for record, _ in pair) for pair in runs}
    engines = [record[0].spec.engine for record in runs[0]]
    if any(left != right for left, right in specs) or engines[0] == engines[1] or a[0][0].spec.scoring == "perplexity":
        return None
    pairs = [pair for left, right in runs for pair in _partners(left[1], right[1])]
    if not pairs:
        return None
    changed = [_reading(left) != _reading(right) for left, right in pairs]
    values, groups = [float(change) for change in changed], [answer.group for answer, _ in pairs]
    _, low, high = stats.clustered_interval(values, groups, share=True)
    same = all(
        left.adapter_sha256 == right.adapter_sha256 and (bool(left.adapter_sha256) or not left.spec.epochs)
        for (left, _), (right, _) in runs
    )
    first, second = (engine or "transformers" for engine in engines)
    return EngineChange(first, second, len(pairs), sum(changed), low, high, same)


def _partners(a: Sequence[Answer] | None, b: Sequence[Answer] | None) -> list[tuple[Answer, Answer]]:
    partners = {answer.id: answer for answer in b or ()}
    return [(answer, partners[answer.id]) for answer in a or () if answer.id in partners]


def _reading(answer: Answer) -> tuple[bool, str]:
    """Return an answer as the task's parser reads it, else its text."""
    return (False, answer.text) if answer.parsed is None else (True, answer.parsed)


def _headline_first(record: Record, metrics: Metrics) -> list[str]:
    return [metric.name for metric in metrics.get(record.spec.task, ())] or list(record.scores)


def _is_worse(difference: Difference, higher_is_better: bool) -> bool:
    return difference.p_holm < stats.LEVEL and (difference.value < 0) == higher_is_better


def _flips(a: Sequence[Run], b: Sequence[Run], metric: Metric | None) -> tuple[Flip, ...]:
    if metric is None:
        return ()
    second, flips = _by_question(b), []
    for name, answers in _by_question(a).items():
        partners = second[name]
        left, right = (math.fsum(map(metric.score, given)) / len(given) for given in (answers, partners))
        if not math.isclose(left, right, abs_tol=1e-12):
            flips.append(Flip(answers, partners, left, right, won=(right > left) == metric.higher_is_better))
    return tuple(sorted(flips, key=lambda flip: (flip.won, flip.question.id)))


def _by_question(runs: Sequence[Run]) -> dict[str, tuple[Answer, ...]]:
    """Return the answers of each run to each question, by its id."""
    answers: dict[str, tuple[Answer, ...]] = {}
    for _, of_run in runs:
        for answer in of_run or ():
            answers[answer.id] = (*answers.get(answer.id, ()), answer)
    return answers


def _why_not(a: Sequence[Record], b: Sequence[Record]) -> str:
    """Return the reason if the scores of two rows must not be compared, otherwise an empty string."""
    for row, name in ((a, "the first"), (b, "the second")):
        if status := next((record.status for record in row if record.status != "ok"), ""):
            return f"not comparable: {name} run is {status}"
    first, second = a[0].spec, b[0].spec
    if first.task != second.task:
        return f"not comparable: different tasks ({first.task}; {second.task})"
    if first.task_version != second.task_version:
        return f"not comparable: different versions of the task ({first.task_version}; {second.task_version})"
    if first.data != second.data:
        return f"not comparable: different examples or prompts (data {first.data[:12]}; {second.data[:12]})"
    if first.scoring != second.scoring:
        return f"not comparable: scored in different ways ({first.scoring}; {second.scoring})"
    return ""

"""Calibration of single answers: confidence against correctness, and the share that could be given without review.

The confidence of an answer is its probability under the model, computed from the log-likelihoods in its record. So
everything here is a function of records.

Two different questions are answered. Calibration: are 80 % of the answers with 80 % confidence right? Ranking: do right
answers have the higher confidence, so that a threshold separates answers to give from answers to review? An overconfident
model may still rank well.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.analysis import selective
from harness.analysis.aggregate import Cell
from harness.analysis.items import Metrics, find_metric
from harness.analysis.selective import AnswerOutcomes, AutomatedPart, Floats, Ints
from harness.metrics import stats
from harness.metrics.options import nats
from harness.metrics.scoring import cluster_key
from harness.record import Answer, Scoring
from harness.schema import Metric

BINS = 10
RESAMPLES, SEED = 1000, 0


@dataclass(frozen=True)
class Bin:
    """A tenth of the answers by confidence: mean confidence, share right with its 95 % interval, number of answers."""

    confidence: float
    accuracy: stats.Interval
    count: int


@dataclass(frozen=True)
class Calibration:
    """The calibration of one run. Fractions; intervals at 95 %, clustered by group.

    `n` counts all answers, `rated` those with a confidence; all fields except the last three are about the rated ones.
    `ece` is the expected calibration error. `floor` is the expected error of a perfectly calibrated model with the same
    confidences and as many answers. `overconfidence` is mean confidence less share right. `brier` is the mean square of
    confidence less correctness (1 or 0). `curve` holds (share of all answers given, share of these that is wrong) at each
    threshold, most confident first; `aurc` is the area under it.
    """

    n: int
    rated: int
    groups: int
    confidence: float
    accuracy: float
    ece: stats.Interval
    floor: float
    overconfidence: stats.Interval
    brier: stats.Interval
    bins: tuple[Bin, ...]
    curve: tuple[tuple[float, float], ...]
    aurc: float
    automated: tuple[AutomatedPart, ...]


Calibrations = Mapping[str, Calibration]  # by run id


def confidence(answer: Answer, scoring: Scoring) -> float | None:
    """Return the probability of an answer under the model, None if the record lacks log-likelihoods.

    Choices: the softmax over the options' log-likelihoods (less their priors, if any), not divided by length. Generated
    text: the product over its tokens.
    """
    if scoring == "choices" and len(answer.loglik) == len(answer.choices) > 1:
        values = nats(answer)
        picked = values[answer.choices.index(answer.text)] if answer.text in answer.choices else max(values)
        return 1 / math.fsum(math.exp(value - picked) for value in values)
    if scoring == "generate" and answer.loglik:
        return math.exp(min(0.0, math.fsum(answer.loglik)))
    return None


def calibrations(cells: Iterable[Cell], answers: Mapping[str, Sequence[Answer]], metrics: Metrics) -> Calibrations:
    """Return the calibration of each finished run with confidences and answers that are right or wrong, by run id.

    Args:
        cells: the rows; those of the headline metric count.
        answers: by run id.
        metrics: as for `compare.cells`.
    """
    by_run: dict[str, Calibration] = {}
    for cell in cells:
        metric = find_metric(cell.spec.task, cell.metric, metrics)
        for run_id in cell.run_ids if cell.headline and cell.status == "ok" else ():
            if metric is None or not answers.get(run_id):
                continue
            value = calibration(answers[run_id], metric, cell.spec.scoring)
            by_run |= {run_id: value} if value else {}
    return by_run


def calibration(answers: Sequence[Answer], metric: Metric, scoring: Scoring) -> Calibration | None:
    """Return the calibration of one run.

    An unreadable answer is wrong and never automated. An answer without a confidence is never automated either.

    Args:
        answers: of one run, in any order.
        metric: the task's first.
        scoring: of the run.

    Returns:
        None if no answer has a confidence, or if the metric does not score each answer 1 or 0.
    """
    outcomes = answer_outcomes(answers, metric, scoring)
    if outcomes is None or np.isnan(outcomes.confidence).all():
        return None
    rated = ~np.isnan(outcomes.confidence)
    sure, right = outcomes.confidence[rated], outcomes.right[rated]
    groups = [group for group, is_rated in zip(outcomes.groups, rated, strict=True) if is_rated]
    order = selective.prefixes(outcomes)
    return Calibration(
        n=len(outcomes.right),
        rated=len(right),
        groups=len(set(groups)),
        confidence=float(sure.mean()),
        accuracy=float(right.mean()),
        ece=calibration_error(sure, right, groups),
        floor=error_by_chance(sure),
        overconfidence=stats.clustered_interval((sure - right).tolist(), groups),
        brier=stats.clustered_interval(((sure - right) ** 2).tolist(), groups, share=True),
        bins=reliability(sure, right, groups),
        curve=tuple(zip((order.count / order.n).tolist(), (1 - order.right / order.count).tolist(), strict=True)),
        aurc=selective.risk_coverage_area(outcomes),
        automated=selective.automated(outcomes, order=order),
    )


def answer_outcomes(answers: Sequence[Answer], metric: Metric, scoring: Scoring) -> AnswerOutcomes | None:
    """Return the answers as numbers, in the order of their ids; None if the metric is not one of right and wrong."""
    if not answers or metric.combine is not None or metric.unit != "share" or not metric.higher_is_better:
        return None
    answers = sorted(answers, key=lambda answer: answer.id)
    right = np.array([metric.score(answer) for answer in answers])
    if not np.isin(right, (0.0, 1.0)).all():
        return None
    sure = [confidence(answer, scoring) for answer in answers]
    read = np.array([answer.parsed is not None for answer in answers])
    return AnswerOutcomes(
        np.array([math.nan if value is None else value for value in sure]),
        np.where(read, right, 0.0),
        read,
        tuple(cluster_key(answer) for answer in answers),
    )


def calibration_error(sure: Floats, right: Floats, groups: Sequence[Hashable]) -> stats.Interval:
    """Return the expected calibration error over bins of equal mass, with an interval from a bootstrap of whole groups.

    The error is the mean over bins of |mean confidence - share right|, each weighted by its answers (Naeini, Cooper and
    Hauskrecht 2015). Bins have equal mass, because most answers of a confident model share one bin of equal width (Nixon
    et al. 2019). The error is never negative, so for a calibrated model it lies above 0 by about `error_by_chance`.

    Args:
        sure: confidences [n].
        right: 1.0 or 0.0 [n].
        groups: [n].
    """
    names = sorted(set(groups), key=repr)
    code_of = {name: number for number, name in enumerate(names)}
    order = np.argsort(sure, kind="stable")
    gaps, codes = (sure - right)[order], np.array([code_of[group] for group in groups])[order]
    value = float(_errors(gaps, np.ones((1, len(gaps))))[0])
    if stats.too_few_groups(groups):
        return stats.Interval(value, -math.inf, math.inf)
    return stats.interval_of_draws(value, _errors(gaps, _times(len(names))[:, codes]), len(names), share=True)


@lru_cache(maxsize=1)  # the runs of a task have the same groups
def _times(count: int) -> Floats:
    """Return the number of draws of each of `count` groups in each resample, [draws, groups]."""
    picks = np.random.default_rng(SEED).integers(0, count, size=(RESAMPLES, count))
    rows = count * np.arange(RESAMPLES)[:, None]
    return np.bincount((picks + rows).ravel(), minlength=RESAMPLES * count).reshape(RESAMPLES, -1).astype(float)


def error_by_chance(sure: Floats) -> float:
    """Return the mean calibration error of answers whose correctness is drawn with exactly these confidences.

    Uses the normal approximation of each bin's share, E|N(0, s)| = s sqrt(2 / pi), and takes answers as independent.
    """
    ordered = np.sort(sure)
    bins = _bins(np.ones((1, len(sure))))[0]
    spread = np.bincount(bins, weights=ordered * (1 - ordered), minlength=BINS)
    return float(np.sqrt(2 / np.pi) * np.sqrt(spread).sum() / len(sure))


def reliability(sure: Floats, right: Floats, groups: Sequence[Hashable]) -> tuple[Bin, ...]:
    """Return the bins of `calibration_error`, least confident first; arguments as there."""
    order = np.argsort(sure, kind="stable")
    bins = _bins(np.ones((1, len(sure))))[0]
    bins_of_run = []
    for number in np.unique(bins):
        inside = order[bins == number]
        share = stats.clustered_interval(right[inside].tolist(), [groups[i] for i in inside], share=True)
        bins_of_run.append(Bin(float(sure[inside].mean()), share, len(inside)))
    return tuple(bins_of_run)


def _bins(weights: Floats) -> Ints:
    """Return the bin of each answer in the order of confidence, [draws, n]; each holds a tenth of the weight."""
    middle = np.cumsum(weights, axis=1) - weights / 2
    bins: Ints = np.minimum((middle / weights.sum(axis=1, keepdims=True) * BINS).astype(np.int64), BINS - 1)
    return bins


def _errors(gaps: Floats, weights: Floats) -> Floats:
    """Return the calibration error of each draw; `gaps` [n] in the order of confidence, `weights` [draws, n]."""
    draws = len(weights)
    codes = _bins(weights) + BINS * np.arange(draws)[:, None]
    sums = np.bincount(codes.ravel(), weights=(weights * gaps).ravel(), minlength=draws * BINS)
    errors: Floats = np.abs(sums).reshape(draws, BINS).sum(axis=1) / weights.sum(axis=1)
    return errors

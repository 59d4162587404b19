"""Selective prediction: the share of answers that can be given without review, those above a confidence threshold.

`observed` holds on this test set. `guaranteed` has a threshold whose precision holds on new answers too.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics import stats

TARGETS = (0.90, 0.95, 0.99)  # precisions that an automated part has to hold
START = 0.10  # share of the answers; the search begins here, so that one error at the top does not end it

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AnswerOutcomes:
    """Answers as numbers, all [n].

    `confidence` is a probability, NaN if the answer has none. `right` is 1.0 or 0.0. `read`: the answer could be parsed.
    `groups` are the clusters of the answers.
    """

    confidence: Floats
    right: Floats
    read: npt.NDArray[np.bool_]
    groups: tuple[Hashable, ...]


@dataclass(frozen=True)
class Part:
    """The answers at or above a threshold of confidence, as a share of all answers of the test set."""

    share: float
    threshold: float


@dataclass(frozen=True)
class AutomatedPart:
    """The largest part with a precision, on the test set and guaranteed (see `guaranteed`); None if there is none."""

    target: float
    observed: Part | None
    guaranteed: Part | None


@dataclass(frozen=True)
class Prefixes:
    """The most confident answers above every possible threshold, from the highest on, all [thresholds].

    `count` is their number and `right` the number of right ones; `effective` is the number of independent answers that they
    are worth. `n` counts all answers of the test set. A threshold never separates answers of equal confidence.
    """

    threshold: Floats
    count: Ints
    right: Floats
    effective: Floats
    n: int


def prefixes(outcomes: AnswerOutcomes) -> Prefixes:
    """Return the answers that can be automated, most confident first, at every threshold.

    The effective number is Kish's (1965), count / (1 + (m - 1) rho). m is the mean size of an answer's group within the
    part. rho, the correlation of right and wrong within groups, is taken to be the same in every part and is estimated on
    the whole test set. If all answers are right or all are wrong, rho is 1: each group is one observation.
    """
    usable = np.flatnonzero(outcomes.read & ~np.isnan(outcomes.confidence))
    order = usable[np.argsort(-outcomes.confidence[usable], kind="stable")]
    sure, count = outcomes.confidence[order], np.arange(1, len(order) + 1)
    pairs = np.cumsum([2 * earlier + 1 for earlier in _earlier([outcomes.groups[i] for i in order])])
    effective = count / (1 + (pairs / count - 1) * _correlation(outcomes)) if len(order) else np.zeros(0)
    last = np.flatnonzero(np.append(sure[1:] < sure[:-1], [True] * bool(len(sure))))
    return Prefixes(
        threshold=sure[last],
        count=count[last],
        right=np.cumsum(outcomes.right[order])[last],
        effective=np.maximum.accumulate(effective)[last]
        if len(order)
        else effective,  # more answers never count for less
        n=len(outcomes.right),
    )


def _earlier(groups: Sequence[Hashable]) -> list[int]:
    """Return the number of earlier items of the same group, for each item."""
    counts: dict[Hashable, int] = {}
    earlier = []
    for group in groups:
        earlier.append(counts.get(group, 0))
        counts[group] = earlier[-1] + 1
    return earlier


def _correlation(outcomes: AnswerOutcomes) -> float:
    """Return the correlation of right and wrong within groups, from the design effect of the share right."""
    n, share = len(outcomes.right), float(outcomes.right.mean())
    size = sum(2 * earlier + 1 for earlier in _earlier(outcomes.groups)) / n
    if size == 1:
        return 0.0
    if not 0 < share < 1 or size == n:
        return 1.0
    design = stats.standard_error(outcomes.right.tolist(), outcomes.groups) ** 2 / (share * (1 - share) / (n - 1))
    return min(1.0, max(0.0, (design - 1) / (size - 1)))


def risk_coverage_area(outcomes: AnswerOutcomes) -> float:
    """Return the area under the risk-coverage curve: the mean share wrong over all numbers of answers given.

    The most confident answers are given first, unreadable ones last; answers of equal confidence count as given in random
    order. Geifman and El-Yaniv 2017.
    """
    key = np.where(outcomes.read & ~np.isnan(outcomes.confidence), outcomes.confidence, -1.0)
    _, rank_of, size = np.unique(-key, return_inverse=True, return_counts=True)
    mean = np.bincount(rank_of, weights=outcomes.right) / size
    answered = np.arange(1, len(key) + 1)
    return float(np.mean(1 - np.cumsum(np.repeat(mean, size)) / answered))


def automated(
    outcomes: AnswerOutcomes, targets: Sequence[float] = TARGETS, *, order: Prefixes | None = None
) -> tuple[AutomatedPart, ...]:
    """Return the largest part with each precision, targets in ascending order; `order` saves computing `prefixes`."""
    order = prefixes(outcomes) if order is None else order
    sure = guaranteed(order, targets)
    parts = []
    for target, position in zip(sorted(targets), sure, strict=True):
        holds = np.flatnonzero(order.right >= target * order.count - 1e-9)
        observed = _part(order, int(holds[-1])) if len(holds) else None
        parts.append(AutomatedPart(target, observed, None if position is None else _part(order, position)))
    return tuple(parts)


def _part(order: Prefixes, position: int) -> Part:
    return Part(float(order.count[position] / order.n), float(order.threshold[position]))


def guaranteed(order: Prefixes, targets: Sequence[float] = TARGETS) -> list[int | None]:
    """Return, for each target in ascending order, the lowest threshold with a guaranteed precision.

    Guaranteed: if the test set were drawn again and again, then for at most 5 % of test sets (for each target) the precision
    on new answers above the threshold would be below the target. A threshold chosen after looking at the data, such as that
    of `observed`, has no such guarantee: it is the luckiest of many.

    Thresholds are tested from the highest down; the first failure ends the search (fixed-sequence testing needs no
    correction: Angelopoulos et al. 2021, "Learn then test"). Each test is exact: the precision counts as too low unless the
    one-sided 95 % lower bound of Clopper and Pearson (1934) lies above the target. The search begins at `START` of the
    answers, or at the least number that can pass if all are right: 59 for 95 %, 299 for 99 %.

    Assumptions: new answers are drawn like those of the test set. At the first threshold tested, precision does not rise
    while confidence falls. For answers of one group, the effective number (see `prefixes`) replaces their number, as in Korn
    and Graubard's (1998) form of the bound; this is exact for groups of one and approximate otherwise. A higher target never
    gets a larger part than a lower one: its part is then cut, which keeps the guarantee.

    Returns:
        positions in `order`, None if no part has the guarantee.
    """
    from scipy.special import betainc

    positions: list[int | None] = []
    most = len(order.count) - 1
    for target in sorted(targets):
        tested = (order.effective >= math.log(stats.LEVEL) / math.log(target)) & (order.count >= START * order.n)
        if most < 0 or not tested.any():
            positions.append(None)
            most = -1
            continue
        first = int(np.argmax(tested))
        right = order.effective * order.right / order.count
        p: Any = betainc(np.maximum(right, 1e-9), order.effective - right + 1, target)  # P(Binomial >= right)
        failed = np.append(p[first:] > stats.LEVEL, True)
        last = min(first + int(np.argmax(failed)) - 1, most)
        most = last if last >= first else -1
        positions.append(most if most >= 0 else None)
    return positions

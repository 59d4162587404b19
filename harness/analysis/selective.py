"""What share of the answers can go out without a person reading them: those above a threshold of confidence.

As seen on the test set, and guaranteed: with a threshold chosen so that precision holds on new answers too.
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
START = 0.10  # of the answers: no guarantee is sought for less, so that one slip at the top does not end the search

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """Answers as numbers, one an answer, all [n].

    `confidence` is a probability, NaN where the answer has none. `right` is 1.0 or 0.0. `read` says whether the answer
    could be parsed. `groups` are what errors are clustered on.
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
class Automated:
    """The largest part that holds a precision: as seen on the test set, and guaranteed (see `guaranteed`); or None."""

    target: float
    observed: Part | None
    guaranteed: Part | None


@dataclass(frozen=True)
class Prefixes:
    """The most confident answers above every possible threshold, from the highest on, all [thresholds].

    `count` of them and how many are `right`; `effective` is how many independent answers they are worth. `n` are all
    answers of the test set. A threshold never falls between answers of like confidence.
    """

    threshold: Floats
    count: Whole
    right: Floats
    effective: Floats
    n: int


def prefixes(judged: Judged) -> Prefixes:
    """Return the answers that can be automated, most confident first, at every threshold.

    The effective number is Kish's (1965), count / (1 + (m - 1) rho), with m the mean size of a group, within the
    part, as an answer sees it. rho, the correlation of right and wrong within groups, is taken to be the same in
    every part and estimated on the whole test set; where all are right or all wrong nothing can be estimated, and it
    is 1: each group is one observation.
    """
    usable = np.flatnonzero(judged.read & ~np.isnan(judged.confidence))
    order = usable[np.argsort(-judged.confidence[usable], kind="stable")]
    sure, count = judged.confidence[order], np.arange(1, len(order) + 1)
    pairs = np.cumsum([2 * earlier + 1 for earlier in _earlier([judged.groups[i] for i in order])])
    effective = count / (1 + (pairs / count - 1) * _correlation(judged)) if len(order) else np.zeros(0)
    last = np.flatnonzero(np.append(sure[1:] < sure[:-1], [True] * bool(len(sure))))
    return Prefixes(
        threshold=sure[last],
        count=count[last],
        right=np.cumsum(judged.right[order])[last],
        effective=np.maximum.accumulate(effective)[last] if len(order) else effective,  # more answers never tell less
        n=len(judged.right),
    )


def _earlier(groups: Sequence[Hashable]) -> list[int]:
    """Return how many of the same group stand before each item."""
    seen: dict[Hashable, int] = {}
    found = []
    for group in groups:
        found.append(seen.get(group, 0))
        seen[group] = found[-1] + 1
    return found


def _correlation(judged: Judged) -> float:
    """Return the correlation of right and wrong within groups, from the design effect of the share right."""
    n, share = len(judged.right), float(judged.right.mean())
    size = sum(2 * earlier + 1 for earlier in _earlier(judged.groups)) / n
    if size == 1:
        return 0.0
    if not 0 < share < 1 or size == n:
        return 1.0
    design = stats.standard_error(judged.right.tolist(), judged.groups) ** 2 / (share * (1 - share) / (n - 1))
    return min(1.0, max(0.0, (design - 1) / (size - 1)))


def risk_coverage_area(judged: Judged) -> float:
    """Return the area under the curve of risk over coverage: the mean share wrong over all numbers of answers given.

    The most confident are given first, those that can never be automated last; answers of like confidence count as
    being given in random order. Geifman and El-Yaniv 2017.
    """
    key = np.where(judged.read & ~np.isnan(judged.confidence), judged.confidence, -1.0)
    _, place, size = np.unique(-key, return_inverse=True, return_counts=True)
    mean = np.bincount(place, weights=judged.right) / size
    given = np.arange(1, len(key) + 1)
    return float(np.mean(1 - np.cumsum(np.repeat(mean, size)) / given))


def automated(
    judged: Judged, targets: Sequence[float] = TARGETS, *, order: Prefixes | None = None
) -> tuple[Automated, ...]:
    """Return the largest part that holds each precision, targets in ascending order; `order`, where it is at hand."""
    order = prefixes(judged) if order is None else order
    sure = guaranteed(order, targets)
    found = []
    for target, place in zip(sorted(targets), sure, strict=True):
        holds = np.flatnonzero(order.right >= target * order.count - 1e-9)
        seen = _part(order, int(holds[-1])) if len(holds) else None
        found.append(Automated(target, seen, None if place is None else _part(order, place)))
    return tuple(found)


def _part(order: Prefixes, place: int) -> Part:
    return Part(float(order.count[place] / order.n), float(order.threshold[place]))


def guaranteed(order: Prefixes, targets: Sequence[float] = TARGETS) -> list[int | None]:
    """Return, for each target in ascending order, the lowest threshold above which precision is shown to hold.

    Shown means: were the test set drawn again and again, for at most 5 % of test sets (for each target) the precision
    on new answers above the threshold found would be below the target. A threshold chosen by looking, as `observed`
    is, has no such property: it is the luckiest of many.

    Thresholds are tested from the highest on, and the first that fails ends the search (fixed-sequence testing, which
    needs no correction: Angelopoulos et al. 2021, "Learn then test"). Each test is exact: precision is
    below the target unless the lower bound of Clopper and Pearson (1934) at 95 %, one-sided, lies above it. The
    search begins at `START` of the answers, or where so few answers could show anything: 59 for 95 %, 299 for 99 %,
    all of them right.

    What is assumed: that new answers are drawn like those of the test set; that for the first threshold tested,
    precision does not rise where confidence falls; and of answers that share a group, that their effective number
    (see `prefixes`) stands for their number, as in Korn and Graubard's (1998) form of the bound. That is an
    approximation: exact are groups of one. A higher target never gets a larger part than a lower one: it is then cut,
    which is always allowed.

    Returns:
        places in `order`, None where no part is shown to hold the target.
    """
    from scipy.special import betainc

    found: list[int | None] = []
    most = len(order.count) - 1
    for target in sorted(targets):
        tested = (order.effective >= math.log(stats.LEVEL) / math.log(target)) & (order.count >= START * order.n)
        if most < 0 or not tested.any():
            found.append(None)
            most = -1
            continue
        first = int(np.argmax(tested))
        right = order.effective * order.right / order.count
        p: Any = betainc(np.maximum(right, 1e-9), order.effective - right + 1, target)  # P(Binomial >= right)
        failed = np.append(p[first:] > stats.LEVEL, True)
        last = min(first + int(np.argmax(failed)) - 1, most)
        most = last if last >= first else -1
        found.append(most if most >= 0 else None)
    return found

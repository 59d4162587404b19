"""Checks for copies that are stirred: noise on each likelihood, another scale, a mean of two runs, single answers taken over.

Runs are compared by the relative difference of their log-likelihoods after the best common factor, as its median over all
options. Honest runs of `tiny` give these numbers (`cfa`, 300 and 150 questions; `lora`, `qlora` and `full` with three seeds):

- Two seeds of a row differ by 12 % and more of what training changed, `lora` and `qlora` with one seed by 7 %. Below 4 % is
  a copy, with or without a factor. Variants of a method with one seed are only compared if one of them has 4-bit weights.
- Noise is independent for each option, while honest differences are shared by the options of a question: their intraclass
  correlation is 0.11 and more. In a row of three seeds or more, a pair at less than half the usual distance with a
  correlation below 0.08 is a copy with noise.
- What training changes is alike in all seeds: correlations of 0.97 and more. A row near the base model of which the seeds
  have less than 0.3 in common is the base row with noise.
- A linear combination of two seeds is 23 % of what training changed away from a third one, and more. Below 3 % is a mean.
- No two trained runs have a question with the same log-likelihoods to the last digit.
- Up to 15 % of the wrong texts are equal in two runs. Above 90 %, with many different texts among them, is a copy.

Other models were not measured, so their limits are those of `likeness.limit` or narrower. Texts of the base row, and
answers of which a model is certain, are equal in honest runs.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import HarnessError
from harness.record import Answer, RunSpec
from harness.store.records import Run
from harness.verify import replay
from harness.verify.check import Check, check
from harness.verify.checks.answers.likeness import are_variants, is_calibrated, limit, may_be_equal
from harness.verify.checks.record.settings import find

STIRRED = "no run's likelihoods are another's with noise or another scale"
SINGLE = "no answers of a run are another's"
WRITTEN = "every run has likelihoods of its texts if others have"
NEAR = 0.04  # of what training changed
FEW_SHOTS = 0.15  # the same for rows with examples in the prompt; honest ones: 0.8 and more
OTHER_SHOTS = 0.01  # the same for other models, in which the form of all examples may change most
USUAL = 0.5  # of the distance of a row's seeds
OTHER_USUAL = 0.2  # the same for other models
SHARED = 0.08  # intraclass correlation of differences within a question
EFFECT = 0.3  # correlation of what training changed in two seeds
CLOSE = 0.03  # relative difference from the base row that noise may make
MEAN = 0.03  # of what training changed, for a combination of two runs
OTHER_MEAN = 0.25  # of the distance from the nearer of the two, for other models
ROUNDING = replay.AVERAGE["bf16"]  # nats by which rounding may move a likelihood
CERTAIN = -0.01  # nats of the best option, above which it has few digits
MIN_VALUES = 60
MIN_NATS = 0.05  # of the median likelihood, below which relative differences say nothing
MOST_EQUAL = 2  # questions with equal likelihoods
MIN_WRONG, MIN_TEXTS, TEXT_SHARE = 30, 15, 0.9
PACKED_BITS = 5  # a method with fewer bits a frozen weight computes with rounded weights


@dataclass(frozen=True)
class Values:
    """A run's answers by id in order, and the log-likelihoods of all their options."""

    spec: RunSpec
    answers: tuple[Answer, ...]
    nats: np.ndarray

    @property
    def name(self) -> str:
        """The run's name in a fault."""
        return f"{self.spec.id} ({self.spec.task} {self.spec.model} {self.spec.name} seed {self.spec.seed})"


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the checks of the likelihoods and texts of all runs of a publication against each other."""
    groups: defaultdict[Hashable, list[Values]] = defaultdict(list)
    for run in runs:
        spec = run.record.spec
        if run.record.status == "ok" and (answers := _answers(run)):
            ids = hash(tuple((answer.id, len(answer.loglik)) for answer in answers))
            nats = np.array([value for answer in answers for value in answer.loglik])
            groups[(spec.task, spec.data, spec.scoring, spec.model, spec.model_revision, ids)].append(
                Values(spec, answers, nats)
            )
    stirred = [fault for group in groups.values() for fault in _stirred_faults(group)]
    single = [fault for group in groups.values() for fault in _single_faults(group)]
    return [check(STIRRED, stirred), check(SINGLE, single), check(WRITTEN, list(_written_faults(runs)))]


def _written_faults(runs: Sequence[Run]) -> Iterable[str]:
    """Yield a fault for each run without likelihoods of its texts, if others by the same code have them."""
    groups: defaultdict[Hashable, dict[bool, list[RunSpec]]] = defaultdict(lambda: {True: [], False: []})
    for run in runs:
        spec, answers = run.record.spec, _answers(run)
        if spec.scoring == "generate" and run.record.status == "ok" and any(answer.text for answer in answers):
            key = (spec.task, spec.model, run.record.environment.commit)
            groups[key][any(answer.loglik for answer in answers)].append(spec)
    for group in groups.values():
        if group[True]:
            yield from (f"{spec.id} ({spec.task} {spec.name} seed {spec.seed})" for spec in group[False])


def _answers(run: Run) -> tuple[Answer, ...]:
    try:
        return tuple(sorted(run.answers(), key=lambda answer: answer.id))
    except (HarnessError, OSError):
        return ()


def _stirred_faults(group: Sequence[Values]) -> Iterable[str]:
    """Yield the faults of runs that answered the same questions, with the base row as the state before training."""
    base = next((run for run in group if run.spec.method == "base"), None)
    if base is None or not _is_comparable(base):
        return
    runs = [run for run in group if _differs(run.spec) and _is_comparable(run)]
    pairs = [pair for pair in itertools.combinations(runs, 2) if _must_differ(*pair)]
    apart = [_apart(a.nats, b.nats) / max(_change(a, base), _change(b, base), 1e-12) for a, b in pairs]
    trained = [share for (first, _), share in zip(pairs, apart, strict=True) if first.spec.train_examples]
    usual = statistics.median(trained) if trained else 0.0
    for (first, second), share in zip(pairs, apart, strict=True):
        if share < _limit(first.spec, usual):
            yield f"{first.name} and {second.name}"
    rows: defaultdict[RunSpec, list[Values]] = defaultdict(list)
    for run in runs:
        if run.spec.train_examples:
            rows[replace(run.spec, seed=0)].append(run)
    for row in rows.values():
        yield from _noise_faults(row)
        yield from _mean_faults(row, base)
        yield from _idle_faults(row, base)


def _differs(spec: RunSpec) -> bool:
    """Return whether another seed gives a run of this method other likelihoods."""
    method = find(spec.method)
    return bool(spec.train_examples) or bool(method and method.shots)


def _is_comparable(run: Values) -> bool:
    finite = len(run.nats) >= MIN_VALUES and bool(np.isfinite(run.nats).all())
    return finite and float(np.median(np.abs(run.nats))) >= MIN_NATS


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Return the median relative difference of two runs after the best common factor."""
    usable = np.abs(second) > 1e-6
    ratio = first[usable] / second[usable]
    middle = float(np.median(ratio)) if ratio.size else 0.0
    return float(np.median(np.abs(ratio / middle - 1))) if middle > 0 else 1.0


def _change(run: Values, base: Values) -> float:
    usable = np.abs(base.nats) > 1e-6
    return float(np.median(np.abs(run.nats[usable] / base.nats[usable] - 1))) if usable.any() else 0.0


def _must_differ(first: Values, second: Values) -> bool:
    """Return whether two honest runs are as far apart as two seeds."""
    if may_be_equal(first.spec, second.spec) or bool(first.spec.train_examples) != bool(second.spec.train_examples):
        return False
    return not are_variants(first.spec, second.spec) or _one_is_packed(first.spec, second.spec)


def _limit(spec: RunSpec, usual: float) -> float:
    if spec.train_examples:
        return limit(spec, NEAR, usual)
    return FEW_SHOTS if is_calibrated(spec) else OTHER_SHOTS


def _one_is_packed(first: RunSpec, second: RunSpec) -> bool:
    bits = [method.frozen_bits for spec in (first, second) if (method := find(spec.method))]
    return len(bits) == 2 and 0 < min(bits) <= PACKED_BITS < max(bits)


def _noise_faults(row: Sequence[Values]) -> Iterable[str]:
    """Yield a fault for each pair of seeds that differ by half of the usual or less, each option by itself."""
    pairs = list(itertools.combinations(row, 2))
    if len(pairs) < 3:
        return
    apart = [_apart(first.nats, second.nats) for first, second in pairs]
    for (first, second), distance in zip(pairs, apart, strict=True):
        share = USUAL if is_calibrated(first.spec) else OTHER_USUAL
        if distance < share * float(np.median(apart)) and abs(_shared(first, second)) < SHARED:
            yield f"{first.name} and {second.name}"


def _shared(first: Values, second: Values) -> float:
    """Return the intraclass correlation of relative differences, with the options of a question as a class."""
    count = Counter(len(answer.loglik) for answer in first.answers).most_common(1)[0][0]
    if count < 2:
        return 1.0
    pairs = [(a.loglik, b.loglik) for a, b in zip(first.answers, second.answers, strict=True) if len(a.loglik) == count]
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    ratio = a / np.minimum(b, -1e-6)
    differences = ratio - np.median(ratio)
    limit = 5 * float(np.median(np.abs(differences)))
    differences = np.clip(differences, -limit, limit)
    between, within = differences.mean(axis=1).var(ddof=1), differences.var(axis=1, ddof=1).mean()
    common = between - within / count
    return float(common / (common + within)) if common + within > 0 else 1.0


def _mean_faults(row: Sequence[Values], base: Values) -> Iterable[str]:
    """Yield a fault for each seed that is a linear combination of two others."""
    for run in row:
        others = [other for other in row if other is not run]
        for first, second in itertools.combinations(others, 2):
            sides = np.stack([first.nats, second.nats], axis=1)
            weights = np.linalg.lstsq(sides, run.nats, rcond=None)[0]
            rest = np.median(np.abs(sides @ weights - run.nats) / np.maximum(np.abs(run.nats), 1e-6))
            nearer = min(_apart(run.nats, first.nats), _apart(run.nats, second.nats))
            room = math.inf if is_calibrated(run.spec) else OTHER_MEAN * nearer
            if rest < min(MEAN * _change(run, base), room):
                yield f"{run.name} is a combination of {first.name} and {second.name}"


def _idle_faults(row: Sequence[Values], base: Values) -> Iterable[str]:
    """Yield a fault for a row whose seeds are near the base row and have nothing in common beside it."""
    near = [run for run in row if _change(run, base) < CLOSE and _is_more_than_rounding(run, base)]
    effects = [run.nats - base.nats for run in near]
    alike = [float(np.corrcoef(a, b)[0, 1]) for a, b in itertools.combinations(effects, 2) if a.any() and b.any()]
    if alike and max(alike) < EFFECT:
        yield f"{near[0].name} and {base.name}"


def _is_more_than_rounding(run: Values, base: Values) -> bool:
    return is_calibrated(run.spec) or float(np.abs(run.nats - base.nats).mean()) > ROUNDING


def _single_faults(group: Sequence[Values]) -> Iterable[str]:
    """Yield a fault for each pair of trained runs with single answers in common that no two runs share."""
    trained = [run for run in group if run.spec.train_examples]
    base = next((run.answers for run in group if run.spec.method == "base"), ())
    for first, second in itertools.combinations(trained, 2):
        if may_be_equal(first.spec, second.spec):
            continue
        pairs = list(zip(first.answers, second.answers, strict=True))
        same = sum(a.loglik == b.loglik and _is_precise(a.loglik) for a, b in pairs)
        if same > MOST_EQUAL:
            yield f"{same} likelihoods of {first.name} and {second.name}"
        elif first.spec.scoring == "generate" and _same_texts(pairs, [answer.text for answer in base]):
            yield f"texts of {first.name} and {second.name}"


def _is_precise(values: Sequence[float]) -> bool:
    """Return whether likelihoods have so many digits that two runs cannot share them by chance."""
    return max(values, default=0.0) < CERTAIN and any(len(f"{value:.17g}".lstrip("-0.")) > 9 for value in values)


def _same_texts(pairs: Sequence[tuple[Answer, Answer]], base: Sequence[str]) -> bool:
    """Return whether nearly all wrong texts are equal; those that the base row has, too, do not count."""
    texts: Sequence[str | None] = base if len(base) == len(pairs) else [None] * len(pairs)
    wrong = [
        (a.text, b.text)
        for (a, b), text in zip(pairs, texts, strict=True)
        if a.target not in (a.parsed, b.parsed) and text not in (a.text, b.text)
    ]
    equal = [a for a, b in wrong if a == b]
    return len(wrong) >= MIN_WRONG and len(equal) > TEXT_SHARE * len(wrong) and len(set(equal)) >= MIN_TEXTS

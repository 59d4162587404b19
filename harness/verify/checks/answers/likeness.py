"""Checks for one run published as several: as another rank, method, seed or model, also with small changes.

Two trained runs differ in their likelihoods, because order, initial weights or trained weights differ. The difference
of two runs (root mean square, options centred by question) is at least 4.6 % of what training changed, after a tenth of
an epoch or more. Less than 3 % is a copy with noise. Variants of a method take the same steps in other arithmetic, such as
`full` and `full8`: with one seed and one rank they differ by 0.7 % and more, and less than 0.2 % is a copy. A measured time has nine digits or more, so two runs that share one share its origin.

These numbers are those of the embedded model. In larger models seeds may differ less (a short training of many layers
averages over them), so there a pair must also be closer than a third of the usual pair of its table, or closer than any
two runs compute (`SURE`). Answers of which a model is certain say nothing: all good models give them.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import HarnessError
from harness.record import Answer, Record, RunSpec
from harness.store import records
from harness.store.records import Run
from harness.verify import embedded, replay
from harness.verify.check import Check, check
from harness.verify.checks.record.settings import find

UNTRAINED = "untrained rows of a model have the same likelihoods"
COPIES = "no run's likelihoods are another's"
TRUNCATED = "test inputs are truncated alike"
MEASURED = "no run's measurements are another's"
TRAINED_SHARE = 0.03  # of what training changed; honest pairs: 0.046 and more
VARIANT_SHARE = 0.002  # the same for variants of a method; honest pairs: 0.007 and more
SPREAD_SHARE = 0.005  # of the spread of likelihoods, if there is no base row or the other run is the base row
SURE = 0.005  # as TRAINED_SHARE, for models of which no honest pairs were measured
OUTLIER = 1 / 3  # of the usual pair, for these models
OTHER_VARIANTS, OTHER_SPREAD = 0.0005, 0.001  # as VARIANT_SHARE and SPREAD_SHARE, for these models
UNCERTAIN = -0.5  # nats of a text of which a model is not certain
LEAST_LOSS = 1e-3  # nats; a smaller one has few digits in fp32
TEXT_SHARE = 0.85  # of texts that are equal and equally likely; honest pairs that trained: 0.05 and less
TEXT_NEAR = 0.05  # nats by which a text's likelihood may differ in a copy
MIN_LETTERS = 20  # questions with a likelihood, at least, to compare
COMPUTED = ("loss", "weights")  # equal in runs that differ in memory or speed only
SAME_WORK = {"micro_batch": 0, "checkpointing": False, "probes": (), "device": "cpu"}


@dataclass(frozen=True)
class Likelihoods:
    """A run's likelihoods in one vector, those of a question's options centred; its texts, and each text's likelihood."""

    run: Run
    values: np.ndarray
    texts: tuple[tuple[str, float], ...]

    @property
    def spec(self) -> RunSpec:
        """The run's spec."""
        return self.run.record.spec


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the checks of all pairs of runs of a publication."""
    finished = [run for run in runs if run.record.status == "ok"]
    return [
        check(UNTRAINED, list(_untrained_faults(finished))),
        check(COPIES, list(_copy_faults(finished))),
        check(TRUNCATED, list(_truncation_faults(finished))),
        check(MEASURED, list(_measurement_faults([run.record for run in finished]))),
    ]


def _copy_faults(runs: Sequence[Run]) -> Iterable[str]:
    groups: defaultdict[Hashable, list[Likelihoods]] = defaultdict(list)
    for run in runs:
        spec, answers = run.record.spec, _answers(run)
        ids = hash(tuple(sorted(answer.id for answer in answers)))
        groups[(spec.task, spec.data, spec.scoring, ids)].append(likelihoods(run, answers))
    for group in groups.values():
        bases = {model(run.spec): run for run in reversed(group) if run.spec.method == "base"}
        pairs = [pair for pair in itertools.combinations(group, 2) if not may_be_equal(pair[0].spec, pair[1].spec)]
        apart = [_effect_share(first, second, bases.get(model(first.spec))) for first, second in pairs]
        shares = [share for share in apart if share is not None]
        usual = statistics.median(shares) if shares else 0.0
        for first, second in pairs:
            if is_copy(first, second, bases.get(model(first.spec)), usual):
                yield f"{first.spec.id} ({_name(first.spec)}) and {second.spec.id} ({_name(second.spec)})"


def _untrained_faults(runs: Sequence[Run]) -> Iterable[str]:
    """Yield a fault for each run without training whose likelihoods are not those of another of the same model.

    The likelihoods are those before a prior is subtracted, so calibrated rows have the base row's.
    """
    origins: dict[Hashable, tuple[RunSpec, Mapping[str, tuple[float, ...]]]] = {}
    for run in runs:
        spec, method = run.record.spec, find(run.record.spec.method)
        if spec.train_examples or method is None or method.shots or spec.scoring != "choices":
            continue
        validation = _answers(run, records.VALIDATION) if run.record.validation else ()
        for split, answers in (("test", _answers(run)), ("validation", validation)):
            nats = {answer.id: (*answer.loglik, *answer.end_loglik) for answer in answers}
            if not nats:
                continue
            model = (spec.model, spec.model_revision, spec.serving, spec.max_tokens, spec.dtype)
            key: Hashable = (split, spec.task, spec.data, *model)
            first, before = origins.setdefault(key, (spec, nats))
            if not _are_near(before, nats, spec.dtype):
                yield f"{first.id} ({_name(first)}) and {spec.id} ({_name(spec)}), {split} questions"


def _are_near(first: Mapping[str, tuple[float, ...]], second: Mapping[str, tuple[float, ...]], dtype: str) -> bool:
    """Return whether the likelihoods of common questions are equal up to what another machine computes, see `replay`."""
    pairs = [(first[name], values) for name, values in second.items() if name in first]
    if any(len(a) != len(b) for a, b in pairs):
        return False
    gaps = [abs(x - y) for a, b in pairs for x, y in zip(a, b, strict=True)]
    return not gaps or (max(gaps) <= replay.LARGEST[dtype] and math.fsum(gaps) <= replay.AVERAGE[dtype] * len(gaps))


def _truncation_faults(runs: Sequence[Run]) -> Iterable[str]:
    """Yield a fault for each run that cut other tokens of a test input than a run of the same model and prompts."""
    origins: dict[Hashable, tuple[RunSpec, dict[str, int]]] = {}
    for run in runs:
        spec, method = run.record.spec, find(run.record.spec.method)
        if method is None or method.shots:
            continue
        cuts = {answer.id: answer.cut_tokens for answer in _answers(run)}
        key = (spec.task, spec.data, spec.scoring, spec.model, spec.model_revision, spec.serving, spec.max_tokens)
        first, before = origins.setdefault(key, (spec, cuts))
        if any(before.get(name, count) != count for name, count in cuts.items()):
            yield f"{first.id} ({_name(first)}) and {spec.id} ({_name(spec)})"


def _name(spec: RunSpec) -> str:
    return f"{spec.task} {spec.model} {spec.name} seed {spec.seed}"


def model(spec: RunSpec) -> tuple[str, str]:
    """Return name and revision of a run's model."""
    return (spec.model, spec.model_revision)


def is_calibrated(spec: RunSpec) -> bool:
    """Return whether honest runs of a model were measured for the thresholds: those of the embedded one."""
    return spec.model == embedded.NAME


def limit(spec: RunSpec, calibrated: float, usual: float) -> float:
    """Return the share of what training changed below which a pair is a copy; `usual` is the median of all pairs."""
    return calibrated if is_calibrated(spec) else min(calibrated, max(SURE, OUTLIER * usual))


def _answers(run: Run, name: str = records.ANSWERS) -> Sequence[Answer]:
    try:
        answers = run.answers() if name == records.ANSWERS else records.read_answers(run.folder, name)
        return sorted(answers, key=lambda answer: answer.id)
    except (HarnessError, OSError):
        return ()


def likelihoods(run: Run, answers: Sequence[Answer]) -> Likelihoods:
    """Return a run's likelihoods, in the order of the answers' ids."""
    values: list[float] = []
    for answer in answers:
        middle = sum(answer.loglik) / len(answer.loglik) if len(answer.loglik) > 1 else 0.0
        values.extend(value - middle for value in answer.loglik)
    texts = tuple((answer.text, answer.loglik[0] if len(answer.loglik) == 1 else 0.0) for answer in answers)
    return Likelihoods(run, np.array(values), texts)


def may_be_equal(first: RunSpec, second: RunSpec) -> bool:
    """Return whether two runs may have the same answers: they differ in memory or speed only, neither trained, or there is no model."""
    if first.challenger or second.challenger:  # a challenger answers alike beside every model
        return True
    if replace(first, **SAME_WORK) == replace(second, **SAME_WORK):  # type: ignore[arg-type]
        return True
    methods = [find(spec.method) for spec in (first, second)]
    shots = [method.shots if method else 0 for method in methods]
    untrained = not first.train_examples and not second.train_examples
    return untrained and model(first) == model(second) and not any(shots)


def _effect_share(first: Likelihoods, second: Likelihoods, base: Likelihoods | None) -> float | None:
    """Return how far two trained runs are apart, as a share of what training changed; None if that is not known."""
    trained = bool(first.spec.train_examples and second.spec.train_examples)
    if not trained or base is None or not len(base.values) == len(first.values) == len(second.values) >= MIN_LETTERS:
        return None
    effect = max(_size(run.values - base.values) for run in (first, second))
    return _size(first.values - second.values) / effect if effect > 0 else 0.0


def is_copy(first: Likelihoods, second: Likelihoods, base: Likelihoods | None, usual: float = 0.0) -> bool:
    """Return whether two runs are closer to each other than honest runs are.

    Args:
        first: a run.
        second: another one.
        base: their model without training.
        usual: the median of all pairs of trained runs, as a share of what training changed.
    """
    if first.spec.scoring == "generate":
        return _same_texts(first, second, base)
    if len(first.values) != len(second.values) or len(first.values) < MIN_LETTERS:
        return False
    calibrated = is_calibrated(first.spec) and is_calibrated(second.spec)
    share = _effect_share(first, second, base)
    if share is None:
        spread = max(_size(first.values), _size(second.values))
        return _size(first.values - second.values) < (SPREAD_SHARE if calibrated else OTHER_SPREAD) * spread
    if are_variants(first.spec, second.spec):
        return share < (VARIANT_SHARE if calibrated else OTHER_VARIANTS)
    return share < limit(first.spec, TRAINED_SHARE, usual)


def are_variants(first: RunSpec, second: RunSpec) -> bool:
    """Return whether two methods, with one seed and one rank, may take nearly the same steps."""
    methods = [find(spec.method) for spec in (first, second)]
    alike = (first.seed, first.rank) == (second.seed, second.rank) and first.method != second.method
    return alike and len({method.adapter if method else None for method in methods}) == 1


def _size(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _same_texts(first: Likelihoods, second: Likelihoods, base: Likelihoods | None) -> bool:
    """Return whether most texts are equal and equally likely; of other models without certain ones and the base row's."""
    pairs = list(zip(first.texts, second.texts, strict=False))
    if len(first.texts) != len(second.texts) or not any(text[1] for text in first.texts):
        return False
    if not (is_calibrated(first.spec) and is_calibrated(second.spec)):
        usual = base.texts if base is not None and len(base.texts) == len(pairs) else [("", 0.0)] * len(pairs)
        pairs = [
            (a, b)
            for (a, b), c in zip(pairs, usual, strict=True)
            if min(a[1], b[1]) < UNCERTAIN and not a[0] == b[0] == c[0]
        ]
    near = sum(a[0] == b[0] and abs(a[1] - b[1]) < TEXT_NEAR for a, b in pairs)
    return len(pairs) >= MIN_LETTERS and near >= TEXT_SHARE * len(pairs)


def _measurement_faults(finished: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each measurement that two runs share to the last digit."""
    origins: dict[tuple[str, object], RunSpec] = {}
    for record in finished:
        for name, value in _measurements(record).items():
            first = origins.setdefault((name.partition(" ")[0], value), record.spec)
            if replace(first, engine="") == replace(record.spec, engine=""):
                continue  # one training, answered by two engines
            if not (name in COMPUTED and may_be_equal(first, record.spec)):
                yield f"{name} {value!r} of {first.id} ({_name(first)}) and {record.spec.id} ({_name(record.spec)})"


def _measurements(record: Record) -> dict[str, object]:
    """Return measured numbers of so many digits that no other run has the same, and the checksums of steps and weights."""
    spec, values = record.spec, {"seconds": record.seconds}
    if spec.epochs * spec.train_examples > spec.batch_size:  # the loss of a first step is the base model's
        loss = record.final_loss or 0.0
        values["loss"] = loss if loss > LEAST_LOSS else 0.0
    if record.cost:
        values |= {f"seconds of {name}": phase.seconds for name, phase in record.cost.phases.items()}
        values["rate"] = record.cost.train_tokens_per_second
    digits = {name: value for name, value in values.items() if len(f"{value:.17g}".lstrip("-0.")) > 9}
    checksums = {"steps": record.steps_sha256, "weights": record.adapter_sha256}
    return digits | {name: value for name, value in checksums.items() if value}

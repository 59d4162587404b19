"""Checks of rows against each other: what is the same for all runs of a task's data or of a model must be equal.

The same examples have the same counts, the same tokens and the same cut inputs, whatever trains. The same model has the
same weights. Seeds of a row differ in their luck, not in their size. A table has its base row, and methods that were
tried with several ranks have the same ranks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace

from harness.record import Record
from harness.verify.check import Check, check
from harness.verify.checks.record.settings import find
from harness.verify.checks.record.shape import FAMILY

COUNTS = "runs on the same data have the same counts"
TOKENS = "runs on the same data have the same tokens"
CUTS = "runs on the same data have the same truncated inputs"
WEIGHTS = "rows of a model have the same weights"
SIZES = "seeds of a row have the same sizes"
PREDICTED = "predicted peaks agree with each other and with the measured ones"
BASE = "every table has its base row"
RANKS = "methods with several ranks have the same ranks"
VALIDATION = "untrained rows answered the same validation questions"
DEFAULT_PAIR = {"lora", "qlora"}  # rows of every default run, with the same ranks
FACTOR = 2.0  # by which a prediction, or peaks of a row's seeds, may differ
CPU_FACTOR = 1.2  # the same for predictions on the CPU, where the bytes are counted; honest ones: 1.06 and less
ALIKE = 1.1  # factor between predictions for seeds of a row, if several commands ran them; honest ones: 1.06 and less
NEAR = 0.01  # share by which files of adapters of one size may differ, in the names of their tensors

Key = Callable[[Record], Hashable]
Value = Callable[[Record], object]


def publication_checks(records: Sequence[Record]) -> list[Check]:
    """Return the checks of all runs of a publication against each other."""
    finished = [record for record in records if record.status == "ok" and record.cost is not None]
    return [
        check(COUNTS, _count_faults(records)),
        check(TOKENS, _token_faults(finished)),
        check(CUTS, _cut_faults(finished)),
        check(WEIGHTS, _weight_faults(finished)),
        check(SIZES, _size_faults(finished)),
        check(PREDICTED, _prediction_faults(finished)),
        check(BASE, _base_faults(records)),
        check(RANKS, _rank_faults(records)),
        check(VALIDATION, _validation_faults(finished)),
    ]


def _data(record: Record) -> tuple[Hashable, ...]:
    spec = record.spec
    return (spec.task, spec.data, spec.scoring)


def _name(record: Record) -> str:
    return f"{record.spec.task} {record.spec.model} {record.spec.name} seed {record.spec.seed}"


def _unequal(records: Iterable[Record], key: Key, value: Value, words: str) -> list[str]:
    """Return a fault for each group of records, by key, that has several values."""
    groups: defaultdict[Hashable, dict[object, Record]] = defaultdict(dict)
    for record in records:
        groups[key(record)].setdefault(value(record), record)
    return [
        f"{words}: " + ", ".join(f"{number:,}" if isinstance(number, int) else str(number) for number in values)
        + f" ({', '.join(_name(record) for record in list(values.values())[:2])})"
        for values in groups.values()
        if len(values) > 1
    ]  # fmt: skip


def _trained(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.spec.train_examples]


def _count_faults(records: Sequence[Record]) -> list[str]:
    faults = _unequal(records, _data, lambda r: r.spec.test_examples, "test examples")
    faults += _unequal(_trained(records), _data, lambda r: r.spec.train_examples, "training examples")
    faults += _unequal(records, _data, lambda r: r.spec.max_new_tokens, "tokens of an answer")
    faults += _unequal(records, _data, lambda r: r.spec.task_version, "versions of the task")
    finished = [record for record in records if record.status == "ok"]
    return faults + _unequal(finished, _data, lambda r: (r.chance, r.guess), "guessing")


def reader(record: Record) -> tuple[Hashable, ...]:
    """Return what decides the tokens of a run's prompts: data, model, length, and what its method adds to them."""
    spec, method = record.spec, find(record.spec.method)
    seed = spec.seed if method and method.shots else -1
    added = (method.shots, method.calibration) if method else spec.method
    return (*_data(record), spec.model, spec.model_revision, spec.serving, spec.max_tokens, added, seed)


def _token_faults(records: Sequence[Record]) -> list[str]:
    by_epoch = [r for r in _trained(records) if r.spec.epochs >= 1 and r.spec.epochs.is_integer() and not r.spec.rounds]
    faults = _unequal(
        by_epoch,
        lambda r: (*reader(r), r.spec.train_examples, r.spec.joined),
        lambda r: r.cost and r.cost.train_tokens / r.spec.epochs,
        "training tokens of an epoch",
    )
    scored = [r for r in records if r.spec.scoring != "generate"]
    faults += _unequal(scored, reader, lambda r: r.cost and _tokens(r), "tokens of the test")
    generated = [r for r in records if r.spec.scoring == "generate"]
    groups: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in generated:
        groups[reader(record)].append(record)
    for group in groups.values():
        counts = [_tokens(record) for record in group]
        room = group[0].spec.test_examples * (group[0].spec.max_new_tokens + 1)
        if max(counts) - min(counts) > room:
            faults.append(f"tokens of the test: {min(counts):,} to {max(counts):,}, at most {room:,} are written")
    return faults


def _tokens(record: Record) -> int:
    phase = record.cost.phases.get("evaluate") if record.cost else None
    return phase.tokens if phase else 0


def _cut_faults(records: Sequence[Record]) -> list[str]:
    trained = [r for r in _trained(records) if not r.spec.joined]
    faults = _unequal(trained, reader, lambda r: r.cut_examples, "truncated inputs with training")
    return faults + _unequal(
        (r for r in records if not r.spec.train_examples), reader, lambda r: r.cut_examples, "truncated test inputs"
    )


def _model(record: Record) -> tuple[Hashable, ...]:
    return (record.spec.model, record.spec.model_revision)


def _weight_faults(records: Sequence[Record]) -> list[str]:
    """Return faults of counts and bytes that a model, a precision or an adapter decides, in all tasks together."""
    fresh = [r for r in records if not r.spec.start and not r.spec.challenger]
    faults = _unequal(fresh, _model, lambda r: r.cost and r.cost.weights, "weights of the model")
    family = [r for r in fresh if r.spec.method in FAMILY and r.spec.rank]
    faults += _unequal(
        family, _model, lambda r: r.cost and r.cost.trained_weights / r.spec.rank, "trained weights for each rank"
    )
    faults += _frozen_faults(fresh)
    groups: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in family:
        groups[(*_model(record), record.spec.rank)].append(record)
    for group in groups.values():
        sizes = [record.cost.adapter_bytes for record in group if record.cost]
        if max(sizes) > min(sizes) * (1 + NEAR):
            faults.append(f"bytes of adapters of one size: {min(sizes):,} to {max(sizes):,} ({_name(group[0])})")
    return faults


def _frozen_faults(records: Sequence[Record]) -> list[str]:
    """Return faults of the bytes that do not train: equal for all ranks of a method, and for LoRA as for base."""

    def frozen(record: Record) -> int:
        cost = record.cost
        assert cost is not None
        return cost.weights_bytes - (cost.parts.trained_weights if cost.parts else 0)

    def setting(record: Record) -> tuple[Hashable, ...]:
        return (*_model(record), record.spec.dtype, record.spec.device)

    plain = [r for r in records if not r.spec.train_examples or r.spec.method in ("lora", "lora+", "rslora")]
    ranked = [r for r in records if r.spec.method in FAMILY and r.cost and r.cost.parts]
    return [
        *_unequal(plain, setting, frozen, "bytes of the model's weights"),
        *_unequal(ranked, lambda r: (*setting(r), r.spec.method), frozen, "bytes of frozen weights"),
    ]


def _size_faults(records: Sequence[Record]) -> list[str]:
    """Return faults of unequal sizes, or peaks more than a factor apart, among the seeds of a row."""

    def row(record: Record) -> Hashable:
        return (replace(record.spec, seed=0, probes=()), record.environment.commit)

    def sizes(record: Record) -> Hashable:
        c = record.cost
        assert c is not None
        parts = (c.parts.frozen_weights, c.parts.trained_weights, c.parts.optimizer_state) if c.parts else ()
        return (c.weights, c.trained_weights, c.weights_bytes, c.adapter_bytes, *parts)

    faults = _unequal(records, row, sizes, "sizes")
    groups: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        groups[(row(record), record.environment.machine)].append(record)
    for group in groups.values():
        for phase in ("train", "evaluate"):
            peaks = [r.cost.phases[phase].peak_bytes for r in group if r.cost and phase in r.cost.phases]
            if peaks and max(peaks) > FACTOR * min(peaks):
                faults.append(f"peaks of {phase}: {min(peaks):,} to {max(peaks):,} ({_name(group[0])})")
    return faults


def _prediction_faults(records: Sequence[Record]) -> list[str]:
    """Return faults of predictions that are far from each other or from the measurement.

    A prediction is of the largest step of the seeds that one command runs. On the CPU it can be exact for one of them; on
    CUDA the allocator's rounding comes on top, so a prediction that equals the measurement to the byte was copied from it.
    """
    faults, groups = [], defaultdict[Hashable, list[int]](list)
    for record in _trained(records):
        cost = record.cost
        if cost is None or not cost.predicted_peak_bytes or "train" not in cost.phases:
            continue
        predicted, measured = cost.predicted_peak_bytes, cost.phases["train"].peak_bytes
        groups[(replace(record.spec, seed=0), record.environment.commit, record.environment.machine)].append(predicted)
        exact = record.spec.device == "cpu" and not (record.spec.rounds or record.spec.joined or record.spec.start)
        factor = CPU_FACTOR if exact else FACTOR
        if not measured / factor <= predicted <= measured * factor:
            faults.append(f"{predicted:,} bytes predicted, {measured:,} measured ({_name(record)})")
        if measured == predicted and record.spec.device == "cuda":
            faults.append(f"{predicted:,} bytes predicted and measured to the byte ({_name(record)})")
    return faults + [
        f"predicted peaks of a row's seeds: {min(group):,} to {max(group):,}"
        for group in groups.values()
        if max(group) > min(group) * ALIKE
    ]


def _table(record: Record) -> tuple[Hashable, ...]:
    spec = record.spec
    return (spec.task, spec.task_version, spec.data, spec.scoring, *_model(record), spec.test_examples)


def _base_faults(records: Sequence[Record]) -> list[str]:
    tables: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        tables[_table(record)].append(record)
    return [
        f"{group[0].spec.task} {group[0].spec.model} has no base row"
        for group in tables.values()
        if not any(record.spec.method == "base" for record in group)
    ]


def _rank_faults(records: Sequence[Record]) -> list[str]:
    """Return a fault if two methods of a table have several ranks each, or `lora` and `qlora` any, but not the same."""
    tables: defaultdict[Hashable, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        if record.spec.rank:
            tables[_table(record)][record.spec.method].add(record.spec.rank)
    faults = []
    for (task, *_), methods in ((key, value) for key, value in tables.items() if isinstance(key, tuple)):
        several = {name: ranks for name, ranks in methods.items() if len(ranks) > 1}
        if several.keys() & DEFAULT_PAIR:
            several |= {name: methods[name] for name in methods.keys() & DEFAULT_PAIR}
        union = set().union(*several.values())
        faults += [
            f"{task} {name} lacks rank {', '.join(map(str, sorted(union - ranks)))}"
            for name, ranks in several.items()
            if ranks != union
        ]
    return faults


def _validation_faults(records: Sequence[Record]) -> list[str]:
    """Return faults of untrained rows, by one version of the code, with other validation questions or none.

    Challengers answer the test only.
    """

    def questions(record: Record) -> Hashable:
        result = record.validation
        return (result.data, next((score.n for score in result.scores.values()), 0)) if result else "none"

    untrained = [record for record in records if not (record.spec.train_examples or record.spec.challenger)]
    return _unequal(untrained, lambda r: (*_table(r), r.environment.commit), questions, "validation questions")

"""Checks of costs against other rows: what the same questions, the same steps and the same machine decide is alike.

On the CPU bytes are counted exactly. Beside its weights a run needs the same memory for the same questions whatever its
method (`tiny`: equal to the byte), more for a larger rank and less for fewer examples at once. Times differ by a factor of
four between runs of one row on a busy machine, so a row is compared by its median, and only with the fastest other row.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from harness import environment
from harness.record import SCHEMA_VERSION, Phase, Record
from harness.verify.check import Check, check
from harness.verify.checks.record import rows
from harness.verify.checks.record.settings import find
from harness.verify.checks.record.shape import FAMILY, FULL

MEMORY = "rows need alike memory for alike work"
SPEED = "rows answer the same questions alike fast"
LENGTHS = "validation questions are about as long as test questions"
STARTS = "runs did not start at once on one small machine"
PACKAGES = "packages did not change for one run"
CODE = "the commit's code writes such records"
EVALUATION = 0.75  # of the usual memory beside the weights, at least
RANK_SHARE = 0.95  # of the memory beside weights that a smaller rank needs, at least
MICRO_SHARE = 0.95  # of the memory for twice as many examples at once, at most
UPDATE = 32  # bytes for a trained weight that the optimizer's step needs for a moment, at most
RANKS_APART = 4  # factor between ranks up to which the memory of micro-batches is compared
SECOND = 1.0  # that the fastest other row takes, at least
FASTER = 10.0  # factor by which a row may be faster than the fastest other; 4-bit weights may be slow
LONGER = 1.8  # factor between tokens of a validation and of a test question
MIN_QUESTIONS = 50
MIN_RUNS = 10  # that began in one second
CORES = re.compile(r"(\d+) cores")  # in a machine's description
MOST_CORES = 8  # of a machine that is no part of a cluster
MOST_AT_ONCE = 2  # threads for each core


def publication_checks(records: Sequence[Record]) -> list[Check]:
    """Return the checks of all runs of a publication against each other."""
    methods = [record for record in records if not record.spec.challenger]
    finished = [record for record in methods if record.status == "ok" and record.cost is not None]
    on_cpu = [record for record in finished if record.spec.device == "cpu"]
    memory = [*_evaluation_faults(on_cpu), *_training_faults(on_cpu)]
    return [
        check(MEMORY, memory),
        check(SPEED, list(_speed_faults(finished))),
        check(LENGTHS, list(_length_faults(finished))),
        check(STARTS, list(_start_faults(finished))),
        check(PACKAGES, list(_package_faults(records))),
        check(CODE, list(_code_faults(records))),
    ]


def _phase(record: Record, name: str) -> Phase | None:
    return record.cost.phases.get(name) if record.cost else None


def _conditions(record: Record) -> tuple[Hashable, ...]:
    """Return what decides bytes and speed beside the work: code, machine and torch."""
    e = record.environment
    return (e.commit, e.machine, e.threads, e.packages.get("torch"), record.spec.dtype)


def _name(record: Record) -> str:
    return f"{record.spec.task} {record.spec.model} {record.spec.name} seed {record.spec.seed}"


def _evaluation_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each run that needs much less memory beside its weights in the test than usual."""
    groups: defaultdict[Hashable, list[tuple[Record, int]]] = defaultdict(list)
    for record in records:
        phase, plain = _phase(record, "evaluate"), record.spec.method in ("base", *FAMILY)
        if phase and record.cost and (plain or record.spec.method.startswith(FULL)):
            beside = phase.peak_bytes - record.cost.weights_bytes
            groups[(*rows.reader(record), record.spec.test_examples, *_conditions(record))].append((record, beside))
    for group in groups.values():
        usual = statistics.median(beside for _, beside in group)
        for record, beside in group:
            if beside < EVALUATION * usual:
                yield f"{_name(record)}: {beside:,} bytes beside its weights in the test, others {usual:,.0f}"


def _training_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each pair of LoRA runs of one seed of which the larger needs less memory for its steps."""
    groups: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        spec, phase = record.spec, _phase(record, "train")
        if phase and record.cost and record.cost.parts and spec.method in FAMILY and not spec.rounds:
            key = (*rows.reader(record), spec.seed, spec.batch_size, spec.checkpointing, spec.joined, spec.epochs)
            groups[(*key, bool(spec.dropout), *_conditions(record))].append(record)
    for group in groups.values():
        for first, second in itertools.permutations(group, 2):
            yield from _pair_faults(first, second)


def _pair_faults(small: Record, large: Record) -> Iterable[str]:
    a, b = small.spec, large.spec
    rest = [r.cost.parts.activations_and_rest for r in (small, large) if r.cost and r.cost.parts]
    words = f"{rest[1]:,} bytes of activations of {_name(large)}, {rest[0]:,} of {_name(small)}"
    if a.method == b.method and a.rank < b.rank and a.micro_batch == b.micro_batch and rest[1] < RANK_SHARE * rest[0]:
        yield f"{words}, which has a smaller rank"
    near = max(a.rank, b.rank) <= RANKS_APART * min(a.rank, b.rank)
    steps = UPDATE * large.cost.trained_weights if large.cost else 0
    if near and rest[1] > steps and 2 * a.micro_batch <= b.micro_batch and rest[0] > MICRO_SHARE * rest[1]:
        yield f"{words}, which computes {a.micro_batch} examples at once, not {b.micro_batch}"


def _speed_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each row that answered the test's questions many times faster than every other."""
    groups: defaultdict[Hashable, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if phase := _phase(record, "evaluate"):
            key = (*rows.reader(record), record.spec.test_examples, record.spec.device, *_conditions(record))
            groups[key][record.spec.name].append(phase.seconds)
    for group in groups.values():
        middles = {name: statistics.median(seconds) for name, seconds in group.items()}
        for name, seconds in middles.items():
            others = [value for other, value in middles.items() if other != name]
            if len(others) > 1 and max(SECOND, seconds * FASTER) < min(others):
                yield f"{name} took {seconds:,.2f} s for the test, the fastest other row {min(others):,.2f} s"


def _length_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each run whose test questions have many times the tokens of its validation questions, or less."""
    for record in records:
        test, validation = _phase(record, "evaluate"), _phase(record, "validation")
        asked = next((score.n for score in record.validation.scores.values()), 0) if record.validation else 0
        if not test or not validation or min(asked, record.spec.test_examples) < MIN_QUESTIONS:
            continue
        pair = (test.tokens / record.spec.test_examples, validation.tokens / asked)
        method = find(record.spec.method)
        if method and not method.calibration and max(pair) > LONGER * min(pair):
            yield f"{_name(record)}: {pair[0]:,.0f} tokens a test question, {pair[1]:,.0f} a validation question"


def _start_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each second in which far more runs began on a small machine than it has cores.

    Large machines and GPUs may be many alike ones of a cluster, which start runs at once.
    """
    on_cpu = [(record.started, record.environment) for record in records if record.spec.device == "cpu"]
    groups = Counter((started, e.machine, e.memory_bytes, e.threads) for started, e in on_cpu)
    for (started, machine, _, threads), count in groups.items():
        cores = int(match[1]) if (match := CORES.search(machine)) else 0
        if count >= MIN_RUNS and 0 < cores <= MOST_CORES and count * threads > MOST_AT_ONCE * cores:
            yield f"{count} runs began at {started} on one machine ({machine})"


def _package_faults(records: Sequence[Record]) -> Iterable[str]:
    """Yield a fault for each run between two of the same machine and packages that has others, of the same code."""
    machines: defaultdict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        machines[(record.environment.machine, record.environment.commit, record.environment.python)].append(record)
    for runs in machines.values():
        runs.sort(key=lambda record: record.started)
        counts = Counter(frozenset(record.environment.packages.items()) for record in runs)
        for before, record, after in zip(runs, runs[1:], runs[2:], strict=False):
            old, new, last = (dict(r.environment.packages) for r in (before, record, after))
            single = counts[frozenset(new.items())] == 1
            if single and old == last != new and len({r.started for r in (before, record, after)}) == 3:
                changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
                words = ", ".join(
                    f"{name} {new.get(name, '(none)')}, not {old.get(name, '(none)')}" for name in changed
                )
                yield f"{_name(record)} has {words} as the runs before and after it"


def _code_faults(records: Iterable[Record]) -> Iterable[str]:
    """Yield a fault for each commit whose code does not write records of the present form that name it."""
    names = {r.environment.commit.removesuffix("+") for r in records if r.schema == SCHEMA_VERSION}
    for name in sorted(names):
        if environment.has_line(name, f"SCHEMA_VERSION = {SCHEMA_VERSION}") is False:
            yield f"records of form {SCHEMA_VERSION} name the commit {name}, whose code writes others"

"""The verdict on a replay: stored weights answered some questions again, and the first training steps were taken again.

In the environment of the run (machine, threads, packages, code) everything is equal to the last digit. Elsewhere sums are
computed in another order: fp32 moves a log-likelihood by 6e-5 nats at most, bf16 by 0.25 at most and 0.03 on average
(`tiny`, the built-in tasks, other batches). A run in another precision moves by 0.08 to 0.3 on average.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.metrics import options
from harness.record import Answer, Environment, Record
from harness.store import withhold

NUMBERS = ("loglik", "end_loglik", "prior")  # fields of an answer in nats
LARGEST = {"fp32": 1e-3, "bf16": 0.5}  # the largest difference in nats elsewhere
AVERAGE = {"fp32": 1e-3, "bf16": 0.06}
LOSS = {"fp32": 1e-3, "bf16": 0.05}  # of the loss of a first step elsewhere, in nats a token
TEXTS = {"fp32": 0.0, "bf16": 0.25}  # share of written answers that may differ elsewhere
LAST = {"fp32": 0.02, "bf16": 0.05}  # of the last loss, as a share, in nats a token below 1
PEAK, OTHER_PEAK = 0.05, 0.2  # shares by which the peak may differ on the CPU, with the torch of the run and another
REWRITTEN = 0.05  # tokens an answer by which texts may have other tokens than were written
LUCK = 1e-4  # probability of a fault in an honest run
MAX_LISTED = 3


@dataclass(frozen=True)
class Evidence:
    """The answers and first steps of a run, computed again.

    `answers` are those to the drawn questions, `fp32_answers` the same in fp32, for a run in bf16 elsewhere. `losses` are
    those of the first steps, `tokens` those of all steps in order; both are empty for runs that cannot be trained again
    from their own record. `last_loss` is that of the stored weights on the last step's examples, `peak` the training
    peak in bytes by the shapes of the largest step, `test_tokens` the tokens of all prompts and stored texts; None or 0 if
    they cannot be computed. `torch` is the version that computed them. `reason` explains missing answers.
    """

    answers: Sequence[Answer] = ()
    fp32_answers: Sequence[Answer] = ()
    losses: Sequence[float] = ()
    tokens: Sequence[int] = ()
    last_loss: float | None = None
    peak: int = 0
    test_tokens: int | None = None
    torch: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a replay: numbers of questions and of equal answers, the greatest difference in nats, the faults.

    `steps` is the number of first steps that were taken again, `equal_steps` that of the first ones with equal losses.
    """

    questions: int
    equal: int
    gap: float
    steps: int
    faults: tuple[str, ...] = field(default=())
    reason: str = ""
    equal_steps: int = 0


def default_seed(records: Iterable[Record]) -> str:
    """Return a seed that depends on everything stored: whoever changes an answer draws other questions."""
    parts = sorted(f"{r.spec.id} {r.answers_sha256} {r.adapter_sha256} {r.steps_sha256}" for r in records)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def draw(seed: str, record: Record, count: int) -> list[int]:
    """Return the positions of `count` of the run's questions, drawn by the seed and the run's id, sorted."""
    total = record.spec.test_examples
    return sorted(random.Random(f"{seed} {record.spec.id}").sample(range(total), min(count, total)))


def differences(old: Environment, new: Environment) -> list[str]:
    """Return the names of differences on which the last digits depend: machine, threads, driver, code, packages."""
    names = [name for name in ("machine", "threads", "driver", "commit") if getattr(old, name) != getattr(new, name)]
    packages = old.packages.keys() | new.packages.keys()
    return names + sorted(name for name in packages if old.packages.get(name) != new.packages.get(name))


def judge(
    record: Record, stored: Sequence[Answer], steps: Sequence[Mapping[str, Any]], again: Evidence, *, exact: bool
) -> Outcome:
    """Return the outcome of a replay.

    Args:
        record: the run's record.
        stored: all its stored answers.
        steps: its logged steps.
        again: the answers and steps that were computed again.
        exact: whether this is the run's environment, so that every digit must be equal.
    """
    answers = _as_stored(again.answers, stored)
    by_id = {answer.id: answer for answer in stored}
    pairs = [(by_id.get(answer.id), answer) for answer in answers]
    stored_pairs = [(a, b) for a, b in pairs if a is not None]
    faults = [f"{len(pairs) - len(stored_pairs)} of the drawn questions have no stored answer"] * (
        len(stored_pairs) < len(pairs)
    )
    gaps = [gap for a, b in stored_pairs for gap in _gaps(a, b)]
    equal = sum(_equal_text(a, b) and not any(_gaps(a, b)) for a, b in stored_pairs)
    if exact:
        faults += _exact_faults(stored_pairs)
    else:
        faults += _loose_faults(stored_pairs, record)
        faults += _luck_faults(stored_pairs)
        faults += _precision_faults(stored_pairs, _as_stored(again.fp32_answers, stored))
    faults += _step_faults(record, steps, again, exact=exact)
    faults += [*_last_faults(record, again), *_peak_faults(record, again), *_length_faults(record, stored, again)]
    same = itertools.takewhile(lambda pair: pair[0] == pair[1]["loss"], zip(again.losses, steps, strict=False))
    count = sum(1 for _ in same)
    gap, reason = max(gaps, default=0.0), again.reason
    return Outcome(len(pairs), equal, gap, len(again.losses), tuple(faults), reason, equal_steps=count)


def _as_stored(answers: Sequence[Answer], stored: Sequence[Answer]) -> Sequence[Answer]:
    return withhold.stand_in_answers(answers) if stored and withhold.is_withheld(stored[0]) else answers


def _numbers(answer: Answer) -> list[float]:
    return [value for name in NUMBERS for value in getattr(answer, name, ())]


def _gaps(a: Answer, b: Answer) -> list[float]:
    """Return the differences of two answers in nats; infinite if one has numbers that the other lacks."""
    old, new = _numbers(a), _numbers(b)
    if len(old) != len(new):
        return [] if _is_written(a) and not _equal_text(a, b) else [math.inf]
    return [abs(x - y) for x, y in zip(old, new, strict=True)]


def _equal_text(a: Answer, b: Answer) -> bool:
    return (a.text, a.parsed) == (b.text, b.parsed)


def _is_written(answer: Answer) -> bool:
    return not answer.choices and bool(answer.text)


def _list(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MAX_LISTED]) + (f" and {len(ids) - MAX_LISTED} more" if len(ids) > MAX_LISTED else "")


def _exact_faults(pairs: Sequence[tuple[Answer, Answer]]) -> list[str]:
    texts = [a.id for a, b in pairs if not _equal_text(a, b)]
    numbers = [a.id for a, b in pairs if _equal_text(a, b) and any(_gaps(a, b))]
    faults = [f"the weights give another answer to {_list(texts)}"] * bool(texts)
    return faults + [f"the weights give other log-likelihoods for {_list(numbers)}"] * bool(numbers)


def _loose_faults(pairs: Sequence[tuple[Answer, Answer]], record: Record) -> list[str]:
    dtype = record.spec.dtype
    texts = [(a, b) for a, b in pairs if _is_written(a)]
    changed = [a.id for a, b in texts if not _equal_text(a, b)]
    flipped = [a.id for a, b in pairs if not _is_written(a) and not _equal_text(a, b) and not _is_tie(b, dtype)]
    gaps = [gap for a, b in pairs if _equal_text(a, b) or not _is_written(a) for gap in _gaps(a, b)]
    mean = math.fsum(gaps) / len(gaps) if gaps else 0.0
    faults = [f"the weights give another answer to {_list(flipped)}"] * bool(flipped)
    if len(changed) > TEXTS[dtype] * len(texts):
        faults.append(f"the weights write something else for {_list(changed)}")
    if max(gaps, default=0.0) > LARGEST[dtype] or mean > AVERAGE[dtype]:
        limits = f"{LARGEST[dtype]:g} and {AVERAGE[dtype]:g} are allowed"
        faults.append(f"log-likelihoods differ by up to {max(gaps):.3g} nats, {mean:.3g} on average; {limits}")
    return faults


def _luck_faults(pairs: Sequence[tuple[Answer, Answer]]) -> list[str]:
    """Return a fault if nearly all answers that rounding may turn are right as they are stored: rounding takes no side."""
    turned = [a.parsed == a.target for a, b in pairs if (a.parsed == a.target) != (b.parsed == b.target)]
    right, count = sum(turned), len(turned)
    chance = sum(math.comb(count, number) for number in range(right, count + 1)) / 2**count
    words = f"{right} of {count} answers that are right in one case only are right as they are stored"
    return [f"{words}; rounding favours neither"] * (chance < LUCK)


def _is_tie(answer: Answer, dtype: str) -> bool:
    """Return whether the best two options are so close that rounding decides between them."""
    if len(answer.loglik) < 2:
        return False
    lengths = answer.option_lengths or [max(1, len(text)) for text in answer.choices] or [1] * len(answer.loglik)
    values = list(zip(options.nats(answer), lengths, strict=True))
    first, second = sorted(values, reverse=True)[:2]  # as `acc` picks
    long, short = sorted(values, key=lambda pair: pair[0] / pair[1], reverse=True)[:2]  # as `acc_norm` picks
    apart = long[0] / long[1] - short[0] / short[1]
    return first[0] - second[0] <= 2 * LARGEST[dtype] or apart <= 2 * LARGEST[dtype] / min(long[1], short[1])


def _precision_faults(pairs: Sequence[tuple[Answer, Answer]], fp32_answers: Sequence[Answer]) -> list[str]:
    """Return a fault if answers that are not those of bf16 are those of fp32."""
    by_id = {answer.id: answer for answer in fp32_answers}
    gaps = [gap for a, _ in pairs if a.id in by_id for gap in _gaps(a, by_id[a.id])]
    is_fp32 = bool(gaps) and max(gaps) <= LARGEST["fp32"]
    return ["the answers are those of fp32, the spec states bf16"] * is_fp32


def _step_faults(record: Record, steps: Sequence[Mapping[str, Any]], again: Evidence, *, exact: bool) -> list[str]:
    if not steps or not again.tokens:
        return []
    logged = [step["tokens"] for step in steps]
    faults = []
    if logged != list(again.tokens):
        first = next((n for n, (a, b) in enumerate(zip(logged, again.tokens, strict=False)) if a != b), len(logged))
        faults.append(f"from step {first + 1} on, the logged tokens are not those of this seed, batch size and data")
    limit = 0.0 if exact else LOSS[record.spec.dtype]
    for number, (loss, step) in enumerate(zip(again.losses, steps, strict=False)):
        if not abs(loss - step["loss"]) <= limit:
            faults.append(f"step {number + 1}, taken again, has the loss {loss:.6g}; {step['loss']:.6g} is logged")
            break
    return faults


def _last_faults(record: Record, again: Evidence) -> list[str]:
    """Return a fault if the stored weights do not have the final loss: the rate of the last step is almost zero."""
    if again.last_loss is None or record.final_loss is None:
        return []
    if abs(again.last_loss - record.final_loss) <= LAST[record.spec.dtype] * max(1.0, record.final_loss):
        return []
    words = f"the stored weights have the loss {again.last_loss:.4g} on the examples of the last step"
    return [f"{words}; {record.final_loss:.4g} is logged"]


def _peak_faults(record: Record, again: Evidence) -> list[str]:
    train = record.cost.phases.get("train") if record.cost else None
    room = PEAK if record.environment.packages.get("torch") == again.torch else OTHER_PEAK
    if not again.peak or train is None or abs(train.peak_bytes / again.peak - 1) <= room:
        return []
    return [f"the largest step needs {again.peak:,} bytes by its shapes; {train.peak_bytes:,} are recorded"]


def _length_faults(record: Record, stored: Sequence[Answer], again: Evidence) -> list[str]:
    """Return a fault if the test's tokens are not those of its prompts and texts.

    A model may write a text in other tokens than a tokenizer, which is rare.
    """
    test = record.cost.phases.get("evaluate") if record.cost else None
    if again.test_tokens is None or test is None or (stored and withhold.is_withheld(stored[0])):
        return []
    room = REWRITTEN * len(stored) if record.spec.scoring == "generate" else 0
    if abs(test.tokens - again.test_tokens) <= room:
        return []
    return [f"prompts and answers of the test have {again.test_tokens:,} tokens; {test.tokens:,} are recorded"]


@dataclass(frozen=True)
class Reference:
    """The runs of an environment that are equal to the last digit here, so that their other runs must be, too."""

    records: Sequence[Record]
    outcomes: Sequence[Outcome]

    def faults(self, record: Record, outcome: Outcome) -> list[str]:
        """Return the faults of a run that differs although the arithmetic here is that of its environment.

        Answers must be equal if those of another run of its method are, or if those of an untrained run are and its first
        steps, too. Steps must be equal if those of another run of its method are, or if those of any run are and its first
        step, too: that is the loss before anything trained.
        """
        pairs = [pair for pair in zip(self.records, self.outcomes, strict=True) if _is_alike(pair[0], record)]
        answered = [other for other, result in pairs if 0 < result.questions == result.equal]
        stepped = [other for other, result in pairs if 0 < result.steps == result.equal_steps]
        methods = [{other.spec.method for other in group} for group in (answered, stepped)]
        untrained = any(not other.spec.train_examples for other in answered)
        repeated = outcome.steps == outcome.equal_steps and (outcome.steps > 0 or not record.spec.train_examples)
        faults = []
        if outcome.equal < outcome.questions and (record.spec.method in methods[0] or (untrained and repeated)):
            count = outcome.questions - outcome.equal
            faults.append(
                f"{count} of {outcome.questions} answers differ in the last digit, those of {_count(answered)} of its environment do not"
            )
        if outcome.equal_steps < outcome.steps and (
            record.spec.method in methods[1] or (stepped and outcome.equal_steps)
        ):
            number = outcome.equal_steps + 1
            faults.append(
                f"the loss of step {number} differs in the last digit, those of {_count(stepped)} of its environment do not"
            )
        return faults


def _is_alike(first: Record, second: Record) -> bool:
    """Return whether two runs are of one environment, model, precision and scoring, so that they computed in the same way."""
    specs = [record.spec for record in (first, second)]
    settings = [(spec.dtype, spec.device, spec.model, spec.model_revision, spec.scoring) for spec in specs]
    return not differences(first.environment, second.environment) and settings[0] == settings[1]


def _count(records: Sequence[Record]) -> str:
    return f"{len(records)} run{'s' * (len(records) > 1)}"

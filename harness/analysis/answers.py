"""Facts about the answers of a row as a whole: a constant answer, classes that are never answered, form."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.metrics import confusion
from harness.record import Answer
from harness.schema import Metric

CONSTANT = 0.95  # a model whose share of equal answers is at least this gives a constant answer
FEWEST = 20  # answers needed to call them constant
MOST_CLASSES = 12  # that people can read


@dataclass(frozen=True)
class ConstantAnswer:
    """The answer that nearly all questions got: its text, or its position in the list of options, from 1."""

    text: str
    position: int | None
    share: float


@dataclass(frozen=True)
class ClassCount:
    """How often a class is the right answer, how often it is answered, and how often both, over all seeds."""

    name: str
    targets: int
    answers: int
    hits: int

    @property
    def recall(self) -> float:
        """The share of its questions that are answered with it."""
        return self.hits / self.targets if self.targets else 0.0


def class_counts(answers: Sequence[Answer], key: Callable[[str], str] | None) -> tuple[ClassCount, ...]:
    """Return the counts of each class, the most frequent first; none without `key` or with too many classes."""
    if key is None or not answers:
        return ()
    pairs = confusion(answers, key)
    targets: Counter[str] = Counter()
    given: Counter[str | None] = Counter()
    for (target, answered), count in pairs.items():
        targets[target] += count
        given[answered] += count
    if not 2 <= len(targets) <= MOST_CLASSES:
        return ()
    order = sorted(targets, key=lambda name: (-targets[name], name))
    spelling = {key(answer.target): answer.target.strip() for answer in reversed(answers)}
    return tuple(ClassCount(spelling.get(name, name), targets[name], given[name], pairs[name, name]) for name in order)


def constant_answer(answers: Sequence[Answer]) -> ConstantAnswer | None:
    """Return the answer that nearly all questions got, by text or by position among the options; None if there is none.

    None too if the gold answers are as uniform. Unreadable answers do not count: they are reported apart.
    """
    readable = [answer for answer in answers if answer.parsed is not None]
    listed_both = [a for a in readable if a.parsed in a.choices and a.target in a.choices]
    texts = [(answer.parsed or "", answer.target) for answer in readable]
    positions = [(a.choices.index(a.parsed or "") + 1, a.choices.index(a.target) + 1) for a in listed_both]
    enough = max(FEWEST, len(answers) / 2)
    if len(texts) >= enough and (text := _most_frequent(texts)):
        return ConstantAnswer(str(text[0]), None, text[1])
    if len(positions) >= enough and (position := _most_frequent(positions)):
        return ConstantAnswer("", int(position[0]), position[1])
    return None


def _most_frequent(pairs: Sequence[tuple[str, str]] | Sequence[tuple[int, int]]) -> tuple[str | int, float] | None:
    """Return the most frequent answer with its share, None below `CONSTANT` or if gold answers are as uniform."""
    usual, count = Counter(answer for answer, _ in pairs).most_common(1)[0]
    share, gold = count / len(pairs), sum(target == usual for _, target in pairs) / len(pairs)
    return (usual, share) if share >= CONSTANT and gold <= share - 0.05 else None


def readable_score(answers: Sequence[Answer], metric: Metric) -> float | None:
    """Return the metric over the readable answers, None if there are none or the metric is no mean."""
    read = [answer for answer in answers if answer.parsed is not None]
    if not read or metric.combine is not None:
        return None
    return math.fsum(metric.score(answer) for answer in read) / len(read)


def end_probability(answers: Sequence[Answer]) -> float | None:
    """Return the mean probability of the end token behind the right option; None if no answer has it."""
    rows = [a for a in answers if a.end_loglik and a.target in a.choices]
    if not rows:
        return None
    return math.fsum(math.exp(min(a.end_loglik[a.choices.index(a.target)], 0.0)) for a in rows) / len(rows)

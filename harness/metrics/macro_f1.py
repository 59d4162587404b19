"""Macro-F1 from a complete confusion matrix, in which unparsed answers are a class of their own.

The classes are those of the targets. An answer that cannot be parsed or is none of the classes is a miss for its true class
and adds no class. If each such text were a class, its F1 would be zero; if such answers were dropped, F1 would be above
accuracy. If all answers are parsed, this equals scikit-learn's
`f1_score(average="macro", labels=<the targets' classes>)`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Metric

Key = Callable[[str], str]

UNPARSED = None  # the predicted class of an unparsed answer; true classes are text, so it is never one of them


def confusion(answers: Sequence[Answer], key: Key = fold) -> Counter[tuple[str, str | None]]:
    """Return the count of answers by (true class, predicted class), which is `UNPARSED` (None) for unparsed answers.

    Args:
        answers: the answers of one run.
        key: maps target and parsed text to a class.
    """
    cells = Counter[tuple[str, str | None]]()
    # Texts are counted before they are mapped: a bootstrap calls this a thousand times, and few texts differ.
    for (target, parsed), count in Counter(map(attrgetter("target", "parsed"), answers)).items():
        cells[key(target), UNPARSED if parsed is None else key(parsed)] += count
    return cells


def macro_f1_of(key: Key, *, name: str = "macro_f1", title: str = "Macro-F1") -> Metric:
    """Return macro-F1 over the classes to which `key` maps target and parsed text.

    Its score for an answer is 1.0 if the classes agree; its value is the unweighted mean of the classes' F1.
    """

    cached_key = lru_cache(maxsize=65536)(key)

    def score(answer: Answer) -> float:
        return float(answer.parsed is not None and key(answer.parsed) == key(answer.target))

    def combine(answers: Sequence[Answer]) -> float:
        cells = confusion(answers, cached_key)
        true, predicted, right = Counter[str](), Counter[str | None](), Counter[str]()
        for (target, prediction), count in cells.items():
            true[target] += count
            predicted[prediction] += count
            right[target] += count if prediction == target else 0
        # 2 TP / (2 TP + FP + FN): the denominator is the class's row plus its column, never zero for a true class.
        return math.fsum(2 * right[label] / (true[label] + predicted[label]) for label in true) / len(true)

    return Metric(name=name, title=title, score=score, combine=combine, classes=key)


METRIC = macro_f1_of(fold)

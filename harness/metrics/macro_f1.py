"""Macro-F1 from a real confusion matrix, in which unparsed answers are a class of their own.

The classes are those that occur as targets. An answer that could not be parsed, or that names something which is no
class, is a miss for its true class and adds no class: entered as text of its own, each would be a class with an F1 of
zero, or, where such rows are dropped, F1 would come out above accuracy. On answers that are all parsed this equals
scikit-learn's `f1_score(average="macro", labels=<the targets' classes>)`.
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
    """Count answers by (true class, predicted class); the predicted class is `UNPARSED` (None) where there is none.

    Args:
        answers: the answers of one run.
        key: maps target and parsed text to a class.
    """
    cells = Counter[tuple[str, str | None]]()
    # Texts are counted before they are mapped: a bootstrap asks a thousand times, and few texts differ.
    for (target, said), count in Counter(map(attrgetter("target", "parsed"), answers)).items():
        cells[key(target), UNPARSED if said is None else key(said)] += count
    return cells


def macro_f1_of(key: Key, *, name: str = "macro_f1", title: str = "Macro-F1") -> Metric:
    """Return macro-F1 over the classes that `key` maps target and parsed text to.

    Its per-answer score is 1.0 where the classes agree; its value is the unweighted mean of the classes' F1.
    """

    kept = lru_cache(maxsize=65536)(key)

    def score(answer: Answer) -> float:
        return float(answer.parsed is not None and key(answer.parsed) == key(answer.target))

    def combine(answers: Sequence[Answer]) -> float:
        cells = confusion(answers, kept)
        true, predicted, right = Counter[str](), Counter[str | None](), Counter[str]()
        for (target, said), count in cells.items():
            true[target] += count
            predicted[said] += count
            right[target] += count if said == target else 0
        # 2 TP / (2 TP + FP + FN): the denominator is the class's row plus its column, never zero for a true class.
        return math.fsum(2 * right[label] / (true[label] + predicted[label]) for label in true) / len(true)

    return Metric(name=name, title=title, score=score, combine=combine, classes=key)


METRIC = macro_f1_of(fold)

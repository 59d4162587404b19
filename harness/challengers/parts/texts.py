"""The texts of examples as bags of words, and the kind of answers that a task expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from harness.metrics.text import fold
from harness.schema import Example

MAX_CHARACTERS = 8000  # of a question with its context; of a longer one, its beginning and its end
MAX_FEATURES = 20_000
MAX_TEXTS = 100  # written answers, or values of a part of them, that count as classes
PATTERN = r"(?u)[^\W\d_]+|\d[\d.,]*"  # words, and figures with their separators

Kind = Literal["labels", "options", "texts"]


def kind(examples: Sequence[Example]) -> Kind:
    """Return whether the options are the same in all examples, vary from one to the next, or are not there."""
    if not all(len(example.choices) > 1 for example in examples):
        return "texts"
    sets = {frozenset(map(fold, example.choices)) for example in examples}
    return "labels" if len(sets) == 1 else "options"


def question(example: Example) -> str:
    """Return an example's question and context, not longer than `MAX_CHARACTERS`."""
    text = f"{example.question}\n{example.context}".strip()
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else f"{text[:half]}\n{text[-half:]}"


def parts(target: str) -> tuple[str, ...]:
    """Return the parts of a written answer, which semicolons divide."""
    return tuple(part.strip() for part in target.split(";"))


def common(values: Sequence[str]) -> list[str]:
    """Return the most frequent values, at most `MAX_TEXTS`, most frequent first, first of equals first."""
    return [text for text, _ in Counter(values).most_common(MAX_TEXTS)]


def repeats(examples: Sequence[Example]) -> bool:
    """Return whether at least a fifth of the examples share the first part of their answer with others, in few classes."""
    counts = Counter(parts(example.target)[0] for example in examples)
    return sum(count for _, count in counts.most_common(MAX_TEXTS) if count > 1) >= len(examples) / 5


def vectorizer(*, pairs_of_words: bool = False) -> Any:
    """Return scikit-learn's TF-IDF of words, with pairs of neighbouring words if asked for."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        token_pattern=PATTERN,
        ngram_range=(1, 2) if pairs_of_words else (1, 1),
        sublinear_tf=True,
        max_features=MAX_FEATURES,
    )


def has_words(texts: Sequence[str]) -> bool:
    """Return whether any text has a word, without which there is nothing to count."""
    import re

    return any(re.search(PATTERN, text) for text in texts)

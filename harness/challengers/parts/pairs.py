"""A model of question and option, for options that vary: which option goes with this question?

Each option of a question is a row of features: its own words, products of a word of the question and a word of the
option, their likeness, the likeness to a training question with its right answer, and its length among the options. A
logistic regression learns from the difference between the right option and each other one of the same question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.challengers.parts import differences, texts
from harness.schema import Example

QUESTION_WORDS, OPTION_WORDS = 24, 12  # of a text in products, those of the highest weight
PRODUCTS = 2**16  # columns that products are hashed into
MEMORY = 2000  # training questions that others are compared with
STRENGTH = 3.0  # inverse of the regularisation
CHUNK = 256  # questions compared at once with the memory


@dataclass(frozen=True)
class Memory:
    """Training questions and their right answers as rows of words, and their groups."""

    questions: Any
    answers: Any
    groups: tuple[str, ...]


@dataclass(frozen=True)
class PairModel:
    """The words, the training questions, and the weights of the features; None if there is nothing to learn from."""

    words: Any
    memory: Memory | None
    weights: Any

    def scores(self, examples: Sequence[Example]) -> list[list[float]]:
        """Return a number for each option of each example."""
        if self.weights is None:
            return [[0.0] * len(example.choices) for example in examples]
        rows = _rows(self.words, self.memory, examples, exclude_same_group=False)
        values = iter((rows @ self.weights).tolist())
        return [[next(values) for _ in example.choices] for example in examples]


def fit(examples: Sequence[Example], *, reads_question: bool) -> PairModel:
    """Return the model of question and option, or of the option alone."""
    options = [choice for example in examples for choice in example.choices]
    corpus = [*options, *map(texts.question, examples)] if reads_question else options
    if not texts.has_words(corpus):
        return PairModel(None, None, None)
    words = texts.vectorizer(pairs_of_words=not reads_question).fit(corpus)
    memory = _memory(words, examples) if reads_question else None
    rows = _rows(words, memory, examples, exclude_same_group=True)
    weights = differences.fit(rows, examples, strength=STRENGTH)
    return PairModel(words, memory, weights)


def _memory(words: Any, examples: Sequence[Example]) -> Memory:
    selected = [examples[n * len(examples) // MEMORY] for n in range(MEMORY)] if len(examples) > MEMORY else examples
    return Memory(
        words.transform(map(texts.question, selected)),
        words.transform([example.target for example in selected]),
        tuple(example.group or example.id for example in selected),
    )


def _rows(words: Any, memory: Memory | None, examples: Sequence[Example], *, exclude_same_group: bool) -> Any:
    """Return the features of every option of every example, in order, as a sparse matrix."""
    from scipy import sparse

    counts = [len(example.choices) for example in examples]
    options = words.transform([choice for example in examples for choice in example.choices])
    parts = [options, sparse.csr_matrix(_shape_features(examples, with_position=memory is None))]
    if memory is not None:
        questions = words.transform(map(texts.question, examples))
        owners = np.repeat(np.arange(len(examples)), counts)
        groups = [example.group or example.id for example in examples] if exclude_same_group else []
        dense = [_cosine(questions[owners], options), _memory_likeness(memory, questions, options, counts, groups)]
        parts += [_products(words, questions, options, owners), sparse.csr_matrix(np.column_stack(dense))]
    return sparse.hstack(parts, format="csr")


def _shape_features(examples: Sequence[Example], *, with_position: bool) -> np.ndarray:
    """Return length, its rank, figures and form for each option; with_position adds its position."""
    most = max(len(example.choices) for example in examples)
    rows = []
    for example in examples:
        lengths = [len(choice) for choice in example.choices]
        mean = sum(lengths) / len(lengths) or 1.0
        for position, choice in enumerate(example.choices):
            is_here = [float(with_position and position == number) for number in range(min(most, 10))]
            longest, shortest = lengths[position] == max(lengths), lengths[position] == min(lengths)
            form = (any(map(str.isdigit, choice)), choice[:1].isupper(), choice[-1:] in ".!?", "," in choice)
            rows.append([lengths[position] / mean - 1, float(longest), float(shortest), *map(float, form), *is_here])
    return np.array(rows)


def _cosine(a: Any, b: Any) -> np.ndarray:
    return np.asarray(a.multiply(b).sum(axis=1)).ravel()


def _memory_likeness(
    memory: Memory, questions: Any, options: Any, counts: Sequence[int], excluded: Sequence[str]
) -> np.ndarray:
    """Return for each option the greatest product of two likenesses: to a training question and to its right answer.

    `excluded` is the group of each example, whose training questions do not count; empty if none is excluded.
    """
    ends = np.cumsum([0, *counts])
    groups = np.array(memory.groups)
    best = np.zeros(ends[-1])
    for first in range(0, len(counts), CHUNK):
        last = min(first + CHUNK, len(counts))
        cosines = (questions[first:last] @ memory.questions.T).toarray()
        for number, group in enumerate(excluded[first:last]):
            cosines[number, groups == group] = 0.0
        answers = (options[ends[first] : ends[last]] @ memory.answers.T).toarray()
        answers *= np.repeat(cosines, counts[first:last], axis=0)
        best[ends[first] : ends[last]] = answers.max(axis=1)
    return best


def _products(words: Any, questions: Any, options: Any, owners: np.ndarray) -> Any:
    """Return which words of question and option meet, hashed, each row of length one.

    Words of a single training text are left out: no other question can confirm what they go with.
    """
    from scipy import sparse
    from sklearn.preprocessing import normalize

    single = words.idf_ >= words.idf_.max() if words.idf_.min() < words.idf_.max() else np.zeros(len(words.idf_), bool)
    heads = [_heaviest(questions, row, QUESTION_WORDS, single) for row in range(questions.shape[0])]
    columns, ends = [], [0]
    for row, owner in enumerate(owners):
        pairs = heads[owner][:, None] * 1_000_003 + _heaviest(options, row, OPTION_WORDS, single)[None, :] * 8_191 + 17
        columns.append(np.unique(pairs.ravel() % PRODUCTS))
        ends.append(ends[-1] + len(columns[-1]))
    table = sparse.csr_matrix((np.ones(ends[-1]), np.concatenate(columns), ends), shape=(len(owners), PRODUCTS))
    return normalize(table)


def _heaviest(rows: Any, row: int, count: int, single: np.ndarray) -> np.ndarray:
    """Return the columns of a row's greatest entries, without those of words of a single text."""
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    columns, values = rows.indices[part].astype(np.int64), rows.data[part]
    order = np.lexsort((columns, -values))
    ordered = columns[order]
    return np.asarray(ordered[~single[ordered]][:count])

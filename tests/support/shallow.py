"""Answers to questions with options from their surface: words, or the sizes of numbers; for tests of tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from harness import Example


def by_words(train: Sequence[Example], test: Sequence[Example]) -> float:
    """Return the share right of a logistic regression on the words of context, question and option together."""
    texts = [_texts(example) for example in (*train, *test)]
    counter = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"[^\s|]+")
    features = counter.fit_transform([text for example in texts for text in example])
    cut = sum(len(example.choices) for example in train)
    model = LogisticRegression(C=10, max_iter=300).fit(features[:cut], _labels(train))
    return _share(test, model.predict_proba(features[cut:])[:, 1])


def by_numbers_alone(train: Sequence[Example], test: Sequence[Example], *, kind: str) -> float:
    """Return the share right of boosted trees that see the kind of question and how large each option is among all."""
    kinds = sorted({example.slices[kind] for example in train})
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    model.fit(np.concatenate([_sizes(example, kinds, kind) for example in train]), _labels(train))
    return _share(test, model.predict_proba(np.concatenate([_sizes(e, kinds, kind) for e in test]))[:, 1])


def _texts(example: Example) -> list[str]:
    return [f"{example.context} {example.question} OPTION {choice}" for choice in example.choices]


def _labels(examples: Sequence[Example]) -> list[bool]:
    return [choice == example.target for example in examples for choice in example.choices]


def _share(examples: Sequence[Example], scores: Any) -> float:
    position, right = 0, 0
    for example in examples:
        part = scores[position : position + len(example.choices)]
        right += example.choices[int(np.argmax(part))] == example.target
        position += len(example.choices)
    return right / len(examples)


def _sizes(example: Example, kinds: Sequence[str], kind: str) -> Any:
    logs = np.log([float(re.sub(r"[^0-9.]", "", choice)) for choice in example.choices])
    rows = []
    for log in logs:
        near = np.sort(np.abs(logs - log))[1:]
        rank = float((logs < log).sum())
        rows.append([kinds.index(example.slices[kind]), rank, log - np.median(logs), log - logs.min(), *near])
    return np.array(rows)

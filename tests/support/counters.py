"""Answers without a language model: what words, neighbors, options, lengths, places and frequencies alone can tell.

`python -m tests.support.counters cfa` prints the share of right answers of each by kind.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from harness.schema import Example

Answerer = Callable[[Sequence[Example], Sequence[Example]], list[str]]
HASHES = 2**18


def text_of(example: Example) -> str:
    """Return what a model reads: context and question."""
    return f"{example.context} {example.question}".strip()


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text."""
    return re.findall(r"[a-z]+|\d+(?:[.,]\d+)*", text.lower())


def sentences_of(example: Example) -> str:
    """Return the question and the sentences of the context that share a capitalized word with it, such as a name."""
    names = set(re.findall(r"\b[A-Z][a-z]+\b", example.question)) - {example.question.split()[0]}
    parts = re.split(r"(?<=[.!?])\s", example.context)
    return " ".join([example.question, *(part for part in parts if any(name in part for name in names))])


def _option_features(example: Example, option: str) -> dict[str, float]:
    digits = re.sub(r"\D", "", option)
    features = {f"o:{word}": 1.0 for word in words_of(option)} | {f"is:{option}": 1.0}
    features |= {"length": len(option) / 20, "digits": len(digits) / 5, f"last:{digits[-1:]}": 1.0}
    features[f"longer than {sum(len(other) < len(option) for other in example.choices)}"] = 1.0
    values = [_value(other) for other in example.choices]
    if None not in values:
        features[f"rank {sorted(values, key=str).index(_value(option))}"] = 1.0
        features[f"above {sum((value or 0) < (_value(option) or 0) for value in values)}"] = 1.0
    return features


def _value(option: str) -> float | None:
    match = re.search(r"-?\$?\d[\d,]*\.?\d*", option)
    return float(re.sub(r"[$,]", "", match[0])) if match and option[0] in "-$0123456789" else None


def _pair_features(weights: dict[str, float], text: str, example: Example, option: str) -> dict[str, float]:
    """Return features of a text and an option: option words, words in common, and each word beside the option."""
    words, own = set(words_of(text)), set(words_of(option))
    features = _option_features(example, option)
    features["common"] = sum(weights.get(word, 1.0) for word in words & own)
    features |= {f"{word}|{option}": weights.get(word, 1.0) for word in words}
    features |= {f"{word}|{mine}": 0.3 * weights.get(word, 1.0) for word in words for mine in own}
    return features


def _rank_by_regression(
    train: Sequence[Example], test: Sequence[Example], features: Callable[[Example, str], dict[str, float]]
) -> list[str]:
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    hasher = FeatureHasher(HASHES, alternate_sign=False)
    rows = [(features(e, option), option == e.target) for e in train for option in e.choices]
    model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=40, tol=None, random_state=0, average=True)
    model.fit(hasher.transform([row for row, _ in rows]), [right for _, right in rows])
    shown = model.decision_function(hasher.transform([features(e, option) for e in test for option in e.choices]))
    scores = iter(shown.tolist())
    return [
        max(zip(e.choices, [next(scores) for _ in e.choices], strict=True), key=lambda pair: pair[1])[0] for e in test
    ]


def _weights(texts: Sequence[str]) -> dict[str, float]:
    """Return the inverse document frequency of each word, scaled to about one."""
    import math

    seen = Counter(word for text in texts for word in set(words_of(text)))
    return {word: math.log(len(texts) / count) / math.log(len(texts)) for word, count in seen.items()}


def words(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer by TF-IDF and logistic regression over pairs of a question's word and an option."""
    weights = _weights([text_of(e) for e in train])
    return _rank_by_regression(train, test, lambda e, o: _pair_features(weights, text_of(e), e, o))


def question_words(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer as `words`, without the context."""
    weights = _weights([e.question for e in train])
    return _rank_by_regression(train, test, lambda e, o: _pair_features(weights, e.question, e, o))


def sentence_words(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer as `words`, over the sentences alone that name what the question names."""
    weights = _weights([sentences_of(e) for e in train])
    return _rank_by_regression(train, test, lambda e, o: _pair_features(weights, sentences_of(e), e, o))


def options_only(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer by logistic regression over the options alone."""
    return _rank_by_regression(train, test, _option_features)


def nearest(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the option whose own training questions hold the nearest one, else the most alike answer text."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=r"[A-Za-z]+|\d+(?:[.,]\d+)*", sublinear_tf=True)
    known = vectorizer.fit_transform([text_of(e) for e in train])
    alike = (vectorizer.transform([text_of(e) for e in test]) @ known.T).toarray()
    by_answer = defaultdict(list)
    for index, example in enumerate(train):
        by_answer[example.target].append(index)
    picks = []
    for row, example in zip(alike, test, strict=True):
        neighbor = set(words_of(train[int(row.argmax())].target))
        scores = [
            max((row[i] for i in by_answer[option]), default=0.0) + 1e-3 * len(neighbor & set(words_of(option)))
            for option in example.choices
        ]
        picks.append(example.choices[scores.index(max(scores))])
    return picks


def fewest_common(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the option least like the question, by the words of its training questions and its own."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for example in train:
        known[example.target] |= set(words_of(text_of(example)))
    weights = _weights([text_of(e) for e in train])

    def common(example: Example, option: str) -> float:
        shared = (known[option] | set(words_of(option))) & set(words_of(text_of(example)))
        return sum(weights.get(word, 1.0) for word in shared)

    return [min(e.choices, key=lambda option, e=e: common(e, option)) for e in test]  # type: ignore[misc]


def longest(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the longest option."""
    return [max(e.choices, key=len) for e in test]


def shortest(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the shortest option."""
    return [min(e.choices, key=len) for e in test]


def position(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the place that is right most often in training."""
    place = Counter(e.choices.index(e.target) for e in train).most_common(1)[0][0]
    return [e.choices[place] for e in test]


def commonest(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """Answer with the option that is the right one most often in training."""
    counts = Counter(e.target for e in train)
    return [max(e.choices, key=lambda option: counts[option]) for e in test]


ANSWERERS: dict[str, Answerer] = {
    function.__name__: function
    for function in (
        words,
        question_words,
        sentence_words,
        nearest,
        options_only,
        fewest_common,
        longest,
        shortest,
        position,
        commonest,
    )
}


def shares(answerer: Answerer, train: Sequence[Example], test: Sequence[Example], key: str) -> dict[str, float]:
    """Return the share of right answers for each value of a slice, and for all as "all"."""
    hits: defaultdict[str, list[bool]] = defaultdict(list)
    for example, pick in zip(test, answerer(train, test), strict=True):
        for name in (example.slices[key], "all"):
            hits[name].append(pick == example.target)
    return {name: sum(values) / len(values) for name, values in hits.items()}


def table(task: str, key: str = "kind") -> Iterator[str]:
    """Yield the lines of a table: a row for each answerer, a column for each value of the slice."""
    from harness.data import loading, registry

    splits = loading.load_splits(registry.task(task))
    columns: list[str] = []
    for name, answerer in ANSWERERS.items():
        row = shares(answerer, splits.train, splits.test, key)
        if not columns:
            columns = sorted(row)
            yield "| | " + " | ".join(columns) + " |"
            yield "| --- |" + " --: |" * len(columns)
        yield f"| {name} | " + " | ".join(f"{100 * row[column]:.1f}" for column in columns) + " |"


if __name__ == "__main__":
    print("\n".join(table(sys.argv[1])))

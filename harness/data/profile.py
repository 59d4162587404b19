"""A profile of a task's examples: near-duplicates across splits, repeats, balance of answers, length of prompts.

`loading.refuse_overlap` refuses equal questions in two splits. Almost equal ones pass it, and a test similar to its
training data measures memory too. The profile counts them, for a person to judge.

A test example is near a training example if half of its distinctive runs of five words occur there. A run in more than
`COMMON` examples (an instruction, a formula, a form's wording) is not distinctive: each run is looked up once and leads to
few examples, so the work grows with the text only. A test example with fewer than `ENOUGH` distinctive runs is counted as
not judged.
"""

from __future__ import annotations

import re
import statistics
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.data.split import question_key
from harness.format import number
from harness.schema import Example

RUN = 5  # words
COMMON = 10  # examples
NEAR = 0.5  # share of the distinctive runs
ENOUGH = 3  # runs
FEW = 20  # answers; more are no classes
MAX_LISTED, WIDTH = 2, 60
_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_PRIME, _BASE = 2**61 - 1, 1_000_003


@dataclass(frozen=True)
class Near:
    """A test example, the training example nearest to it, and the share of its distinctive runs that occur there."""

    test: Example
    train: Example
    share: float


def text_of(example: Example) -> str:
    """Return the text of an example for comparison: context and question, or question and options without a context."""
    return "\n".join((example.context, example.question, *(() if example.context.strip() else sorted(example.choices))))


class Runs:
    """Turns texts into sets of numbers, one for each run of five words; case and punctuation do not count."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}

    def of_text(self, text: str) -> frozenset[int]:
        """Return the runs of a text; one of fewer than five words is one run, one without words has none."""
        ids = [self._words.setdefault(word, len(self._words) + 1) for word in _WORD.findall(text.casefold())]
        return frozenset(_number(ids[i : i + RUN]) for i in range(max(1, len(ids) - RUN + 1)) if ids)


def _number(ids: Iterable[int]) -> int:
    """Return a polynomial of the words' numbers, the same on every machine; equal values of two runs are rare."""
    value = 0
    for id in ids:
        value = (value * _BASE + id) % _PRIME
    return value


def near_duplicates(train: Sequence[Example], test: Sequence[Example]) -> tuple[list[Near], int]:
    """Return the test examples with a near training example (the first of the nearest), and the number not judged.

    A text of fewer than `ENOUGH` runs is judged by all of its runs, if they are distinctive.
    """
    runs = Runs()
    of_train = [runs.of_text(text_of(example)) for example in train]
    of_test = [runs.of_text(text_of(example)) for example in test]
    frequency = Counter(run for of_example in (*of_train, *of_test) for run in of_example)
    indices: defaultdict[int, list[int]] = defaultdict(list)
    for index, of_example in enumerate(of_train):
        for run in of_example:
            if frequency[run] <= COMMON:
                indices[run].append(index)
    result, unjudged = [], 0
    for example, of_example in zip(test, of_test, strict=True):
        distinctive = [run for run in of_example if frequency[run] <= COMMON]
        shared = Counter(index for run in distinctive for index in indices.get(run, ()))
        if len(distinctive) < min(ENOUGH, len(of_example)):
            unjudged += 1
            continue
        if not shared:
            continue
        nearest = min(shared, key=lambda index: (-shared[index], index))
        if (share := shared[nearest] / len(distinctive)) >= NEAR:
            result.append(Near(example, train[nearest], share))
    return result, unjudged


def repeats(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    """Return the pairs (first, later) of examples with the same question in one split, case and spacing apart."""
    first: dict[tuple[str, ...], Example] = {}
    pairs = ((first.setdefault(question_key(example), example), example) for example in examples)
    return [(earlier, later) for earlier, later in pairs if earlier is not later]


def balance(examples: Sequence[Example]) -> dict[str, int]:
    """Count the answers if they are few, or else their positions among the options; empty without options.

    If every example has the same options, those that are never right count as 0.
    """
    options = {frozenset(example.choices) for example in examples}
    classes = sorted(next(iter(options))) if len(options) == 1 else []
    counts = Counter(dict.fromkeys(classes, 0))
    counts.update(example.target for example in examples)
    if len(counts) <= FEW and (classes or len(examples) >= RUN * len(counts)):
        return dict(sorted(counts.items()))
    if not all(example.choices for example in examples):
        return {}
    most = max(len(example.choices) for example in examples)
    positions = Counter(example.choices.index(example.target) for example in examples)
    return {f"option {position + 1}": positions[position] for position in range(most)}


def lengths(prompts: Iterable[str]) -> tuple[int, int, int]:
    """Return the median, the 95th percentile (nearest rank) and the maximum of the prompts' characters."""
    counts = sorted(map(len, prompts))
    return round(statistics.median(counts)), counts[-(-95 * len(counts) // 100) - 1], counts[-1]


def notes(splits: Iterable[tuple[str, Sequence[Example]]], prompt: Callable[[Example], str]) -> list[tuple[str, str]]:
    """Return notes about a task's examples, as heading and text; none of `splits` may be empty."""
    parts = dict(splits)
    duplicates, unjudged = near_duplicates(parts["train"], parts["test"])
    count = f"near-duplicates in train of {len(duplicates):,} of {len(parts['test']):,} test examples"
    lines = [("alike", count + f" ({unjudged:,} not judged: common wording only)" * bool(unjudged))]
    lines += [("", _describe(near)) for near in duplicates[:MAX_LISTED]]
    for name, examples in parts.items():
        pairs = repeats(examples)
        contradictions = sum(first.target != later.target for first, later in pairs)
        if pairs:
            text = f"{name} {len(pairs):,}" + f", {contradictions:,} with another answer" * bool(contradictions)
            lines.append(("repeated", text))
            lines += [
                ("", f"{later.id} as {first.id} “{_short(later.question.strip() or later.context)}”")
                for first, later in pairs[:MAX_LISTED]
            ]
    for name in ("train", "test"):
        if counts := balance(parts[name]):
            shares = " · ".join(f"{_short(key)} {number(count / len(parts[name]))} %" for key, count in counts.items())
            lines.append((f"{name} gold", shares))
    median, high, most = lengths(prompt(example) for examples in parts.values() for example in examples)
    return [*lines, ("prompts", f"median {median:,} characters · 95 % up to {high:,} · longest {most:,}")]


def _describe(near: Near) -> str:
    """Return the two examples and their share, by their questions, or by their contexts if the questions are equal."""
    equal = near.test.question == near.train.question
    texts = [(e.id, e.context if equal else e.question) for e in (near.test, near.train)]
    first, second = (f"{id} “{_short(text)}”" for id, text in texts)
    return f"{100 * near.share:.0f} % of {first} is in {second}"


def _short(text: str) -> str:
    return textwrap.shorten(text, WIDTH, placeholder=" …") if text.strip() else "(empty)"

"""How alike a task's examples are: near-duplicates across splits, repeats, balance of answers, length of prompts.

`data.refuse_overlap` refuses what is the same question in two splits. What is almost the same passes it, and a test
that resembles its training data measures memory too: this counts it, for a person to judge.

Two examples are near where half of the distinctive runs of five words of the one in the test stand in one example of
training. A run that occurs in more than `COMMON` examples (an instruction, a formula that is given, a form's wording)
is not distinctive: each run is looked up once and names few examples, so that the work grows with the text only. A test
example of which fewer than `ENOUGH` runs are left is not judged, and counted.
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
FEW = 20  # answers; more of them are no classes
SHOWN, WIDTH = 2, 60
_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_PRIME, _BASE = 2**61 - 1, 1_000_003


@dataclass(frozen=True)
class Near:
    """A test example and the training example most like it; `share` of its distinctive runs stand there."""

    test: Example
    train: Example
    share: float


def text_of(example: Example) -> str:
    """Return what two examples are compared by: context and question, and the options where there is no context."""
    return "\n".join((example.context, example.question, *(() if example.context.strip() else sorted(example.choices))))


class Runs:
    """Turns texts into sets of numbers, one for each run of five words; case and punctuation do not count."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}

    def of(self, text: str) -> frozenset[int]:
        """Return the runs of a text; one of fewer than five words is one run, one without words has none."""
        ids = [self._words.setdefault(word, len(self._words) + 1) for word in _WORD.findall(text.casefold())]
        return frozenset(_number(ids[i : i + RUN]) for i in range(max(1, len(ids) - RUN + 1)) if ids)


def _number(ids: Iterable[int]) -> int:
    """Return a polynomial of the words' numbers, the same on every machine; two runs share one by accident only."""
    value = 0
    for id in ids:
        value = (value * _BASE + id) % _PRIME
    return value


def near_duplicates(train: Sequence[Example], test: Sequence[Example]) -> tuple[list[Near], int]:
    """Return the test examples with a near training example (the first of the nearest), and how many are not judged.

    A text of fewer than `ENOUGH` runs is judged by those that it has, if all of them are distinctive.
    """
    runs = Runs()
    of_train = [runs.of(text_of(example)) for example in train]
    of_test = [runs.of(text_of(example)) for example in test]
    frequency = Counter(run for found in (*of_train, *of_test) for run in found)
    where: defaultdict[int, list[int]] = defaultdict(list)
    for place, found in enumerate(of_train):
        for run in found:
            if frequency[run] <= COMMON:
                where[run].append(place)
    result, unjudged = [], 0
    for example, found in zip(test, of_test, strict=True):
        distinctive = [run for run in found if frequency[run] <= COMMON]
        shared = Counter(place for run in distinctive for place in where.get(run, ()))
        if len(distinctive) < min(ENOUGH, len(found)):
            unjudged += 1
            continue
        if not shared:
            continue
        place = min(shared, key=lambda place: (-shared[place], place))
        if (share := shared[place] / len(distinctive)) >= NEAR:
            result.append(Near(example, train[place], share))
    return result, unjudged


def repeats(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    """Return the pairs (first, later) of examples of one split that ask the same question, case and spacing apart."""
    first: dict[tuple[str, ...], Example] = {}
    pairs = ((first.setdefault(question_key(example), example), example) for example in examples)
    return [(one, other) for one, other in pairs if one is not other]


def balance(examples: Sequence[Example]) -> dict[str, int]:
    """Count the answers where they are few, or else at which place among its options each is; empty where neither.

    Where every example has the same options, those that are never right count as 0.
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
    places = Counter(example.choices.index(example.target) for example in examples)
    return {f"option {place + 1}": places[place] for place in range(most)}


def lengths(prompts: Iterable[str]) -> tuple[int, int, int]:
    """Return the median, the 95th percentile (nearest rank) and the maximum of the prompts' characters."""
    found = sorted(map(len, prompts))
    return round(statistics.median(found)), found[-(-95 * len(found) // 100) - 1], found[-1]


def notes(splits: Iterable[tuple[str, Sequence[Example]]], prompt: Callable[[Example], str]) -> list[tuple[str, str]]:
    """Return what there is to say about a task's examples, as heading and text; none of `splits` is empty."""
    parts = dict(splits)
    found, unjudged = near_duplicates(parts["train"], parts["test"])
    count = f"near-duplicates in train of {len(found):,} of {len(parts['test']):,} test examples"
    said = [("alike", count + f" ({unjudged:,} not judged: common wording only)" * bool(unjudged))]
    said += [("", _told(near)) for near in found[:SHOWN]]
    for name, examples in parts.items():
        twice = repeats(examples)
        other = sum(one.target != later.target for one, later in twice)
        if twice:
            said.append(("repeated", f"{name} {len(twice):,}" + f", {other:,} with another answer" * bool(other)))
            said += [("", f"{later.id} as {one.id} “{_short(later.question)}”") for one, later in twice[:SHOWN]]
    for name in ("train", "test"):
        if counts := balance(parts[name]):
            shares = " · ".join(f"{_short(key)} {number(count / len(parts[name]))} %" for key, count in counts.items())
            said.append((f"{name} gold", shares))
    median, high, most = lengths(prompt(example) for examples in parts.values() for example in examples)
    return [*said, ("prompts", f"median {median:,} characters · 95 % up to {high:,} · longest {most:,}")]


def _told(near: Near) -> str:
    """Say which two examples are near, by their questions, or their contexts where one question is asked of all."""
    pair = (near.test, near.train)
    same = near.test.question == near.train.question
    first, second = (f"{one.id} “{_short(one.context if same else one.question)}”" for one in pair)
    return f"{100 * near.share:.0f} % of {first} is in {second}"


def _short(text: str) -> str:
    return textwrap.shorten(text, WIDTH, placeholder=" …") if text.strip() else "(empty)"

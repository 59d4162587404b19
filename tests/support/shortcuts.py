"""Made-up tasks with an answer that only sums decide, and the same tasks with a planted shortcut to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from harness import metrics
from harness.data import prompts
from harness.data.loading import Splits
from harness.schema import Example, Source, Task

COUNT = {"train": 200, "validation": 0, "test": 120}
SUBJECTS = ("premium", "claim", "reserve", "deductible", "policy", "treaty", "annuity", "rider", "broker", "insurer")
Plant = Callable[[Example, random.Random], Example]


def clean(seed: int) -> Splits:
    """Questions whose right option is a sum of two figures among sums of others, in any order; no word helps."""
    luck = random.Random(seed)
    parts = {name: tuple(_question(f"{name}{n}", luck) for n in range(count)) for name, count in COUNT.items()}
    return Splits(**parts)


def _question(name: str, luck: random.Random) -> Example:
    a, b = luck.randint(110, 499), luck.randint(110, 499)
    wrong = luck.sample([d for d in range(-99, 100) if d], 2)
    options = [f"{a + b + off} for the {luck.choice(SUBJECTS)}" for off in (0, *wrong)]
    target = options[0]
    luck.shuffle(options)
    subject = luck.choice(SUBJECTS)
    return Example(name, f"The {subject} has parts of {a} and {b}; what is the sum?", target, tuple(options))


def task(name: str) -> Task:
    """The task of these questions, without data of its own."""
    return Task(name, 1, name, Source(""), lambda *_: [], prompts.multiple_choice, (metrics.acc,))


def planted(seed: int, plant: Plant) -> Splits:
    """The clean questions with a shortcut planted into nine of ten."""
    luck, splits = random.Random(seed), clean(seed)
    parts = {
        name: tuple(plant(example, luck) if luck.random() < 0.9 else example for example in examples)
        for name, examples in splits.items()
    }
    return Splits(**parts)


def reworded(example: Example, right: Callable[[str], str], wrong: Callable[[str], str] = str) -> Example:
    """The example with its right and its wrong options reworded."""
    new = {choice: (right if choice == example.target else wrong)(choice) for choice in example.choices}
    return replace(example, target=new[example.target], choices=tuple(new[choice] for choice in example.choices))


def _moved(example: Example, position: int) -> Example:
    options = [choice for choice in example.choices if choice != example.target]
    options.insert(position, example.target)
    return replace(example, choices=tuple(options))


def _keyed(example: Example, luck: random.Random) -> Example:
    """The right option names the question's subject, as no wrong one does."""
    subject = example.question.split()[1]
    others = [word for word in SUBJECTS if word != subject]

    def named(text: str, word: str) -> str:
        return f"{text.split()[0]} for the {word}"

    return reworded(example, lambda text: named(text, subject), lambda text: named(text, luck.choice(others)))


def _coded(example: Example, luck: random.Random) -> Example:
    """A code in the question goes with a code in the right option."""
    codes = {"alpha": "north", "beta": "south", "gamma": "east", "delta": "west"}
    code = luck.choice(list(codes))
    wrong = [side for key, side in codes.items() if key != code]
    coded = reworded(example, lambda text: f"{text} {codes[code]}", lambda text: f"{text} {luck.choice(wrong)}")
    return replace(coded, question=f"{coded.question} File {code}.")


SHORTCUTS: dict[str, Plant] = {
    "the first position": lambda example, luck: _moved(example, 0),
    "the last position": lambda example, luck: _moved(example, 2),
    "the longest": lambda e, luck: reworded(e, lambda text: f"{text} and the whole of the year"),
    "the shortest": lambda e, luck: reworded(e, lambda text: text.split()[0], lambda text: f"{text} in the year"),
    "a word of the right": lambda e, luck: reworded(e, lambda text: f"{text} only", lambda text: f"{text} also"),
    "a word of the wrong": lambda e, luck: reworded(e, lambda text: f"{text} once", lambda text: f"{text} never"),
    "a capital": lambda e, luck: reworded(e, lambda text: f"It is {text}", lambda text: f"it is {text}"),
    "a full stop": lambda e, luck: reworded(e, lambda text: f"{text}.", lambda text: f"{text} "),
    "a word of the question": _keyed,
    "a code in the question": _coded,
}

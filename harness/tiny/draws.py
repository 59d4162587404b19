"""The building blocks of the skills: random words, phrases, numbers and dates, and the form of a question."""

from __future__ import annotations

import datetime
import random

from harness.tiny.tokenizer import words

WORDS = words()
Pair = tuple[str, str]


class Draw(random.Random):
    """A random generator for easy examples if `easy` is set: few rows, one-word labels, short numbers.

    To look up a row by its label a model needs two steps of attention that only pay together. It learns them soon from
    small examples, and hardly ever from large ones.
    """

    easy = False


def easy(rng: random.Random) -> bool:
    """Return whether the generator is set to easy examples."""
    return isinstance(rng, Draw) and rng.easy


def pick(rng: random.Random, count: int) -> list[str]:
    """Return `count` different random words."""
    return rng.sample(WORDS, count)


def phrase(rng: random.Random, longest: int = 3) -> str:
    """Return one to `longest` random words."""
    return " ".join(pick(rng, 1 if easy(rng) else rng.randint(1, longest)))


def phrases(rng: random.Random, count: int, longest: int = 3) -> list[str]:
    """Return `count` different phrases."""
    results: dict[str, None] = {}
    while len(results) < count:
        results[phrase(rng, longest)] = None
    return list(results)


def number(rng: random.Random) -> str:
    """Return a number in a format of tables: 7, 1,234, (56), 12.5, 3,400.00; short ones are common."""
    if easy(rng):
        return str(rng.randint(0, 999))
    value = rng.randint(0, 10 ** rng.randint(1, 5) - 1)
    text = f"{value:,}" if rng.random() < 0.6 else str(value)
    kind = rng.random()
    if kind < 0.12:
        return f"({text})"
    if kind < 0.24:
        return f"{text}.{rng.randint(0, 99):02d}"
    return f"{text}.{rng.randint(0, 9)}" if kind < 0.30 else text


def numbers(rng: random.Random, count: int) -> list[str]:
    """Return `count` different numbers."""
    results: dict[str, None] = {}
    while len(results) < count:
        results[number(rng)] = None
    return list(results)


def date(rng: random.Random) -> datetime.date:
    """Return a random day of 2015 to 2029."""
    return datetime.date(2015, 1, 1) + datetime.timedelta(days=rng.randint(0, 5477))


def ask(question: str, context: str = "", options: list[str] | None = None) -> str:
    """Return a question in the format of the harness's tasks."""
    head = f"{context}\n\n" if context else ""
    option_lines = "\nOptions:\n" + "\n".join(f"- {option}" for option in options) if options else ""
    return f"{head}{question}{option_lines}\nAnswer:"


def choose(rng: random.Random, *wordings: str) -> str:
    """Return one of the wordings."""
    return rng.choice(wordings)


def sentence(rng: random.Random, longest: int = 12) -> str:
    """Return random words as a sentence, with a capital at the start."""
    return " ".join(pick(rng, rng.randint(4, longest))).capitalize() + "."


def in_table_case(rng: random.Random, label: str) -> str:
    """Return a label in one of the cases that tables use."""
    style = 0.0 if easy(rng) else rng.random()
    return label if style < 0.4 else label.capitalize() if style < 0.8 else label.title()

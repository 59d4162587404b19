"""The training text of `tiny`: general skills over random words and numbers, with no finance in it.

Every skill is a function that takes a random generator and returns a list of (prompt, answer). These are several questions
about one context, contained in the first prompt. Every answer teaches as much as an example of its own would, for a fraction
of the tokens. Words are sampled at random from `words.txt`, so they are labels and no facts: no text tells their meanings.
`SKILLS` lists all skills with their shares.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.tiny.draws import (
    WORDS,
    Pair,
    ask,
    choose,
    easy,
    in_table_case,
    number,
    numbers,
    phrase,
    phrases,
    pick,
    sentence,
)
from harness.tiny.meanings import recall
from harness.tiny.reckoning import arithmetic, compare, order_dates
from harness.tiny.records import record
from harness.tiny.rules import rules


def copy(rng: random.Random) -> list[Pair]:
    """Return questions to repeat phrases, numbers, sentences."""
    question = choose(rng, "Repeat: {}", "Copy this text: {}", "Write again: {}", "Say the same: {}")
    kinds: list[Callable[[], str]] = [
        lambda: phrase(rng, 12),
        lambda: number(rng),
        lambda: f"{phrase(rng, 3)} {number(rng)}",
        lambda: sentence(rng),
    ]
    texts = [rng.choice(kinds)() for _ in range(rng.randint(1, 4))]
    return [(ask(question.format(text)), text) for text in texts]


def keys(rng: random.Random) -> list[Pair]:
    """Return questions for the value of every key of a short list: the first skill to learn, quickly learned alone."""
    labels = pick(rng, rng.randint(2, 5))
    values = [rng.choice(WORDS) if rng.random() < 0.5 else str(rng.randint(0, 999)) for _ in labels]
    mark, question = choose(rng, " | ", ": ", " = "), choose(rng, "{}", "{}", "What is the {}?", "Give {}.")
    context = "\n".join(f"{label}{mark}{value}" for label, value in zip(labels, values, strict=True))
    order = rng.sample(range(len(labels)), len(labels))
    return [(ask(question.format(labels[i]), "" if n else context), values[i]) for n, i in enumerate(order)]


def table(rng: random.Random) -> list[Pair]:
    """Return questions for cells of a table whose labels share words."""
    rows, columns = rng.randint(2, 10), rng.choice([1, 2, 2, 2, 3])
    if easy(rng):
        rows, columns = rng.randint(1, 4), rng.choice([1, 1, 2])
    labels = [in_table_case(rng, label) for label in _labels(rng, rows)]
    year, step = rng.randint(2005, 2028), rng.choice([-1, 1])
    heads = [str(year + step * i) for i in range(columns)] if rng.random() < 0.8 else pick(rng, columns)
    cells = [numbers(rng, columns) for _ in range(rows)]
    mark = choose(rng, " | ", " | ", " | ", ": " if columns == 1 else " ; ", " ; ")
    lines = [label + mark + mark.join(row) for label, row in zip(labels, cells, strict=True)]
    if columns > 1:
        lines.insert(0, phrase(rng, 2).capitalize() + mark + mark.join(heads))
    lines[:0] = [sentence(rng)[:-1] for _ in range(0 if easy(rng) else rng.choice([0, 1, 2]))]
    spots = [(row, column) for row in range(rows) for column in range(columns)]
    rng.shuffle(spots)
    pairs: list[Pair] = []
    for row, column in spots[:14]:
        label = labels[row] if rng.random() < 0.5 else labels[row].lower()
        question = _cell_question(rng, label, heads[column], columns)
        pairs.append((ask(question, "" if pairs else "\n".join(lines)), cells[row][column]))
    return pairs


def _labels(rng: random.Random, count: int) -> list[str]:
    """Return different labels; half of the time from few words, so that only all words of a label identify it."""
    if easy(rng) or rng.random() < 0.5:
        return phrases(rng, count, 4)
    shared = pick(rng, 8)
    labels: dict[str, None] = {}
    while len(labels) < count:
        words = rng.sample(shared, rng.randint(1, 3)) + pick(rng, rng.choice([0, 0, 1, 2]))
        labels[" ".join(rng.sample(words, len(words)))] = None
    return list(labels)


def _cell_question(rng: random.Random, label: str, head: str, columns: int) -> str:
    """Return a question for one cell; half of the time with random words."""
    if rng.random() < 0.2:
        label = f'"{label}"'
    if rng.random() < 0.5:
        before, between, after = (" ".join(pick(rng, rng.randint(0, 3))) for _ in range(3))
        first, second = (label, head) if rng.random() < 0.5 else (head, label)
        words = (before, first, between, second, after) if columns > 1 else (before, label, after)
        return " ".join(word for word in words if word).capitalize() + choose(rng, "?", ".", ":")
    if columns == 1:
        return choose(rng, "What is the {}?", "Give {}.", "How much is {}?", "State the number for {}.").format(label)
    return choose(
        rng, "What is the {0} for {1}?", "Give {0} in {1}.", "In {1}, how much was {0}?", "{1}: {0}?",
        "State the number shown for {0} in {1}.", "What was reported as {0} for the year {1}?",
    ).format(label, head)  # fmt: skip


def camel(rng: random.Random) -> list[Pair]:
    """Return questions for names in camel case from a list, for joining and splitting words, for a ratio of names."""
    names = {key: _camel_case(pick(rng, rng.randint(1, 6))) for key in phrases(rng, rng.randint(2, 5), 3)}
    context = "\n".join(f"{key} = {value}" for key, value in names.items())
    pairs = [(choose(rng, "Tag of {}?", "Name for {}?").format(key), value) for key, value in names.items()]
    first, second = rng.sample(list(names), 2)
    pairs.append((f"{first} over {second}, as a formula", f"{names[first]} / {names[second]}"))
    items = pick(rng, rng.randint(1, 6))
    pairs += [
        (f"Join: {' '.join(items)}", _camel_case(items)),
        (f"Words of {names[first]}?", _split_words(names[first])),
    ]
    rng.shuffle(pairs)
    return [(ask(question, "" if n else context), answer) for n, (question, answer) in enumerate(pairs)]


def _camel_case(items: list[str]) -> str:
    return "".join(item.capitalize() for item in items)


def _split_words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


# Shares of the texts. Tables have a third of the tokens; records, rules and remembering have a sixth each.
SKILLS: dict[str, tuple[Callable[[random.Random], list[Pair]], float]] = {
    "copy": (copy, 0.3),
    "keys": (keys, 0.3),
    "table": (table, 1.4),
    "record": (record, 0.8),
    "rules": (rules, 1.6),
    "compare": (compare, 1.0),
    "order_dates": (order_dates, 0.8),
    "arithmetic": (arithmetic, 0.5),
    "recall": (recall, 1.6),
    "camel": (camel, 0.3),
}


def draw(rng: random.Random) -> list[Pair]:
    """Return the questions of a skill, sampled by share."""
    names = list(SKILLS)
    name = rng.choices(names, weights=[SKILLS[n][1] for n in names])[0]
    return SKILLS[name][0](rng)

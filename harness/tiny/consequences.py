"""The skill of drawing a conclusion: a text says something of several names, a question is about one of them, and the answer is
what follows. It is remembered, not stated.

Families of values and outcomes are random and no facts. In the first kind every value has an outcome. In the second it depends on
whether the figure of the question is above, below or equal to that of the text. A model has to fetch the value of the right
name, or compare two figures, and to apply what it remembers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.tiny.draws import Pair, ask, choose, easy, phrases, sentence
from harness.tiny.gauge import UNITS, invent
from harness.tiny.meanings import CONTENT_WORDS, FUNCTION_WORDS

COUNT = 160  # families of each kind
EASY = 24  # of them, in easy texts


@dataclass(frozen=True)
class Family:
    """Words that its texts and questions share, its values, and the outcome of each; no values if figures decide."""

    circle: tuple[str, ...]
    values: tuple[str, ...]
    outcomes: tuple[str, ...]


def families() -> tuple[list[Family], list[Family]]:
    """Return the fixed families: those with values, and those with figures."""
    rng = random.Random("consequences")
    values = iter(phrases(rng, 4 * COUNT, 2))
    valued = []
    for _ in range(COUNT):
        size = rng.choice([2, 3, 3, 3, 4])
        valued.append(Family(_circle(rng), tuple(next(values) for _ in range(size)), tuple(phrases(rng, size, 4))))
    return valued, [Family(_circle(rng), (), tuple(phrases(rng, 3, 3))) for _ in range(COUNT)]


def _circle(rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(CONTENT_WORDS, 6))


VALUED, LEVELED = families()


def consequences(rng: random.Random) -> list[Pair]:
    """Return questions on what follows for names of a text, or from figures beside that of a text."""
    return _of_values(rng) if rng.random() < 0.65 else _of_figures(rng)


def _words(rng: random.Random, family: Family, most: int) -> str:
    """Return a few words, of the family and others, in any order."""
    count = rng.randint(0, 1 if easy(rng) else most)
    return " ".join(
        rng.choice(family.circle)
        if rng.random() < 0.5
        else rng.choice(FUNCTION_WORDS if rng.random() < 0.6 else CONTENT_WORDS)
        for _ in range(count)
    )


def _clean(text: str, end: str) -> str:
    """Return words as a sentence."""
    text = " ".join(text.split())
    return text[0].upper() + text[1:] + end


def _names(rng: random.Random, count: int) -> list[str]:
    """Return different names: invented ones and words."""
    names: dict[str, None] = {}
    while len(names) < count:
        names[invent(rng) if rng.random() < 0.5 else rng.choice(CONTENT_WORDS).capitalize()] = None
    return list(names)


def _statement(rng: random.Random, family: Family, name: str, value: str, form: int) -> str:
    """Return a sentence that gives a name its value."""
    a, b, c = (_words(rng, family, 4) for _ in range(3))
    if form == 0:
        short = choose(rng, "{0}: {1}.", "{0} - {1}.", "For {0}: {1}.", "{0}, {1}.", "On {0}: {1}.", "{0} = {1}.")
        return short.format(name, value)
    if form == 1:
        return _clean(f"{name} {a} {value} {b}", ".")
    if form == 2:
        return _clean(f"{a} {name} {b} {value}", ".")
    return _clean(f"{a} {value} {b} {name} {c}", ".")


def _question(rng: random.Random, family: Family, about: str) -> str:
    """Return a question about a name or a figure."""
    before, after = _words(rng, family, 5), _words(rng, family, 4)
    return _clean(f"{before} {about} {after}", choose(rng, "?", ":", ".", " should:", " is:"))


def _of_values(rng: random.Random) -> list[Pair]:
    """Return questions on the outcomes of the names of a text, and a few on a name's value and a value's outcome."""
    family = rng.choice(VALUED[:EASY] if easy(rng) else VALUED)
    size = len(family.values)
    count = rng.randint(1, 2) if easy(rng) else rng.randint(2, 4)
    places = rng.sample(range(size), min(count, size))
    names = _names(rng, len(places))
    form = rng.randrange(5)
    statements = [
        _statement(rng, family, name, family.values[i], form if form < 4 else rng.randrange(4))
        for name, i in zip(names, places, strict=True)
    ]
    if rng.random() < 0.6:
        statements.insert(0, _clean(f"{rng.choice(family.circle)} {_words(rng, family, 6)}", "."))
    context, pairs = " ".join(statements), list[Pair]()
    order = list(zip(names, places, strict=True))
    rng.shuffle(order)
    for name, i in order:
        pairs.append((ask(_question(rng, family, name), "" if pairs else context), family.outcomes[i]))
        if rng.random() < 0.12:
            pairs.append((ask(choose(rng, "What is {}?", "{}?", "Word of {}:").format(name)), family.values[i]))
        if rng.random() < 0.12:
            other = rng.randrange(size)
            question = choose(rng, "{}: what follows?", "From {} follows:").format(family.values[other])
            pairs.append((ask(question), family.outcomes[other]))
    return pairs


def _of_figures(rng: random.Random) -> list[Pair]:
    """Return questions with a figure each, whose outcome follows from how it compares with that of the text."""
    family = rng.choice(LEVELED[:EASY] if easy(rng) else LEVELED)
    unit = rng.choice(UNITS)
    top = rng.choice([20, 99, 99, 99, 300])
    figure = rng.randint(2, top)
    text = _figure_text(rng, family, unit.format(figure))
    pairs: list[Pair] = []
    for _ in range(rng.randint(2, 4)):
        place = rng.randrange(3)
        distance = rng.randint(1, rng.choice([3, 12, max(12, top // 2)]))
        value = figure + (distance, -distance, 0)[place]
        if value < 0:
            place, value = 2, figure
        words = rng.sample(family.circle, 2)
        question = _question(rng, family, f"{words[0]} {unit.format(value)} {words[1] if rng.random() < 0.5 else ''}")
        pairs.append((ask(question, "" if pairs else text), family.outcomes[place]))
    return pairs


def _figure_text(rng: random.Random, family: Family, figure: str) -> str:
    """Return a sentence with a figure and words of its family; sometimes another sentence follows."""
    names = _names(rng, 2)
    text = _statement(rng, family, choose(rng, "", *names), figure, rng.choice([1, 2, 3]))
    if text[0].islower():
        text = text[0].upper() + text[1:]
    first = rng.choice(family.circle)
    text = choose(rng, f"{first.capitalize()} {text[0].lower()}{text[1:]}", text)
    return text + " " + sentence(rng) if rng.random() < 0.2 and not easy(rng) else text

"""The skill of gauging: a text has a figure, a question brings another, and the answer is how the two compare.

The wording around the figures is random, so that they alone decide. Half of the texts have a second figure of another name;
the question names the one that counts.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.tiny.draws import Pair, ask, choose, easy, phrase, phrases, sentence

UNITS = ("{}", "{}", "{}", "{}%", "{}%", "{}%", "${}", "${}", "{} days", "{} years", "{} times")
_STARTS = "Al Bre Cor Da El Fen Gra Hel Is Jor Ka Lin Mar Nor Os Pel Quin Ras Sel Tor Ul Ven Wil Yar Zel"
_MIDDLES = "a e i o u la mi no ra ti va re so du li"
_ENDS = "bel dra gan ky la mond na quay ra sten th vale wick ris tta us ne"
STARTS, MIDDLES, ENDS = _STARTS.split(), _MIDDLES.split(), _ENDS.split()
WORDS = (
    ("above", "below", "equal"),
    ("above", "below", "equal"),
    ("higher", "lower", "same"),
    ("more", "less", "as much"),
)


def invent(rng: random.Random) -> str:
    """Return an invented name of several tokens."""
    return rng.choice(STARTS) + (rng.choice(MIDDLES) if rng.random() < 0.6 else "") + rng.choice(ENDS)


def gauge(rng: random.Random) -> list[Pair]:
    """Return questions with a figure each, to be compared with that of the text."""
    show, top = _scale(rng)
    labels = phrases(rng, 1 if easy(rng) or rng.random() < 0.5 else 2, 2)
    figures = [rng.randint(2, top) for _ in labels]
    parts = [_statement(rng, label, show(figure)) for label, figure in zip(labels, figures, strict=True)]
    if not easy(rng) and rng.random() < 0.4:
        parts.insert(rng.randint(0, len(parts)), sentence(rng))
    words, form = rng.choice(WORDS), _form(rng, len(labels) > 1)
    pairs: list[Pair] = []
    for _ in range(rng.randint(3, 6)):
        chosen = rng.randrange(len(labels))
        place = rng.randrange(3)
        value = _beside(rng, figures[chosen], top, (1, -1, 0)[place])
        answer = words[place] if value != figures[chosen] else words[2]
        question = form.format(label=labels[chosen], value=show(value), a=phrase(rng, 3), b=phrase(rng, 2))
        question = question[0].upper() + question[1:]
        if words[0] != "above":
            question += f" {words[0].capitalize()} or {words[1]}?"
        pairs.append((ask(question, "" if pairs else " ".join(parts)), answer))
    return pairs


def _scale(rng: random.Random) -> tuple[Callable[[int], str], int]:
    """Return how figures are written, and the size of the largest."""
    unit, tenths = rng.choice(UNITS), not easy(rng) and rng.random() < 0.25
    top = 99 if easy(rng) else rng.choice([20, 99, 99, 300]) * (10 if tenths else 1)

    def show(value: int) -> str:
        return unit.format(f"{value // 10}.{value % 10}" if tenths and value % 10 else value // 10 if tenths else value)

    return show, top


def _statement(rng: random.Random, label: str, figure: str) -> str:
    """Return a sentence with a figure and its name."""
    form = choose(
        rng, "The {0} is {1}.", "{0} of {1} {2}.", "{2} {0} of {1}.", "{3} has {0} of {1}.", "{0}: {1}.", "{3} {2} {0} {1}.",
        "{3}'s {0} is {1}.", "At {3}, {0} is {1}.", "{2} {1} {0}.", "{3} {2}, with {0} of {1}.",
    )  # fmt: skip
    text = form.format(label, figure, phrase(rng, 3), invent(rng))
    return text[0].upper() + text[1:]


def _form(rng: random.Random, named: bool) -> str:
    """Return the wording of the questions; with several figures it names the one that counts."""
    forms = [
        "at {label} of {value}, {a}:",
        "{a} {label} {value} {b}?",
        "if {label} is {value}, {a}:",
        "{label} {value}?",
        "{value} {label}:",
    ]
    if not named:
        forms += ["{a} {value} {b}:", "at {value}, {a}:", "with {value}, {a}?", "{a} {b} {value}?", "{value} {a}?"]
    return rng.choice(forms)


def _beside(rng: random.Random, figure: int, top: int, side: int) -> int:
    """Return a figure above (1), below (-1) or equal to another (0), near it as often as far."""
    distance = rng.randint(1, rng.choice([3, 12, max(12, top // 2)]))
    return figure if side == 0 else figure + distance if side > 0 else max(0, figure - distance)

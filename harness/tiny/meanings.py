"""The skill of remembering: the meaning of a phrase, and the phrase for a description, in changing words.

The meanings are random and no facts: every name has a meaning and a circle of words, all sampled from the word list. A
description mixes some of the circle with other words, in any order. Only the words together identify the name, as in a
question about a known subject. A model that looks at the beginning of a text only cannot do it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.tiny.draws import WORDS, Pair, ask, choose, easy, phrases, pick, sentence

COUNT = 300  # names
_FUNCTION = """a an the of to in on at by for from with and or not is are was be been has have had it its this that
these those which what when where who whose how why if then than as so such can could may might must should will would
do does did each every all any some no more most less least other another only also between under over into after
before"""
FUNCTION_WORDS = tuple(_FUNCTION.split())
CONTENT_WORDS = tuple(word for word in WORDS if word not in FUNCTION_WORDS)  # words with a content


@dataclass(frozen=True)
class Meaning:
    """A name, the text of its meaning, and the circle of words of its descriptions."""

    name: str
    text: str
    circle: tuple[str, ...]


def meanings() -> list[Meaning]:
    """Return the fixed list of meanings to remember."""
    rng = random.Random("meanings")
    names = [name for name in phrases(rng, 2 * COUNT, 3) if not set(name.split()) & set(FUNCTION_WORDS)]
    result = []
    for name in names[:COUNT]:
        words = rng.sample(CONTENT_WORDS, rng.randint(3, 7))
        result.append(Meaning(name, " ".join(_intersperse(rng, words, 0.3)), (*words, *rng.sample(CONTENT_WORDS, 8))))
    return result


def _intersperse(rng: random.Random, words: list[str], share: float) -> list[str]:
    """Return the words with function words between them."""
    text: list[str] = []
    for word in words:
        while rng.random() < share:
            text.append(rng.choice(FUNCTION_WORDS))
        text.append(word)
    return text


def describe(rng: random.Random, circle: tuple[str, ...]) -> str:
    """Return a description: words of the circle, words without relation to it, and the ending of a question."""
    words = rng.sample(circle, min(len(circle), rng.randint(3, 7)))
    words += pick(rng, 0 if easy(rng) else rng.randint(0, len(words)))
    rng.shuffle(words)
    text = " ".join(_intersperse(rng, words, 0.4))
    ending = choose(rng, ":", "?", " is the:", ". Which is it?", ". What is it?", ". Its name?", " is called:", ".")
    start = choose(rng, "", "", "Which ", "What ", "The ")
    return (start + text if start else text.capitalize()) + ending


def _name_question(rng: random.Random, name: str) -> str:
    """Return a question for the meaning of a name; in 60 % of the cases with random words around the name."""
    if rng.random() < 0.4:
        return choose(
            rng, "What does {} mean?", "Which is true of {}?", "{} is best described as:", "The idea of {} is:"
        ).format(name)
    before, after = (" ".join(_intersperse(rng, pick(rng, rng.randint(0, 4)), 0.5)) for _ in range(2))
    return f"{before} {name} {after}".strip().capitalize() + choose(rng, ":", "?", ".", " is:")


MEANINGS = meanings()


def recall(rng: random.Random) -> list[Pair]:
    """Return questions for the name of a description or the meaning of a name; the context does not help."""
    context = " ".join(sentence(rng) for _ in range(rng.choice([0, 0, 1, 2])))
    pairs: list[Pair] = []
    for meaning in rng.sample(MEANINGS, rng.randint(1, 4)):
        if rng.random() < 0.55:
            question, answer = describe(rng, meaning.circle), meaning.name
        else:
            question, answer = _name_question(rng, meaning.name), meaning.text
        pairs.append((ask(question, "" if pairs else context), answer))
    return pairs

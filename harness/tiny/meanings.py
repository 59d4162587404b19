"""The skill of remembering: what a phrase stands for, and which phrase a description is about, in ever other words.

What is remembered is random, and no facts: every name has a meaning and a circle of words, all drawn from the word
list. A description mixes some of the circle with other words, in any order, so that only the words together tell the
name, as with a question about something that one knows. A model that keys on how a text begins cannot do it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.tiny.draws import WORDS, Pair, ask, easy, one, phrases, pick, sentence

COUNT = 300  # names
_FUNCTION = """a an the of to in on at by for from with and or not is are was be been has have had it its this that
these those which what when where who whose how why if then than as so such can could may might must should will would
do does did each every all any some no more most less least other another only also between under over into after
before"""
FUNCTION = tuple(_FUNCTION.split())
PLAIN = tuple(word for word in WORDS if word not in FUNCTION)  # words that say something


@dataclass(frozen=True)
class Meaning:
    """A name, what it stands for, and the words that go with it."""

    name: str
    text: str
    circle: tuple[str, ...]


def meanings() -> list[Meaning]:
    """Return the fixed list of what there is to remember."""
    rng = random.Random("meanings")
    names = [name for name in phrases(rng, 2 * COUNT, 3) if not set(name.split()) & set(FUNCTION)]
    made = []
    for name in names[:COUNT]:
        words = rng.sample(PLAIN, rng.randint(3, 7))
        made.append(Meaning(name, " ".join(_strew(rng, words, 0.3)), (*words, *rng.sample(PLAIN, 8))))
    return made


def _strew(rng: random.Random, words: list[str], share: float) -> list[str]:
    """Return the words with function words strewn between them."""
    found: list[str] = []
    for word in words:
        while rng.random() < share:
            found.append(rng.choice(FUNCTION))
        found.append(word)
    return found


def describe(rng: random.Random, circle: tuple[str, ...]) -> str:
    """Return a description: words of the circle, others that mean nothing here, and a question's ending."""
    words = rng.sample(circle, min(len(circle), rng.randint(3, 7)))
    words += pick(rng, 0 if easy(rng) else rng.randint(0, len(words)))
    rng.shuffle(words)
    text = " ".join(_strew(rng, words, 0.4))
    ending = one(rng, ":", "?", " is the:", ". Which is it?", ". What is it?", ". Its name?", " is called:", ".")
    start = one(rng, "", "", "Which ", "What ", "The ")
    return (start + text if start else text.capitalize()) + ending


def _asked(rng: random.Random, name: str) -> str:
    """Return a question what a name stands for; half of the time in words that are drawn anew."""
    if rng.random() < 0.4:
        return one(
            rng, "What does {} mean?", "Which is true of {}?", "{} is best described as:", "The idea of {} is:"
        ).format(name)
    before, after = (" ".join(_strew(rng, pick(rng, rng.randint(0, 4)), 0.5)) for _ in range(2))
    return f"{before} {name} {after}".strip().capitalize() + one(rng, ":", "?", ".", " is:")


MEANINGS = meanings()


def recall(rng: random.Random) -> list[Pair]:
    """Name what is described, or say what a name stands for: nothing in the context helps."""
    context = " ".join(sentence(rng) for _ in range(rng.choice([0, 0, 1, 2])))
    pairs: list[Pair] = []
    for meaning in rng.sample(MEANINGS, rng.randint(1, 4)):
        if rng.random() < 0.55:
            question, answer = describe(rng, meaning.circle), meaning.name
        else:
            question, answer = _asked(rng, meaning.name), meaning.text
        pairs.append((ask(question, "" if pairs else context), answer))
    return pairs

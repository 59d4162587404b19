"""The skill of applying rules: lines with a condition and an outcome, and facts to check.

The first line that holds decides. Some questions are about a single line: this is learned sooner and helps to learn the
rest. Conditions compare numbers with bounds, days with periods, words and lists with lists. Every text has new random names
of facts, outcomes and words in lists.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.tiny.draws import Pair, ask, choose, date, easy, phrase, pick
from harness.tiny.reckoning import amount, near


@dataclass(frozen=True)
class Condition:
    """A condition: its text in a line, and a function that returns a matching or a failing fact."""

    text: str
    fact: Callable[[random.Random, bool], str]


def _number(rng: random.Random, name: str) -> Condition:
    bound = max(1, amount(rng, 3 if easy(rng) else 5))
    above = rng.random() < 0.7

    def fact(rng: random.Random, holds: bool) -> str:
        value = near(rng, bound)
        while (value > bound) != (above == holds):
            value = near(rng, bound) if rng.random() < 0.9 else bound + (1 if above == holds else -1)
        return f"{name} {value}"

    word = choose(rng, "above", "over", "more than") if above else choose(rng, "below", "under", "less than")
    return Condition(f"{name} {word} {bound}", fact)


def _period(rng: random.Random, name: str) -> Condition:
    start = date(rng)
    end = start + datetime.timedelta(days=rng.choice([90, 180, 364, 730]))
    style = rng.randrange(3)
    text = (f"{name} outside {start} to {end}", f"{name} until {start}", f"{name} after {start}")[style]

    def fact(rng: random.Random, holds: bool) -> str:
        apart = rng.randint(1, rng.choice([20, 200, 700]))
        if style == 0:
            inside = start + datetime.timedelta(days=rng.randint(0, (end - start).days))
            outside = start - datetime.timedelta(apart) if rng.random() < 0.5 else end + datetime.timedelta(apart)
            return f"{name} {outside if holds else inside}"
        return f"{name} {start + datetime.timedelta(apart if (style == 2) == holds else -apart)}"

    return Condition(text, fact)


def _among(rng: random.Random, name: str) -> Condition:
    options = [phrase(rng, 2) for _ in range(rng.randint(1, 4))]

    def fact(rng: random.Random, holds: bool) -> str:
        return f"{name} {rng.choice(options) if holds else phrase(rng, 2)}"

    return Condition(f"{name} {choose(rng, 'among', 'is one of', 'in')} {', '.join(options)}", fact)


def _lacking(rng: random.Random, name: str) -> Condition:
    required = [phrase(rng, 2) for _ in range(rng.randint(1, 3))]

    def fact(rng: random.Random, holds: bool) -> str:
        present = required + [phrase(rng, 2) for _ in range(rng.randint(0, 2))]
        if holds:
            present.remove(rng.choice(required))
            present = present or [phrase(rng, 2)]
        return f"{name} {', '.join(rng.sample(present, len(present)))}"

    return Condition(f"{name} {choose(rng, 'without', 'lacks one of')} {', '.join(required)}", fact)


KINDS = (_number, _number, _period, _period, _among, _among, _lacking)


def rules(rng: random.Random) -> list[Pair]:
    """Return questions on a short rulebook and several sets of facts: the outcome, and the line that decides."""
    count = rng.randint(1, 2) if easy(rng) else rng.randint(2, 6)
    names, outcomes = pick(rng, count), [phrase(rng, 2) for _ in range(rng.randint(2, 4))]
    conditions = [rng.choice(KINDS)(rng, name) for name in names]
    follows = [rng.choice(outcomes[1:]) for _ in conditions]
    start, form = rng.randint(1, 12), choose(rng, "{}. ", "({}) ", "[{}]: ", "Line {}: ", "No. {} ", "{}: ")
    how = choose(rng, "{} if {}.", "{1}: {0}.", "{1} means {0}.", "If {1}, {0}.")
    texts = [how.format(outcome, condition.text) for outcome, condition in zip(follows, conditions, strict=True)]
    texts.append(choose(rng, "Else {}.", "Otherwise {}.", "{} in all other cases.").format(outcomes[0]))
    lines = [form.format(number) + text for number, text in enumerate(texts, start)]
    pairs: list[Pair] = []
    for _ in range(rng.randint(3, 6)):
        deciding = rng.randint(0, count)  # count: none holds
        holds = [n == deciding or (n > deciding and rng.random() < 0.3) for n in range(count)]
        facts = [condition.fact(rng, truth) for condition, truth in zip(conditions, holds, strict=True)]
        question = f"{_case_text(rng, facts)}\n{choose(rng, 'What follows?', 'Result; line?', 'Decide.')}"
        answer = f"{follows[deciding] if deciding < count else outcomes[0]}; line {start + deciding}"
        pairs.append((ask(question, "" if pairs else "\n".join(lines)), answer))
        for n in rng.sample(range(count), rng.randint(0, min(2, count))):
            pairs.append(
                (ask(choose(rng, "Does line {} hold?", "Line {}: met?").format(start + n)), "yes" if holds[n] else "no")
            )
    return pairs


def _case_text(rng: random.Random, facts: list[str]) -> str:
    """Return the facts in random order, on separate lines or in a row."""
    mark = choose(rng, "\n", "; ", ". ", ", and ")
    return choose(rng, "", "Case: ", "Now ") + mark.join(rng.sample(facts, len(facts))) + "."

"""The skills that compare and calculate: numbers, dates, sums."""

from __future__ import annotations

import datetime
import random

from harness.tiny.draws import Pair, ask, date, one, phrases, pick


def amount(rng: random.Random, digits: int) -> int:
    """Return a number of up to `digits` digits; leading sizes are equally likely."""
    size = rng.randint(1, digits)
    return rng.randint(10 ** (size - 1) if size > 1 else 0, 10**size - 1)


def near(rng: random.Random, value: int) -> int:
    """Return another number, often of the same length."""
    low = 10 ** (len(str(value)) - 1) if value > 9 else 0
    other = rng.randint(low, 10 ** len(str(value)) - 1) if rng.random() < 0.7 else amount(rng, 5)
    return other if other != value else value + 1


def compare(rng: random.Random) -> Pair:
    """Tell which of two numbers or dates is larger, earlier, or whether one exceeds the other."""
    if rng.random() < 0.35:
        return compare_dates(rng)
    left = amount(rng, 5)
    right = near(rng, left)
    form = rng.choice(["{}", "{:,}"])
    a, b = form.format(left), form.format(right)
    style = rng.randrange(4)
    if style == 0:
        larger = rng.random() < 0.5
        word = one(rng, "larger", "higher", "more") if larger else one(rng, "smaller", "lower", "less")
        return ask(f"Which is {word}, {a} or {b}?"), form.format((max if larger else min)(left, right))
    if style == 1:
        word = rng.choice(["more than", "above", "less than", "below", "at least", "at most"])
        truth = left > right if word in ("more than", "above", "at least") else left < right
        return ask(f"Is {a} {word} {b}?"), "yes" if truth else "no"
    one_name, two_name = phrases(rng, 2, 2)
    context = one(rng, "The {} is {} and the {} is {}.", "{}: {}\n{}: {}", "{} {}, {} {}.").format(
        one_name, a, two_name, b
    )
    if style == 2:
        return ask(one(rng, "Which is larger?", "Which has more?"), context), one_name if left > right else two_name
    question = one(rng, "Is the {} above the {}?", "Does the {} exceed the {}?", "Is {} more than {}?")
    return ask(question.format(one_name, two_name), context), "yes" if left > right else "no"


def compare_dates(rng: random.Random) -> Pair:
    """Order two dates, or tell whether a day lies within a period."""
    start = date(rng)
    end = start + datetime.timedelta(days=rng.choice([30, 90, 180, 364, 365, 730]))
    style = rng.randrange(3)
    if style == 0:
        early = rng.random() < 0.5
        left, right = sorted([start, date(rng)], key=lambda _: rng.random())
        word = one(rng, "earlier", "first") if early else one(rng, "later", "last")
        return ask(f"Which day is {word}, {left} or {right}?"), str((min if early else max)(left, right))
    inside = rng.random() < 0.5
    span = (end - start).days
    offset = rng.randint(0, span) if inside else rng.choice([-rng.randint(1, 500), span + rng.randint(1, 500)])
    day = start + datetime.timedelta(days=offset)
    form = one(rng, "{0} from {1} to {2}.", "{0}: {1} until {2}.", "The {0} begins {1} and ends {2}.", "{0} {1} - {2}.")
    name, event = phrases(rng, 2, 2)
    context = form.format(name, start, end) + one(rng, " ", "\n") + f"The {event} was on {day}."
    if style == 1:
        return ask(one(rng, "Was the {} during the {}?", "Is {} within {}?").format(event, name), context), (
            "yes" if inside else "no"
        )
    answer = "inside" if inside else "before" if offset < 0 else "after"
    return ask(f"Is the {event} before, inside or after the {name}?", context), answer


def arithmetic(rng: random.Random) -> Pair:
    """Add, subtract or round small numbers, or count days and items."""
    style = rng.randrange(5)
    if style == 3:
        items = pick(rng, rng.randint(1, 9))
        return ask("How many words?", " ".join(items)), str(len(items))
    if style == 4:
        tens = rng.randint(1, 99) * 10
        share = rng.choice([10, 20, 50])
        return ask(f"What is {share}% of {tens}?"), f"{tens * share / 100:g}"
    left, right = amount(rng, 3), amount(rng, 3)
    if style == 0:
        return ask(one(rng, "What is {} + {}?", "Add {} and {}.").format(left, right)), str(left + right)
    left, right = max(left, right), min(left, right)
    return ask(one(rng, "What is {} - {}?", "{} less {}?", "Take {1} from {0}.").format(left, right)), str(left - right)

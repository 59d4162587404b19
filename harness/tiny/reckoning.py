"""The skills of comparing and calculating: numbers, dates, sums."""

from __future__ import annotations

import datetime
import random

from harness.tiny.draws import Pair, ask, choose, date, easy, phrases, pick


def amount(rng: random.Random, digits: int) -> int:
    """Return a number of up to `digits` digits; each number of digits is equally likely."""
    size = rng.randint(1, digits)
    return rng.randint(10 ** (size - 1) if size > 1 else 0, 10**size - 1)


def near(rng: random.Random, value: int) -> int:
    """Return another number, often of the same length."""
    low = 10 ** (len(str(value)) - 1) if value > 9 else 0
    candidate = rng.randint(low, 10 ** len(str(value)) - 1) if rng.random() < 0.7 else amount(rng, 5)
    return candidate if candidate != value else value + 1


def compare(rng: random.Random) -> list[Pair]:
    """Return questions about pairs of numbers: the larger one, or whether the first exceeds the second."""
    digits = 3 if easy(rng) else 5
    style, form = rng.randrange(3), rng.choice(["{}", "{}", "{:,}"])
    pairs: list[Pair] = []
    for _ in range(rng.randint(2, 6)):
        left = amount(rng, digits)
        right = near(rng, left)
        a, b = form.format(left), form.format(right)
        if style == 0:
            larger = rng.random() < 0.5
            word = choose(rng, "larger", "higher", "more") if larger else choose(rng, "smaller", "lower", "less")
            extreme = max(left, right) if larger else min(left, right)
            pairs.append((ask(f"Which is {word}, {a} or {b}?"), form.format(extreme)))
        elif style == 1:
            word = rng.choice(["more than", "above", "less than", "below", "at least", "at most"])
            truth = left > right if word in ("more than", "above", "at least") else left < right
            pairs.append((ask(f"Is {a} {word} {b}?"), "yes" if truth else "no"))
        else:
            first, second = phrases(rng, 2, 2)
            context = choose(rng, "The {} is {} and the {} is {}.", "{}: {}\n{}: {}", "{} {}, {} {}.")
            question = choose(rng, "Which is larger?", "Which has more?")
            answer = first if left > right else second
            pairs.append((ask(question, context.format(first, a, second, b)), answer))
    return pairs


def order_dates(rng: random.Random) -> list[Pair]:
    """Return questions about pairs of days: the earlier one, or whether the first is before the second."""
    style = rng.randrange(2)
    pairs: list[Pair] = []
    for _ in range(rng.randint(2, 5)):
        left = date(rng)
        right = left + datetime.timedelta(days=rng.choice([-1, 1]) * rng.randint(1, rng.choice([20, 200, 1500])))
        if style == 0:
            early = rng.random() < 0.5
            word = choose(rng, "earlier", "first") if early else choose(rng, "later", "last")
            pairs.append((ask(f"Which day is {word}, {left} or {right}?"), str((min if early else max)(left, right))))
        else:
            before = rng.random() < 0.5
            truth = left < right if before else left > right
            pairs.append((ask(f"Is {left} {'before' if before else 'after'} {right}?"), "yes" if truth else "no"))
    return pairs


def arithmetic(rng: random.Random) -> list[Pair]:
    """Return questions that add, subtract, take a percentage of small numbers, or count."""
    return [_reckon(rng, rng.randrange(5)) for _ in range(rng.randint(2, 5))]


def _reckon(rng: random.Random, style: int) -> Pair:
    if style == 3:
        items = pick(rng, rng.randint(1, 9))
        return ask("How many words?", " ".join(items)), str(len(items))
    if style == 4:
        tens = rng.randint(1, 99) * 10
        share = rng.choice([10, 20, 50])
        return ask(f"What is {share}% of {tens}?"), f"{tens * share / 100:g}"
    left, right = amount(rng, 2 if easy(rng) else 3), amount(rng, 2 if easy(rng) else 3)
    if style == 0:
        return ask(choose(rng, "What is {} + {}?", "Add {} and {}.").format(left, right)), str(left + right)
    left, right = max(left, right), min(left, right)
    return ask(choose(rng, "What is {} - {}?", "{} less {}?", "Take {1} from {0}.").format(left, right)), str(
        left - right
    )

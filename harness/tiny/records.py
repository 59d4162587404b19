"""The skill of reading a record: numbered lines with the properties of things, and questions on them."""

from __future__ import annotations

import datetime
import random

from harness.tiny.draws import Pair, ask, choose, date, easy, number, phrase, phrases, pick
from harness.tiny.reckoning import amount, near


def record(rng: random.Random) -> list[Pair]:
    """Return questions on the lines of a record: values, line numbers, limits, periods and lists."""
    names = phrases(rng, rng.randint(1, 3) if easy(rng) else rng.randint(3, 8), 3)
    start, form = rng.randint(1, 20), choose(rng, "{}. {}", "({}): {}", "[{}]: {}", "Line {}: {}", "No. {} {}", "{}")
    lines: list[str] = []
    pairs: list[Pair] = []
    for mark, name in enumerate(names, start):
        kind = rng.choice([_value, _value, limited, limited, period, _listing])
        text, questions = kind(rng, name)
        lines.append(form.format(mark, text) if form != "{}" else text)
        if form != "{}" and rng.random() < 0.5:
            question = choose(rng, "Which line speaks of the {}?", "Line of {}?", "{}: line?").format(name)
            questions.append((question, str(mark)))
        pairs += questions
    rng.shuffle(pairs)
    context = "\n".join(lines)
    return [(ask(question, "" if n else context), answer) for n, (question, answer) in enumerate(pairs[:14])]


def _value(rng: random.Random, name: str) -> tuple[str, list[Pair]]:
    """Return a line with a thing's value, and questions on it."""
    value = rng.choice([phrase(rng, 3), number(rng), str(date(rng))])
    text = choose(rng, "The {} is {}.", "{}: {}.", "{} - {}.", "We note that {} is {}.", "{} {}.").format(name, value)
    question = choose(rng, "Give {}.", "What is the {}?", "State {}.", "Report the {}.").format(name)
    return text, [(question, value)]


def limited(rng: random.Random, name: str) -> tuple[str, list[Pair]]:
    """Return a line with a limit, and questions that compare amounts with it."""
    limit = amount(rng, 2 if easy(rng) else 5)
    text = choose(
        rng, "The {} is at most {}.", "{} limit {}.", "Limit for {}: {}.", "Up to {1} for {0}.", "{} above {}: refer."
    ).format(name, limit)
    pairs: list[Pair] = []
    for _ in range(rng.randint(1, 3)):
        value = near(rng, limit)
        style = rng.randrange(3)
        if style == 0:
            question = choose(rng, "Is {1} above the limit of {0}?", "{0} {1}: above?", "Now {0} is {1}. Too much?")
            pairs.append((question.format(name, value), "yes" if value > limit else "no"))
        elif style == 1:
            question = choose(rng, "{0} {1}: what counts?", "The smaller of {1} and the limit of {0}?")
            pairs.append((question.format(name, value), str(min(value, limit))))
        else:
            question = choose(rng, "Limit of {0}?", "What is the most for {0}?", "What is the {0}?")
            pairs.append((question.format(name), str(limit)))
    return text, pairs


def period(rng: random.Random, name: str) -> tuple[str, list[Pair]]:
    """Return a line with a period, and questions on days inside and outside of it."""
    start = date(rng)
    end = start + datetime.timedelta(days=rng.choice([30, 90, 180, 364, 365, 730]))
    form = choose(
        rng, "{0} from {1} to {2}.", "{0}: {1} until {2}.", "The {0} begins {1} and ends {2}.", "{0}, {1} to {2}."
    )
    pairs: list[Pair] = []
    for _ in range(rng.randint(1, 3)):
        span = (end - start).days
        offset = rng.choice(
            [rng.randint(0, span), rng.randint(0, span), -rng.randint(1, 500), span + rng.randint(1, 500)]
        )
        day = start + datetime.timedelta(days=offset)
        if rng.random() < 0.6:
            question = choose(rng, "Is {1} within the {0}?", "{0} on {1}?", "Was {1} during the {0}?")
            pairs.append((question.format(name, day), "yes" if 0 <= offset <= span else "no"))
        else:
            question = choose(rng, "{1}: before, inside or after the {0}?", "How does {1} stand to the {0}?")
            pairs.append(
                (question.format(name, day), "before" if offset < 0 else "after" if offset > span else "inside")
            )
    return form.format(name, start, end), pairs


def _listing(rng: random.Random, name: str) -> tuple[str, list[Pair]]:
    """Return a line with a list, and questions on words in it and others."""
    items = pick(rng, rng.randint(1, 2) if easy(rng) else rng.randint(1, 5))
    text = choose(rng, "{}: {}.", "The {} are {}.", "Not {}: {}.", "{} includes {}.").format(name, ", ".join(items))
    pairs: list[Pair] = []
    for _ in range(rng.randint(1, 3)):
        item = rng.choice(items) if rng.random() < 0.5 else pick(rng, 1)[0]
        question = choose(rng, "Is {} among the {}?", "Is {} in {}?", "Does {} belong to {}?").format(item, name)
        pairs.append((question, "yes" if item in items else "no"))
    return text, pairs

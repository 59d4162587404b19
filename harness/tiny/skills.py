"""The text `tiny` is trained on: general skills over random words and numbers, with no finance in it.

Every skill is a function of a random generator that returns (prompt, answer). Words are drawn at random from
`words.txt`, so they are labels and no facts: nothing here says what any of them means. `SKILLS` names them all with
their shares.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.tiny.draws import (
    WORDS,
    Pair,
    ask,
    date,
    easy,
    number,
    numbers,
    one,
    phrase,
    phrases,
    pick,
    sentence,
    shown,
)
from harness.tiny.reckoning import amount, arithmetic, compare, near


def copy(rng: random.Random) -> Pair:
    """Repeat a phrase, a number or a mix."""
    text = rng.choice([phrase(rng, 12), number(rng), f"{phrase(rng, 3)} {number(rng)}", sentence(rng)])
    question = one(rng, "Repeat: {}", "Copy this text: {}", "Write again: {}", "Say the same: {}")
    return ask(question.format(text)), text


def table(rng: random.Random) -> tuple[str, list[str], list[str], list[list[str]]]:
    """Return a table as text, its row labels, its column heads and its cells."""
    rows, columns = rng.randint(2, 8), rng.choice([1, 2, 2, 2, 3])
    if easy(rng):
        rows, columns = rng.randint(1, 4), rng.choice([1, 1, 2])
    labels = [shown(rng, label) for label in phrases(rng, rows, 4)]
    year = rng.randint(2005, 2028)
    heads = [str(year - i) for i in range(columns)] if rng.random() < 0.75 else pick(rng, columns)
    cells = [numbers(rng, columns) for _ in range(rows)]
    mark = one(rng, " | ", "  ", "\t", ", ", " ; ", ": ") if columns > 1 else one(rng, ": ", " | ", " = ", "  ")
    lines = [label + mark + mark.join(row) for label, row in zip(labels, cells, strict=True)]
    if columns > 1:
        lines.insert(0, one(rng, "", "item", "(in thousands)", "(in millions)", "label") + mark + mark.join(heads))
    if rng.random() < 0.3 and not easy(rng):
        lines.insert(0, sentence(rng))
    return "\n".join(lines), labels, heads, cells


def lookup(rng: random.Random) -> Pair:
    """Read one cell of a table."""
    text, labels, heads, cells = table(rng)
    row, column = rng.randrange(len(labels)), rng.randrange(len(heads))
    label = labels[row] if rng.random() < 0.5 else labels[row].lower()
    if len(heads) == 1:
        question = one(rng, "What is the {0}?", "Give {0}.", "How much is {0}?", "State the number for {0}.")
    else:
        question = one(
            rng, "What is the {0} for {1}?", "Give {0} in {1}.", "In {1}, how much was {0}?", "{1}: {0}?",
            "State the number shown for {0} in {1}.", "What was reported as {0} for the year {1}?",
        )  # fmt: skip
    return ask(question.format(label, heads[column]), text), cells[row][column]


def quote(rng: random.Random) -> Pair:
    """Quote the whole line of a label: the label first, then what stands after it."""
    text, labels, _, _ = table(rng)
    label = rng.choice(labels)
    line = next(line for line in text.split("\n") if line.startswith(label))
    return ask(one(rng, "Quote the line of {}.", "{}: the whole line?", "Line for {}.").format(label), text), line


def keys(rng: random.Random) -> list[Pair]:
    """Ask for the value of every key of a short list: the first thing to learn, and quickly learned alone."""
    labels = pick(rng, rng.randint(2, 5))
    values = [rng.choice(WORDS) if rng.random() < 0.5 else str(rng.randint(0, 999)) for _ in labels]
    mark, question = one(rng, " | ", ": ", " = "), one(rng, "{}", "{}", "What is the {}?", "Give {}.")
    context = "\n".join(f"{label}{mark}{value}" for label, value in zip(labels, values, strict=True))
    order = rng.sample(range(len(labels)), len(labels))
    pairs = [(ask(question.format(labels[i]), "" if n else context), values[i]) for n, i in enumerate(order)]
    return [pairs[0], *((f"\n\n{prompt}", answer) for prompt, answer in pairs[1:])]


def series(rng: random.Random) -> list[Pair]:
    """Ask many questions of one table, one after the other; only the first prompt holds the table.

    For training only: every answer of a series teaches as much as a whole example, at a fifth of the tokens.
    """
    text, labels, heads, cells = table(rng)
    spots = [(row, column) for row in range(len(labels)) for column in range(len(heads))]
    rng.shuffle(spots)
    question = one(rng, "What is the {0} for {1}?", "{1}: {0}?", "{0}, {1}?", "Give {0} in {1}.")
    if len(heads) == 1:
        question = one(rng, "What is the {0}?", "{0}?", "{0}:", "Give {0}.")
    style = rng.choice(["cell", "cell", "cell", "row", "label"])
    pairs: list[Pair] = []
    for row, column in spots[:10]:
        asked, answer = question.format(labels[row], heads[column]), cells[row][column]
        if style == "row":
            asked, answer = f"Line of {labels[row]}?", "; ".join(cells[row])
        if style == "label":
            asked, answer = f"What is {cells[row][column]}?", labels[row]
        pairs.append((ask(asked, "" if pairs else text), answer))
    return [pairs[0], *((f"\n\n{prompt}", answer) for prompt, answer in pairs[1:])]


def reverse_lookup(rng: random.Random) -> Pair:
    """Name the row that holds a number."""
    text, labels, _, cells = table(rng)
    row = rng.randrange(len(labels))
    value = rng.choice(cells[row])
    if sum(value in line for line in cells) > 1:
        return reverse_lookup(rng)
    question = one(rng, "Which line shows {}?", "What has the value {}?", "{} is the number of which item?")
    return ask(question.format(value), text), labels[row]


def facts(rng: random.Random) -> Pair:
    """Answer from sentences that give things their properties; several fields at once, or one."""
    names = phrases(rng, rng.randint(1, 3) if easy(rng) else rng.randint(2, 6), 2)
    values = [rng.choice([phrase(rng, 3), number(rng), str(date(rng))]) for _ in names]
    form = one(rng, "The {} is {}.", "{}: {}", "{} - {}", "There is a {} of {}.", "We note that {} is {}.")
    lines = [form.format(name, value) for name, value in zip(names, values, strict=True)]
    context = one(rng, " ", "\n", "\n").join(lines)
    wanted = rng.sample(range(len(names)), min(len(names), rng.choice([1, 1, 2, 3])))
    listed = ", ".join(names[i] for i in wanted)
    question = one(rng, "Give {}.", "What is the {}?", "State {}.", "Report {}.").format(listed)
    return ask(question, context), "; ".join(values[i] for i in wanted)


def member(rng: random.Random) -> Pair:
    """Tell whether something is in a list, or which list it is in."""
    longest = 2 if easy(rng) else 5
    lists = [phrases(rng, rng.randint(1, longest), 2) for _ in range(rng.randint(1, 3))]
    names = phrases(rng, len(lists), 2)
    form = one(rng, "{}: {}.", "The {} are {}.", "Not {}: {}.", "{} includes {}.")
    context = "\n".join(form.format(name, ", ".join(items)) for name, items in zip(names, lists, strict=True))
    which = rng.randrange(len(lists))
    if rng.random() < 0.5:
        inside = rng.random() < 0.5
        item = rng.choice(lists[which]) if inside else phrase(rng, 2)
        truth = item in lists[which]
        question = one(rng, "Is {} among the {}?", "Is {} in {}?", "Does {} belong to {}?")
        return ask(question.format(item, names[which]), context), "yes" if truth else "no"
    item = rng.choice(lists[which])
    if sum(item in items for items in lists) > 1:
        return member(rng)
    return ask(one(rng, "Where is {}?", "Which list has {}?").format(item), context), names[which]


def choose(rng: random.Random) -> Pair:
    """Pick the option that a text supports."""
    options = phrases(rng, 3, 8) if not easy(rng) else [" ".join(pick(rng, rng.randint(1, 3))) for _ in range(3)]
    right = rng.randrange(3)
    words_of = options[right].split()
    style = rng.randrange(4)
    if style == 0:
        clue = rng.choice(words_of)
        if sum(clue in option.split() for option in options) > 1:
            return choose(rng)
        return ask(one(rng, "Which option has the word {}?", "{} is in:").format(clue), "", options), options[right]
    if style == 1:
        context = f"{sentence(rng)} {options[right].capitalize()}. {sentence(rng)}"
        return ask(one(rng, "Which option does the text say?", "The text holds:"), context, options), options[right]
    key, others = phrase(rng, 2), phrases(rng, 2, 2)
    lines = [f"{key} means {options[right]}."]
    lines += [f"{o} means {v}." for o, v in zip(others, options[:right] + options[right + 1 :], strict=True)]
    rng.shuffle(lines)
    question = one(rng, "What does {} mean?", "Which is right for {}?", "{} is best described as:").format(key)
    if style == 2:
        return ask(question, " ".join(lines), options), options[right]
    names = [key, *others]
    rng.shuffle(names)
    question = one(rng, "What means {}?", "Which one is {}?", "{} is called:").format(options[right])
    return ask(question, " ".join(lines), names), key


def clusters() -> list[list[str]]:
    """Return a fixed random partition of the words into clusters of four: associations that mean nothing."""
    shuffled = WORDS.copy()
    random.Random("clusters").shuffle(shuffled)
    return [shuffled[i : i + 4] for i in range(0, len(shuffled), 4)]


CLUSTERS = clusters()


def overlap(rng: random.Random) -> Pair:
    """Pick the option that shares a word or two with the question."""
    options = [pick(rng, rng.randint(1, 2 if easy(rng) else 8)) for _ in range(3)]
    right = rng.randrange(3)
    shared = rng.sample(options[right], min(len(options[right]), rng.choice([1, 2])))
    clue = [*shared, *pick(rng, rng.randint(0, 1 if easy(rng) else 10))]
    if any(set(clue) & set(option) for option in options[:right] + options[right + 1 :]):
        return overlap(rng)
    rng.shuffle(clue)
    listed = [" ".join(option) for option in options]
    return ask(" ".join(clue).capitalize() + one(rng, ".", "?", ":"), "", listed), listed[right]


def associate(rng: random.Random) -> Pair:
    """Pick the option whose words go with those of the question; which words go together has to be remembered."""
    picked = rng.sample(CLUSTERS, 3)
    pairs = [rng.sample(cluster, len(cluster)) for cluster in picked]
    right = rng.randrange(3)
    noise = pick(rng, rng.randint(0, 1 if easy(rng) else 10))
    clue = [*pairs[right][:2], *noise]
    rng.shuffle(clue)
    options = []
    for words_of in pairs:
        option = [*words_of[2:], *pick(rng, rng.randint(0, 0 if easy(rng) else 4))]
        rng.shuffle(option)
        options.append(" ".join(option))
    question = " ".join(clue).capitalize() + one(rng, ".", "?", ":")
    return ask(question, "", options), options[right]


def rule(rng: random.Random) -> Pair:
    """Apply a numbered rule: compare a number with a threshold, or test membership, and name the rule."""
    count = rng.randint(1, 2) if easy(rng) else rng.randint(2, 5)
    marks = [str(n) for n in rng.sample(range(1, 10), count)]
    if rng.random() < 0.6:
        marks = sorted(marks)
    things, answers = phrases(rng, count, 2), phrases(rng, count, 2)
    limits = [amount(rng, 4) for _ in things]
    form = one(
        rng, "{0}. If {1} is more than {2}, {3}.", "Rule {0}: {1} above {2} gives {3}.", "{0}. {1} limit {2}: {3}."
    )
    lines = [form.format(m, t, v, a) for m, t, v, a in zip(marks, things, limits, answers, strict=True)]
    which = rng.randrange(count)
    value = near(rng, limits[which])
    context = "\n".join(lines) + f"\n{one(rng, 'Now', 'Here', 'Seen:')} {things[which]} is {value}."
    applies = value > limits[which]
    other = one(rng, "no rule", "none")
    style = rng.randrange(3)
    if style == 0:
        return ask(f"What follows, or {other}?", context), answers[which] if applies else other
    if style == 1:
        answer = f"{answers[which]}; rule {marks[which]}" if applies else f"{other}; rule {marks[which]}"
        return ask(f"What follows, or {other}, and by which rule?", context), answer
    return ask(f"Which rule speaks of {things[which]}?", context), f"rule {marks[which]}"


def camel(rng: random.Random) -> Pair:
    """Join words in camel case, or take them apart; write a ratio of names."""
    items = pick(rng, rng.randint(1, 6))
    joined = "".join(item.capitalize() for item in items)
    style = rng.randrange(4)
    if style == 0:
        return ask(one(rng, "Join: {}", "One word from: {}").format(" ".join(items))), joined
    if style == 1:
        return ask(f"Words of {joined}?"), " ".join(items)
    second = "".join(item.capitalize() for item in pick(rng, rng.randint(1, 3)))
    if style == 2:
        names = {phrase(rng, 2): joined, phrase(rng, 2): second}
        context = "\n".join(f"{key} = {value}" for key, value in names.items())
        key = rng.choice(list(names))
        return ask(f"{one(rng, 'Tag of', 'Name for')} {key}?", context), names[key]
    return ask(f"{joined} over {second}, as a formula"), f"{joined} / {second}"


SKILLS: dict[str, tuple[Callable[[random.Random], Pair], float]] = {
    "copy": (copy, 0.7),
    "lookup": (lookup, 4.0),
    "quote": (quote, 1.0),
    "reverse_lookup": (reverse_lookup, 0.5),
    "facts": (facts, 2.0),
    "compare": (compare, 3.0),
    "arithmetic": (arithmetic, 1.0),
    "member": (member, 1.5),
    "choose": (choose, 2.0),
    "overlap": (overlap, 2.0),
    "associate": (associate, 4.0),
    "rule": (rule, 2.0),
    "camel": (camel, 0.8),
}


def draw(rng: random.Random) -> tuple[str, Pair]:
    """Return a skill's name and one of its examples, by share."""
    names = list(SKILLS)
    name = rng.choices(names, weights=[SKILLS[n][1] for n in names])[0]
    return name, SKILLS[name][0](rng)

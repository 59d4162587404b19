"""Numeric items: sampled numbers, their solution, and two mistakes as distractors."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tasks.data.cfa.parts import Case, Family
from tasks.data.cfa.text import plain, units

LIKE = 3  # a figure is mistaken for another, and a wrong result for the right one, within this factor
FAMILIES = 20  # the balance of ranks within a family counts so many times more than that of all


@dataclass(frozen=True)
class SolvedQuestion:
    """A solved question: its right option, two wrong ones with the mistake behind each, and the numbers it needs."""

    family: Family
    right: str
    wrong: dict[str, str]
    numbers: list[str]


@dataclass
class Ledger:
    """The record of used number sets by split, of the ranks of right options, and of which option is the roundest."""

    split_of: dict[tuple[str, ...], str] = field(default_factory=dict)
    questions: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    ranks: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    roundest: Counter[tuple[str, str]] = field(default_factory=Counter)


def option(value: Decimal, family: Family) -> str:
    """Return a result in the format of options, always with the decimals of its family."""
    rounded = value.quantize(Decimal(1).scaleb(-family.decimals), rounding=ROUND_HALF_UP)
    text = f"{rounded + 0:,f}"  # `+ 0` turns -0 into 0
    if family.money:
        text = f"-${text[1:]}" if text.startswith("-") else f"${text}"
    return text + family.unit


def _misreadings(
    family: Family, numbers: Mapping[str, Decimal], figures: Mapping[str, dict[str, Decimal]], right: Decimal
) -> dict[str, Decimal]:
    """Return results with another figure of the same unit in place of the right one, if they look plausible."""
    results: dict[str, Decimal] = {}
    for argument, value in numbers.items():
        for name, other in figures[argument].items():
            if other == value or not value / LIKE < other < value * LIKE:
                continue
            try:
                result, _ = family.solve(**{**numbers, argument: other})
            except (ValueError, ArithmeticError):
                continue
            if result * right > 0 and abs(right) / LIKE < abs(result) < abs(right) * LIKE:
                results[f"{name} in place of {argument}"] = result
    return results


def _zeros(text: str) -> int:
    digits = re.sub(r"[^0-9]", "", text)
    return len(digits) - len(digits.rstrip("0"))


def _roundest(right: str, *wrong: str) -> str:
    """Return whether the option with the most trailing zeros is "right" or "wrong"; empty if there are several."""
    zeros = [_zeros(text) for text in (right, *wrong)]
    if zeros.count(max(zeros)) > 1:
        return ""
    return "right" if zeros[0] == max(zeros) else "wrong"


def _distractors(
    family: Family,
    right: Decimal,
    mistakes: dict[str, Decimal],
    misreadings: dict[str, Decimal],
    split: str,
    ledger: Ledger,
    rng: random.Random,
) -> dict[str, str] | None:
    """Return two mistakes, or None if there are none that differ.

    Right options are to be lowest, middle and highest equally often, and as round as wrong ones. A figure misread serves
    if no mistake of the formula leads there.
    """
    values = misreadings | mistakes
    texts = {label: option(value, family) for label, value in values.items()}
    gold = option(right, family)
    best: tuple[tuple[float, float, float], tuple[int, str], tuple[str, str]] | None = None
    for pair in itertools.combinations(texts, 2):
        if len({gold, texts[pair[0]], texts[pair[1]]}) < 3:
            continue
        rank = sum(values[label] < right for label in pair)
        roundest = _roundest(gold, *(texts[label] for label in pair))
        cost = 2 * ledger.ranks[split, family.name, rank] + ledger.ranks[split, "", rank] / FAMILIES
        excess = ledger.roundest[split, "wrong"] - 2 * ledger.roundest[split, "right"]
        cost += {"": 0, "wrong": excess, "right": -excess}[roundest] if abs(excess) > 1 else 0
        weight = (cost, sum(label not in mistakes for label in pair), rng.random())
        if best is None or weight < best[0]:
            best = (weight, (rank, roundest), pair)
    if best is None:
        return None
    rank, roundest = best[1]
    ledger.ranks[split, family.name, rank] += 1
    ledger.ranks[split, "", rank] += 1
    ledger.roundest[split, roundest] += 1
    return {label: texts[label] for label in best[2]}


def _solve(
    family: Family,
    numbers: Mapping[str, Decimal],
    figures: Mapping[str, dict[str, Decimal]],
    split: str,
    ledger: Ledger,
    rng: random.Random,
) -> SolvedQuestion | None:
    """Return the solved question, or None if the numbers make no sense, are used, or leave too few mistakes apart."""
    shown = [plain(value) for value in numbers.values()]
    key = tuple(sorted(shown))
    if ledger.split_of.get(key, split) != split or (family.name, key) in ledger.questions:
        return None
    try:
        right, mistakes = family.solve(**numbers)
    except ValueError:
        return None
    misreadings = _misreadings(family, numbers, figures, right)
    wrong = _distractors(family, right, mistakes, misreadings, split, ledger, rng)
    if wrong is None:
        return None
    return SolvedQuestion(family, option(right, family), wrong, shown)


def _enter(solved: SolvedQuestion, split: str, ledger: Ledger) -> None:
    key = tuple(sorted(solved.numbers))
    ledger.split_of[key] = split
    ledger.questions.add((solved.family.name, key))


def _figures(use: Mapping[str, str], numbers: Mapping[str, Decimal], text: str) -> dict[str, dict[str, Decimal]]:
    """Return for each argument the figures of the text that have the unit of its own."""
    unit = units(text)
    return {
        argument: {name: value for name, value in numbers.items() if unit.get(name) == unit.get(source)}
        for argument, source in use.items()
    }


def work(
    family: Family, facts: str, split: str, ledger: Ledger, rng: random.Random
) -> tuple[dict[str, Decimal], SolvedQuestion]:
    """Return the numbers and the solution of a question about `facts`, with numbers that no other split uses."""
    while True:
        numbers = {key: rng.choice(values) for key, values in family.numbers.items()}
        figures = _figures({key: key for key in numbers}, numbers, facts)
        if (solved := _solve(family, numbers, figures, split, ledger, rng)) is not None:
            _enter(solved, split, ledger)
            return numbers, solved


def work_case(
    case: Case, asks: list[int], split: str, ledger: Ledger, rng: random.Random
) -> tuple[dict[str, Decimal], list[SolvedQuestion]]:
    """Return the numbers of a case and the solutions of these questions of it; no other split uses the numbers."""
    while True:
        numbers = {key: rng.choice(values) for key, values in case.numbers.items()}
        before, solved = (ledger.ranks.copy(), ledger.roundest.copy()), list[SolvedQuestion]()
        for ask in (case.asks[index] for index in asks):
            arguments = {key: numbers[source] for key, source in ask.use.items()}
            figures = _figures(ask.use, numbers, case.text["train"][0])
            question = _solve(ask.family, arguments, figures, split, ledger, rng)
            if question is None:
                break
            solved.append(question)
        if len(solved) == len(asks):
            for question in solved:
                _enter(question, split, ledger)
            return numbers, solved
        ledger.ranks, ledger.roundest = before

"""Numeric items: sampled numbers, their solution, and two mistakes as distractors."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tasks.data.cfa.parts import Family


@dataclass(frozen=True)
class SolvedQuestion:
    """A solved question: its texts, its right option and two wrong ones with the mistake behind each."""

    family: Family
    facts: str
    ask: str
    stem: str
    right: str
    wrong: dict[str, str]
    numbers: list[str]


@dataclass
class Ledger:
    """The record of used number sets by split, and of the ranks of right options (lowest, middle or highest)."""

    split_of: dict[tuple[str, ...], str] = field(default_factory=dict)
    questions: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    ranks: Counter[tuple[str, int]] = field(default_factory=Counter)


def plain(value: Decimal) -> str:
    """Return a number in the format of questions: thousands separated, no trailing zeros."""
    integer = value == value.to_integral_value()
    return f"{int(value):,}" if integer else f"{value.normalize():,f}"


def option(value: Decimal, family: Family) -> str:
    """Return a result in the format of options, always with the decimals of its family."""
    rounded = value.quantize(Decimal(1).scaleb(-family.decimals), rounding=ROUND_HALF_UP)
    return f"{rounded + 0:,f}{family.unit}"  # `+ 0` turns -0 into 0


def _distractors(
    family: Family, right: Decimal, mistakes: dict[str, Decimal], ledger: Ledger, rng: random.Random
) -> dict[str, str] | None:
    """Return two mistakes such that right options are equally often lowest, middle and highest; None if impossible."""
    texts = {label: option(value, family) for label, value in mistakes.items()}
    best: tuple[tuple[float, float], int, dict[str, str]] | None = None
    for first, second in itertools.combinations(texts, 2):
        if len({option(right, family), texts[first], texts[second]}) < 3:
            continue
        rank = sum(mistakes[label] < right for label in (first, second))
        weight = (ledger.ranks[family.name, rank] + ledger.ranks["", rank], rng.random())
        if best is None or weight < best[0]:
            best = (weight, rank, {first: texts[first], second: texts[second]})
    if best is None:
        return None
    ledger.ranks[family.name, best[1]] += 1
    ledger.ranks["", best[1]] += 1
    return best[2]


def work(family: Family, split: str, turn: int, ledger: Ledger, rng: random.Random) -> SolvedQuestion:
    """Return the `turn`-th question of a family in a split, with numbers that no other split uses."""
    facts, asks = family.facts[split], family.ask[split]
    f, a = turn % len(facts), (turn // len(facts)) % len(asks)
    while True:
        numbers = {key: rng.choice(values) for key, values in family.numbers.items()}
        key = tuple(sorted(plain(value) for value in numbers.values()))
        if ledger.split_of.get(key, split) != split or (family.name, key) in ledger.questions:
            continue
        try:
            right, mistakes = family.solve(**numbers)
        except ValueError:
            continue
        wrong = _distractors(family, right, mistakes, ledger, rng)
        if wrong is None:
            continue
        ledger.split_of[key] = split
        ledger.questions.add((family.name, key))
        texts = {name: plain(value) for name, value in numbers.items()}
        return SolvedQuestion(
            family=family,
            facts=facts[f].format(**texts),
            ask=asks[a],
            stem=f"{family.name}/{split}-f{f}a{a}",
            right=option(right, family),
            wrong=wrong,
            numbers=[plain(value) for value in numbers.values()],
        )

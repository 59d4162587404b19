"""A script that writes train.jsonl, validation.jsonl and test.jsonl, the same bytes every time.

    python -m tasks.data.rating.make [folder]

A question has its own numbers; splits share no set of numbers and no sentence. Every family, and every quantity of a family,
is asked as often. The options are the answer, the answers to two other questions about the same facts, and one mistake.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from random import Random

from tasks.data import jsonl
from tasks.data.options import beside
from tasks.data.rating.families import FAMILIES, Family
from tasks.data.rating.wording import ASKS, FACTS, subject

SEED = 20261130
SIZES = {"test": 384, "validation": 168, "train": 1200}

PEERS = 2  # answers to other questions about the same facts, among the wrong options

Row = dict[str, object]
Key = tuple[str, ...]
Cell = tuple[str, str]  # a quantity and a subject


def number_text(name: str, value: Decimal) -> str:
    """Return a number as it stands in a text; years have no separator."""
    if name in ("year", "policy"):
        return str(value)
    if name.startswith("at_"):
        return f"{value:,.1f}"
    return f"{value:,}" if "." in str(value) else f"{int(value):,}"


def question(rng: Random, split: str, family: Family, cell: Cell, numbers: Mapping[str, Decimal]) -> Row | None:
    """Return a question about these numbers; None if its options are too near to each other."""
    cells = list(itertools.product(family.quantities, family.subjects))
    others = rng.sample([other for other in cells if other != cell], PEERS)
    stray = family.solve(numbers, *rng.choice([cell, *others]))
    right = family.solve(numbers, *cell).right
    results = {" ".join(other): family.solve(numbers, *other).right for other in others}
    wrong = beside(right, results, stray, family.show, rng)
    if wrong is None:
        return None
    quantity, name = cell
    texts = {key: number_text(key, value) for key, value in numbers.items()}
    texts["subject"] = subject(family.name, name, split)
    if family.name == "trend":
        texts["policy"] = number_text("policy", numbers["first"] + int(quantity))
    options = [family.show(right), *wrong]
    rng.shuffle(options)
    return {
        "context": rng.choice(FACTS[family.name][split]).format(**texts),
        "question": rng.choice(ASKS[family.name][quantity][split]).format(**texts),
        "options": options,
        "answer": family.show(right),
        "kind": family.name,
        "quantity": " ".join(cell),
        "mistakes": wrong,
    }


def turns(rng: Random, count: int) -> list[tuple[Family, Cell]]:
    """Return the families with the quantity and subject of each question, all as often, in random order."""
    order: list[tuple[Family, Cell]] = []
    for family in FAMILIES:
        cells = list(itertools.product(family.quantities, family.subjects))
        share = count // len(FAMILIES)
        order += [(family, cell) for cell in (cells * (share // len(cells) + 1))[:share]]
    rng.shuffle(order)
    return order


def build(split: str, used: set[Key]) -> list[Row]:
    """Return the rows of a split, without a set of numbers that is used already."""
    rng = Random(f"{SEED} {split}")
    rows: list[Row] = []
    for number, (family, cell) in enumerate(turns(rng, SIZES[split]), 1):
        while True:
            numbers = family.draw(rng)
            key = (family.name, *map(str, numbers.values()))
            row = question(rng, split, family, cell, numbers) if key not in used else None
            if row is not None:
                break
        used.add(key)
        rows.append({"id": f"{split}-{number:04d}", **row})
    return rows


def write(folder: Path) -> None:
    """Write the three files into the folder."""
    used: set[Key] = set()
    jsonl.write(folder, SIZES, lambda split: build(split, used))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

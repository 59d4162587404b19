"""A script that writes train.jsonl, validation.jsonl and test.jsonl, the same bytes every time.

    python -m tasks.data.reserving.make [folder]

A file is one triangle with two questions of different kinds. Splits share no triangle and no sentence. Every kind is equally
frequent in every split. The options of a question are its answer, the answers to two like questions and one mistake.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from random import Random

from tasks.data import jsonl
from tasks.data.options import beside
from tasks.data.reserving.questions import KINDS, Kind
from tasks.data.reserving.triangle import AGES, Triangle, draw
from tasks.data.reserving.wording import ASKS, LINES, MEASURES, PREMIUMS, TAIL, TITLES, premiums, table

SEED = 20261130
SIZES = {"test": 400, "validation": 160, "train": 1200}
PER_FILE = 2
SMALLEST = 30  # the smallest loss of an answer, in thousands
PEERS = 2  # right results of other methods or ages among the wrong options

Row = dict[str, object]


def context(rng: Random, split: str, triangle: Triangle, line: str, measure: str) -> str:
    """Return the text of a file: the triangle, premiums, the expected loss ratio and the conventions."""
    title = rng.choice(TITLES[split]).format(line=line, Line=line[:1].upper() + line[1:], measure=measure)
    ratio = f"{100 * triangle.ratio:.0f}"
    facts = rng.choice(PREMIUMS[split]).format(premiums=premiums(triangle), ratio=ratio)
    return "\n".join((title, table(triangle), facts, rng.choice(TAIL[split])))


def wrong_options(rng: Random, kind: Kind, triangle: Triangle, year: int) -> dict[str, str] | None:
    """Return the wrong options of a kind for an accident year: two right results of its peers, and one mistake.

    Peers ask for the same quantity by another method or of another year, or for a factor of another age, and as often.
    """
    peers = [(peer, other) for peer in KINDS if peer.quantity == kind.quantity for other in peer.years]
    others = rng.sample([pair for pair in peers if pair != (kind, year)], PEERS)
    stray, of = rng.choice(peers)
    results = {f"{peer.name} of {triangle.years[other]}": peer.solve(triangle, other).right for peer, other in others}
    return beside(kind.solve(triangle, year).right, results, stray.solve(triangle, of), kind.show, rng)


def question(rng: Random, split: str, kind: Kind, triangle: Triangle, measure: str) -> Row | None:
    """Return a question of a kind about a triangle; None if its options are too near to each other."""
    year = rng.choice(kind.years)
    right = kind.solve(triangle, year).right
    wrong = wrong_options(rng, kind, triangle, year) if kind.quantity == "factor" or right >= SMALLEST else None
    if wrong is None:
        return None
    ages = {"start": AGES[year - 1], "end": AGES[year]} if kind.name == "factor" else {}
    ask = rng.choice(ASKS[kind.name][split]).format(year=triangle.years[year], measure=measure, **ages)
    answer = kind.show(right)
    options = [answer, *wrong]
    rng.shuffle(options)
    texts = {"question": ask, "options": options, "answer": answer}
    return {**texts, "kind": kind.name, "method": kind.method, "steps": kind.steps, "mistakes": wrong}


def build(split: str, triangles: set[Triangle]) -> list[Row]:
    """Return the rows of a split, without a triangle that another split has."""
    rng, rows = Random(f"{SEED} {split}"), []
    counts: Counter[str] = Counter()
    for number in range(1, SIZES[split] // PER_FILE + 1):
        kinds = sorted(KINDS, key=lambda kind: (counts[kind.name], rng.random()))[:PER_FILE]
        line, measure = rng.choice(list(LINES)), rng.choice(MEASURES)
        while True:
            triangle = draw(rng, LINES[line])
            questions = [question(rng, split, kind, triangle, measure) for kind in kinds]
            if triangle not in triangles and None not in questions:
                break
        triangles.add(triangle)
        counts.update(kind.name for kind in kinds)
        text, name = context(rng, split, triangle, line, measure), f"{split}-{number:04d}"
        for position, row in enumerate(questions, 1):
            rows.append({"id": f"{name}-{position}", "file": name, "line": line, "context": text, **(row or {})})
    return rows


def write(folder: Path) -> None:
    """Write the three files into the folder."""
    triangles: set[Triangle] = set()
    jsonl.write(folder, SIZES, lambda split: build(split, triangles))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

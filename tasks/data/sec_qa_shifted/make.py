"""Writes test.jsonl, the same bytes every time: the questions of `sec_qa` over accounts in another style.

    python -m tasks.data.sec_qa_shifted.make [folder]

Filers and their figures are drawn, and gold is computed, by the scripts of `sec_qa`; new are the filers and their
figures, none of which is in `sec_qa`, and all that is printed: names of lines as under IFRS, euro and sterling, a column of notes,
semicolons between columns, minus signs for brackets. Tags and formulas are asked for in us-gaap elements as before.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tasks.data.sec_qa import ratios
from tasks.data.sec_qa.excerpt import Excerpt
from tasks.data.sec_qa.filer import Filer
from tasks.data.sec_qa.make import PER_FILING, SEED, SUBJECTS, ask, filing
from tasks.data.sec_qa.names import names
from tasks.data.sec_qa.questions import Asked
from tasks.data.sec_qa.statements import written
from tasks.data.sec_qa_shifted.wording import CURRENCIES, FORMS, HEADS, LINES, QUESTIONS, TITLES

PLAN = {"lookup": 95, "tag": 60, "formula": 50, "computed": 45}
NAMED_BEFORE = 1000  # names that `sec_qa` may have used of its test filers
HERE = Path(__file__).parent
Card = tuple[str, Any]


def printed(figure: str) -> str:
    """A figure as these accounts print it: `(1,234)` is `-1,234`."""
    return f"-{figure[1:-1]}" if figure.startswith("(") else figure


def table(rng: random.Random, excerpt: Excerpt) -> str:
    """The excerpt as a question shows it."""
    filer = excerpt.filer
    head = rng.choice(HEADS).format(
        title=rng.choice(TITLES[excerpt.statement]),
        filer=filer.name,
        year_end=_day_first(filer.year_end),
        currency=CURRENCIES.get(filer.name.rpartition(" ")[2], "€"),
        unit=filer.unit.removesuffix("s"),
        years="; ".join(map(str, excerpt.years)),
    )
    note, lines = rng.randint(2, 6), []
    for key in excerpt.keys:
        note += rng.randint(1, 3)
        figures = [printed(written(excerpt.at(key, year))) for year in excerpt.years]
        lines.append("; ".join((excerpt.label(key), str(note), *figures)))
    return "\n".join((head, *lines))


def _day_first(year_end: str) -> str:
    month, day = year_end.split()
    return f"{day} {month}"


def question(rng: random.Random, asked: Asked, card: Card) -> tuple[str, str]:
    """Return the question in these readers' words, and its template."""
    kind, subject = card
    values: dict[str, object] = {}
    if kind == "formula":
        values["ratio"] = f"{subject} (as a fraction)" if subject in ratios.FRACTIONS else subject
    elif kind == "computed" and subject[0] == "ratio":
        percent = next(item.percent for item in ratios.COMPUTED if item.name == subject[2])
        form = "as a percentage, one decimal place" if percent else "two decimal places"
        values = {"ratio": subject[2], "year": asked.years[0], "form": form}
    else:
        values = {"line": f"'{asked.excerpt.label(asked.keys[0])}'"}
        values |= dict(zip(("first", "last") if len(asked.years) > 1 else ("year",), asked.years, strict=False))
    template = rng.choice(QUESTIONS[subject[0] if kind == "computed" else kind])
    return template.format(**values), template


def cards(rng: random.Random) -> list[list[Card]]:
    """The questions to ask, in pairs for a filing each; a pair does not ask the same twice."""
    dealt: list[Card] = []
    for kind, count in PLAN.items():
        subjects = list(SUBJECTS[kind])
        rng.shuffle(subjects)
        dealt += [(kind, subject) for subject in islice(cycle(subjects), count)]
    half = len(dealt) // PER_FILING
    while True:
        rng.shuffle(dealt)
        pairs = [[dealt[place], dealt[half + place]] for place in range(half)]
        if all(one != two for one, two in pairs):
            return pairs


def filings() -> Iterator[tuple[Filer, list[tuple[Card, Asked]]]]:
    """Yield each filing with its questions, always the same ones."""
    rng, seen = random.Random(f"sec_qa_shifted {SEED}"), _figures_of_sec_qa()
    supply = islice(names(random.Random(f"sec_qa {SEED}"))["test"], NAMED_BEFORE, None)
    for index, pair in enumerate(cards(rng)):
        name = f"{next(supply).rpartition(' ')[0]} {rng.choice(FORMS)}"
        while True:
            filer = filing(rng, "test", name, f"shifted-{index:04d}")
            filer = replace(filer, wording={key: rng.choice(said) for key, said in LINES.items()})
            found = [(card, asked) for card in pair if (asked := ask(rng, filer, "test", *card)) is not None]
            used = {tuple(sorted(set(asked.excerpt.numbers))) for _, asked in found}
            if len(found) == len(pair) and not used & seen:
                break
        seen |= used
        yield filer, found


def _figures_of_sec_qa() -> set[tuple[str, ...]]:
    """The sets of figures that `sec_qa` shows."""
    paths = sorted((HERE.parent / "sec_qa").glob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return {tuple(sorted(set(json.loads(line)["numbers"]))) for line in lines}


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the file."""
    rng = random.Random(f"sec_qa_shifted {SEED} wording")
    for filer, found in filings():
        for number, (card, asked) in enumerate(found, 1):
            text, template = question(rng, asked, card)
            yield {
                "id": f"{filer.filing}-{number}",
                "filing": filer.filing,
                "filer": filer.name,
                "kind": asked.kind,
                "context": table(rng, asked.excerpt),
                "question": text,
                "answer": printed(asked.answer) if asked.kind == "lookup" else asked.answer,
                "tags": list(asked.keys),
                "years": list(asked.years),
                "template": template,
                "numbers": asked.excerpt.numbers,
            }


def write(folder: Path) -> None:
    """Write the file into the folder."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

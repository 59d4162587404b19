"""A script that writes test.jsonl, the same bytes every time: the questions of `sec_qa` over accounts in another style.

    python -m tasks.data.sec_qa_shifted.make [folder]

Filers and their figures are sampled, and gold is computed, by the scripts of `sec_qa`. Filers and figures are new and do not
occur in `sec_qa`. All printed text is new, too: names of lines as under IFRS, euro and sterling, a column of notes,
semicolons between columns, minus signs for brackets. Tags and formulas are in us-gaap elements as before.
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
from tasks.data.sec_qa.questions import Question
from tasks.data.sec_qa.statements import figure_text
from tasks.data.sec_qa_shifted.wording import CURRENCIES, FORMS, HEADS, LINES, QUESTIONS, TITLES

PLAN = {"lookup": 95, "tag": 60, "formula": 50, "computed": 45}
NAMED_BEFORE = 1000  # the first names of test filers, which `sec_qa` may have used
HERE = Path(__file__).parent
Card = tuple[str, Any]


def print_figure(figure: str) -> str:
    """Return a figure in the format of these accounts: `(1,234)` is `-1,234`."""
    return f"-{figure[1:-1]}" if figure.startswith("(") else figure


def table(rng: random.Random, excerpt: Excerpt) -> str:
    """Return the excerpt as text."""
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
        figures = [print_figure(figure_text(excerpt.at(key, year))) for year in excerpt.years]
        lines.append("; ".join((excerpt.label(key), str(note), *figures)))
    return "\n".join((head, *lines))


def _day_first(year_end: str) -> str:
    month, day = year_end.split()
    return f"{day} {month}"


def question(rng: random.Random, item: Question, card: Card) -> tuple[str, str]:
    """Return the question in the words of these filers' readers, and its template."""
    kind, subject = card
    values: dict[str, object] = {}
    if kind == "formula":
        values["ratio"] = f"{subject} (as a fraction)" if subject in ratios.FRACTIONS else subject
    elif kind == "computed" and subject[0] == "ratio":
        percent = next(item.percent for item in ratios.COMPUTED_RATIOS if item.name == subject[2])
        form = "as a percentage, one decimal place" if percent else "two decimal places"
        values = {"ratio": subject[2], "year": item.years[0], "form": form}
    else:
        values = {"line": f"'{item.excerpt.label(item.keys[0])}'"}
        values |= dict(zip(("first", "last") if len(item.years) > 1 else ("year",), item.years, strict=False))
    template = rng.choice(QUESTIONS[subject[0] if kind == "computed" else kind])
    return template.format(**values), template


def cards(rng: random.Random) -> list[list[Card]]:
    """Return (kind, subject) of the questions in pairs, one pair for each filing; the two of a pair differ."""
    deck: list[Card] = []
    for kind, count in PLAN.items():
        subjects = list(SUBJECTS[kind])
        rng.shuffle(subjects)
        deck += [(kind, subject) for subject in islice(cycle(subjects), count)]
    half = len(deck) // PER_FILING
    while True:
        rng.shuffle(deck)
        pairs = [[deck[index], deck[half + index]] for index in range(half)]
        if all(first != second for first, second in pairs):
            return pairs


def filings() -> Iterator[tuple[Filer, list[tuple[Card, Question]]]]:
    """Yield each filing with its questions, the same every time."""
    rng, known_figures = random.Random(f"sec_qa_shifted {SEED}"), _figures_of_sec_qa()
    supply = islice(names(random.Random(f"sec_qa {SEED}"))["test"], NAMED_BEFORE, None)
    for index, pair in enumerate(cards(rng)):
        name = f"{next(supply).rpartition(' ')[0]} {rng.choice(FORMS)}"
        while True:
            filer = filing(rng, "test", name, f"shifted-{index:04d}")
            filer = replace(filer, wording={key: rng.choice(wordings) for key, wordings in LINES.items()})
            questions = [(card, item) for card in pair if (item := ask(rng, filer, "test", *card)) is not None]
            used = {tuple(sorted(set(item.excerpt.numbers))) for _, item in questions}
            if len(questions) == len(pair) and not used & known_figures:
                break
        known_figures |= used
        yield filer, questions


def _figures_of_sec_qa() -> set[tuple[str, ...]]:
    """Return the sets of figures in `sec_qa`."""
    paths = sorted((HERE.parent / "sec_qa").glob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return {tuple(sorted(set(json.loads(line)["numbers"]))) for line in lines}


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the file."""
    rng = random.Random(f"sec_qa_shifted {SEED} wording")
    for filer, questions in filings():
        for number, (card, item) in enumerate(questions, 1):
            text, template = question(rng, item, card)
            yield {
                "id": f"{filer.filing}-{number}",
                "filing": filer.filing,
                "filer": filer.name,
                "kind": item.kind,
                "context": table(rng, item.excerpt),
                "question": text,
                "answer": print_figure(item.answer) if item.kind == "lookup" else item.answer,
                "tags": list(item.keys),
                "years": list(item.years),
                "template": template,
                "numbers": item.excerpt.numbers,
            }


def write(folder: Path) -> None:
    """Write the file into the folder."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

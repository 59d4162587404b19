"""A script that writes train.jsonl, validation.jsonl and test.jsonl of `sec_qa`: `python -m tasks.data.sec_qa.make`.

It writes the same bytes every time. A filing has two questions; lines, ratios and computations are distributed evenly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tasks.data.sec_qa.filer import Filer, figures
from tasks.data.sec_qa.lexicon import WORDINGS, draw
from tasks.data.sec_qa.names import names
from tasks.data.sec_qa.questions import COMPUTATIONS, KINDS, TAG_SUBJECTS, Question
from tasks.data.sec_qa.ratios import RATIOS
from tasks.data.sec_qa.statements import STATEMENTS, printed_figure

SEED = 3
PLAN = {
    "train": {"lookup": 684, "tag": 432, "formula": 360, "computed": 324},
    "validation": {"lookup": 99, "tag": 62, "formula": 52, "computed": 47},
    "test": {"lookup": 228, "tag": 144, "formula": 120, "computed": 108},
}
PER_FILING = 2
_YEAR_ENDS = ("December 31", "June 30", "September 30", "March 31", "January 31")
_LOOKUPS = (
    ("income", 2),
    ("income", 3),
    ("balance", 2),
    ("cash flow", 2),
    ("income", 2),
    ("balance", 2),
    ("cash flow", 2),
)
SUBJECTS = {"lookup": _LOOKUPS, "tag": TAG_SUBJECTS, "formula": tuple(r.name for r in RATIOS), "computed": COMPUTATIONS}


def filing(rng: random.Random, split: str, name: str, code: str) -> Filer:
    """Return a random filing of the filer of this name, with three fiscal years and its own wording of every line."""
    last = rng.randint(2014, 2025)
    years = (last - 2, last - 1, last)
    while (values := figures(rng, years)) is None:
        pass
    filer = Filer(
        filing=f"{code}-{last}",
        name=name,
        unit=rng.choice(("millions", "thousands")),
        year_end=rng.choice(_YEAR_ENDS),
        years=years,
        newest_first=rng.random() < 0.7,
        values=values,
        wording={},
    )
    lines = {line.key: line for statement in reversed(list(STATEMENTS.values())) for line in statement}
    wording = {}
    for key in WORDINGS:
        amounts = [float(printed_figure(filer, lines[key], year)) for year in years]
        wording[key] = draw(rng, key, split, min(amounts), max(amounts))
    return Filer(**{**vars(filer), "wording": wording})


def deck(rng: random.Random, split: str) -> list[list[tuple[str, Any]]]:
    """Return (kind, subject) of the questions in pairs, one pair for each filing; the two of a pair differ."""
    cards: list[tuple[str, Any]] = []
    for kind, count in PLAN[split].items():
        subjects = list(SUBJECTS[kind])
        rng.shuffle(subjects)
        cards += [(kind, subject) for subject in islice(cycle(subjects), count)]
    rng.shuffle(cards)
    half = len(cards) // PER_FILING
    pairs = [[cards[index], cards[half + index]] for index in range(half)]
    for index, (first, second) in enumerate(pairs):
        if first == second:
            previous = pairs[index - 1]
            pairs[index][1], previous[1] = previous[1], second
    return pairs


def filings() -> Iterator[tuple[str, Filer, list[Question]]]:
    """Yield (split, filing, its questions), the same every time, in the order of the files."""
    rng = random.Random(f"sec_qa {SEED}")
    supply = names(rng)
    known_figures: set[tuple[str, ...]] = set()
    for split in PLAN:
        for index, cards in enumerate(deck(rng, split)):
            code = f"{split}-{index:04d}"
            name = next(supply[split])
            while True:
                filer = filing(rng, split, name, code)
                candidates = [ask(rng, filer, split, kind, subject) for kind, subject in cards]
                questions = [question for question in candidates if question is not None]
                used = {tuple(sorted(set(question.excerpt.numbers))) for question in questions}
                used |= {question.operands for question in questions if question.kind == "computed"}
                if len(questions) == len(cards) and not used & known_figures:
                    break
            known_figures |= used
            yield split, filer, questions


def ask(rng: random.Random, filer: Filer, split: str, kind: str, subject: Any) -> Question | None:
    """Return a question about a subject, or None if eight tries give none that fits this filing."""
    for _ in range(8):
        question = KINDS[kind](rng, filer, split, subject)
        if question is not None and question.fits:
            return question
    return None


def row(filer: Filer, question: Question, number: int) -> dict[str, Any]:
    """Return one line of a data file."""
    lines = {line.key: line for line in question.excerpt.lines}
    return {
        "id": f"{filer.filing}-{number}",
        "filing": filer.filing,
        "filer": filer.name,
        "kind": question.kind,
        "context": question.excerpt.text,
        "question": question.question,
        "answer": question.answer,
        "tags": [lines[key].element for key in question.keys],
        "years": list(question.years),
        "template": question.template,
        "caption": question.excerpt.caption,
        "numbers": question.excerpt.numbers,
    }


def write(folder: Path) -> None:
    """Write the three files into `folder`."""
    rows: dict[str, list[str]] = {split: [] for split in PLAN}
    for split, filer, questions in filings():
        for number, question in enumerate(questions, start=1):
            rows[split].append(json.dumps(row(filer, question, number), ensure_ascii=False))
    for split, lines in rows.items():
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(__file__).parent)

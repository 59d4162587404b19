"""A script that writes the files of `sec_qa` and of `sec_qa_lookup`: `python -m tasks.data.sec_qa.make [folder]`.

It writes the same bytes every time. A filing has two questions; lines, measures and forms are distributed evenly.
`lookup.jsonl` has plain lookups and tags alone, in the wording of the test.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tasks.data.sec_qa import changes, explanations, measures, questions, twins
from tasks.data.sec_qa.filer import Filer, figures
from tasks.data.sec_qa.labels import draw
from tasks.data.sec_qa.lexicon import WORDINGS
from tasks.data.sec_qa.names import names
from tasks.data.sec_qa.questions import TAG_SUBJECTS, Question
from tasks.data.sec_qa.statements import ELEMENTS, STATEMENTS, printed_figure
from tasks.data.sec_qa.voice import Voice, voice

SEED = 5
PLAN = {
    "train": {"lookup": 240, "tag": 160, "twin": 400, "change": 240, "computed": 240, "explain": 320},
    "validation": {"twin": 60, "change": 60, "computed": 60, "explain": 60},
    "test": {"twin": 150, "change": 150, "computed": 150, "explain": 150},
    "lookup": {"lookup": 120, "tag": 80},
}
WORDING = {split: "test" if split == "lookup" else split for split in PLAN}
PER_FILING = 2
_YEAR_ENDS = ("December 31", "June 30", "September 30", "March 31", "January 31")
_LOOKUPS = (
    ("income", 2),
    ("income", 3),
    ("balance", 2),
    ("cash flow", 2),
    ("income", 2),
    ("balance", 2),
    ("equity", 2),
)
Kinds = Mapping[str, tuple[Callable[..., Question | None], tuple[Any, ...]]]
KINDS: Kinds = {
    "lookup": (questions.lookup, _LOOKUPS),
    "tag": (questions.tag, TAG_SUBJECTS),
    "twin": (twins.twin, twins.SUBJECTS),
    "change": (changes.change, changes.SUBJECTS),
    "computed": (measures.computed, measures.SUBJECTS),
    "explain": (explanations.explain, explanations.SUBJECTS),
}
Card = tuple[str, Any]


def filing(rng: random.Random, split: str, name: str, code: str) -> Filer:
    """Return a random filing of the filer of this name, with three fiscal years and its own wording of every line."""
    last = rng.randint(2020, 2025)
    years = (last - 2, last - 1, last)
    unit = rng.choice(("millions", "millions", "thousands"))
    while (values := figures(rng, years, unit)) is None:
        pass
    filer = Filer(
        filing=f"{code}-{last}",
        name=name,
        unit=unit,
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


def deck(rng: random.Random, plan: Mapping[str, int], kinds: Kinds) -> list[list[Card]]:
    """Return (kind, subject) of the questions in pairs, one pair for each filing; the two of a pair differ."""
    cards: list[Card] = []
    for kind, count in plan.items():
        subjects = list(kinds[kind][1])
        rng.shuffle(subjects)
        cards += [(kind, subject) for subject in islice(cycle(subjects), count)]
    rng.shuffle(cards)
    half = len(cards) // PER_FILING
    pairs = [[cards[index], cards[half + index]] for index in range(half)]
    while equal := [pair for pair in pairs if pair[0] == pair[1]]:
        partner = rng.choice(pairs)
        equal[0][1], partner[1] = partner[1], equal[0][1]
    return pairs


def filings() -> Iterator[tuple[str, Filer, list[Question]]]:
    """Yield (split, filing, its questions), the same every time, in the order of the files."""
    rng = random.Random(f"sec_qa {SEED}")
    supply = names(rng)
    voices = {split: voice(WORDING[split]) for split in PLAN}
    known_figures: set[tuple[str, ...]] = set()
    for split in PLAN:
        for index, cards in enumerate(deck(rng, PLAN[split], KINDS)):
            name = next(supply[WORDING[split]])
            while True:
                filer = filing(rng, WORDING[split], name, f"{split}-{index:04d}")
                answers = [ask(rng, filer, voices[split], *card) for card in cards]
                items = [question for question in answers if question is not None]
                used = {tuple(sorted(set(question.excerpt.numbers))) for question in items}
                used |= {question.operands for question in items if question.kind in ("computed", "change")}
                if len(items) == len(cards) and not used & known_figures:
                    break
            known_figures |= used
            yield split, filer, items


def ask(rng: random.Random, filer: Filer, words: Voice, kind: str, subject: Any) -> Question | None:
    """Return a question about a subject, or None if eight tries give none that fits this filing."""
    for _ in range(8):
        question = KINDS[kind][0](rng, filer, words, subject)
        if question is not None and question.fits:
            return question
    return None


def row(filer: Filer, question: Question, number: int) -> dict[str, Any]:
    """Return one line of a data file."""
    return {
        "id": f"{filer.filing}-{number}",
        "filing": filer.filing,
        "filer": filer.name,
        "kind": question.kind,
        "form": question.form,
        "context": question.excerpt.text,
        "question": question.question,
        "answer": question.answer,
        "unit": question.unit,
        "tags": [ELEMENTS.get(key, key) for key in question.keys],
        "lines": [question.excerpt.label(key) for key in question.keys],
        "columns": list(question.columns),
        "template": question.template,
        "caption": question.excerpt.caption,
        "numbers": question.excerpt.numbers,
    }


def write(folder: Path) -> None:
    """Write the files into `folder`."""
    rows: dict[str, list[str]] = {split: [] for split in PLAN}
    for split, filer, items in filings():
        for number, question in enumerate(items, start=1):
            rows[split].append(json.dumps(row(filer, question, number), ensure_ascii=False))
    for split, lines in rows.items():
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

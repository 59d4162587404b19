"""A script that writes test.jsonl of `sec_qa_shifted`: the questions of `sec_qa` over other accounts.

    python -m tasks.data.sec_qa_shifted.make [folder]

Filers are new and do not occur in `sec_qa`; gold is computed by its scripts. Half of the questions shift the presentation: line
names as under IFRS, euro and sterling, a column of notes, semicolons between columns, minus signs for brackets, fixed assets and
equity first, other sentences. The other half shift the industry: insurers' accounts, in the style of the test.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.data.sec_qa.excerpt import Excerpt
from tasks.data.sec_qa.filer import (
    CURRENT_ASSETS,
    CURRENT_LIABILITIES,
    EQUITY,
    OTHER_ASSETS,
    OTHER_LIABILITIES,
    Filer,
)
from tasks.data.sec_qa.make import KINDS, SEED, ask, deck, filing, row
from tasks.data.sec_qa.names import names
from tasks.data.sec_qa.questions import Question
from tasks.data.sec_qa.statements import figure_text
from tasks.data.sec_qa.voice import Voice, voice
from tasks.data.sec_qa_shifted import asks, insurers
from tasks.data.sec_qa_shifted.insurers import insurer_of, insurer_voice
from tasks.data.sec_qa_shifted.wording import CURRENCIES, FORMS, HEADERS, HEADS, LINES, SEGMENTS, TITLES

PLAN = {"twin": 36, "change": 36, "computed": 36, "explain": 36}  # of each shift
NAMED_BEFORE = 1000  # the first names of test filers, which `sec_qa` may have used
HERE = Path(__file__).parent
# The balance sheet as under IFRS: what stays long comes first, equity before debts.
ORDER = (
    *(*OTHER_ASSETS, *CURRENT_ASSETS, "AssetsCurrent", "Assets"),
    *(*EQUITY, "StockholdersEquity", *OTHER_LIABILITIES, *CURRENT_LIABILITIES),
    *("LiabilitiesCurrent", "Liabilities", "LiabilitiesAndStockholdersEquity"),
)


def shifted_voice() -> Voice:
    """Return the wording of these accounts and of their readers; lines and measures have the names of the test's readers."""
    return replace(
        voice("test"),
        titles=TITLES,
        headers=HEADERS,
        segments=SEGMENTS,
        asks=asks.ASKS,
        moments=asks.WHEN,
        spans=asks.SPANS,
        units=asks.UNITS,
        directions=asks.DIRECTIONS,
        aside=asks.ASIDE,
        forms=asks.FORMS,
        matters=asks.MATTERS,
        purchases=asks.PURCHASES,
    )


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
        columns="; ".join(column.header for column in excerpt.columns),
    )
    keys = sorted(excerpt.keys, key=ORDER.index) if excerpt.statement == "balance" else excerpt.keys
    note, lines = rng.randint(2, 6), []
    for key in keys:
        note += rng.randint(1, 3)
        figures = [print_figure(figure_text(excerpt.at(key, column))) for column in excerpt.columns]
        lines.append("; ".join((excerpt.label(key), str(note), *figures)))
    return "\n".join((head, *lines, *excerpt.notes))


def _day_first(year_end: str) -> str:
    month, day = year_end.split()
    return f"{day} {month}"


def filings() -> Iterator[tuple[str, Filer, list[Question]]]:
    """Yield (shift, filing, its questions), the same every time."""
    rng, known_figures = random.Random(f"sec_qa_shifted {SEED}"), _figures_of_sec_qa()
    supply = islice(names(random.Random(f"sec_qa {SEED}"))["test"], NAMED_BEFORE, None)
    for shift, words, kinds in (
        ("presentation", shifted_voice(), KINDS),
        ("industry", insurer_voice(), insurers.KINDS),
    ):
        for index, pair in enumerate(deck(rng, PLAN, kinds)):
            name = f"{next(supply).rpartition(' ')[0]} {rng.choice(FORMS)}"
            while True:
                filer = filing(rng, "test", name, f"{shift}-{index:04d}")
                if shift == "industry":
                    filer = insurer_of(rng, filer)
                else:
                    filer = replace(filer, wording={key: rng.choice(wordings) for key, wordings in LINES.items()})
                items = [item for card in pair if (item := ask(rng, filer, words, *card)) is not None]
                used = {tuple(sorted(set(item.excerpt.numbers))) for item in items}
                if len(items) == len(pair) and not used & known_figures:
                    break
            known_figures |= used
            yield shift, filer, items


def _figures_of_sec_qa() -> set[tuple[str, ...]]:
    """Return the sets of figures in `sec_qa`."""
    paths = sorted((HERE.parent / "sec_qa").glob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return {tuple(sorted(set(json.loads(line)["numbers"]))) for line in lines}


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the file."""
    rng = random.Random(f"sec_qa_shifted {SEED} wording")
    for shift, filer, items in filings():
        for number, item in enumerate(items, 1):
            result = row(filer, item, number) | {"shift": shift}
            if shift == "presentation":
                answer = print_figure(item.answer) if item.kind == "twin" else item.answer
                result |= {"context": table(rng, item.excerpt), "answer": answer}
            yield result


def write(folder: Path) -> None:
    """Write the file into the folder."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

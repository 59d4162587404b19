"""A piece of one statement of a filing, as text: caption, columns side by side, some lines."""

from __future__ import annotations

import random
import re
from collections.abc import Collection
from dataclasses import dataclass

from tasks.data.sec_qa.columns import Column
from tasks.data.sec_qa.filer import Filer, Number
from tasks.data.sec_qa.statements import DAYS, STATEMENTS, figure_text
from tasks.data.sec_qa.voice import Voice


@dataclass(frozen=True)
class Excerpt:
    """`columns` from left to right; `keys` are the lines from top to bottom; `caption` is the template of the head."""

    filer: Filer
    statement: str
    caption: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def label(self, key: str) -> str:
        """Return the filing's wording of the line."""
        return self.filer.wording[key]

    @property
    def text(self) -> str:
        """Return the excerpt as text."""
        filer = self.filer
        head = self.caption.format(
            filer=filer.name, unit=filer.unit, year_end=filer.year_end, year=self.columns[0].year
        )
        rows = [[head, *(column.header for column in self.columns)]]
        rows += [[self.label(key), *(figure_text(column.figures[key]) for column in self.columns)] for key in self.keys]
        return "\n".join((*(" | ".join(row) for row in rows), *self.notes))

    @property
    def numbers(self) -> list[str]:
        """Return all figures of the table as plain numbers, row by row."""
        return [str(column.figures[key]) for key in self.keys for column in self.columns]

    def at(self, key: str, column: Column) -> Number:
        """Return the printed figure of the line in the column."""
        return column.figures[key]


def lines(columns: Collection[Column], statement: str) -> list[str]:
    """Return the keys of the lines with an amount in every column; a filing omits the others."""
    keys = [line.key for line in STATEMENTS[statement]]
    return [key for key in keys if all(column.figures.get(key) for column in columns)]


def draw(
    rng: random.Random,
    filer: Filer,
    voice: Voice,
    statement: str,
    columns: tuple[Column, ...],
    required: Collection[str],
    size: int,
    *,
    rivals: Collection[str] = (),
) -> Excerpt | None:
    """Return a random excerpt of `size` lines with all of `required` and none of `rivals`, or None if impossible.

    The lines follow each other if that is possible; otherwise some between them are omitted, as in a summary.
    """
    keys = [key for key in lines(columns, statement) if key not in rivals]
    indices = [index for index, key in enumerate(keys) if key in required]
    if len(indices) < len(set(required)):
        return None
    size = min(max(size, len(indices)), len(keys))
    if indices[-1] - indices[0] < size:
        lowest, highest = max(0, indices[-1] - size + 1), min(indices[0], len(keys) - size)
        start = rng.randint(lowest, highest)
        selection = keys[start : start + size]
    else:
        spare = [index for index in range(len(keys)) if index not in indices]
        selection = [keys[index] for index in sorted(indices + rng.sample(spare, size - len(indices)))]
    caption = _caption(rng, voice, statement, selection, columns[0].role)
    return Excerpt(filer, statement, caption, columns, tuple(selection))


def _caption(rng: random.Random, voice: Voice, statement: str, keys: Collection[str], role: str) -> str:
    """Return the head as a template: everything but the filer, its unit, its year end and the year of segments."""
    layouts = voice.layouts
    if any(key.startswith("EarningsPerShare") for key in keys):
        # Earnings per share have another unit than the other lines: the caption must say so.
        layouts = tuple(layout for layout in layouts if "except per" in layout.caption)
    if role in ("quarter", "half"):
        layouts = tuple(layout for layout in layouts if not re.search("10-K|Item 8|Annual", layout.caption))
    layout = rng.choice(layouts)
    over = layout.day if statement in DAYS else layout.period
    over = rng.choice(voice.over[role]) if role in voice.over else over
    title = rng.choice(voice.titles[statement])
    return layout.caption.replace("{title}", title) + "\n" + over

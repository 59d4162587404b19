"""A piece of one statement of a filing, as text: caption, fiscal years side by side, some lines."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from tasks.data.sec_qa.filer import Filer, Number
from tasks.data.sec_qa.statements import STATEMENTS, Line, figure_text, present, printed_figure
from tasks.data.sec_qa.templates import LAYOUTS, TITLES


@dataclass(frozen=True)
class Excerpt:
    """`years` in the order of the columns; `lines` from top to bottom; `caption` is the template of the head."""

    filer: Filer
    statement: str
    caption: str
    years: tuple[int, ...]
    lines: tuple[Line, ...]

    @property
    def keys(self) -> list[str]:
        """Return the keys of the lines, from top to bottom."""
        return [line.key for line in self.lines]

    def label(self, key: str) -> str:
        """Return the filing's wording of the line."""
        return self.filer.wording[key]

    def at(self, key: str, year: int) -> Number:
        """Return the printed figure of the line for the year."""
        return printed_figure(self.filer, next(line for line in self.lines if line.key == key), year)

    @property
    def text(self) -> str:
        """Return the excerpt as text."""
        filer = self.filer
        head = self.caption.format(filer=filer.name, unit=filer.unit, year_end=filer.year_end)
        rows = [[head, *map(str, self.years)]]
        rows += [
            [self.label(line.key), *(figure_text(printed_figure(filer, line, y)) for y in self.years)]
            for line in self.lines
        ]
        return "\n".join(" | ".join(row) for row in rows)

    @property
    def numbers(self) -> list[str]:
        """Return all figures as plain numbers, row by row."""
        return [str(printed_figure(self.filer, line, year)) for line in self.lines for year in self.years]


def draw(
    rng: random.Random,
    filer: Filer,
    split: str,
    statement: str,
    required: Collection[str],
    size: int,
    *,
    rivals: Collection[str] = (),
    columns: int = 2,
) -> Excerpt | None:
    """Return a random excerpt of `size` lines with all of `required` and none of `rivals`, or None if impossible."""
    years = filer.years[-columns:]
    lines = [line for line in STATEMENTS[statement] if present(filer, line, years) and line.key not in rivals]
    indices = [index for index, line in enumerate(lines) if line.key in required]
    if len(indices) < len(required) or len(lines) < size:
        return None
    if indices[-1] - indices[0] < size:
        lowest, highest = max(0, indices[-1] - size + 1), min(indices[0], len(lines) - size)
        start = rng.randint(lowest, highest)
        selection = lines[start : start + size]
    else:
        spare = [index for index in range(len(lines)) if index not in indices]
        selection = [lines[index] for index in sorted(indices + rng.sample(spare, size - len(indices)))]
    return Excerpt(
        filer=filer,
        statement=statement,
        caption=_caption(rng, split, statement, selection),
        years=years[::-1] if filer.newest_first else years,
        lines=tuple(selection),
    )


def _caption(rng: random.Random, split: str, statement: str, lines: Collection[Line]) -> str:
    """Return the head as a template: everything but the filer, its unit and its year end."""
    layouts = LAYOUTS[split]
    if any(line.key.startswith("EarningsPerShare") for line in lines):
        # Earnings per share have another unit than the other lines: the caption must say so.
        layouts = tuple(layout for layout in layouts if "except per" in layout.caption)
    layout = rng.choice(layouts)
    over = layout.day if statement == "balance" else layout.period
    title = rng.choice(TITLES[split][statement])
    return layout.caption.replace("{title}", title) + "\n" + over

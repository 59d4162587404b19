"""A piece of one statement of a filing, as text: caption, fiscal years side by side, some lines."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from tasks.data.sec_qa.filer import Filer, Number
from tasks.data.sec_qa.statements import STATEMENTS, Line, present, shown, written
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
        """The lines by key, from top to bottom."""
        return [line.key for line in self.lines]

    def label(self, key: str) -> str:
        """How this filing words the line."""
        return self.filer.wording[key]

    def at(self, key: str, year: int) -> Number:
        """The figure shown on the line for the year."""
        return shown(self.filer, next(line for line in self.lines if line.key == key), year)

    @property
    def text(self) -> str:
        """The excerpt as a question shows it."""
        filer = self.filer
        head = self.caption.format(filer=filer.name, unit=filer.unit, year_end=filer.year_end)
        rows = [[head, *map(str, self.years)]]
        rows += [[self.label(line.key), *(written(shown(filer, line, y)) for y in self.years)] for line in self.lines]
        return "\n".join(" | ".join(row) for row in rows)

    @property
    def numbers(self) -> list[str]:
        """All figures as plain numbers, row by row."""
        return [str(shown(self.filer, line, year)) for line in self.lines for year in self.years]


def draw(
    rng: random.Random,
    filer: Filer,
    split: str,
    statement: str,
    needed: Collection[str],
    size: int,
    *,
    rivals: Collection[str] = (),
    columns: int = 2,
) -> Excerpt | None:
    """Draw an excerpt of `size` lines that contains the lines `needed` and none of `rivals`; None if there is none."""
    years = filer.years[-columns:]
    lines = [line for line in STATEMENTS[statement] if present(filer, line, years) and line.key not in rivals]
    places = [index for index, line in enumerate(lines) if line.key in needed]
    if len(places) < len(needed) or len(lines) < size:
        return None
    if places[-1] - places[0] < size:
        lowest, highest = max(0, places[-1] - size + 1), min(places[0], len(lines) - size)
        start = rng.randint(lowest, highest)
        chosen = lines[start : start + size]
    else:
        spare = [index for index in range(len(lines)) if index not in places]
        chosen = [lines[index] for index in sorted(places + rng.sample(spare, size - len(places)))]
    return Excerpt(
        filer=filer,
        statement=statement,
        caption=_caption(rng, split, statement, chosen),
        years=years[::-1] if filer.newest_first else years,
        lines=tuple(chosen),
    )


def _caption(rng: random.Random, split: str, statement: str, lines: Collection[Line]) -> str:
    """The head as a template: everything but the filer, its unit and its year end."""
    layouts = LAYOUTS[split]
    if any(line.key.startswith("EarningsPerShare") for line in lines):
        # The unit of the other lines is not that of these: the caption must say so.
        layouts = tuple(layout for layout in layouts if "except per" in layout.caption)
    layout = rng.choice(layouts)
    over = layout.day if statement == "balance" else layout.period
    title = rng.choice(TITLES[split][statement])
    return layout.caption.replace("{title}", title) + "\n" + over

"""A table of words, and its form in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of text. The first column and those named in `left` start at the left, the others end at the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


def markdown(table: Table) -> str:
    """Return the table in Markdown, its columns padded so that it reads well as plain text too."""
    lines = [[escape(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(line[place]) for line in lines)) for place in range(len(table.columns))]
    rules = ["-" * w if place in table.left else "-" * (w - 1) + ":" for place, w in enumerate(widths)]
    padded = [
        [
            text.ljust(w) if place in table.left else text.rjust(w)
            for place, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in [lines[0], rules, *lines[1:]]
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no HTML, no cell borders, no emphasis, no links, no line breaks."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_~]|(?<=\])\()", r"\\\1", text)

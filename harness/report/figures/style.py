"""Colours, marks and fonts of the figures: the same for a method everywhere, readable for colour-blind eyes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from harness.format import short
from harness.record import RunSpec

# Okabe and Ito's palette; marks differ as well, so that no figure depends on colour alone
METHOD_COLOURS = {"base": "#767676", "lora": "#0072B2", "qlora": "#E69F00", "full": "#009E73"}
METHOD_MARKS = {"base": "X", "lora": "o", "qlora": "s", "full": "D"}
FURTHER_COLOURS = ("#CC79A7", "#56B4E9", "#D55E00", "#8A5A00")
FURTHER_MARKS = ("^", "v", "P", "p", "h")
PART_COLOURS = {
    "frozen_weights": "#5B4DB2",
    "trained_weights": "#882255",
    "gradients": "#CC6677",
    "optimizer_state": "#DDCC77",
    "activations_and_rest": "#C9C9C9",
}
INK, PAPER, FAINT, GRID = "#222222", "#ffffff", "#666666", "#dddddd"

SMALL = 9.5  # points, the smallest type
STYLE: dict[str, Any] = {
    "font.size": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": 10,
    "legend.fontsize": SMALL,
    "text.parse_math": False,  # a name may hold a $
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",  # the same letters wherever it is opened
    "svg.hashsalt": "harness",  # ids that do not change from run to run
}
_FALLBACK_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei")


def colour(method: str) -> str:
    """Return the colour of a method; methods outside `METHOD_COLOURS` get one by the hash of their name."""
    return METHOD_COLOURS.get(method) or FURTHER_COLOURS[_digest(method) % len(FURTHER_COLOURS)]


def row_colour(spec: RunSpec) -> str:
    """Return the colour of a row: that of its method; challengers, which are no method, have the colour of text."""
    return INK if spec.challenger else colour(spec.method)


def row_colours(specs: Iterable[RunSpec]) -> list[str]:
    """Return a colour for each row of a panel in which colour alone tells rows apart, in their order.

    A row has its own colour unless a row before it has the same; then it has the first further one that is free, if any is.
    """
    colours: list[str] = []
    for spec in specs:
        own = row_colour(spec)
        free = [shade for shade in FURTHER_COLOURS if shade not in colours]
        colours.append(free[0] if own in colours and free else own)
    return colours


def mark(method: str) -> str:
    """Return the marker of a method, chosen like its colour: two methods of one colour mostly have different markers."""
    return METHOD_MARKS.get(method) or FURTHER_MARKS[_digest(method) // 97 % len(FURTHER_MARKS)]


def clean(text: str, width: int = 60) -> str:
    """Return text for drawing: one line, only characters of the installed fonts, shortened in its middle."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    text = "".join(char if ord(char) in _drawable() else "?" for char in text)
    return short(text, width)


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Return DejaVu Sans, which comes with matplotlib, and the installed fonts for letters that it lacks."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed))


@lru_cache(maxsize=1)
def _drawable() -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    return frozenset(code for family in families() for code in FT2Font(font_manager.findfont(family)).get_charmap())


def _digest(text: str) -> int:
    return int(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8], 16)

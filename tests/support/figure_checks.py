"""Is a figure legible: no text of it is small or cut off, and no two texts lie on each other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from harness.report.figures.labels import Box


def check(figure: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Draw a figure, assert that its texts are legible, and return those that were drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    shown: list[Any] = []
    monkeypatch.setattr(Text, "draw", lambda text, renderer: shown.append(text) if text.get_text().strip() else None)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    assert min(text.get_fontsize() for text in shown) >= 9
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown]
    page = Box(*figure.bbox.extents)
    assert [text for text, box in boxes if Box(*box.extents).overlap(page) < 0.999 * box.width * box.height] == []
    touching = [
        (a, b)
        for (a, one), (b, two) in itertools.combinations(boxes, 2)
        if Box(*one.extents).overlap(Box(*two.extents)) > 6
    ]
    assert touching == []
    return shown

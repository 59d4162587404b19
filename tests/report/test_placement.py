"""The places of axes and texts: nothing is cut off or covered, however long the names are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest

import tests.support.figure_checks as legible
from harness.analysis import compare
from harness.analysis.sections import sections
from harness.report.figures import layout, matrix, overview, placement, style, write
from harness.report.figures.matrix import Entry, Matrix
from tests.support.finished_runs import make_failed, make_run

MODEL = "a-laboratory-of-research/a-large-language-model-with-a-very-long-name-instruct-v2.5-preview-W"
METHOD = "a-method-with-a-name-that-is-as-long-as-names-get"


@pytest.fixture(autouse=True)
def figure_style() -> Iterator[None]:
    settings: Any = style.STYLE
    with matplotlib.rc_context(settings):
        yield


def long_names() -> list[Any]:
    spec: dict[str, Any] = {"model": MODEL, "learning_rate": 0.00012345}
    runs = [make_run("lora", rank, 0.5 + 0.03 * rank, 40.0 + rank, n=60, spec=spec) for rank in (2, 8)]
    runs += [make_run("base", 0, 0.4, n=60, spec={"model": MODEL}), make_run(METHOD, 8, 0.7, n=60, spec=spec)]
    lost = [make_failed(METHOD, rank, n=60, reason="CUDA is out of memory: " * 9, **spec) for rank in range(16, 40)]
    return [*runs, *lost]


@pytest.mark.parametrize("name", write.NAMES)
def test_long_names_and_reasons_are_drawn_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = getattr(overview, name)("a task " * 30, sections(compare.cells(long_names())))
    assert len(legible.check(figure, monkeypatch)) > 10


@pytest.mark.parametrize("coloured", [True, False])
def test_a_matrix_of_long_names_is_drawn_whole(monkeypatch: pytest.MonkeyPatch, *, coloured: bool) -> None:
    entry = Entry(0.5, 0.4, 0.6, better=0.1 if coloured else None, framed=True)
    row, column = (
        ("the adapter of a long name, and more", "its second line"),
        ("a task with a long name", "metric " * 9),
    )
    figure = matrix.draw(Matrix("title " * 40, (row,) * 3, (column,) * 4, ((entry,) * 4,) * 3, "about " * 40))
    assert len(figure.axes) == 1 + coloured
    legible.check(figure, monkeypatch)


def test_panels_have_the_same_edges_and_keep_their_heights() -> None:
    runs = [make_run(method, 0, n=60, spec={"model": model}) for method in ("base", "full") for model in ("a", MODEL)]
    figure = overview.accuracy("cfa", sections(compare.cells(runs)))
    boxes = [ax.bbox for ax in figure.axes]
    assert len(boxes) == 2
    assert len({(round(box.x0, 6), round(box.x1, 6)) for box in boxes}) == 1
    assert len({round(box.height, 6) for box in boxes}) == 1
    assert boxes[0].y0 > boxes[1].y1 + placement.ABOVE_PANEL


def test_an_axis_label_longer_than_its_axis_makes_the_figure_wider() -> None:
    def width(label: str) -> float:
        figure, (ax,) = layout.new_figure("title", [2.0])
        ax.set_xlabel(label)
        return float(layout.finish(figure).get_figwidth())

    assert width("short") == pytest.approx(layout.WIDTH, abs=0.2)
    assert width("long " * 40) > layout.WIDTH + 2

"""The figures: complete, readable, the same bytes every time."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.support.figure_checks as legible
from harness.analysis import compare
from harness.analysis.aggregate import Cell
from harness.analysis.sections import sections
from harness.record import ProbeResult, Selection
from harness.report.figures import forgetting, losses, overview, write
from harness.report.figures import style as palette
from harness.report.figures.labels import CLEARLY, Box, boxes_along, place_labels, spread_positions
from tests.support.analyses import results_of
from tests.support.finished_runs import make_failed, make_run, make_runs

SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def cells(runs: list[Any]) -> list[Cell]:
    return compare.cells(runs)


@pytest.fixture(scope="module")
def runs() -> list[Any]:
    return [*make_runs(n=120), make_failed("lora", 64, n=120)]


@pytest.fixture(scope="module")
def drawn(runs: list[Any]) -> dict[str, str]:
    return {name: svg for name, svg in write.svgs(results_of(runs)).items() if name in write.NAMES}


@pytest.fixture
def style() -> Iterator[None]:
    import matplotlib

    settings: Any = palette.STYLE
    with matplotlib.rc_context(settings):
        yield


def texts(svg: str) -> str:
    """Text is drawn as outlines; matplotlib notes what it says in a comment."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg, flags=re.DOTALL))


def many_runs() -> list[Any]:
    ranked = itertools.product(("lora", "qlora", "dora", "vera", "rslora"), (1, 2, 4, 8, 16, 32))
    runs = [make_run(m, r, 0.6 + 0.01 * i, 40 + 0.7 * i, n=60) for i, (m, r) in enumerate(ranked)]
    return [make_run("base", 0, 0.33, n=60), *runs]


def test_every_figure_is_written_as_svg_and_png_with_the_same_bytes_on_one_core_and_on_two(
    tmp_path: Path, runs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.cores", lambda: 2)
    paths = write.write(tmp_path, results_of(runs))
    folder = tmp_path / "figures" / "cfa"
    figures = ("accuracy", "accuracy_memory", "ranks", "memory", "calibration")
    names = [f"{name}.{kind}" for name in figures for kind in ("svg", "png")]
    assert paths == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for path in paths:
        if path.suffix == ".svg":
            assert ElementTree.fromstring(path.read_text()).tag == SVG
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    again = {path: path.read_bytes() for path in paths}
    monkeypatch.setattr("harness.environment.cores", lambda: 1)
    write.write(tmp_path, results_of(reversed(runs)))
    assert {path: path.read_bytes() for path in paths} == again


def test_no_date_and_no_version_is_in_the_files(drawn: dict[str, str]) -> None:
    for svg in drawn.values():
        assert "dc:date" not in svg
        assert not re.search(r"Matplotlib v\d", svg)


def test_the_accuracy_figure_says_task_model_n_and_what_the_intervals_are(drawn: dict[str, str]) -> None:
    said = texts(drawn["accuracy"])
    assert "cfa: accuracy by method and rank" in said
    assert re.search(r"tiny · 120 test questions in \d+ groups · 1 seed · 95 % intervals clustered by group", said)
    assert "base model 33.3" in said
    assert "guessing 33.3" in said
    assert re.search(r"85\.0  \[[\d.]+, [\d.]+\]  ◀ best", said)
    for name in ("base", "lora r2", "lora r8", "lora r32", "qlora r2", "qlora r8", "qlora r32", "full"):
        assert name in said.split("\n")


def test_a_failed_run_is_marked_in_every_figure(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        assert "lora r64" in texts(svg), name
        assert "oom" in texts(svg), name


def test_the_memory_figure_shows_total_prediction_and_parts(drawn: dict[str, str]) -> None:
    said = texts(drawn["memory"])
    assert "90.0 MiB  (predicted 87.3)" in said
    assert "base" not in said.split("\n")  # it trains nothing
    assert "not drawn, peak in the test: 22.4 MiB" in said
    for part in ("frozen weights", "trained weights", "gradients", "optimizer state", "activations and the rest"):
        assert part in said


def test_without_runs_of_the_task_nothing_is_written(tmp_path: Path) -> None:
    assert write.write(tmp_path, results_of([])) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([make_run("lora", 8, n=60)], ["memory"]),
        ([make_run("base", 0, n=60)], []),
        ([make_failed("full")], []),
        ([make_run("base", 0, n=60), make_run("lora", 8, n=60)], ["accuracy", "memory"]),
        ([make_run("qlora", 8, n=60), make_run("lora", 8, n=60)], ["accuracy", "accuracy_memory", "memory"]),
    ],
)
def test_nothing_is_drawn_for_a_single_point_or_a_single_rank(runs: Sequence[Any], names: list[str]) -> None:
    found = write.svgs(results_of(runs))
    assert [name for name in found if name != write.CALIBRATION] == names


@pytest.mark.parametrize("gradients", [0, 20_000])  # bytes, which the table of memory shows as 0.0 MiB
def test_a_legend_has_no_part_that_no_bar_shows(gradients: int) -> None:
    record, answers = make_run("lora", 8, n=60)
    assert record.cost is not None
    assert record.cost.parts is not None
    cost = replace(record.cost, parts=replace(record.cost.parts, gradients=gradients))
    said = texts(write.svgs(results_of([(replace(record, cost=cost), answers)]))["memory"])
    assert "gradients" not in said
    assert "optimizer state" in said


@pytest.mark.usefixtures("style")
def test_titles_and_legends_begin_at_one_edge() -> None:
    figure = overview.accuracy("cfa", sections(compare.cells(make_runs(n=60))))
    figure.draw_without_rendering()
    (ax,) = figure.axes
    legend, suptitle = ax.get_legend(), figure._suptitle  # type: ignore[attr-defined]
    assert legend is not None
    edges = [box.get_window_extent().x0 for box in (suptitle, ax._left_title, legend)]  # type: ignore[attr-defined]
    assert max(edges) - min(edges) < 3


def test_confidence_at_one_end_stretches_the_axis() -> None:
    sure = [make_run(*shape, n=120) for shape in (("base", 0, 0.5), ("lora", 8, 0.8))]
    spread = write.svgs(results_of(sure))[write.CALIBRATION]
    assert "stretched" not in texts(spread)
    wide = []
    for record, answers in sure:
        peaks = [
            replace(a, loglik=tuple(4.0 * (1 + n / 120) * x for x in a.loglik)) for n, a in enumerate(answers or ())
        ]
        wide.append((record, peaks))
    said = texts(write.svgs(results_of(wide))[write.CALIBRATION])
    assert "axis stretched near 100" in said
    assert "99.9" in said.split("\n")


def test_forgetting_has_the_scale_of_its_differences_and_zero_if_it_is_near() -> None:
    low, high = forgetting.limits([-90.0, -66.0])
    assert (low, high) == pytest.approx((-92.4, -63.6))
    assert forgetting.limits([-26.0, 7.0])[1] == pytest.approx(8.98)
    low, high = forgetting.limits([-20.0, -5.0])
    assert low < -20.0
    assert high > 0.0
    assert forgetting.limits([4.0, 4.0])[0] > 3.9


def test_losses_are_drawn_as_running_means_of_rows_with_steps() -> None:
    runs = [make_run("base", 0, n=60), make_run("lora", 8, n=60), make_run("full", 0, n=60)]
    results = results_of(runs)
    assert write.LOSSES not in write.svgs(results)
    steps = tuple((step, 4.0 if step % 2 else 2.0) for step in range(1, 41))
    said = texts(write.svgs(replace(results, losses={runs[1][0].spec.id: steps}))[write.LOSSES])
    assert "lora r8  3.00" in said
    assert "full" not in said
    assert losses.running_mean([4.0, 2.0]) == [4.0, 2.0]


def test_validation_losses_are_dots_beside_the_curve_and_the_choice_is_explained() -> None:
    record, answers = make_run("lora", 8, n=60)
    record = replace(record, selection=Selection((20, 40), (2.5, 2.75), 20, 200, 0.5))
    results = results_of([make_run("base", 0, n=60), (record, answers)])
    steps = tuple((step, 3.0) for step in range(1, 41))
    said = texts(write.svgs(replace(results, losses={record.spec.id: steps}))[write.LOSSES])
    assert "dots: validation loss, the ring is tested" in said


@pytest.mark.usefixtures("style")
def test_a_line_joins_a_methods_ranks_but_none_where_a_rank_ran_at_two_rates() -> None:
    ranked = [make_run("base", 0, n=60), *(make_run("lora", rank, peak=40.0 + rank, n=60) for rank in (2, 8))]
    again = make_run("lora", 8, peak=49.0, n=60, spec={"learning_rate": 0.003})

    def joined(runs: Sequence[Any]) -> list[int]:
        (ax,) = overview.accuracy_memory("cfa", sections(compare.cells(runs))).axes
        return [np.size(line.get_xdata()) for line in ax.get_lines() if line.get_alpha() == 0.4]

    assert joined(ranked) == [2]
    assert joined([*ranked, again]) == []


@pytest.mark.usefixtures("style")
def test_accuracy_over_memory_has_base_at_its_best_and_the_best_challenger_as_lines() -> None:
    untrained: dict[str, Any] = {"epochs": 0.0, "train_examples": 0, "learning_rate": 0.0}
    runs = [make_run("lora", 8, 0.7, n=60)]
    for method, share, chosen in (("base", 0.3, 0.3), ("fewshot", 0.5, 0.6)):
        record, answers = make_run(method, 0, share, n=60, spec=untrained)
        scores = {name: replace(score, value=chosen) for name, score in record.scores.items()}
        runs.append((replace(record, validation=ProbeResult("0", "choices", scores, 1.0, None, "", 0, 60)), answers))
    for name, share in (("words", 0.6), ("nearest", 0.4)):
        record, answers = make_run(name, 0, share, n=60, spec=untrained | {"challenger": 1})
        runs.append((replace(record, cost=None), answers))
    (ax,) = overview.accuracy_memory("cfa", sections(compare.cells(runs))).axes
    _, names = ax.get_legend_handles_labels()
    assert {"base model 30.0", "base at its best, fewshot 50.0", "words 60.0"} <= set(names)
    assert not any(name.startswith("nearest") for name in names)


def test_hostile_and_long_names_are_drawn_as_they_are_without_a_warning() -> None:
    model = r"o/$\frac{1}{2}$_x^2&<b>--></svg>模型" + "long-name-" * 30
    spec: dict[str, Any] = {"model": model}
    runs = [make_run("base", 0, n=40, spec=spec), make_run("$m_1", 4, n=40, spec=spec)]
    runs.append(make_failed("full", n=40, reason="<script>\x00\n$x_$" + "y" * 500, **spec))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = write.svgs(results_of(runs))
    for svg in found.values():
        assert ElementTree.fromstring(svg).tag == SVG
        outside_comments = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
        assert "script" not in outside_comments
        width = float(re.search(r'<svg [^>]*?width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
        assert width < 800
    assert r"$\frac" in texts(found["accuracy"])


def test_a_method_has_one_colour_of_its_own_and_an_unknown_one_keeps_its(drawn: dict[str, str]) -> None:
    colours = [palette.colour(name) for name in ("base", "lora", "qlora", "full")]
    assert colours == list(write.METHOD_COLOURS.values())
    assert len({*colours, *palette.FURTHER_COLOURS, *palette.PART_COLOURS.values()}) == 13
    assert palette.colour("dora") == "#8A5A00"  # decided by its name, whatever else is drawn
    for name, svg in drawn.items():
        for shade in colours[1:]:
            assert shade.lower() in svg.lower(), name


def test_challengers_are_no_method_and_have_the_colour_of_text() -> None:
    word_counter = make_run("nearest", 0, n=40, spec={"challenger": 1})[0].spec
    assert palette.row_colour(word_counter) == palette.INK
    assert palette.row_colour(make_run("lora", 8, n=40)[0].spec) == palette.METHOD_COLOURS["lora"]


@pytest.mark.usefixtures("style")
@pytest.mark.parametrize("runs", [make_runs(n=120), many_runs()], ids=["eight runs", "thirty-one runs"])
@pytest.mark.parametrize("name", write.NAMES)
def test_no_text_is_small_and_no_two_lie_on_each_other(
    name: str, runs: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = getattr(overview, name)("cfa", sections(compare.cells(runs)))
    assert len(legible.check(figure, monkeypatch)) > 10


def test_memory_of_two_machines_gets_two_panels() -> None:
    cuda = {"device": "cuda"}
    found = write.svgs(results_of([make_run("lora", 8, n=40), make_run("lora", 8, n=40, spec=cuda)]))
    assert texts(found["memory"]).count("peak memory in training, MiB") == 2
    assert texts(found["accuracy"]).count("accuracy %") == 1


positions = st.lists(st.floats(0, 1000), min_size=1, max_size=20)


@settings(max_examples=50)
@given(positions)
def test_spread_labels_keep_their_order_and_distance(wanted: list[float]) -> None:
    found = spread_positions(wanted, 10, 0, 1000)
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    for a, b in itertools.pairwise(order):
        assert found[b] - found[a] >= 10 - 1e-6
    assert min(found) >= -1e-6
    assert max(found) <= 1000 + 1e-6


def test_labels_with_room_stay_where_they_belong() -> None:
    assert spread_positions([50.0, 10.0, 90.0], 10, 0, 100) == [50.0, 10.0, 90.0]
    assert spread_positions([50.0, 50.0], 10, 0, 100) == [45.0, 55.0]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(100, 700), st.floats(100, 500)), min_size=1, max_size=8))
def test_labels_beside_points_do_not_cover_each_other(points: list[tuple[float, float]]) -> None:
    sizes = [(50.0, 12.0)] * len(points)
    boxes = [Box(x - 25, y - 6, x + 25, y + 6) for x, y, _ in place_labels(points, sizes, Box(0, 0, 800, 600))]
    assert all(a.overlap(b) < 1 for a, b in itertools.combinations(boxes, 2))


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(100, 300), st.floats(100, 200)), min_size=2, max_size=9))
def test_a_label_without_a_line_is_clearly_nearest_to_its_own_point(points: list[tuple[float, float]]) -> None:
    centres = place_labels(points, [(50.0, 12.0)] * len(points), Box(0, 0, 800, 600))
    for own, (x, y, line) in zip(points, centres, strict=True):
        label = Box(x - 25, y - 6, x + 25, y + 6)
        others = [label.distance(point) for point in points if point != own]
        assert line or min(others, default=math.inf) >= CLEARLY * label.distance(own)


def test_the_line_to_a_label_crosses_no_other_point() -> None:
    points = [(158.2, 249.0), (161.9, 247.4), (178.4, 249.0), (135.0, 245.4), (138.7, 257.0), (155.2, 241.0)]
    bars = [(185, 290), (190, 286), (157, 300), (190, 275), (186, 297), (179, 274)]
    covered = [
        box for (x, _), (low, high) in zip(points, bars, strict=True) for box in boxes_along((x, low), (x, high))
    ]
    centres = place_labels(points, [(40.0, 11.0)] * len(points), Box(42, 90, 567, 330), covered)
    for (x, y), (left, bottom, far) in zip(points, centres, strict=True):
        others = [Box(a - 2, b - 2, a + 2, b + 2) for a, b in points if math.dist((a, b), (x, y)) > 5]
        line = boxes_along((x, y), (left, bottom), 0.5) if far else []
        assert not any(part.overlap(other) for part in line for other in others)

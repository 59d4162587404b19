"""The figure of calibration: the runs it says, in their colours, the same bytes every time, readable."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tests.support.figure_checks as legible
from harness.analysis import compare
from harness.analysis.items import Run
from harness.analysis.sections import sections
from harness.report import calibration as calibration_tables
from harness.report.figures import calibration, style, write
from tests.support.analyses import results_of
from tests.support.finished_runs import make_failed, make_run, make_runs

RUNS: list[Run] = [*make_runs(1, n=120), make_failed("lora", 64, n=120)]


def texts(svg: str) -> str:
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg, flags=re.DOTALL))


def test_the_figure_shows_base_and_the_best_row_of_each_method_in_its_colour() -> None:
    svg = write.svgs(results_of(RUNS))[write.CALIBRATION]
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    said = texts(svg).split("\n")
    for name in ("base", "lora r32", "qlora r32", "full"):
        assert said.count(name) == 2, name  # in both panels
    assert "lora r2" not in said
    for method in ("base", "lora", "qlora", "full"):
        assert style.colour(method).lower() in svg.lower()


def test_no_two_rows_of_a_panel_have_one_colour() -> None:
    untrained: dict[str, Any] = {"epochs": 0.0, "train_examples": 0, "learning_rate": 0.0}
    runs = [*RUNS, make_run("fewshot", 0, n=120, spec=untrained), make_run("rslora", 8, n=120)]
    nearest, answers = make_run("nearest", 0, n=120, spec=untrained | {"challenger": 1})
    surer = [
        replace(one, loglik=tuple((1 + place) * nats for nats in one.loglik)) for place, one in enumerate(answers or ())
    ]
    runs.append((nearest, surer))
    assert style.colour("fewshot") == style.colour("rslora") == style.colour("nearest")
    (section,) = sections(compare.cells(runs))
    rows = calibration_tables.rows(section, results_of(runs).calibrations)
    for ax in calibration.draw("cfa", [(section, rows)]).axes:
        handles, names = ax.get_legend_handles_labels()
        lines = [getattr(handle, "lines", [handle])[0] for handle in handles]  # the line of one with error bars
        colours = {line.get_color() for line, name in zip(lines, names, strict=True) if name != "perfectly calibrated"}
        assert len(colours) == 7, names


def test_the_figure_says_which_seed_it_shows_and_of_what_a_written_answers_confidence_is() -> None:
    runs = make_runs(2, n=120)
    said = texts(write.svgs(results_of(runs))[write.CALIBRATION])
    assert "the best row of each method, its first seed" in said
    names = set(said.split("\n"))
    assert "lora r32 s0" in names
    assert "lora r32 s1" not in names
    assert "whole line" not in said
    record, answers = make_run("lora", 8, n=120, spec={"scoring": "generate"})
    written: list[Run] = [(record, [replace(answer, choices=(), loglik=(-0.1,)) for answer in answers or ()])]
    assert "whole generated line" in texts(write.svgs(results_of(written))[write.CALIBRATION])


def test_the_figure_is_written_with_the_others_the_same_twice(tmp_path: Path) -> None:
    paths = write.write(tmp_path, results_of(RUNS))
    assert [path.name for path in paths[-2:]] == ["calibration.svg", "calibration.png"]
    assert len(paths) == 2 * (len(write.NAMES) + 1)
    svg = paths[-2].read_text(encoding="utf-8")
    assert write.svgs(results_of(RUNS[::-1]))[write.CALIBRATION] == svg


def test_without_confidences_there_is_no_such_figure() -> None:
    record, answers = make_run("base", 0, n=30)
    runs: list[Run] = [(record, [replace(answer, loglik=()) for answer in answers or ()])]
    assert write.CALIBRATION not in write.svgs(results_of(runs))


@pytest.mark.parametrize("count", [1, 8])
def test_no_text_of_the_figure_is_small_and_no_two_lie_on_each_other(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    runs = make_runs(1, n=120)[:count]
    found = [(s, calibration_tables.rows(s, results_of(runs).calibrations)) for s in sections(compare.cells(runs))]
    settings: Any = style.STYLE
    with matplotlib.rc_context(settings):
        figure = calibration.draw("cfa", found)
        legible.check(figure, monkeypatch)

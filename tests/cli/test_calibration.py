"""`calibration`: a narrow table by run, documents for people and programs, and why there is none; the page's section."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.analysis import aggregate, compare, sections
from harness.analysis.calibration import calibration
from harness.analysis.items import Run
from harness.cli.terminal import output
from harness.cli.terminal.tables import WIDTH
from harness.report import calibration as calibration_tables
from harness.report import tables
from harness.report.calibration import CalibratedRun
from harness.store import records
from tests.support.analyses import page_of, results_of
from tests.support.cli_runner import Desk, without_torch
from tests.support.finished_runs import make_run, make_runs


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    made = Desk(tmp_path, capsys)
    made.train()  # the base model picks the first option, whatever is trained is right; confidence is 1 / (1 + e^-1 ..)
    return made


def rows_of(runs: list[Run]) -> list[CalibratedRun]:
    (section,) = sections.sections(cell for cell, _ in aggregate.pool(runs, {})[0])
    return calibration_tables.rows(section, results_of(runs).calibrations)


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_finished_run_has_its_row_and_the_table_fits_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    runs = make_runs(2, n=120)
    (section,) = sections.sections(compare.cells(runs))
    found = calibration_tables.rows(section, results_of(runs).calibrations)
    assert {row.record.spec.id for row in found} == {record.spec.id for record, _ in runs}
    assert len({row.name for row in found}) == len(runs)  # seeds are told apart
    output.calibration("cfa", [(section, found)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= WIDTH


def test_the_document_for_programs_holds_what_the_answers_give(desk: Desk) -> None:
    assert desk.run("calibration", "--output", "json") == 0
    found = {run["id"]: run for run in strict(desk.out)["runs"]}
    runs = records.read_all(desk.results)
    assert set(found) == {run.record.spec.id for run in runs}
    for run in runs:
        expected = calibration(run.answers(), metrics.accuracy, "choices")
        assert expected is not None
        one = found[run.record.spec.id]
        assert one["ece"]["value"] == expected.ece.value
        assert one["brier"]["high"] == expected.brier.high
        assert [part["target"] for part in one["automated"]] == [0.9, 0.95, 0.99]
        assert sum(part["count"] for part in one["bins"]) == one["n"] == len(run.answers())
    right = next(run for run in found.values() if run["name"] == "full")
    assert right["automated"][2]["observed"]["share"] == 1.0
    assert right["automated"][2]["guaranteed"] is None  # a handful of answers shows nothing


def test_the_document_for_people_has_every_run_and_its_bins(desk: Desk) -> None:
    assert desk.run("calibration", "--output", "md") == 0
    assert desk.out.startswith("# toy: calibration\n")
    assert all(f"### {name}\n" in desk.out for name in ("base", "lora r2", "full"))
    assert desk.out.count("| confidence % |") == 3


def test_the_table_on_the_terminal_says_none_where_nothing_can_be_guaranteed(desk: Desk) -> None:
    assert desk.run("calibration") == 0
    line = next(line for line in desk.out.splitlines() if line.startswith("full"))
    assert line.split()[-2:] == ["100.0", "none"]


def test_runs_without_log_likelihoods_are_told_why_they_have_no_calibration(capsys: pytest.CaptureFixture[str]) -> None:
    record, answers = make_run("base", 0, n=30)
    runs: list[Run] = [(record, [replace(answer, loglik=()) for answer in answers or ()])]
    (section,) = sections.sections(compare.cells(runs))
    assert results_of(runs).calibrations == {}
    output.calibration("cfa", [(section, [])])
    assert "no calibration: " in capsys.readouterr().out
    assert calibration_tables.TITLE not in page_of(runs)
    assert calibration_tables.TITLE not in tables.document(results_of(runs))


def test_written_answers_with_the_log_likelihood_of_each_token_have_a_row() -> None:
    record, answers = make_run("lora", 8, n=60, spec={"scoring": "generate"})
    said = [replace(answer, choices=(), loglik=(-0.1, -0.2)) for answer in answers or ()]
    (row,) = rows_of([(record, said)])
    assert row.calibration.confidence == pytest.approx(2.718281828**-0.3)
    assert any(calibration_tables.WHOLE_LINE in line for line in calibration_tables.reading([row]))
    assert not any(
        calibration_tables.WHOLE_LINE in line for line in calibration_tables.reading(rows_of(make_runs(1, n=60)))
    )


def test_tables_figures_and_page_are_written_with_each_run_judged_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []

    def counted(answers: Any, metric: Any, scoring: Any) -> Any:
        judged.append(len(answers))
        return calibration(answers, metric, scoring)

    monkeypatch.setattr("harness.analysis.calibration.calibration", counted)
    assert desk.run("report") == 0
    assert len(judged) == len(records.read_all(desk.results)) > 2
    assert calibration_tables.TITLE in (desk.results / "report.html").read_text()
    assert calibration_tables.TITLE in (desk.results / "leaderboard" / "toy.md").read_text()


def test_the_command_says_which_runs_it_read(desk: Desk) -> None:
    assert desk.run("calibration") == 0
    assert f"from {desk.results / 'runs'}, 3 runs" in desk.err
    (desk.results / "runs").rename(desk.results / "published")
    assert desk.run("calibration", "--output", "json") == 0
    assert f"from {desk.results / 'published'}, 3 runs" in desk.err
    assert len(strict(desk.out)["runs"]) == 3


def test_page_and_leaderboard_show_the_table_and_are_the_same_twice() -> None:
    runs = make_runs(1, n=60)
    shown = calibration_tables.table(rows_of(runs))
    assert shown is not None
    page = page_of(runs)
    assert page == page_of(runs[::-1])
    text = tables.document(results_of(runs))
    for row in shown.rows:
        assert row[2] in page
        assert row[2] in text
    assert page.count(f"<h4>{calibration_tables.TITLE}</h4>") == 1

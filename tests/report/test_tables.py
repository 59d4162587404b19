"""The tables of a section, and the notes beside them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import compare
from harness.analysis.aggregate import Cell
from harness.analysis.sections import sections, shared_settings
from harness.format import Table, markdown
from harness.metrics import accuracy
from harness.report import breakdowns, tables
from harness.report.alarms import alarms
from harness.report.names import marks
from harness.report.notes import reading
from harness.schema import Metric
from tests.support.analyses import page_of, results_of
from tests.support.finished_runs import make_failed, make_run, make_runs


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return compare.cells([*make_runs(2, n=120), make_failed("lora", 64, n=120)])


def test_the_accuracy_table_rounds_marks_and_compares(cells: list[Cell]) -> None:
    (section,) = sections(cells)
    table = tables.headline(section)
    rows = {row[0]: row for row in table.rows}
    assert table.columns[2] == "accuracy %"
    assert rows["base"][2] == "33.3"
    assert rows["full"][6] == "◀ best"
    assert rows["lora r32"][6] == "≈ best"
    assert rows["lora r2"][6] == ""
    assert rows["lora r2"][4].startswith("+3")
    assert rows["lora r64"][6] == "✗ oom: out of memory"


def test_the_only_finished_run_is_not_called_the_best() -> None:
    (section,) = sections(compare.cells([make_run("lora", 8, n=60)]))
    assert tables.headline(section).rows[0][6] == ""


def test_the_memory_table_shows_the_prediction_beside_the_measurement_and_the_parts(cells: list[Cell]) -> None:
    (section,) = sections(cells)
    table = tables.memory(section)
    assert table is not None
    assert table.title == "Memory, MiB"
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["full"][:3] == ("90.0", "87.3", "-3.0 %")
    assert sum(float(part) for part in rows["full"][3:8]) == pytest.approx(90.0, abs=0.3)
    assert rows["base"][0] == "–"
    assert rows["lora r64 (oom)"] == ("–",) * 10
    assert (table.columns[-1], rows["full"][-1], rows["base"][-1]) == (
        "resident size of the process, libraries included",
        "420.0",
        "350.0",
    )


def test_the_effort_table_shows_weights_share_adapter_and_times(cells: list[Cell]) -> None:
    (section,) = sections(cells)
    table = tables.effort(section)
    assert table is not None
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["lora r8"] == ("314.6 k", "9.25 %", "614.4 KiB", "330,000", "10,645", "31s", "6.2s")
    assert rows["full"][1:3] == ("100 %", "–")
    assert rows["base"] == (*["–"] * 6, "6.2s")


def test_the_breakdown_has_a_table_for_each_slice_with_counts_and_doubt() -> None:
    runs = make_runs(2, n=120)
    (section,) = sections(compare.cells(runs))
    level, topic = breakdowns.breakdown(section, results_of(runs))
    assert level.columns[:5] == ("level", "questions", "±", "base", "lora r2")
    assert [row[:2] for row in topic.rows] == [("derivatives", "40"), ("equity", "40"), ("ethics", "40")]
    assert float(topic.rows[0][2]) > 5
    _, answers = runs[0]
    assert answers
    part = [answer for answer in answers if answer.slices["level"] == "I"]
    assert level.rows[0][3] == f"{100 * sum(map(accuracy.score, part)) / len(part):.1f}"


def test_without_answers_there_is_no_breakdown() -> None:
    runs = [(record, None) for record, _ in make_runs(n=60)]
    (section,) = sections(compare.cells(runs))
    assert breakdowns.breakdown(section, results_of(runs)) == []


def test_further_metrics_stand_side_by_side_each_in_its_unit(cells: list[Cell]) -> None:
    money = [
        replace(
            cell,
            metric="over_paid",
            headline=False,
            unit="USD per claim",
            value=12.345,
            best_or_tied="tied",
            vs_base=None,
        )
        for cell in cells
        if cell.spec.method == "full"
    ]
    (section,) = sections([*cells, *money])
    table = tables.further(section)
    assert table is not None
    assert table.columns == ("run", "over paid USD per claim")
    assert ("full", "12.35 ≈") in table.rows or ("full", "12.34 ≈") in table.rows
    assert ("base", "–") in table.rows
    assert tables.further(sections(cells)[0]) is None


def test_runs_on_other_examples_or_models_get_a_section_of_their_own() -> None:
    runs = [
        make_run("lora", 8, n=40),
        make_run("lora", 8, n=40, spec={"model": "other"}),
        make_run("lora", 8, n=40, spec={"data": "f" * 16, "task_version": 2}),
    ]
    titles = [section.title for section in sections(compare.cells(runs))]
    assert len(set(titles)) == 3
    assert sum("task version" in title for title in titles) == 2


def test_two_runs_of_one_name_are_told_apart_by_what_differs() -> None:
    runs = [
        make_run("lora", 8, n=40),
        make_run("lora", 8, n=40, spec={"learning_rate": 0.5}),
        make_run("full", 0, n=40),
    ]
    (section,) = sections(compare.cells(runs))
    assert sorted(section.label(cell) for cell in section.headline) == [
        "full",
        "lora r8 (rate 0.01)",
        "lora r8 (rate 0.5)",
    ]


def test_what_is_not_held_equal_is_an_alarm() -> None:
    runs = [make_run("lora", 8, n=40), make_run("full", 0, n=40, spec={"epochs": 9.0})]
    (section,) = sections(compare.cells(runs))
    same, apart = shared_settings(section)
    assert same["batch_size"] == 32
    assert apart == ["epochs"]
    assert any(line.endswith("between the trained runs: epochs") for line in alarms(section))


def test_below_chance_unreadable_answers_and_failures_are_alarms() -> None:
    (record, answers), failed = (
        make_run("base", 0, 0.1, n=120),
        make_failed("full", n=120, reason="killed by signal 9"),
    )
    record = replace(record, parse_rate=0.9, cut_examples=7)
    (section,) = sections(compare.cells([(record, answers), failed]))
    text = "\n".join(alarms(section))
    for part in (
        "base: scores below guessing (33.3 %)",
        "base: 10.0 % of its answers could not be read",
        "base: 7 inputs",
        "full did not finish: oom, killed by signal 9",
    ):
        assert part in text
    assert marks(section, section.headline[0]) == "▼ below 33.3 %"
    other = replace(record, spec=replace(record.spec, seed=0, method="fewshot"))
    (both,) = sections(compare.cells([(record, answers), (other, answers)]))
    assert "base, fewshot: 7 inputs were too long and lost part of their context" in alarms(both)
    (clean,) = sections(compare.cells(make_runs(n=60)))
    assert alarms(clean) == []


def test_what_counts_as_guessing_is_named() -> None:
    record, answers = make_run("base", 0, 0.1, n=120)
    (section,) = sections(compare.cells([(replace(record, guess="always giving the commonest label"), answers)]))
    assert alarms(section) == ["base: scores below always giving the commonest label (33.3 %)"]
    assert "Always giving the commonest label scores 33.3 %." in reading(section)


def test_where_uncommitted_runs_are_marked_is_said_where_a_reader_can_look_there(tmp_path: Path) -> None:
    record, answers = make_run("base", 0, n=40)
    runs = [(replace(record, environment=replace(record.environment, commit="abc+")), answers)]
    found = compare.cells(runs)
    note = "some runs were made by code with uncommitted changes"
    assert alarms(sections(found)[0]) == [note]
    sheet, page = tables.write(tmp_path, results_of(runs))
    assert f"- {note} (marked + in the column commit of {sheet.name})" in page.read_text()
    assert f"<li>{note} (marked + in the table of settings and runs)</li>" in page_of(runs)


def test_memory_of_different_machines_is_said_to_be_not_comparable() -> None:
    (record, answers), other = make_run("lora", 8, n=40), make_run("full", 0, n=40)
    record = replace(record, environment=replace(record.environment, machine="Another, 64 cores, 512 GiB"))
    (section,) = sections(compare.cells([(record, answers), other]))
    assert any("not comparable" in line for line in alarms(section))


def test_the_text_says_what_the_intervals_mean_with_one_seed_and_with_several() -> None:
    one, two, several = (sections(compare.cells(make_runs(seeds, n=60)))[0] for seeds in (1, 2, 3))
    assert any("that one trained model" in line for line in reading(one))
    assert any("Too few seeds: 2; to cover others, 3 are needed" in line for line in reading(two))
    assert any("other seeds" in line for line in reading(several))


def test_markdown_shows_hostile_text_as_it_is() -> None:
    table = Table("t", ("run", "x"), (("a|b\n<b>&*_`\\", "[x](javascript:1)"),))
    line = markdown(table).split("\n")[2]
    assert line.count("|") - line.count("\\|") == 3
    for part in ("a\\|b ", "&lt;b&gt;&amp;\\*\\_\\`\\\\", "[x]\\(javascript"):
        assert part in line


@settings(max_examples=50)
@given(st.lists(st.text(), min_size=2, max_size=2))
def test_every_markdown_row_has_as_many_cells_as_the_header(texts: list[str]) -> None:
    lines = markdown(Table("t", ("run", "x"), ((texts[0], texts[1]),))).split("\n")
    assert len(lines) == 3
    assert {line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines} == {3}


def test_a_task_where_nothing_finished_still_has_its_tables(tmp_path: Path) -> None:
    runs = [make_failed("lora", 8), make_failed("full", status="failed", reason="ValueError: x")]
    text = tables.write(tmp_path, results_of(runs))[1].read_text()
    assert "✗ failed: ValueError: x" in text
    assert "Memory" not in text


def test_a_metric_that_is_no_mean_is_broken_down_too() -> None:
    share = Metric(
        name="accuracy", title="Share", score=accuracy.score, combine=lambda a: sum(map(accuracy.score, a)) / len(a)
    )
    record, answers = make_run("lora", 8, 0.75, n=60)
    cells = compare.cells([(record, answers)])
    tables_found = breakdowns.breakdown(sections(cells)[0], results_of([(record, answers)], {"cfa": (share,)}))
    assert [row[2] for row in tables_found[0].rows] == ["–", "–"]


def test_the_end_token_is_a_column_of_form_beside_the_scores_and_changes_none() -> None:
    plain = make_run("lora", 8, n=30)
    assert plain[1] is not None
    answers = [replace(a, choices=("yes", a.target), end_loglik=(-9.0, math.log(0.25))) for a in plain[1]]
    (before,), (cell,) = (compare.cells([run])[:1] for run in (plain, (plain[0], answers)))
    assert before.end_probability is None
    assert cell.end_probability == pytest.approx(0.25)
    assert (cell.value, cell.low, cell.high) == (before.value, before.low, before.high)
    (section,) = sections([cell])
    table = tables.further(section)
    assert table is not None
    assert (table.columns, table.rows) == (("run", "ends the answer, %"), (("lora r8", "25.0"),))
    assert any(text.startswith("Ends the answer: ") for text in reading(section))

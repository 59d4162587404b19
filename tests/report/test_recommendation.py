"""The recommendation: the smallest row that is enough, its costs and its command, and never one that no test supports."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.aggregate import Cell
from harness.analysis.answers import ClassCount
from harness.analysis.compare import cells
from harness.analysis.sections import Section, sections
from harness.report.recommendation import Recommendation, recommendation
from tests.challengers.test_runs import row
from tests.support.finished_runs import Run, make_run, make_runs


def section(runs: list[Run]) -> Section:
    (result,) = sections(cells(runs))
    return result


def advice(made: Section) -> Recommendation:
    result = recommendation(made)
    assert result is not None
    return result


def enough(made: Section, *labels: str) -> Section:
    """The section with these rows shown to be less than the margin below every other row."""
    rows: list[Cell] = [replace(cell, not_worse=made.label(cell) in labels) for cell in made.cells]
    return replace(made, cells=tuple(rows))


def test_it_is_the_smallest_row_that_is_shown_to_be_enough() -> None:
    made = enough(section(make_runs()), "lora r8", "lora r32", "full")
    result = advice(made)
    assert result.advice.startswith("lora r8, 79.0 % [")
    assert "the smallest row shown to be less than 3.0 points below every other row" in result.advice


def test_of_rows_with_equally_many_trained_weights_it_is_the_one_with_less_memory() -> None:
    assert advice(enough(section(make_runs()), "lora r8", "qlora r8")).advice.startswith("qlora r8, ")


def test_without_such_a_row_it_is_the_best_one_and_says_so() -> None:
    result = advice(section(make_runs()))
    assert result.advice.startswith("full, 85.0 % [")
    assert "the best score; no smaller row is shown to be less than 3.0 points below" in result.advice
    assert any(text.startswith("It leaves no adapter; the command exports qlora r32, ") for text in result.reservations)
    assert result.command.endswith(" cfa-qlora-r32")
    alone = advice(section([make_run("base", 0, 0.3), make_run("full", 0, 0.8)]))
    assert alone.command == alone.run == ""


def test_it_has_the_costs_and_the_command_of_the_first_seed() -> None:
    made = enough(section(make_runs(3)), "lora r2")
    cell = next(cell for cell in made.headline if made.label(cell) == "lora r2")
    result = advice(made)
    assert result.run == cell.run_ids[0]
    assert result.command.endswith(f" adapters export {cell.run_ids[0]} cfa-lora-r2")
    assert result.costs == ("47.0 MiB and 29s (median of 3 seeds) to train, 22.4 MiB to answer, 143.4 KiB as a file")
    assert "The export is of seed 0: no seed is selected by its test score." in result.reservations


def test_a_row_that_beats_neither_base_nor_challenger_is_not_recommended() -> None:
    alike = advice(section([make_run("base", 0, 0.5), make_run("lora", 8, 0.505)]))
    assert (
        alike.advice
        == "none of the tuned rows: the best of them, lora r8, is not shown to beat the base model (50.0 %)."
    )
    beaten = advice(section([make_run("base", 0, 0.3), make_run("lora", 8, 0.8), row("words", 0.8)]))
    assert beaten.advice.endswith("lora r8, is not shown to beat a word counter (80.0 %).")
    assert beaten.command == ""


def test_without_tuned_rows_there_is_none() -> None:
    assert recommendation(section([make_run("base", 0, 0.5)])) is None


def test_reservations_name_classes_never_answered_seeds_and_unread_answers() -> None:
    made = section([make_run("base", 0, 0.3), make_run("lora", 8, 0.8)])
    counts = (ClassCount("pay", 573, 600, 480), ClassCount("reject", 27, 0, 0))
    rows = [replace(cell, classes=counts, parse_rate=0.99) for cell in made.cells]
    lines = advice(replace(made, cells=tuple(rows))).reservations
    assert lines[0] == "It never answers 'reject' (0 of 27)."
    assert lines[1] == "1.0 % of its answers cannot be read."
    assert lines[2] == "1 seed: to cover other training runs, 3 are needed."

"""The leaderboard file: its columns, its order, and text and numbers that survive it."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import compare
from harness.analysis.aggregate import Cell
from harness.report import tables
from harness.report.leaderboard import (
    COLUMNS,
    csv_text,
    leaderboard,
    plain,
    recommended_rows,
    row_words,
    write_leaderboard,
)
from tests.support.analyses import results_of
from tests.support.finished_runs import MIB, make_failed, make_run, make_runs

DESIGN = (
    "task, task_version, metric, higher_is_better, model, model_revision, method, rank, seeds, n, groups, value, low, "
    "high, interval_note, baseline, vs_base, vs_base_low, vs_base_high, vs_base_note, best_or_tied, seed_sd, chance, "
    "parse_rate, end_probability, train_peak_bytes, "
    "eval_peak_bytes, predicted_peak_bytes, weights_bytes, trainable_weights, trainable_share, adapter_bytes, "
    "train_seconds, eval_seconds, train_tokens_per_second, learning_rate, tuned_over, status, device, dtype, torch, transformers, "
    "peft, bitsandbytes, commit, fingerprint, run_ids, scoring, label, alpha, dropout, epochs, batch_size, train_examples, "
    "warmup, targets, machine, first_date, last_date, train_seconds_low, train_seconds_high, neighbours, load, export_run"
)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return compare.cells([*make_runs(2, n=120), make_failed("lora", 64, n=120)])


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_leaderboard_has_exactly_the_designed_columns_in_order(cells: list[Cell]) -> None:
    assert ", ".join(COLUMNS) == DESIGN
    assert csv_text([]).rstrip("\n") == DESIGN.replace(", ", ",")
    assert all(list(row) == DESIGN.split(", ") for row in leaderboard(cells))


def test_rows_are_sorted_by_model_then_method_then_rank(cells: list[Cell]) -> None:
    other = compare.cells(
        [make_run("lora", 8, n=30, spec={"model": "a"}), make_run("dora", 4, n=30, spec={"model": "a"})]
    )
    rows = leaderboard([*reversed(cells), *reversed(other)])
    order = [(row["model"], row["method"], row["rank"]) for row in rows]
    assert order == [
        *[("a", "lora", 8), ("a", "dora", 4)],
        *[("tiny", "base", None), ("tiny", "lora", 2), ("tiny", "lora", 8), ("tiny", "lora", 32), ("tiny", "lora", 64)],
        *[("tiny", "qlora", 2), ("tiny", "qlora", 8), ("tiny", "qlora", 32), ("tiny", "full", None)],
    ]


def test_a_run_that_failed_stays_a_row_with_its_status_and_no_value(cells: list[Cell]) -> None:
    row = next(row for row in read(csv_text(leaderboard(cells))) if row["rank"] == "64")
    assert row["status"] == "oom"
    assert row["metric"] == "accuracy"
    assert {row[name] for name in ("value", "low", "high", "vs_base", "train_peak_bytes", "best_or_tied")} == {""}
    assert row["run_ids"]


@pytest.mark.parametrize(("scoring", "word"), [("choices", "loglik"), ("generate", "generate")])
def test_a_column_says_how_the_answers_came_about(scoring: str, word: str) -> None:
    rows = read(csv_text(leaderboard(compare.cells([make_run("lora", 8, n=30, spec={"scoring": scoring})]))))
    assert {row["scoring"] for row in rows} == {word}


def test_two_rows_with_equal_keys_differ_in_their_settings_and_label() -> None:
    runs = [make_run("lora", 8, n=30, spec={"alpha": alpha}) for alpha in (16.0, 127.0)]
    rows = read(csv_text(leaderboard(compare.cells(runs))))
    assert {(row["method"], row["rank"], row["alpha"], row["label"]) for row in rows} == {
        ("lora", "8", "16.0", "lora r8 (alpha 16)"),
        ("lora", "8", "127.0", "lora r8 (alpha 127)"),
    }
    first = rows[0]
    assert (first["epochs"], first["batch_size"], first["train_examples"]) == ("3.0", "32", "1800")
    assert (first["machine"], first["first_date"]) == ("A processor, 2 cores, 24 GiB", "2026-01-01")


def test_the_row_to_export_has_its_run_and_the_file_gives_it_back(tmp_path: Path) -> None:
    cells = compare.cells([make_run("base", 0, 0.3), make_run("lora", 8, 0.8)])
    write_leaderboard(tmp_path, "cfa", cells)
    (row,) = recommended_rows(tmp_path, "cfa")
    assert row["export_run"] == cells[-1].run_ids[0]
    assert row_words(row) == "cfa: lora r8, accuracy 80.0 % [76.5, 83.1]"
    assert recommended_rows(tmp_path, "other") == []


def test_numbers_survive_the_file_to_the_last_digit(cells: list[Cell]) -> None:
    rows = read(csv_text(leaderboard(cells)))
    found = {(row["method"], row["rank"]): row for row in rows}
    cell = next(cell for cell in cells if cell.spec.name == "lora-r8")
    row = found["lora", "8"]
    assert (float(row["value"]), float(row["low"]), float(row["high"])) == (cell.value, cell.low, cell.high)
    assert cell.vs_base is not None
    assert float(row["vs_base_low"]) == cell.vs_base.low
    assert int(row["train_peak_bytes"]) == 49 * MIB
    assert cell.cost is not None
    assert float(row["trainable_share"]) == cell.cost.trained_weights / cell.cost.weights
    assert (row["seeds"], row["torch"], row["learning_rate"]) == ("2", "2.13.0", "0.01")
    assert row["run_ids"].split(" ") == list(cell.run_ids)


def test_a_row_names_its_baseline_and_says_why_an_interval_is_missing(cells: list[Cell]) -> None:
    cell = next(cell for cell in cells if cell.spec.name == "lora-r8")
    assert cell.vs_base is not None
    (row,) = read(csv_text(leaderboard([cell])))
    assert (row["baseline"], row["interval_note"], row["vs_base_note"]) == ("base", "", "")
    few = "too few groups: 3; at least 8 are needed"
    none = replace(cell.vs_base, low=-math.inf, high=math.inf, reason=few)
    (row,) = read(csv_text(leaderboard([replace(cell, low=-math.inf, high=math.inf, shortage=few, vs_base=none)])))
    assert (row["low"], row["interval_note"], row["vs_base_low"], row["vs_base_note"]) == ("", few, "", few)


def test_the_base_row_has_no_training_cost_and_no_rank(cells: list[Cell]) -> None:
    row = read(csv_text(leaderboard(cells)))[0]
    empty = ("rank", "vs_base", "train_peak_bytes", "train_seconds", "train_tokens_per_second", "learning_rate")
    assert {row[name] for name in empty} == {""}
    assert int(row["eval_peak_bytes"]) > 0


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@x", " =1", "\t=1", "＝1", "a\nb\rc\0"])
def test_text_is_neither_a_formula_nor_holds_control_characters(text: str) -> None:
    cell = compare.cells([make_run("lora", 8, n=30, spec={"model": text})])[0]
    written = read(csv_text(leaderboard([cell])))[0]["model"]
    assert not written.strip().startswith(("=", "+", "-", "@", "＝"))
    assert not any(ord(char) < 32 for char in written)


def test_a_negative_number_stays_a_number() -> None:
    runs = [make_run("base", 0, 0.8, n=60), make_run("lora", 8, 0.3, n=60)]
    row = read(csv_text(leaderboard(compare.cells(runs))))[1]
    assert float(row["vs_base"]) == pytest.approx(-0.5)


def test_a_bound_that_is_infinite_is_left_empty(cells: list[Cell]) -> None:
    open_ended = replace(cells[0], low=-math.inf, high=math.inf)
    row = read(csv_text(leaderboard([open_ended])))[0]
    assert (row["low"], row["high"]) == ("", "")


@settings(max_examples=50)
@given(st.text())
def test_no_text_can_break_the_file(text: str) -> None:
    assert "\n" not in plain(text)
    assert not plain(text).lstrip().startswith(("=", "+", "-", "@"))
    plain(text).encode()


def test_the_file_is_the_same_bytes_whatever_the_order_of_the_runs(tmp_path: Path) -> None:
    runs = make_runs(2, n=60)
    first = write_leaderboard(tmp_path, "cfa", compare.cells(runs)).read_bytes()
    second = write_leaderboard(tmp_path, "cfa", compare.cells(reversed(runs))).read_bytes()
    assert first == second
    assert b"\r" not in first
    assert [path.name for path in (tmp_path / "leaderboard").iterdir()] == ["cfa.csv"]


def test_the_files_of_a_task_bear_its_name(tmp_path: Path) -> None:
    sheet, page = tables.write(tmp_path, results_of([make_run("base", 0, n=30, spec={"task": "other"})]))
    assert sheet == tmp_path / "leaderboard" / "other.csv"
    assert [row["task"] for row in read(sheet.read_text())] == ["other"]
    assert page == tmp_path / "leaderboard" / "other.md"
    assert page.read_text().startswith("# other\n")

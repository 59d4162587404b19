"""What tables, figures, exports and the verdict make of challengers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.analysis.compare import cells
from harness.analysis.sections import Section, sections
from harness.report import exports, notes, tables
from harness.report.figures import layout
from harness.report.leaderboard import leaderboard
from harness.report.verdict import challenge, verdict
from tests.challengers.test_runs import row
from tests.support.finished_runs import make_run


def section(**shares: float) -> Section:
    """A table of base, LoRA of rank 8 and these challengers, by share of right answers."""
    lora, base = shares.pop("lora"), shares.pop("base", 0.3)
    runs = [make_run("base", 0, base), make_run("lora", 8, lora), *(row(name, share) for name, share in shares.items())]
    (result,) = sections(cells(runs))
    return result


def test_a_tuned_row_that_is_better_than_all_of_them_is_said_to_be_with_the_interval() -> None:
    made = section(lora=0.9, words=0.5, commonest=0.35)
    lora = next(cell for cell in made.headline if cell.spec.method == "lora")
    gain = lora.vs_challenger
    assert gain is not None
    span = f"{100 * gain.value:.1f} points [{100 * gain.low:.1f}, {100 * gain.high:.1f}]"
    assert challenge(made) == f"lora r8 is better than every challenger, by {span} over a word counter."
    assert verdict(made).endswith(challenge(made))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"lora": 0.8, "words": 0.8}, "A word counter does as well as the best tuned row"),
        ({"lora": 0.5, "nearest": 0.9}, "The most alike training example beats every tuned row"),
        ({"lora": 0.8, "own_rules": 0.8}, "Own_rules does as well as the best tuned row"),
    ],
)
def test_a_challenger_that_does_as_well_or_better_is_named(shares: dict[str, float], words: str) -> None:
    assert challenge(section(**shares)).startswith(words)


def test_without_challengers_there_is_no_sentence_about_them() -> None:
    assert challenge(section(lora=0.8)) == ""


def test_a_challenger_that_leads_hides_no_adapter_that_is_enough() -> None:
    runs = [make_run("base", 0, 0.3), make_run("lora", 8, 0.8), make_run("full", 0, 0.8)]
    (alone,), (led,) = (sections(cells(made)) for made in (runs, [*runs, row("words", 0.99)]))
    for made in (alone, led):
        names = {cell.spec.method for cell in made.headline if cell.not_worse}
        assert names == {cell.spec.method for cell in alone.headline if cell.not_worse}
    sure = [replace(cell, not_worse=cell.spec.rank > 0) for cell in led.cells]
    assert "lora r8 is shown to be less than 3.0 points below full fine-tuning" in verdict(
        replace(led, cells=tuple(sure))
    )


def test_they_are_rows_of_the_headline_table_and_of_the_leaderboard_but_not_of_memory() -> None:
    made = section(lora=0.8, words=0.5)
    assert [line[0] for line in tables.headline(made).rows] == ["base", "words", "lora r8"]
    memory, effort = tables.memory(made), tables.effort(made)
    assert memory is not None
    assert effort is not None
    assert [line[0] for line in memory.rows] == ["base", "lora r8"]
    assert [line[0] for line in effort.rows] == ["base", "words", "lora r8"]
    scorings = {line["method"]: line["scoring"] for line in leaderboard(made.cells)}
    assert scorings["words"] == "challenger"
    assert scorings["base"] != "challenger"
    assert [panel_cell.spec.method for panel in layout.by_machine(made) for panel_cell in panel.cells] == [
        "base",
        "lora",
    ]


def test_a_note_below_the_table_names_them() -> None:
    lines = notes.reading(section(lora=0.8, words=0.5))
    assert any(line.startswith("Challengers: words answers without a trained language model;") for line in lines)
    assert not any("Challengers" in line for line in notes.reading(section(lora=0.8)))


def test_the_model_index_has_rows_of_the_model_only() -> None:
    index = json.loads(exports.model_index(section(lora=0.8, words=0.5).cells))
    assert not [entry["name"] for entry in index["model-index"] if "words" in entry["name"]]
    assert len(index["model-index"]) == 2

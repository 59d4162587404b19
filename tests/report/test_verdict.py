"""The one sentence on a task: what it may say, and never says without a test that shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.analysis.aggregate import Cell, Difference
from harness.analysis.compare import cells
from harness.analysis.sections import Section, sections
from harness.cli.app import main
from harness.metrics.scoring import score_answers
from harness.report.alarms import alarms
from harness.report.verdict import beside, verdict
from tests.adversarial.test_hostile import stored
from tests.challengers.test_runs import row as challenger
from tests.support.finished_runs import Run, make_failed, make_run, make_runs


def section(runs: Sequence[Run]) -> Section:
    (found,) = sections(cells(runs))
    return found


def changed(found: Section, **changes: object) -> Section:
    """The section with other fields in the rows of a method, such as `full={"not_worse": True}`."""
    rows = [replace(cell, **changes.get(cell.spec.method, {})) for cell in found.cells]  # type: ignore[arg-type]
    return replace(found, cells=tuple(rows))


def of(*shares: tuple[str, int, float], n: int = 200) -> Section:
    return section([make_run(method, rank, share, n=n) for method, rank, share in shares])


HELPS, HARMS = "Fine-tuning helps on these questions:", "Fine-tuning harms on these questions:"
NO_BENEFIT, NO_VERDICT = "No benefit of fine-tuning is shown on these questions:", "No verdict:"

BASE, LORA, FULL = ("base", 0, 0.3), ("lora", 8, 0.85), ("full", 0, 0.85)


def test_all_rows_better_and_adapters_that_cannot_be_told_from_full() -> None:
    text = verdict(section(make_runs()))
    assert text.startswith(f"{HELPS} all 7 fine-tuned rows are better than the base model; ")
    assert "that of full, 52.0 points [" in text
    assert text.endswith("]; lora r32 and qlora r32 do not differ significantly from full fine-tuning.")


def test_the_interval_is_the_paired_one_of_the_row_that_gains_most() -> None:
    found = of(BASE, ("lora", 8, 0.6), FULL)
    gain = next(cell.vs_base for cell in found.headline if cell.spec.method == "full")
    assert gain is not None
    assert f"of full, {100 * gain.value:.1f} points [{100 * gain.low:.1f}, {100 * gain.high:.1f}]" in verdict(found)


@pytest.mark.parametrize(
    ("shares", "parts"),
    [
        ((BASE, FULL), [HELPS, "the one fine-tuned row is better than the base model", "of full, "]),
        ((("base", 0, 0.9), ("full", 0, 0.3)), [f"{HARMS} the one fine-tuned row is worse than the base model."]),
        ((BASE, ("lora", 8, 0.5), FULL), ["every adapter is worse than full fine-tuning."]),
        ((BASE, LORA, ("full", 0, 0.5)), ["of lora r8, ", "; full fine-tuning is worse than lora r8."]),
        ((BASE, ("lora", 8, 0.86), FULL), ["; full fine-tuning does not differ significantly from lora r8."]),
        ((BASE, ("lora", 2, 0.05), FULL), ["1 of 2 fine-tuned rows is better than the base model and 1 worse", "of full, "]),
        ((("base", 0, 0.8), ("lora", 8, 0.3), ("full", 0, 0.2)), [HARMS, "all 2 fine-tuned rows are worse"]),
        ((("base", 0, 0.8), ("lora", 8, 0.3), ("full", 0, 0.8)), [HARMS, "1 of 2 fine-tuned rows is worse", "none is better"]),
        ((("base", 0, 0.5), ("full", 0, 0.505)), [NO_BENEFIT, "the one fine-tuned row does not differ"]),
        ((("base", 0, 0.5), (*LORA[:2], 0.5), ("full", 0, 0.505)), [NO_BENEFIT, "none of the 2 fine-tuned rows differs"]),
        ((LORA, FULL), [NO_VERDICT, "no run of the base model"]),
        ((BASE,), [NO_VERDICT, "no fine-tuned run has finished"]),
    ],
)  # fmt: skip
def test_each_outcome_has_its_sentence(shares: tuple[tuple[str, int, float], ...], parts: list[str]) -> None:
    text = verdict(of(*shares))
    for part in parts:
        assert part in text, text
    assert text.endswith(".")
    assert "\n" not in text


def test_runs_that_did_not_finish_show_nothing() -> None:
    text = verdict(section([make_run("base", 0, 0.3, n=40), make_failed("full", n=40)]))
    assert text.startswith(NO_VERDICT)


def test_a_rank_shown_to_be_as_good_is_named_with_the_margin() -> None:
    found = changed(section(make_runs()), lora={"not_worse": True})
    assert verdict(found).endswith("; lora r2 is shown to be less than 3.0 points below full fine-tuning.")


def test_where_lower_is_better_a_fall_is_a_gain() -> None:
    down = Difference(-0.2, -0.3, -0.1, 1e-6, 1e-5)
    found = of(BASE, FULL)
    gain: dict[str, Any] = {"vs_base": down, "vs_rival": down}
    rows = [replace(c, higher_is_better=False, chance=None, **(gain if c.vs_base else {})) for c in found.cells]
    text = verdict(replace(found, cells=tuple(rows)))
    assert text.startswith(HELPS)
    assert "of full, 20.0 points [10.0, 30.0]" in text


TWO = of(BASE, ("lora", 8, 0.7), FULL, n=60)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.booleans()), min_size=2, max_size=2),
    st.booleans(),
)
@settings(max_examples=60)
def test_it_never_speaks_of_a_gain_or_a_harm_that_no_test_shows(
    drawn: list[tuple[float, float, bool]], higher_is_better: bool
) -> None:
    rows: list[Cell] = []
    rest = iter(drawn)
    for cell in TWO.cells:
        value, p, best = next(rest) if cell.vs_base else (0.0, 1.0, False)
        found = Difference(value, value - 0.1, value + 0.1, p / 2, p) if cell.vs_base else None
        mark = "best" if best else ""
        changes = {"vs_base": found, "vs_rival": found, "chance": None, "best_or_tied": mark}
        rows.append(replace(cell, higher_is_better=higher_is_better, **changes))  # type: ignore[arg-type]
    text = verdict(replace(TWO, cells=tuple(rows)))
    signs = {(value > 0) == higher_is_better for value, p, _ in drawn if p < 0.05}
    assert text.startswith(HELPS) == (True in signs)
    assert text.startswith(HARMS) == (signs == {False})
    assert text.startswith(NO_BENEFIT) == (not signs)


@pytest.mark.parametrize("place", ["", "published"])
def test_the_command_that_the_page_gives_lists_every_flip(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(
        tmp_path / place,
        [make_run(*shape, n=60, metric=metrics.acc_norm) for shape in (("base", 0, 0.3), ("full", 0, 0.9))],
    )
    assert main(["report", "--results", str(tmp_path)]) == 0
    (command,) = re.findall(
        r"python run_all\.py (compare [^<]+)<", (tmp_path / "report.html").read_text(encoding="utf-8")
    )
    capsys.readouterr()
    assert main([*command.split(), "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("**won**") == 36


# --- what the rows have to beat


def of_classes(answered: Sequence[tuple[str, int]], method: str, rank: int = 0, *, unread: bool = False) -> Run:
    """A run on 60 pay, 40 refer, 20 reject that gives so many answers of each class, the first of each class right."""
    targets = ["pay"] * 60 + ["refer"] * 40 + ["reject"] * 20
    said = [name for name, count in answered for _ in range(count)]
    record, answers = make_run(method, rank, n=120, metric=metrics.accuracy)
    made = [
        replace(answer, target=target, text=text, parsed=None if unread else text, choices=("pay", "refer", "reject"))
        for answer, target, text in zip(answers or (), targets, said, strict=True)
    ]
    scores = score_answers(made, (metrics.accuracy, metrics.macro_f1))
    rate = 0.0 if unread else 1.0
    return replace(record, scores=scores, parse_rate=rate, chance=0.5, guess="always giving the commonest label"), made


PERFECT = (("pay", 60), ("refer", 40), ("reject", 20))
COMMONEST = (("pay", 120),)
NO_REJECT = (("pay", 60), ("refer", 60))


def test_a_row_that_gives_the_commonest_answer_throughout_is_shown_to_beat_nothing() -> None:
    runs = [of_classes((("refer", 120),), "base"), of_classes(COMMONEST, "lora", 8)]
    text = verdict(section(runs))
    assert (
        "Nothing here is shown to beat always giving the commonest label (50.0 %): the best tuned row, lora r8" in text
    )
    assert "helps" not in text
    assert text.startswith(
        "lora r8 never answers 'refer' (0 of 40) or 'reject' (0 of 20), right answers to 60 of 120 questions."
    )


def test_a_base_model_that_cannot_be_read_is_called_that_and_is_no_reference() -> None:
    runs = [of_classes(COMMONEST, "base", unread=True), of_classes(PERFECT, "lora", 8)]
    text = verdict(section(runs))
    assert "is better than always giving the commonest label (50.0 %)" in text
    assert "100.0 % of the answers of the base model cannot be read, so a gain over it is no evidence" in text


def test_a_class_never_answered_is_stated_before_anything_praises_the_row() -> None:
    runs = [of_classes(COMMONEST, "base"), of_classes(NO_REJECT, "lora", 8)]
    text = verdict(section(runs))
    assert text.startswith("lora r8 never answers 'reject' (0 of 20), the right answer to 20 of 120 questions. ")
    assert "helps" in text
    assert beside(section(runs)) == [
        "Recall of lora r8: pay 100.0 % (60 of 60), refer 100.0 % (40 of 40), reject 0.0 % (0 of 20)."
    ]


def test_rows_are_compared_with_the_best_challenger_if_that_scores_more_than_the_base_model() -> None:
    runs = [make_run("base", 0, 0.3), make_run("lora", 8, 0.8), challenger("words", 0.5), challenger("nearest", 0.4)]
    text = verdict(section(runs))
    assert text.startswith(f"{HELPS} the one fine-tuned row is better than a word counter (50.0 %)")
    assert "The base model scores 30.0 %; the one tuned row is shown to be better." in text
    tied = verdict(section([make_run("base", 0, 0.3), make_run("lora", 8, 0.8), challenger("words", 0.8)]))
    assert tied.startswith("Nothing here is shown to beat a word counter (80.0 %): ")
    assert tied.count("word counter") == 1


def test_amounts_of_money_stand_beside_the_verdict() -> None:
    costs = metrics.cost_of({("a", "b"): 100.0}, unread="b", name="overpaid", title="Overpaid", unit="USD per claim")
    runs = []
    for method, rank, share in (BASE, LORA):
        record, answers = make_run(method, rank, share, n=200)
        runs.append((replace(record, scores=score_answers(answers or (), (metrics.accuracy, costs))), answers))
    (made,) = sections(cells(runs, {"cfa": (metrics.accuracy, costs)}))
    assert beside(made) == ["Money, lora r8: overpaid 15.00 USD per claim (base: 70.00)."]


def test_every_row_that_never_answers_a_class_has_a_warning() -> None:
    lines = alarms(section([of_classes(COMMONEST, "base"), of_classes(NO_REJECT, "lora", 8)]))
    assert any(line.startswith("lora r8: never answers 'reject' (0 of 20)") for line in lines)
    assert any("base: " in line and "answers 100.0 % of the questions with 'pay'" in line for line in lines)

"""The one sentence on a task: what it may say, and never says without a test that shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.analysis.aggregate import Cell, Difference
from harness.analysis.compare import cells
from harness.analysis.sections import Section, sections
from harness.cli.app import main
from harness.report.verdict import verdict
from tests.adversarial.test_hostile import stored
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
    rows = [replace(c, higher_is_better=False, vs_base=down if c.vs_base else None) for c in found.cells]
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
        rows.append(replace(cell, vs_base=found, higher_is_better=higher_is_better, best_or_tied=mark))  # type: ignore[arg-type]
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

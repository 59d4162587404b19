"""Every missing interval has its reason once."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.compare import cells
from harness.analysis.sections import sections
from harness.report.notes import reading
from tests.analysis.test_compare import LISTED, make_run, noisy


def test_every_missing_interval_has_its_reason_once_with_the_metrics_that_lack_it() -> None:
    (section,) = sections(cells([make_run(noisy(0.7, rank), rank=rank) for rank in (2, 8)], LISTED))
    few = "too few groups: 3; at least 8 are needed"
    assert not [text for text in reading(section) if text.startswith("No interval")]
    headline = replace(section, cells=tuple(replace(cell, shortage=few) for cell in section.cells))
    assert [text for text in reading(headline) if text.startswith("No interval")] == [
        f"No interval and no test: {few}."
    ]
    first_cell = section.cells[0]
    assert first_cell.vs_best is not None
    further = replace(first_cell, headline=False, metric="paid", shortage=few)
    amounts = replace(further, shortage="", vs_base=replace(first_cell.vs_best, reason="too few amounts: 4"))
    more = replace(section, cells=(*section.cells, further, further, amounts))
    assert [text for text in reading(more) if text.startswith("No interval")] == [
        f"No interval for paid: {few}.",
        "No interval for differences in paid: too few amounts: 4.",
    ]

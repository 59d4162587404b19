"""Times: medians over seeds, with their range, and never compared between runs alone and runs beside others."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis import costs
from harness.analysis.compare import cells
from harness.analysis.sections import sections
from harness.record import Checkpoints, Record
from harness.report import comparison, notes, tables
from harness.report.alarms import alarms
from tests.support.analyses import compare_runs
from tests.support.finished_runs import Run, make_run


def timed(seconds: float, *, seed: int = 0, method: str = "lora", **changes: float | None) -> Run:
    rank = 8 if method == "lora" else 0
    record, answers = make_run(method, rank, 0.7, seconds=seconds, seed=seed, n=60)
    return replace(record, **changes), answers  # type: ignore[arg-type]


def record(**changes: float | None) -> Record:
    return replace(timed(10.0)[0], **changes)  # type: ignore[arg-type]


def effort_cell(runs: list[Run]) -> str:
    (section,) = sections(cells(runs))
    table = tables.effort(section)
    assert table is not None
    return table.rows[-1][-2]


def test_the_time_of_a_row_is_the_median_over_seeds_with_its_range() -> None:
    runs = [timed(seconds, seed=seed) for seed, seconds in enumerate((149.0, 322.0, 270.0))]
    measured = costs.times([run[0] for run in runs], "train")
    assert measured == costs.Times(270.0, 149.0, 322.0, 3)
    assert effort_cell(runs) == "4m 30s [2m 29s, 5m 22s]"
    assert effort_cell(runs[:1]) == "2m 29s"


def test_times_of_several_machines_have_no_median() -> None:
    first, other = record(), timed(10.0, seed=1)[0]
    other = replace(other, environment=replace(other.environment, machine="another"))
    assert costs.times([first, other], "train") is None


def test_a_run_beside_others_and_a_busy_machine_are_marked() -> None:
    assert effort_cell([timed(10.0, neighbours=1.0, load=5.0)]) == "10s∥°"
    assert effort_cell([timed(10.0, neighbours=0.0, load=0.9)]) == "10s"
    (section,) = sections(cells([timed(10.0, neighbours=1.0, load=5.0)]))
    lines = notes.times(section)
    assert lines[0].startswith("∥: trained beside other runs")
    assert "load of up to 5.0 for each core" in lines[1]


def test_a_run_that_was_interrupted_and_went_on_is_marked() -> None:
    resumed = replace(timed(10.0)[0], checkpoints=Checkpoints(2, 0.1, (30,))), timed(10.0)[1]
    assert effort_cell([resumed]) == "10s¦"
    (section,) = sections(cells([resumed]))
    assert notes.times(section)[0].startswith("¦: interrupted and continued from a checkpoint")
    undisturbed = replace(timed(10.0)[0], checkpoints=Checkpoints(2, 0.1)), timed(10.0)[1]
    assert effort_cell([undisturbed]) == "10s"


def test_runs_alone_and_runs_beside_others_are_not_compared() -> None:
    alone, beside = timed(10.0, method="full", neighbours=0.0), timed(20.0, neighbours=0.9)
    assert costs.time_obstacle([alone[0], beside[0]]).startswith("not comparable: 1 of 2 runs")
    assert costs.time_obstacle([alone[0], alone[0]]) == costs.time_obstacle([beside[0], beside[0]]) == ""
    assert costs.time_obstacle([record(), beside[0]]) == ""
    (section,) = sections(cells([alone, beside]))
    assert any("training times: not comparable" in line for line in alarms(section))
    rows = {row[0]: row[1:] for row in comparison.costs(compare_runs(alone, beside)).rows}
    assert rows["train time, not comparable"] == ("alone", "beside other runs")
    assert "train time" not in rows

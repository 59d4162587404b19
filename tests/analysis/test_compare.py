"""What a table may say: pooled seeds, paired differences, ties, alarms, and nothing across what is not comparable."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import HarnessError, metrics
from harness.analysis.compare import Cell, cells
from harness.analysis.costs import cost_obstacle, typical_cost
from harness.analysis.items import Run
from harness.metrics.scoring import parse_rate, score_answers
from harness.record import Answer
from harness.schema import Metric
from tests.support.analyses import compare_runs
from tests.support.records import make_cost, make_environment, make_record, make_spec

COUNT = 200
LISTED = {"toy": (metrics.accuracy, metrics.macro_f1)}
MONEY = Metric(
    name="overpaid",
    title="Overpaid",
    score=lambda answer: 100.3 * float(answer.parsed != answer.target),
    higher_is_better=False,
    unit="USD per claim",
)


def make_run(right: Sequence[bool], listed: Sequence[Metric] = LISTED["toy"], **spec: Any) -> Run:
    """Return a finished run with answers, two to a group, and the scores that they give."""
    answers = []
    for i, ok in enumerate(right):
        target = "ab"[i % 2]
        said = target if ok else "ba"[i % 2]
        answers.append(
            Answer(id=f"q{i}", group=f"g{i // 2}", target=target, text=said, parsed=said, choices=("a", "b", "c"))
        )
    settings = {"test_examples": len(right), **spec}
    if settings.get("method", "lora") in ("base", "full"):
        settings = {"rank": 0, "alpha": 0.0, **settings}
    record = make_record(make_spec(**settings), scores=score_answers(answers, listed), parse_rate=parse_rate(answers))
    return record, answers


def first(share: float, count: int = COUNT) -> list[bool]:
    """The first `share` of the questions right."""
    return [i < share * count for i in range(count)]


def noisy(share: float, seed: int, count: int = COUNT) -> list[bool]:
    return [bool(value < share) for value in np.random.default_rng(seed).random(count)]


def headline(found: Sequence[Cell]) -> dict[str, Cell]:
    return {cell.spec.name: cell for cell in found if cell.metric == "accuracy" and cell.status == "ok"}


def test_seeds_of_one_spec_become_one_cell_with_their_mean_and_spread() -> None:
    runs = [make_run(noisy(0.7, seed), seed=seed) for seed in (2, 0, 1)]
    cell = headline(cells(runs, LISTED))["lora-r8"]
    each = [run[0].scores["accuracy"].value for run in runs]
    assert cell.seeds == (0, 1, 2)
    assert cell.value == pytest.approx(np.mean(each))
    assert cell.seed_sd == pytest.approx(np.std(each, ddof=1))
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low < cell.value < cell.high  # type: ignore[operator]
    assert (cell.n, cell.groups, cell.parse_rate) == (COUNT, COUNT // 2, 1.0)


def test_one_seed_keeps_the_interval_of_its_record_and_has_no_spread() -> None:
    run = make_run(first(0.7))
    for cell in cells([run], LISTED):
        score = run[0].scores[cell.metric]
        assert (cell.value, cell.low, cell.high, cell.seed_sd) == (score.value, score.low, score.high, None)


def test_seeds_that_differ_much_widen_the_interval_beyond_that_of_the_questions() -> None:
    calm = headline(cells([make_run(noisy(0.7, s), seed=s) for s in range(3)], LISTED))["lora-r8"]
    wild = headline(cells([make_run(noisy(p, s), seed=s) for s, p in enumerate((0.5, 0.7, 0.9))], LISTED))["lora-r8"]
    # Three seeds have two degrees of freedom, a factor of 4.3 for their part of the variance.
    assert calm.high - calm.low < 0.2  # type: ignore[operator]
    assert wild.high - wild.low > 0.3  # type: ignore[operator]


def test_another_rank_or_learning_rate_is_another_cell() -> None:
    runs = [make_run(first(0.7)), make_run(first(0.7), rank=32), make_run(first(0.7), learning_rate=0.001)]
    assert len([cell for cell in cells(runs, LISTED) if cell.metric == "accuracy"]) == 3


def test_runs_that_saw_other_data_are_not_pooled() -> None:
    runs = [make_run(first(0.7), seed=0), make_run(first(0.7), seed=1, data="ffff")]
    with pytest.raises(HarnessError, match="cannot be pooled") as caught:
        cells(runs, LISTED)
    assert "ffff" in caught.value.where
    assert "version" in caught.value.fix


def test_another_version_of_the_task_is_kept_apart_from_this_one() -> None:
    runs = [
        make_run(first(0.3), method="base"),
        make_run(first(0.9), task_version=2, data="ffff"),
    ]
    found = cells(runs, LISTED)
    assert all(cell.vs_base is None for cell in found)
    assert all(cell.best_or_tied == "best" for cell in found)


def test_the_same_run_in_two_folders_counts_once_and_a_finished_one_wins() -> None:
    run = make_run(first(0.7))
    stopped = replace(run[0], status="interrupted", scores={})
    found = cells([(stopped, None), run, run], LISTED)
    assert {cell.status for cell in found} == {"ok"}
    assert headline(found)["lora-r8"].seeds == (0,)


def test_the_difference_from_base_is_paired_on_the_same_questions() -> None:
    base, lora = make_run(first(0.4), method="base"), make_run(first(0.5))
    found = headline(cells([lora, base], LISTED))
    gain = found["lora-r8"].vs_base
    assert gain is not None
    assert gain.value == pytest.approx(0.1)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.p == pytest.approx(2 / 2**10)  # ten groups differ, all one way
    # Nested answers differ on 20 questions only: as two independent samples this could not be told from nothing.
    assert found["base"].high > found["lora-r8"].low  # type: ignore[operator]
    assert found["base"].vs_base is None


def test_the_difference_does_not_depend_on_the_order_of_the_answers() -> None:
    base, lora = make_run(noisy(0.4, 0), method="base"), make_run(noisy(0.6, 1))
    turned = (lora[0], list(reversed(lora[1] or ())))
    assert headline(cells([base, lora], LISTED))["lora-r8"].vs_base == (
        headline(cells([base, turned], LISTED))["lora-r8"].vs_base
    )


def test_p_values_are_corrected_for_all_pairs_of_cells_in_the_family() -> None:
    runs = [make_run(noisy(0.5, 0), method="base"), *(make_run(noisy(0.58, rank), rank=rank) for rank in (2, 8, 32))]
    found = headline(cells(runs, LISTED)).values()
    pairs = [compare_runs(a, b, {"toy": (metrics.accuracy,)}) for a, b in itertools.combinations(runs, 2)]
    smallest = min(pair.scores["accuracy"].p for pair in pairs)
    shown = [d for cell in found for d in (cell.vs_base, cell.vs_best) if d]
    assert min(d.p for d in shown) == smallest
    assert min(d.p_holm for d in shown) == pytest.approx(min(1.0, 6 * smallest))
    assert all(d.p_holm >= d.p for d in shown)


def test_cells_that_cannot_be_told_from_the_best_are_tied_and_others_are_not() -> None:
    runs = [
        make_run(noisy(0.35, 0), method="base"),
        make_run(noisy(0.80, 1), rank=2),
        make_run(noisy(0.82, 2), rank=8),
        make_run(noisy(0.81, 3), method="full"),
    ]
    found = headline(cells(runs, LISTED))
    marks = {name: cell.best_or_tied for name, cell in found.items()}
    assert sorted(marks.values()) == ["", "best", "tied", "tied"]
    assert marks["base"] == ""
    best = next(cell for cell in found.values() if cell.best_or_tied == "best")
    assert best.value == max(cell.value or 0 for cell in found.values())
    assert best.vs_best is None
    assert all(cell.vs_best.value <= 0 for cell in found.values() if cell.vs_best)


def test_of_equals_the_smallest_rank_is_best_and_the_other_tied() -> None:
    runs = [make_run(first(0.8), rank=32), make_run(first(0.8), rank=2)]
    marks = {name: cell.best_or_tied for name, cell in headline(cells(runs, LISTED)).items()}
    assert marks == {"lora-r2": "best", "lora-r32": "tied"}


def test_where_less_is_better_the_least_is_best() -> None:
    listed = {"toy": (MONEY,)}
    runs = [make_run(first(0.2), (MONEY,), method="base"), make_run(first(0.9), (MONEY,))]
    found = {cell.spec.method: cell for cell in cells(runs, listed)}
    assert found["lora"].best_or_tied == "best"
    assert found["base"].best_or_tied == ""
    assert found["lora"].vs_base is not None
    assert found["lora"].vs_base.value == pytest.approx(-70.21)
    assert found["lora"].vs_base.high < 0


def test_macro_f1_is_compared_on_the_same_groups_too() -> None:
    runs = [make_run(noisy(0.4, 0), method="base"), *(make_run(noisy(0.7, 1 + s), seed=s) for s in range(3))]
    cell = next(c for c in cells(runs, LISTED) if c.metric == "macro_f1" and c.spec.method == "lora")
    twin = headline(cells(runs, LISTED))["lora-r8"]
    assert cell.vs_base is not None
    assert twin.vs_base is not None
    # With two even classes macro-F1 is close to accuracy, and so are its interval and its difference.
    assert cell.vs_base.value == pytest.approx(twin.vs_base.value, abs=0.02)
    assert cell.vs_base.low == pytest.approx(twin.vs_base.low, abs=0.04)
    assert cell.value == pytest.approx(twin.value, abs=0.02)
    assert cell.high == pytest.approx(twin.high, abs=0.04)


def test_a_model_below_chance_raises_an_alarm_on_the_headline_only() -> None:
    found = cells([make_run(first(0.1), method="base"), make_run(first(0.35))], LISTED)
    alarms = {(cell.spec.name, cell.metric) for cell in found if cell.below_chance}
    assert alarms == {("base", "accuracy")}
    assert {cell.chance for cell in found if not cell.headline} == {None}


def test_a_cell_of_which_nothing_could_be_read_is_neither_best_nor_tied_on_any_metric() -> None:
    both = (metrics.accuracy, replace(MONEY, score=lambda answer: 10.0 if answer.parsed else 0.0))
    record, said = make_run(first(0.0), both, method="base")
    silent = [replace(answer, parsed=None) for answer in said or ()]
    unread = replace(record, parse_rate=0.0, scores=score_answers(silent, both))
    found = cells([(unread, silent), make_run(first(0.7), both)], {"toy": both})
    assert [(c.spec.method, c.best_or_tied) for c in found] == 2 * [("base", ""), ("lora", "best")]


def test_runs_that_failed_stay_as_cells_with_status_and_reason_and_no_value() -> None:
    ok = [make_run(first(0.7), seed=seed) for seed in (0, 1)]
    seed2 = make_spec(seed=2, test_examples=COUNT)
    failed = make_record(seed2, status="oom", scores={}, cost=None, reason="needed 12.0 GiB")
    alone = make_record(make_spec(method="full", rank=0), status="failed", scores={}, cost=None, reason="a bug")
    found = cells([*ok, (failed, None), (alone, None)], LISTED)
    assert headline(found)["lora-r8"].seeds == (0, 1)
    rows = {(c.spec.name, c.metric): c for c in found if c.status != "ok"}
    assert set(rows) == {(name, metric) for name in ("lora-r8", "full") for metric in ("accuracy", "macro_f1")}
    row = rows["lora-r8", "accuracy"]
    assert (row.status, row.seeds, row.reason, row.value) == ("oom", (2,), "needed 12.0 GiB", None)
    assert (row.best_or_tied, row.vs_base) == ("", None)


def test_a_task_with_failed_runs_only_still_gives_a_row() -> None:
    found = cells([(make_record(status="failed", scores={}, cost=None, reason="a bug"), None)])
    assert [(cell.status, cell.metric, cell.value) for cell in found] == [("failed", "", None)]


def test_cells_come_with_base_first_full_last_and_the_headline_before_the_rest() -> None:
    runs = [
        make_run(first(0.7), method="full"),
        make_run(first(0.7), method="qlora"),
        make_run(first(0.7), rank=32),
        make_run(first(0.7), rank=4),
        make_run(first(0.3), method="base"),
    ]
    names = ["base", "lora-r4", "lora-r32", "qlora-r8", "full"]
    assert [cell.spec.name for cell in cells(runs, LISTED)] == names * 2
    assert [cell.metric for cell in cells(runs, LISTED)] == ["accuracy"] * 5 + ["macro_f1"] * 5


def test_without_answers_a_cell_keeps_its_score_and_makes_no_paired_claim() -> None:
    runs = [make_run(first(0.3), method="base"), *(make_run(noisy(0.8, s), seed=s) for s in range(3))]
    with_answers = headline(cells(runs, LISTED))["lora-r8"]
    found = headline(cells([(record, None) for record, _ in runs], LISTED))
    cell = found["lora-r8"]
    assert cell.value == pytest.approx(with_answers.value)
    assert cell.vs_base is None
    assert cell.low <= with_answers.low < cell.value < with_answers.high <= cell.high  # type: ignore[operator]
    assert found["base"].best_or_tied == ""
    near = [make_run(first(0.7)), make_run(first(0.72), rank=2)]
    marks = {c.best_or_tied for c in headline(cells([(r, None) for r, _ in near], LISTED)).values()}
    assert marks == {"best", "tied"}


def test_metrics_of_an_unknown_task_are_taken_by_name() -> None:
    found = headline(cells([make_run(first(0.4), method="base"), make_run(first(0.5))]))
    assert found["lora-r8"].vs_base is not None
    assert found["lora-r8"].headline


def test_answers_that_contradict_the_record_stop_the_report() -> None:
    record, _ = make_run(first(0.7))
    with pytest.raises(HarnessError, match="record says") as caught:
        cells([(record, make_run(first(0.6))[1])], LISTED)
    assert record.spec.id in caught.value.where


def test_seeds_with_other_questions_stop_the_report() -> None:
    record, answers = make_run(first(0.7), seed=1)
    renamed = [replace(answer, id=f"x{answer.id}") for answer in answers or ()]
    with pytest.raises(HarnessError, match="different examples"):
        cells([make_run(first(0.7), seed=0), (record, renamed)], LISTED)


def test_the_cost_of_a_cell_is_that_of_one_whole_run_in_the_middle() -> None:
    peaks = {0: 30, 1: 10, 2: 20}
    records = []
    for seed, peak in peaks.items():
        cost = make_cost()
        train = replace(cost.phases["train"], peak_bytes=peak)
        records.append(make_record(make_spec(seed=seed), cost=replace(cost, phases={**cost.phases, "train": train})))
    middle = typical_cost(records)
    assert middle is not None
    assert middle.phases["train"].peak_bytes == 20
    assert typical_cost([make_record(cost=None)]) is None


def test_memory_and_time_are_compared_within_one_machine_only() -> None:
    here, there = make_run(first(0.7)), make_run(first(0.7), seed=1)
    moved = (replace(there[0], environment=make_environment(machine="Another processor")), there[1])
    cell = headline(cells([here, moved], LISTED))["lora-r8"]
    assert cell.value == pytest.approx(0.7)  # accuracy pools across machines
    assert (cell.cost, cell.machine) == (None, "")
    assert headline(cells([here, there], LISTED))["lora-r8"].cost == make_cost()
    assert cost_obstacle([here[0], there[0]]) == ""
    assert "Another processor" in cost_obstacle([here[0], moved[0]])
    gpu = make_record(make_spec(device="cuda"))
    assert "cuda" in cost_obstacle([here[0], gpu])


def test_two_runs_are_set_side_by_side_with_what_differs() -> None:
    a, b = make_run(first(0.4)), make_run(first(0.6), rank=32, seed=3)
    found = compare_runs(a, b, LISTED)
    assert found.fields == (("rank", 8, 32), ("seed", 0, 3))
    assert found.why_not == found.cost_why_not == ""
    assert set(found.scores) == {"accuracy", "macro_f1"}
    assert found.scores["accuracy"].value == pytest.approx(0.2)
    assert found.scores["accuracy"].low > 0
    assert compare_runs(b, a, LISTED).scores["accuracy"].value == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task": "other"}, "different tasks"),
        ({"task_version": 2}, "different versions"),
        ({"data": "ffff"}, "different examples or prompts"),
        ({"scoring": "generate"}, "scored in different ways"),
    ],
)
def test_two_runs_of_different_questions_are_not_comparable_and_it_says_why(
    changes: dict[str, Any], reason: str
) -> None:
    found = compare_runs(make_run(first(0.4)), make_run(first(0.6), **changes))
    assert found.why_not.startswith("not comparable: ")
    assert reason in found.why_not
    assert found.scores == {}


def test_a_run_that_failed_or_lost_its_answers_is_not_comparable() -> None:
    a = make_run(first(0.4))
    assert "oom" in compare_runs(a, (make_record(status="oom", scores={}), None), LISTED).why_not
    assert "no answers" in compare_runs(a, (make_run(first(0.6), rank=2)[0], None), LISTED).why_not


def test_two_machines_are_compared_on_scores_and_not_on_cost() -> None:
    a, b = make_run(first(0.4)), make_run(first(0.6), rank=32)
    moved = (replace(b[0], environment=make_environment(machine="Another processor")), b[1])
    found = compare_runs(a, moved, LISTED)
    assert found.scores["accuracy"].value == pytest.approx(0.2)
    assert "different machines" in found.cost_why_not

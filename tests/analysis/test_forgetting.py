"""Forgetting: what a probe's answers say against the base model's, and what must not be said of them."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import compare, forgetting
from harness.analysis.aggregate import pool
from harness.analysis.forgetting import Change, ProbedRun
from harness.metrics import accuracy, nats_per_token, stats
from harness.metrics.scoring import score_answers
from harness.record import Answer, ProbeResult
from harness.report import forgetting as forgotten
from harness.schema import Metric
from tests.support.analyses import page_of
from tests.support.records import make_record, make_spec

METRICS = {"other": (accuracy,), "toy": (accuracy,)}


def answers_of(right: Sequence[bool], *, half: int = 0) -> list[Answer]:
    """Answers of which these are right; the first `half` are of one skill and the others of another."""
    return [
        Answer(f"q{n}", "", "a", "a" if ok else "b", "a" if ok else "b", slices={"skill": "first" if n < half else "second"})
        for n, ok in enumerate(right)
    ]  # fmt: skip


def probed(
    method: str,
    right: Sequence[bool],
    *,
    rank: int = 0,
    seed: int = 0,
    chance: float | None = 1 / 3,
    half: int = 0,
    metric: Metric = accuracy,
    answers: Sequence[Answer] | None = None,
) -> ProbedRun:
    said = answers if answers is not None else answers_of(right, half=half)
    trains = {} if method != "base" else {"learning_rate": 0.0, "epochs": 0.0, "batch_size": 0, "train_examples": 0}
    spec = make_spec(method=method, rank=rank, seed=seed, probes=("other@0",), **trains)
    probe = ProbeResult("0", "choices", score_answers(said, [metric]), 1.0, chance, "", 0)
    return make_record(spec, probes={"other": probe}), {"other": said}


def changes(*runs: ProbedRun, metrics: dict[str, Any] | None = None) -> dict[str, Change]:
    """The rows of the whole probe by the run's name."""
    found = forgetting.changes(runs, (), metrics or METRICS)
    return {change.spec.name: change for change in found if not change.part}


def share(right: int, of: int = 60) -> list[bool]:
    return [n < right for n in range(of)]


def test_a_row_that_lost_is_said_to_have_forgotten_by_the_paired_difference() -> None:
    found = changes(probed("base", share(50)), probed("lora", share(20), rank=8), probed("full", share(49)))
    row = found["lora-r8"]
    expected = stats.paired_difference(
        list(map(float, share(20))),
        list(map(float, share(50))),
        list(range(60)),
        share=True,
        repeats=(stats.Seeds([20 / 60]), stats.Seeds([])),
    )
    assert row.difference is not None
    assert row.difference.value == pytest.approx(-0.5) == pytest.approx(expected.difference)
    assert (row.difference.low, row.difference.high) == pytest.approx((expected.low, expected.high))
    assert row.verdict == "forgot"
    assert found["full"].verdict == "no difference shown"
    assert found["base"].verdict == "base"
    assert found["base"].difference is None


@pytest.mark.parametrize(("base", "chance"), [(20, 1 / 3), (0, None), (1, None)])
def test_where_the_base_model_cannot_do_it_nothing_is_said_to_be_kept_or_forgotten(
    base: int, chance: float | None
) -> None:
    found = changes(probed("base", share(base), chance=chance), probed("full", share(0), chance=chance))
    assert found["full"].verdict == "nothing to forget"
    lines = " ".join(forgotten.reading(list(found.values())))
    assert "nothing can be forgotten" in lines
    assert "≈ base" not in lines
    assert forgotten.MARKS["nothing to forget"] in [row[-1] for row in forgotten.table(list(found.values())).rows]


def test_a_base_model_above_chance_can_forget_and_so_can_one_that_does_something_where_there_is_none() -> None:
    assert changes(probed("base", share(40)), probed("full", share(40)))["full"].can
    assert changes(probed("base", share(8), chance=None), probed("full", share(8), chance=None))["full"].can


def test_all_rows_are_corrected_together() -> None:
    rows = [probed("lora", share(50 - n), rank=n) for n in (4, 6, 8)]
    found = changes(probed("base", share(50)), *rows)
    tested = [change.difference for change in found.values() if change.difference]
    assert [one.p_holm for one in tested] == stats.holm([one.p for one in tested])
    assert found["lora-r8"].difference is not None
    assert found["lora-r8"].difference.p_holm > found["lora-r8"].difference.p


def test_another_task_changes_no_p_value() -> None:
    runs = [probed("base", share(50)), probed("full", share(40))]
    other = [(replace(r, spec=replace(r.spec, task="another")), said) for r, said in runs]
    alone, both = forgetting.changes(runs, (), METRICS), forgetting.changes([*runs, *other], (), METRICS)
    assert [c for c in both if c.spec.task == "toy"] == alone


def test_seeds_are_one_row_whose_interval_speaks_of_other_seeds() -> None:
    runs = [probed("full", share(n), seed=seed) for seed, n in enumerate((10, 30, 50))]
    one = changes(probed("base", share(50)), probed("full", share(30)))["full"]
    three = changes(probed("base", share(50)), *runs)["full"]
    assert three.cell.seeds == (0, 1, 2)
    assert three.difference is not None
    assert one.difference is not None
    assert three.difference.value == pytest.approx(one.difference.value)
    assert three.difference.high - three.difference.low > one.difference.high - one.difference.low
    assert set(three.run_ids) == {record.spec.id for record, _ in runs}


def test_where_lower_is_better_a_rise_is_forgetting() -> None:
    def text(loss: float) -> list[Answer]:
        return [Answer(f"q{n}", "", "a text", "", "", loglik=(-loss - n / 100,) * 3) for n in range(30)]

    metrics = {"other": (nats_per_token,)}
    runs = [
        probed(name, (), answers=text(loss), metric=nats_per_token, chance=None)
        for name, loss in (("base", 1.0), ("full", 2.0), ("lora", 0.5))
    ]
    found = changes(*runs, metrics=metrics)
    assert (found["full"].verdict, found["lora"].verdict) == ("forgot", "better")
    assert found["full"].can


def test_without_the_base_model_no_difference_is_claimed() -> None:
    found = changes(probed("full", share(10)))
    assert found["full"].verdict == "not comparable"
    assert "no run of the base model" in " ".join(forgotten.reading(list(found.values())))


def test_other_questions_are_not_compared() -> None:
    base, full = probed("base", share(50)), probed("full", share(10, of=40))
    assert changes(base, full)["full"].difference is None


def test_slices_have_rows_of_their_own_and_a_skill_that_base_cannot_do_is_set_apart() -> None:
    base = [n < 25 for n in range(60)]  # all right in the first half but five, nothing in the second
    runs = (probed("base", base, half=30, chance=None), probed("full", share(5), half=30, chance=None))
    found = forgetting.changes(runs, (), METRICS)
    parts = {change.part: change for change in found if change.part and change.spec.method == "full"}
    assert {part: change.verdict for part, change in parts.items()} == {
        "skill: first": "forgot",
        "skill: second": "nothing to forget",
    }
    shown = forgotten.slices([change for change in found if not change.part], found)
    assert shown is not None
    assert [row[2] for row in shown.rows] == ["-66.7 ▼", "(+0.0)"]


def test_what_was_learned_is_the_rows_own_difference_on_the_task() -> None:
    runs = [probed("base", share(50)), probed("full", share(20))]
    task = {"base": answers_of(share(12, of=30)), "full": answers_of(share(28, of=30))}
    main = [
        (replace(record, scores=score_answers(task[record.spec.method], [accuracy])), task[record.spec.method])
        for record, _ in runs
    ]
    cells = compare.cells(main, METRICS)
    found = {change.spec.method: change for change in forgetting.changes(runs, cells, METRICS)}
    assert found["full"].learned is not None
    assert found["full"].learned.vs_base is not None
    assert found["full"].learned.vs_base.value == pytest.approx(16 / 30)
    row = forgotten.table(list(found.values())).rows[1]
    assert row[0] == "full"
    assert (row[2], row[4]) == ("+53.3", "-50.0")


def test_the_page_says_how_to_read_a_probe_in_the_words_of_the_other_views_and_nothing_where_there_is_none() -> None:
    runs = [probed("base", share(50), half=30), probed("full", share(20), half=30)]
    task = answers_of(share(20))
    main = [(replace(record, scores=score_answers(task, [accuracy])), task) for record, _ in runs]
    plain = html.unescape(page_of(main))
    found = forgetting.changes(runs, compare.cells(main, METRICS), METRICS)
    page = html.unescape(page_of(main, changes=found))
    lines = forgotten.reading([change for change in found if not change.part])
    assert lines
    for line in lines:
        assert f"<li>{line}</li>" in page
        assert line in forgotten.document(found)
        assert line not in plain
    assert page.count("by slice") == 2  # title, and what is read out for it: how to read it stands in it


def test_probes_make_no_second_row_in_the_tables_of_the_task() -> None:
    record, _ = probed("full", share(20))
    plain = replace(record, spec=replace(record.spec, probes=()), probes={})
    drafts, _ = pool([(plain, None), (record, None)], METRICS)
    assert [cell.run_ids for cell, _ in drafts] == [(record.spec.id,)]


def test_what_was_learned_is_told_also_where_the_same_run_was_done_with_other_probes() -> None:
    runs = [probed("base", share(50)), probed("full", share(20))]
    more = {"third": runs[0][0].probes["other"], "fourth": runs[0][0].probes["other"]}
    again = [
        (replace(record, spec=replace(record.spec, probes=("third@0",)), probes=more), said) for record, said in runs
    ]
    task = [
        (replace(record, scores=score_answers(said, [accuracy])), said)
        for records in (again, runs)
        for record, said in ((one, answers_of(share(30))) for one, _ in records)
    ]
    for order in (task, task[::-1]):
        found = forgetting.changes(runs, compare.cells(order, METRICS), METRICS)
        assert [change.learned.value for change in found if change.learned and not change.part] == [0.5, 0.5]


def test_the_file_holds_every_row_at_full_precision(tmp_path: Any) -> None:
    found = forgetting.changes([probed("base", share(50)), probed("lora", share(21), rank=8)], (), METRICS)
    path = forgotten.write(tmp_path, "toy", found)
    assert path.name == "toy.forgetting.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["method"] for row in rows] == ["base", "lora"]
    assert float(rows[1]["value"]) == 21 / 60
    assert float(rows[1]["change"]) == found[1].difference.value  # type: ignore[union-attr]
    assert rows[1]["verdict"] == "forgot"
    assert rows[1]["run_ids"] == found[1].run_ids[0]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40), st.booleans())
def test_the_difference_is_the_mean_over_questions_whatever_the_order(
    pairs: list[tuple[bool, bool]], turn: bool
) -> None:
    runs = [probed("base", [a for a, _ in pairs]), probed("full", [b for _, b in pairs])]
    row = changes(*(reversed(runs) if turn else runs))["full"]
    assert row.difference is not None
    assert row.difference.value == pytest.approx(sum(b - a for a, b in pairs) / len(pairs))
    assert row.difference.low <= row.difference.value <= row.difference.high
    if not row.can:
        assert row.verdict == "nothing to forget"
    elif row.difference.value == 0:
        assert row.verdict == "no difference shown"

"""What stands beside the rows: what could be found, the rank that suffices, format and knowledge, alarms, rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import HarnessError
from harness.analysis.aggregate import Cell, ConstantAnswer, constant_answer
from harness.analysis.compare import MARGIN, cells
from harness.analysis.items import Run
from harness.analysis.sections import Section, sections
from harness.cli.terminal import output
from harness.metrics import power, stats
from harness.metrics.scoring import parse_rate, score_answers
from harness.record import Answer
from harness.report import tables
from harness.report.alarms import alarms
from harness.report.names import marks
from harness.report.notes import reading
from harness.runs import plan
from harness.runs.options import Options
from tests.analysis.test_compare import COUNT, LISTED, first, make_run, noisy
from tests.support.analyses import page_of, results_of
from tests.support.finished_runs import make_runs
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_model, write_task


def only(runs: Sequence[Run]) -> Section:
    (section,) = sections(cells(runs, LISTED))
    return section


def line(section: Section, start: str) -> str:
    (found,) = [text for text in reading(section) if text.startswith(start)]
    return found


# --- what could be found


def test_the_smallest_difference_that_can_be_found_stands_with_the_table() -> None:
    section = only([make_run(noisy(0.7, rank), rank=rank) for rank in (2, 8, 32)])
    text = line(section, "Detectable difference: ")
    errors = [(cell.vs_best.error, cell.vs_best.df) for cell in section.headline if cell.vs_best]
    low, high = sorted(f"{100 * power.detectable(*error, 3, step=1 / COUNT):.1f}" for error in errors)
    assert f"{high} points in the median of 2 pairs of rows ({low} to {high})" in text
    assert "for all 3 pairs;" in text
    assert not any(text.startswith("Detectable difference") for text in reading(only([make_run(first(0.5))])))


def test_pairs_whose_seeds_differ_too_much_to_show_anything_are_counted_apart() -> None:
    wild = [make_run(noisy(p, s), seed=s) for s, p in enumerate((0.2, 0.5, 0.8))]
    calm = [make_run(noisy(0.9, s), rank=rank, seed=s) for s in range(3) for rank in (2, 16, 32)]
    text = line(only([*wild, *calm]), "Detectable difference: ")
    assert "In 1 pair none is: the seeds differ too much." in text
    assert "to 100" not in text


def test_it_is_in_every_view(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = make_runs(2, n=60)
    for text in (tables.document(results_of(runs)), page_of(runs)):
        for part in (
            "Detectable difference",
            "Standard deviation between seeds",
            "Smallest rank shown",
            "Learning rates not tuned",
        ):
            assert part in text, part


# --- seeds apart from questions


def test_the_spread_between_seeds_stands_apart_from_that_over_questions() -> None:
    runs = [make_run(noisy(p, s), seed=s) for s, p in enumerate((0.6, 0.7, 0.8))]
    section = only([make_run(noisy(0.4, 9), method="base"), *runs])
    each = [run[0].scores["accuracy"].value for run in runs]
    table = tables.spread(section)
    assert table is not None
    (row,) = table.rows
    mean = np.mean([[float(a.parsed == a.target) for a in run[1] or ()] for run in runs], axis=0).tolist()
    error = stats.standard_error(mean, [i // 2 for i in range(COUNT)])
    shown = (min(each), max(each), np.std(each, ddof=1), error)
    assert row == ("lora r8", "3", *(f"{100 * value:.1f}" for value in shown))
    text = line(section, "Standard deviation between seeds")
    assert f"{100 * np.std(each, ddof=1):.1f} points" in text
    assert f"{100 * error:.1f} points" in text
    assert tables.spread(only([make_run(first(0.5))])) is None


# --- the rank that suffices


def rank_runs(shares: dict[int, float], seed: int = 0) -> list[Run]:
    """Runs that are right on nested questions: 1,000 of them, so that a point is ten questions."""
    ease = np.random.default_rng(seed).random(1000)
    return [make_run([bool(e < share) for e in ease], rank=rank) for rank, share in shares.items()]


def test_the_smallest_rank_within_the_margin_of_the_best_is_named() -> None:
    section = only(rank_runs({2: 0.60, 8: 0.795, 32: 0.80}))
    text = line(section, "Smallest rank shown to be less than 3.0 points")
    assert text.endswith(": lora r8.")
    marks = {cell.spec.rank: cell.not_worse for cell in section.headline}
    assert marks == {2: False, 8: True, 32: True}


def test_the_best_row_itself_is_never_named_as_a_rank_that_suffices() -> None:
    section = only(rank_runs({2: 0.80, 8: 0.795, 32: 0.79}))
    assert line(section, "Smallest rank").endswith(": no rank of lora below the best row's, 2.")


def test_a_lucky_top_is_no_measure_so_a_rank_is_tested_against_every_other_row() -> None:
    section = only(rank_runs({2: 0.775, 4: 0.76, 8: 0.78, 32: 0.80}))
    marks = {cell.spec.rank: cell.not_worse for cell in section.headline}
    assert not marks[4]
    assert marks[32]


def test_if_the_data_does_not_show_it_no_rank_is_named() -> None:
    few = [make_run(noisy(0.7, rank, 60), rank=rank) for rank in (2, 8)]
    assert "no rank of lora" in line(only(few), "Smallest rank")
    others = [*few, make_run(first(0.95, 60), method="full")]
    assert line(only(others), "Smallest rank").endswith(": no rank of lora.")
    assert not any(text.startswith("Smallest rank") for text in reading(only(few[:1])))


def test_not_worse_at_two_and_a_half_percent_is_what_the_interval_says() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        a, b = (rng.random((2, 200)) < 0.7).astype(float).tolist()
        groups = rng.integers(0, 90, 200).tolist()
        found = stats.paired_difference(a, b, groups, share=True)
        p = stats.not_worse_p(a, b, groups, MARGIN, share=True)
        assert (p < 0.025) == (found.low > -MARGIN)
    assert stats.not_worse_p([1.0, 1.0], [1.0, 1.0], ["g", "g"], MARGIN, share=True) == 1.0


def test_a_rank_that_is_worse_by_the_margin_is_let_through_in_two_and_a_half_percent_of_cases_at_most() -> None:
    rng, passed = np.random.default_rng(2), 0
    for _ in range(2000):
        right = rng.random(400) < 0.8
        worse = np.where(right, rng.random(400) > 0.10, rng.random(400) < 0.25)  # 0.8 * 0.9 + 0.2 * 0.25 = 0.77
        passed += stats.not_worse_p(worse.tolist(), right.tolist(), range(400), MARGIN, share=True) < 0.025
    assert passed / 2000 <= 0.025 + 3 * 0.0035


# --- format and knowledge


def spoken(right: Sequence[bool], read: Sequence[bool], **spec: Any) -> Run:
    """A run that writes its answers: right where it is right and can be read."""
    record, answers = make_run([r and ok for r, ok in zip(right, read, strict=True)], scoring="generate", **spec)
    said = [replace(a, parsed=a.parsed if ok else None) for a, ok in zip(answers or (), read, strict=True)]
    scores = score_answers(said, LISTED["toy"])
    return replace(record, scores=scores, parse_rate=parse_rate(said)), said


def both_ways() -> list[Run]:
    picked = noisy(0.5, 0)
    return [
        make_run(picked, method="base"),
        spoken(picked, noisy(0.4, 1), method="base"),
        make_run(noisy(0.8, 2)),
    ]


def test_gain_is_format_plus_knowledge_and_each_is_what_it_says() -> None:
    picked, written, tuned = both_ways()
    found = cells([picked, written, tuned], LISTED)
    (cell,) = [c for c in found if c.spec.method == "lora" and c.metric == "accuracy"]
    assert cell.gains is not None
    value = {name: run[0].scores["accuracy"].value for name, run in zip("pwt", (picked, written, tuned), strict=True)}
    assert cell.gains.total.difference == pytest.approx(value["t"] - value["w"])
    assert cell.gains.format.difference == pytest.approx(value["p"] - value["w"])
    assert cell.gains.knowledge.difference == pytest.approx(value["t"] - value["p"])
    assert cell.vs_base is not None
    assert cell.gains.knowledge.difference == pytest.approx(cell.vs_base.value)


def test_a_row_that_writes_is_set_against_the_base_that_need_not() -> None:
    picked, written, _ = both_ways()
    tuned = spoken(noisy(0.8, 2), [True] * COUNT)
    (cell,) = [c for c in cells([picked, written, tuned], LISTED) if c.spec.method == "lora" and c.headline]
    assert cell.gains is not None
    assert cell.vs_base is not None
    assert cell.gains.total.difference == pytest.approx(cell.vs_base.value)
    assert 0 < cell.gains.knowledge.difference < cell.gains.total.difference


def test_the_terminal_shows_one_table_and_the_other_way_as_a_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.results(results_of(both_ways(), LISTED))
    out = capsys.readouterr().out
    assert (out.count("95 % interval"), out.count("interval of difference")) == (1, 1)
    assert "base, writing" in out
    output.results(results_of(both_ways()[:2], LISTED))
    assert capsys.readouterr().out.count("seeds  accuracy %") == 2


def test_without_both_scores_of_the_base_model_nothing_is_split() -> None:
    picked, written, tuned = both_ways()
    for runs in ([picked, tuned], [written, tuned], [picked, (written[0], None), tuned]):
        assert all(cell.gains is None for cell in cells(runs, LISTED))
    other = replace(written[0], spec=replace(written[0].spec, data="ffff")), written[1]
    assert all(cell.gains is None for cell in cells([picked, other, tuned], LISTED))


def test_the_table_shows_the_parse_rate_the_score_of_what_was_read_and_both_parts() -> None:
    picked, written, tuned = both_ways()
    section = next(s for s in sections(cells([picked, written, tuned], LISTED)) if len(s.headline) == 2)
    table = tables.gains(section)
    assert table is not None
    rows = {row[0]: dict(zip(table.columns[1:], row[1:], strict=False)) for row in table.rows}
    assert list(rows) == ["base, writing", "base", "lora r8"]
    read = [a for a in written[1] or () if a.parsed is not None]
    assert rows["base, writing"]["readable answers %"] == f"{100 * len(read) / COUNT:.1f}"
    right = sum(a.parsed == a.target for a in read) / len(read)
    assert rows["base, writing"]["score of readable answers"] == f"{100 * right:.1f}"
    parts = [float(rows["lora r8"][name]) for name in ("gain over base that writes", "format part", "knowledge part")]
    assert parts[0] == pytest.approx(parts[1] + parts[2], abs=0.11)
    assert "This difference is format" in line(section, "The base model scores")
    assert tables.gains(only([picked, tuned])) is None
    alone = tables.gains(next(s for s in sections(cells([written], LISTED))))
    assert alone is not None
    assert len(alone.columns) == 4


@pytest.fixture
def listed(tmp_path: Path) -> Options:
    return Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        model=str(write_model(tmp_path / "model")),
        results=tmp_path / "results",
        memory=False,
        scoring="both",
    )


def test_scoring_both_adds_one_run_of_the_base_model_and_changes_no_other(listed: Options) -> None:
    (both,), (usual,) = plan.make(listed), plan.make(replace(listed, scoring=None))
    (added,) = set(both.specs) - set(usual.specs)
    assert set(usual.specs) < set(both.specs)
    assert (added.method, added.scoring) == ("base", "generate")


def test_where_the_prompt_does_not_show_the_options_nothing_can_be_written(listed: Options) -> None:
    with pytest.raises(HarnessError, match="only if the prompt shows the options"):
        plan.make(replace(listed, tasks=("cfa",)))


# --- alarms


def answers_of(said: Sequence[str | None], gold: Sequence[str], choices: Sequence[Sequence[str]]) -> list[Answer]:
    return [
        Answer(id=f"q{i}", group=f"g{i}", target=g, text=s or "?", parsed=s, choices=tuple(c))
        for i, (s, g, c) in enumerate(zip(said, gold, choices, strict=True))
    ]


def test_a_model_that_always_says_the_same_is_called_so_by_word_and_by_place() -> None:
    labels = [["yes", "no"]] * 100
    gold = ["yes", "no"] * 50
    assert constant_answer(answers_of(["no"] * 97 + ["yes"] * 3, gold, labels)) == ConstantAnswer("no", None, 0.97)
    assert constant_answer(answers_of(["no"] * 90 + ["yes"] * 10, gold, labels)) is None
    options = [[f"a{i}", f"b{i}", f"c{i}"] for i in range(100)]
    second = [row[1] for row in options]
    mixed = [row[i % 3] for i, row in enumerate(options)]
    assert constant_answer(answers_of(second, mixed, options)) == ConstantAnswer("", 2, 1.0)
    assert constant_answer(answers_of(mixed, second, options)) is None


def test_where_the_gold_is_as_uniform_or_little_was_read_nothing_is_said() -> None:
    labels = [["yes", "no"]] * 100
    assert constant_answer(answers_of(["no"] * 100, ["no"] * 97 + ["yes"] * 3, labels)) is None
    assert constant_answer(answers_of([None] * 80 + ["no"] * 20, ["yes", "no"] * 50, labels)) is None
    assert constant_answer(answers_of(["no"] * 10, ["yes", "no"] * 5, labels[:10])) is None
    assert constant_answer([]) is None


def test_the_alarm_stands_in_the_table_the_text_and_the_page() -> None:
    record, answers = make_run(first(0.5), method="base")
    always = [replace(answer, text="a", parsed="a") for answer in answers or ()]
    run = (replace(record, scores=score_answers(always, LISTED["toy"])), always)
    section = only([run, make_run(noisy(0.8, 1))])
    assert "base: answers 100.0 % of the questions with 'a'" in alarms(section)
    assert "▼ one answer" in marks(section, section.headline[0])
    assert "▼ one answer" not in marks(section, section.headline[1])
    assert "answers 100.0 % of the questions with" in page_of([run])


# --- learning rates


def test_one_rate_is_said_to_be_one_and_tuned_rates_out_of_how_many() -> None:
    plain = make_run(first(0.7))
    assert "not tuned: lora 0.01." in line(only([plain]), "Learning rates")
    tuned = make_run(first(0.7), learning_rate=0.01, tuned_over=(0.003, 0.01, 0.03))
    text = line(only([tuned]), "Learning rates")
    assert "the best of 3 on the validation split" in text
    assert alarms(only([tuned])) == []
    assert len([text for text in reading(only([plain, tuned])) if text.startswith("Learning rates")]) == 2
    assert reading(only([make_run(first(0.7), method="base", train_examples=0)]))[-1].startswith("Intervals")


@pytest.mark.parametrize(
    ("rate", "words"), [(0.003, "the lowest of those tried; a lower"), (0.03, "the highest of those tried")]
)
def test_a_chosen_rate_at_the_edge_is_an_alarm(rate: float, words: str) -> None:
    run = make_run(first(0.7), learning_rate=rate, tuned_over=(0.003, 0.01, 0.03))
    assert words in "\n".join(alarms(only([run])))


def test_several_rates_side_by_side_are_an_alarm_since_the_table_is_of_the_test_split() -> None:
    runs = [make_run(first(0.7), learning_rate=rate) for rate in (0.001, 0.01)]
    assert "lora r8 was run at 2 learning rates" in "\n".join(alarms(only(runs)))


def test_a_cell_of_failed_runs_has_none_of_this() -> None:
    found: list[Cell] = cells([(make_record(make_spec(), status="oom", scores={}, cost=None), None)], LISTED)
    assert {(c.not_worse, c.constant, c.gains, c.item_se) for c in found} == {(False, None, None, None)}

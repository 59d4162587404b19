"""`compare A B`: flips example by example, documents for people and programs, and a gate that fails when B is worse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.analysis.compare import cells
from harness.analysis.items import Run
from harness.analysis.pair import compare_rows
from harness.report import comparison
from harness.schema import Example
from harness.store import records
from tests.analysis.test_compare import LISTED, MONEY, first, make_run, noisy
from tests.support.analyses import compare_runs
from tests.support.cli_runner import Desk, without_torch

NAMES = ["base", "full"]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    made = Desk(tmp_path, capsys)
    made.train()  # the base model picks the first option, whatever is trained is right
    return made


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def flipped(a: Sequence[bool], b: Sequence[bool]) -> dict[str, bool]:
    return {f"q{i}": right for i, (left, right) in enumerate(zip(a, b, strict=True)) if left != right}


def test_flips_are_exactly_the_questions_on_which_right_and_wrong_differ() -> None:
    a, b = noisy(0.6, 0), noisy(0.7, 1)
    found = compare_runs(make_run(a), make_run(b, rank=32), LISTED)
    assert {flip.question.id: flip.won for flip in found.flips} == flipped(a, b)
    assert all(flip.a[0].id == flip.b[0].id and flip.a_score != flip.b_score for flip in found.flips)
    won = [flip.won for flip in found.flips]
    assert won == sorted(won)
    turned = compare_runs(make_run(b, rank=32), make_run(a), LISTED)
    assert {flip.question.id: not flip.won for flip in turned.flips} == flipped(a, b)


def test_won_and_lost_flips_add_up_to_the_difference() -> None:
    a, b = noisy(0.6, 0), noisy(0.7, 1)
    found = compare_runs(make_run(a), make_run(b, rank=32), LISTED)
    balance = sum(1 if flip.won else -1 for flip in found.flips)
    assert balance / len(a) == pytest.approx(found.scores["accuracy"].value)


def test_where_less_is_better_a_cheaper_answer_is_won() -> None:
    a, b = make_run(first(0.4), (MONEY,)), make_run(first(0.6), (MONEY,), rank=32)
    found = compare_runs(a, b, {"toy": (MONEY,)})
    assert [flip.won for flip in found.flips] == [True] * 40
    assert found.worse == ()
    assert compare_runs(b, a, {"toy": (MONEY,)}).worse == ("overpaid",)


def worse_by(points: int) -> Run:
    """A run that is right on the same questions as `first(0.8)` but for so many in a hundred."""
    return make_run(first(0.8 - points / 100), rank=32)


def test_worse_is_what_a_paired_test_says_and_not_a_smaller_number() -> None:
    best = make_run(first(0.8))
    assert compare_runs(best, worse_by(1), LISTED).worse == ()
    assert "accuracy" in compare_runs(best, worse_by(10), LISTED).worse
    assert compare_runs(worse_by(10), best, LISTED).worse == ()


def test_what_is_not_shown_to_be_worse_comes_with_the_loss_that_is_not_excluded() -> None:
    found = compare_runs(make_run(first(0.8)), worse_by(1), LISTED)
    (line, *_) = comparison.verdict(found)
    assert "no significant difference" in line
    assert f"a loss of up to {-100 * found.scores['accuracy'].low:.1f} points is not excluded" in line
    lost = comparison.verdict(compare_runs(make_run(first(0.8)), worse_by(10), LISTED))
    assert lost[0] == "accuracy of lora r32 s0 is worse by 10.0 points"
    assert "flips: 0 won, 20 lost of 200 questions" in lost[-1]


def rows_of(seeds: int) -> tuple[list[Run], list[Run]]:
    """A row whose seeds are right on 60, 50 and 70 of 100 questions, and one that is right on 65 whatever the seed."""
    weak = [make_run(first(share), seed=seed) for seed, share in enumerate((0.6, 0.5, 0.7)[:seeds])]
    return weak, [make_run(first(0.65), rank=32, seed=seed) for seed in range(seeds)]


def test_of_several_seeds_the_means_are_compared_and_each_seed_is_shown() -> None:
    a, b = rows_of(3)
    found = compare_rows(a, b, LISTED)
    cell, other = (next(c for c in cells(runs, LISTED) if c.headline) for runs in (a, b))
    assert found.means("accuracy") == pytest.approx((cell.value, other.value))
    assert found.scores["accuracy"].value == pytest.approx(0.05)
    table = comparison.scores(found).rows
    assert [row[:3] for row in table[1:4]] == [
        ("  seed 0", "60.0", "65.0"),
        ("  seed 1", "50.0", "65.0"),
        ("  seed 2", "70.0", "65.0"),
    ]
    assert [name for name, *_ in found.fields] == ["rank"]
    assert comparison.names(found) == ("lora r8, 3 seeds", "lora r32, 3 seeds")
    assert "covers other seeds too" in "\n".join(comparison.verdict(found))
    board = next(c for c in cells([*a, *b], LISTED) if c.headline and c.spec.rank == 8)
    assert board.vs_best is not None  # the difference and the interval are those of the board
    assert (board.vs_best.value, board.vs_best.low) == pytest.approx(
        (-found.scores["accuracy"].value, -found.scores["accuracy"].high)
    )


def test_a_flip_of_several_seeds_counts_who_gave_which_answer() -> None:
    found = compare_rows(*rows_of(3), LISTED)
    table = comparison.flips(found)
    assert len(table.rows) == len(found.flips) > 0
    assert any(cell.startswith(("1× ", "2× ")) and " · " in cell for row in table.rows for cell in row[3:])
    assert len(strict(comparison.as_json(found))["flips"][0]["a"]["answers"]) == 3


def test_one_seed_of_a_trained_row_says_that_no_other_seed_is_covered() -> None:
    a, b = rows_of(1)
    assert "covers other questions and no other seeds" in "\n".join(comparison.verdict(compare_rows(a, b, LISTED)))


def test_an_interval_that_excludes_zero_without_the_correction_is_explained() -> None:
    found = compare_rows(*rows_of(1), LISTED)
    alone = replace(found.scores["accuracy"], low=0.005, high=0.09, p=0.03, p_holm=0.06)
    (line, *_) = comparison.verdict(replace(found, scores={**found.scores, "accuracy": alone}))
    assert "is not excluded" not in line
    assert "p 0.06" in line
    assert "the interval is of this metric alone" in line


def test_a_name_stands_for_all_seeds_and_an_id_for_one(desk: Desk) -> None:
    desk.train("--seeds", "3")
    assert desk.run("compare", "base", "full", "--output", "json") == 0
    assert len(strict(desk.out)["b"]["runs"]) == 3
    one = strict(desk.out)["b"]["runs"][1]["id"]
    assert desk.run("compare", "base", one, "--output", "json") == 0
    assert [run["seed"] for run in strict(desk.out)["b"]["runs"]] == [1]


def test_the_table_of_flips_can_be_cut_and_keeps_lost_and_won() -> None:
    found = compare_runs(make_run(noisy(0.6, 0)), make_run(noisy(0.7, 1), rank=32), LISTED)
    assert len(comparison.flips(found).rows) == len(found.flips) > 20
    kinds = [row[0] for row in comparison.flips(found, most=3).rows]
    assert kinds == ["lost"] * 3 + ["won"] * 3


def test_json_holds_every_number_at_full_precision_and_every_flip() -> None:
    a, b = make_run(noisy(0.6, 0)), make_run(noisy(0.7, 1), rank=32)
    found = compare_runs(a, b, LISTED)
    read = strict(comparison.as_json(found))
    assert read["headline"] == "accuracy"
    assert read["scores"]["accuracy"]["difference"] == vars(found.scores["accuracy"])
    assert read["scores"]["accuracy"]["b"] == b[0].scores["accuracy"].value
    assert [(flip["id"], flip["won"]) for flip in read["flips"]] == [
        (flip.question.id, flip.won) for flip in found.flips
    ]
    assert read["differs_in"] == {"rank": {"a": 8, "b": 32}}
    assert [[run["id"] for run in read[side]["runs"]] for side in "ab"] == [[a[0].spec.id], [b[0].spec.id]]


def test_json_says_why_two_runs_cannot_be_compared_and_writes_no_infinity() -> None:
    other = strict(comparison.as_json(compare_runs(make_run(first(0.4)), make_run(first(0.6), data="ffff"))))
    assert "different examples" in other["not_comparable"]
    assert (other["flips"], other["scores"], other["headline"]) == ([], {}, None)
    one_group = [replace(answer, group="g") for answer in make_run(first(0.4), (MONEY,))[1] or ()]
    alone = [(make_run(first(0.4), (MONEY,), rank=rank)[0], one_group) for rank in (2, 8)]
    read = strict(comparison.as_json(compare_runs(alone[0], alone[1], {"toy": (MONEY,)})))
    assert read["scores"]["overpaid"]["difference"]["high"] is None


def test_markdown_lists_every_flip_with_its_question_and_shows_hostile_text_as_it_is() -> None:
    a, b = make_run(noisy(0.6, 0)), make_run(noisy(0.7, 1), rank=32)
    found = compare_runs(a, b, LISTED)
    known = {
        flip.question.id: Example(flip.question.id, "<script>alert(1)</script>\n# what?", flip.question.target)
        for flip in found.flips
    }
    text = comparison.as_markdown(found, known)
    assert text.count("- **won**") + text.count("- **lost**") == len(found.flips)
    assert "<script>" not in text
    assert text.count("question: &lt;script&gt;") == len(found.flips)
    assert "could not be read" not in text
    unread = [replace(answer, parsed=None) for answer in b[1] or ()]
    record = replace(b[0], scores={"accuracy": replace(b[0].scores["accuracy"], value=0.0)})
    silent = compare_runs(a, (record, unread), {"toy": (metrics.accuracy,)})
    assert "(could not be read)" in comparison.as_markdown(silent)


def test_the_terminal_lists_flips_and_says_where_all_are(desk: Desk) -> None:
    assert desk.run("compare", *NAMES) == 0
    rows = [line for line in desk.out.splitlines() if line.startswith("won ")]
    assert len(rows) == 10
    assert "--output md" in desk.out
    assert "flips: " in desk.out


@pytest.mark.parametrize(("names", "code"), [(NAMES, 0), (NAMES[::-1], 1), (["full", "lora-r2"], 0)])
@pytest.mark.parametrize("output", [(), ("--output", "json"), ("--output", "md")])
def test_fail_if_worse_ends_with_one_only_where_b_is_worse(
    desk: Desk, names: list[str], code: int, output: tuple[str, ...]
) -> None:
    assert desk.run("compare", *names, *output) == 0
    assert desk.run("compare", *names, "--fail-if-worse", *output) == code


def test_a_gate_that_cannot_judge_does_not_open(desk: Desk) -> None:
    path = next(desk.results.glob(f"runs/toy/model/full/*/{records.ANSWERS}"))
    path.unlink()
    assert desk.run("compare", *NAMES) == 0
    assert desk.run("compare", *NAMES, "--fail-if-worse") == 2
    assert "cannot judge" in desk.err


def test_json_on_stdout_is_json_and_nothing_else(desk: Desk) -> None:
    desk.run("compare", *NAMES, "--output", "json")
    assert len(strict(desk.out)["flips"]) > 10
    assert desk.run("compare", *NAMES, "--output", "yaml") == 2
    assert "choose one of json, md" in desk.err

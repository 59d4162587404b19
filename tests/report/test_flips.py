"""Examples that flipped: which are shown, how many, and what is never shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness import metrics
from harness.analysis.compare import cells
from harness.analysis.pair import Flip
from harness.analysis.sections import sections
from harness.data import prompts
from harness.metrics import scoring
from harness.report import flips, write
from harness.report.flips import MOST, FlipSummary, flip_summary
from harness.schema import Example, Source, Task
from harness.store import withhold
from tests.support.analyses import compare_runs, results_of
from tests.support.finished_runs import Run, make_answers, make_failed, make_run, make_runs


def found(runs: Sequence[Run], questions: flips.Questions | None = None) -> FlipSummary | None:
    (section,) = sections(cells(runs))
    return flip_summary(section, results_of(runs), questions or {})


def certain(runs: Sequence[Run], questions: flips.Questions | None = None) -> FlipSummary:
    result = found(runs, questions)
    assert result is not None
    return result


def test_a_few_of_each_kind_are_shown_evenly_over_all() -> None:
    runs = make_runs(n=300)
    shown = certain(runs)
    every = compare_runs(runs[0], next(run for run in runs if run[0].spec.method == "full")).flips
    won = [flip.question.id for flip in every if flip.won]
    lost = [flip.question.id for flip in every if not flip.won]
    assert len(won) > MOST
    ids = [one.id for one in shown.examples if one.won]
    assert ids == [won[place * len(won) // MOST] for place in range(MOST)]
    assert [one.id for one in shown.examples if not one.won] == lost[:MOST]
    assert f"better on {len(won):,} and worse on {len(lost):,} of " in shown.counts


def test_where_all_are_shown_it_does_not_speak_of_a_choice() -> None:
    shown = certain([make_run("base", 0, 0.5, n=6), make_run("full", 0, 1.0, n=6)])
    assert len(shown.examples) == 3
    assert shown.counts == "full does better on 3 and worse on 0 of 6 questions."
    assert {one.outcome for one in shown.examples} == {"wrong → right"}


def test_the_best_tuned_row_is_set_against_base_also_where_base_is_best() -> None:
    shown = certain([make_run("base", 0, 0.9, n=60), make_run("lora", 8, 0.4, n=60), make_run("full", 0, 0.2, n=60)])
    assert shown.title == "Answers that changed from base to lora r8"
    assert {one.outcome for one in shown.examples} >= {"right → wrong"}


def test_of_several_seeds_the_first_is_shown_and_named() -> None:
    runs = make_runs(2, n=60)
    shown = certain(runs)
    first = next(record.spec.id for record, _ in runs if record.spec.method == "full" and record.spec.seed == 0)
    assert shown.title.endswith(" to full s0")
    assert shown.command == f"python run_all.py compare {runs[0][0].spec.id} {first} --output md"


def test_without_a_base_model_or_answers_or_flips_nothing_is_shown() -> None:
    base, full = make_run("base", 0, 0.5, n=40), make_run("full", 0, 0.9, n=40)
    same = make_run("lora", 8, 0.5, n=40)
    assert found([full]) is None
    assert found([base]) is None
    assert found([(base[0], None), full]) is None
    assert found([base, make_failed("full", n=40)]) is None
    assert found([base, (same[0], base[1])]) is None


def test_texts_that_are_scored_and_not_answered_do_not_flip() -> None:
    runs = [make_run(method, 0, share, n=40) for method, share in (("base", 0.5), ("full", 0.9))]
    assert found(runs) is not None
    texts = [(replace(record, spec=replace(record.spec, scoring="perplexity")), said) for record, said in runs]
    assert found(texts) is None


def test_a_question_is_shown_only_if_its_gold_is_the_recorded_one() -> None:
    runs = [make_run("base", 0, 0.0, n=2), make_run("full", 0, 1.0, n=2)]
    asked = {
        "q0000": Example(id="q0000", question="Is it covered?", target="a", context="Clause 4"),
        "q0001": Example(id="q0001", question="Another version", target="b"),
    }
    first, second = certain(runs, asked).examples
    assert first.parts == (
        ("context", "Clause 4"),
        ("question", "Is it covered?"),
        ("options", "a · b · c"),
        ("right answer", "a"),
        ("base", "b"),
        ("full", "a"),
    )
    assert "question" not in dict(second.parts)


def test_long_texts_are_shortened_and_unread_answers_said_to_be() -> None:
    base, full = make_run("base", 0, 0.0, n=2), make_run("full", 0, 1.0, n=2)
    wordy = [replace(a, text="why " * 9999, parsed=None) for a in base[1] or ()]
    said = dict(certain([(base[0], wordy), full]).examples[0].parts)["base"]
    assert said.endswith("(could not be read)")
    assert len(said) < flips.LONGEST + 30


def test_withheld_texts_are_counted_and_not_shown() -> None:
    runs: list[Run] = []
    for record, answers in (make_run("base", 0, 0.2, n=30), make_run("full", 0, 0.9, n=30)):
        hidden = withhold.stand_in_answers(answers or ())
        runs.append((replace(record, scores=scoring.score_answers(hidden, (metrics.accuracy,))), hidden))
    shown = certain(runs)
    assert shown.examples == ()
    assert "better on 21" in shown.counts
    assert "licence" in shown.counts


def test_a_graded_score_is_better_or_worse_and_not_right_or_wrong() -> None:
    a, b = make_answers(0.0, 1, "x")[0], make_answers(1.0, 1, "y")[0]
    flip = Flip((a,), (b,), 0.25, 0.5, won=True)
    assert flips._example(flip, ("base", "full"), {}).outcome == "better"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (Source("data/mine"), True),
        (Source("data/mine", redistributable=False), False),
        (Source("hf:owner/name", revision="r"), False),
        (Source("own:exams"), False),
    ],
)
def test_only_questions_that_come_with_the_project_and_may_be_handed_on_reach_the_page(
    source: Source, shown: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(folder: Path, split: str) -> list[Example]:
        return [Example(id=f"{split}{n}", question=f"{split} {n}?", target="a", choices=("a", "b")) for n in range(3)]

    monkeypatch.setattr("harness.data.loading.resolve", lambda source, data_dir: tmp_path)
    task = Task("mine", 1, "Mine", source, load, prompts.multiple_choice, (metrics.accuracy,))
    assert set(write._questions(task)) == ({"test0", "test1", "test2"} if shown else set())
    private = replace(task, source=Source(str(tmp_path / "mine.jsonl")))
    assert write._questions(private) == {}

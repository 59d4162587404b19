"""Shifted and reordered twins: what is asked, what is said of a drop, and of the same answer in another order."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import robustness
from harness.cli.app import main
from harness.data import loading, prompts, registry, split
from harness.data import probes as general
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.metrics import stats
from harness.metrics.scoring import chance, score_answers
from harness.model import checkpoint
from harness.record import Answer, ProbeResult
from harness.runs.job import Job, Reporter
from harness.schema import Example
from harness.store import records
from tests.support import answer_rows, logged_steps
from tests.support.cli_runner import guess, without_torch

options = st.lists(st.text(min_size=1), min_size=2, max_size=8, unique=True)


@given(options, st.text(), st.data())
def test_every_option_moves_none_is_lost_and_gold_stays(choices: list[str], id: str, draw: st.DataObject) -> None:
    gold = draw.draw(st.sampled_from(choices))
    example = Example(id, "What?", gold, tuple(choices), "group", "context", {"slice": "one"})
    again = general.reorder(example)
    assert sorted(again.choices) == sorted(choices)
    assert all(one != other for one, other in zip(again.choices, example.choices, strict=True))
    assert again.target == gold
    assert replace(again, choices=example.choices) == example
    assert general.reorder(example) == again


def test_questions_are_not_all_turned_alike() -> None:
    test = loading.load_splits(registry.task("cfa_listed")).test
    places = [general.reorder(e).choices.index(e.choices[0]) for e in test]
    assert min(places.count(1), places.count(2)) > len(test) / 3


@pytest.mark.parametrize(("name", "said"), [("cfa", "does not list the options"), ("sec_qa", "no options")])
def test_where_the_order_cannot_matter_it_is_said_and_nothing_is_asked(name: str, said: str) -> None:
    task = registry.task(name)
    with pytest.raises(HarnessError, match=said):
        general.reordered_twin(task, loading.load_splits(task).test)


def test_a_limited_test_is_found_again_from_its_size_alone() -> None:
    test = loading.load_splits(registry.task("cfa_listed")).test
    for limit in (1, 7, 100, 599, 600, 1000):
        some = split.sample(test, limit)
        assert split.sample(test, len(some)) == some


def test_shifted_stands_for_the_tasks_twin_and_reordered_asks_the_tests_own_questions() -> None:
    source, model = TaskSource("cfa_listed", test_limit=30), checkpoint.read("tiny")
    task = source.task()
    test = source.splits(task).test
    shift, order = general.read_all(("shifted", "reordered"), source, task, test, embedded=model.embedded)
    assert (shift.task.name, order.task.name) == ("cfa_listed_shifted", "cfa_listed_reordered")
    assert [e.id for e in order.examples] == [e.id for e in test]
    assert prompts.multiple_choice(order.examples[0]) != prompts.multiple_choice(test[0])
    for reference in ("reordered", "cfa_listed_reordered"):
        assert general.find(reference, source, task, test).key == order.key


def test_a_task_without_a_shifted_twin_is_refused_with_those_that_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--task", "cfa_shifted", "--method", "base", "--probe", "shifted", "--no-memory"]) == 2
    said = capsys.readouterr().err
    assert "cfa_shifted has no shifted twin" in said
    assert "cfa, cfa_listed, claims, sec_qa" in said


def test_an_unpaired_interval_is_newcombes() -> None:
    """Newcombe 1998, Stat. Med. 17:873, table II, case (a), method 10: 56/70 and 48/80 give 0.0524 to 0.3339."""
    wilson = [
        stats.Interval(0.8, 0.691826, 0.876918),  # 56 of 70
        stats.Interval(0.6, 0.490511, 0.700389),  # 48 of 80
    ]
    found = robustness.unpaired(*wilson)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=2e-4)


def said(texts: list[str | None]) -> list[Answer]:
    return [Answer(str(n), f"group {n // 2}", "a", text or "?", text) for n, text in enumerate(texts)]


def test_the_share_of_like_answers_counts_what_cannot_be_read_as_unlike_and_pools_seeds() -> None:
    first = (said(["a", "b", "a", None]), said(["a", "a", "a", None]))
    second = (said(["b", "b", "a", "a"]), said(["b", "b", "b", "a"]))
    one = robustness.share_same([first])
    both = robustness.share_same([first, second])
    assert one is not None
    assert both is not None
    assert one.value == 0.5
    assert both.value == pytest.approx((0.5 + 0.75) / 2)
    assert one.low < 0.5 < one.high
    assert robustness.share_same([([], first[1])]) is None
    assert robustness.share_same([]) is None


def test_answers_that_stay_for_all_have_an_interval_below_one() -> None:
    texts: list[str | None] = ["a"] * 40
    found = robustness.share_same([(said(texts), said(texts))])
    assert found is not None
    assert found.value == 1.0
    assert 0.7 < found.low < 1.0


def ask(job: Job, reporter: Reporter) -> None:
    """As `desk.guess` on the task; on its twins LoRA is right on two questions of three, base picks the first option."""
    guess(job, reporter)
    record = records.read_record(job.folder)
    task = job.source.task()
    test = job.source.unlimited().splits(task).test
    probes = {}
    for reference in job.probes:
        asked = general.find(reference, job.source, task, test)
        answers = []
        for n, e in enumerate(asked.examples):
            right = job.spec.method != "base" and n % 3
            text = e.target if right else e.choices[0]
            loglik = tuple(0.0 if choice == text else -1.0 for choice in e.choices)
            answers.append(Answer(e.id, e.group or e.id, e.target, text, text, e.choices, loglik, e.slices))
        probes[asked.task.name] = ProbeResult(
            data=asked.data,
            scoring=asked.task.scoring,
            scores=score_answers(answers, asked.task.metrics),
            parse_rate=1.0,
            chance=chance(asked.task, asked.examples),
            answers_sha256=records.write_answers(job.folder, answers, records.probe_file(asked.task.name)),
            cut_examples=0,
        )
    records.write_record(job.folder, logged_steps.with_probes(record, probes))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def shown(results: Path) -> str:
    """What is printed where base and LoRA were run on cfa_listed and asked both twins."""
    import contextlib
    import io

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        without_torch(patch)
        flags = ["--method", "base,lora", "--rank", "2", "--device", "cpu", "--no-memory", "--results", str(results)]
        assert (
            main(["--task", "cfa_listed", "--probe", "shifted,reordered", "--challengers", "none", *flags], work=ask)
            == 0
        )
    return out.getvalue()


def test_both_tables_are_printed_with_drop_and_like_answers(shown: str, results: Path) -> None:
    assert "▼ drops" in shown
    assert "option %" in shown
    assert "nothing to drop" in shown  # the base model picks the first option
    assert "forgot" not in shown
    document = (results / "leaderboard" / "cfa_listed.md").read_text()
    assert "## Robustness" in document
    assert "## Forgetting" not in document
    page = html.unescape((results / "report.html").read_text())
    words = " ".join(shown.split())  # of the terminal, which folds them
    for start in ("Same option: ", "Drop: ", "Nothing to drop: "):
        (line,) = re.findall(rf"<li>({start}.*?)</li>", page)
        assert line in words
    assert not (results / "figures" / "cfa_listed" / "forgetting.svg").exists()


def test_the_figures_of_the_tables_come_out_of_the_answers(shown: str, results: Path) -> None:
    import csv

    with (results / "leaderboard" / "cfa_listed.robustness.csv").open() as file:
        rows = {(row["method"], row["twin"]): row for row in csv.DictReader(file)}
    for run in records.read_all(results):
        usual = {a.id: a for a in run.answers()}
        again = run.probe_answers()["cfa_listed_reordered"]
        same = sum(usual[a.id].parsed == a.parsed for a in again) / len(again)
        row = rows[run.record.spec.method, "cfa_listed_reordered"]
        assert float(row["same"]) == pytest.approx(same)
        assert row["drop"] == ""
        there = rows[run.record.spec.method, "cfa_listed_shifted"]
        assert float(there["drop"]) == pytest.approx(float(there["usual"]) - float(there["value"]))
        assert float(there["drop_low"]) < float(there["drop"]) < float(there["drop_high"])
        assert there["same"] == ""
    assert float(rows["base", "cfa_listed_reordered"]["same"]) == 0.0  # it goes by place alone
    assert math.isclose(float(rows["lora", "cfa_listed_shifted"]["usual"]), 1.0)


def test_probed_runs_are_verified_and_a_changed_answer_is_found(
    shown: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(results)]) == 0, capsys.readouterr().out
    (folder,) = (path for path in (results / "runs").rglob("s0-*") if path.parent.name == "base")
    path = folder / records.probe_file("cfa_listed_reordered")
    kept, rows = path.read_bytes(), answer_rows.rows(path)
    rows[0]["choices"] = [rows[0]["choices"][0], rows[0]["choices"][2], rows[0]["choices"][1]]
    answer_rows.write_rows(path, rows)
    assert main(["verify", str(folder)]) == 1
    assert "probe cfa_listed_reordered" in capsys.readouterr().out
    path.write_bytes(kept)

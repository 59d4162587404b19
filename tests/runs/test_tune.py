"""`--tune N`: the same number of rates for every method and rank, chosen on validation alone, every trial kept."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.data.source import TaskSource
from harness.errors import DIVERGED
from harness.metrics import acc, accuracy
from harness.record import Record, RunSpec, Score
from harness.runs import runner, tune
from harness.runs.job import Job, Reporter
from harness.store import codec
from harness.store import records as store
from tests.support.cli_runner import Desk, guess, without_torch
from tests.support.records import SPEC, make_record, make_spec
from tests.support.sample_inputs import write_task

BEST = {"lora": 1, "full": 0}  # the place of the rate at which each method does best here, lowest first


def learn(job: Job, reporter: Reporter) -> None:
    """A worker that is right on fewer questions the further its rate is from the method's best; nothing trains."""
    guess(job, reporter)
    if job.spec.method == "base":
        return
    answers = store.read_answers(job.folder)
    off = abs(math.log(job.spec.learning_rate / best_rate(job.spec), tune.FACTOR))
    wrong = round(len(answers) * min(1.0, off / 4))
    said = [
        replace(a, text=other, parsed=other, loglik=()) if i < wrong and (other := _other(a.choices, a.target)) else a
        for i, a in enumerate(answers)
    ]
    right = 1 - wrong / len(answers)
    scores = {"acc": Score(right, right - 0.1, right + 0.1, len(answers), len(answers))}
    sha = store.write_answers(job.folder, said)
    store.write_record(job.folder, make_record(job.spec, scores=scores, answers_sha256=sha))


def _other(choices: tuple[str, ...], target: str) -> str:
    return next(choice for choice in choices if choice != target)


def best_rate(spec: RunSpec) -> float:
    from harness.data import registry

    return tune.rates(registry.method(spec.method).learning_rate(64), 3)[BEST[spec.method]]


def diverges_above(job: Job, reporter: Reporter) -> None:
    """As `learn`, but the loss of LoRA stops being a number at a rate above its best."""
    if job.spec.method == "lora" and job.spec.learning_rate > 1.5 * best_rate(job.spec):
        reason = f"{DIVERGED} nan at step 3 of 9"
        store.write_record(job.folder, make_record(job.spec, status="failed", scores={}, cost=None, reason=reason))
    else:
        learn(job, reporter)


def dies_above(job: Job, reporter: Reporter) -> None:
    """As `learn`, but the process of LoRA is killed at a rate above its best."""
    if job.spec.method == "lora" and job.spec.learning_rate > 1.5 * best_rate(job.spec):
        os.kill(os.getpid(), signal.SIGKILL)
    learn(job, reporter)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    made = Desk(tmp_path, capsys)
    made.work = learn
    return made


def records(folder: Path) -> list[Record]:
    return [run.record for run in store.find(folder)]


def chosen(desk: Desk) -> dict[str, RunSpec]:
    return {record.spec.name: record.spec for record in records(desk.results / "runs")}


# --- ids


def test_the_ids_of_runs_without_tuning_are_those_they_had_before_there_was_tuning() -> None:
    assert make_spec().id == "0419a3c323"
    assert make_spec(method="base", rank=0, alpha=0.0).id == "a63119a36b"


def test_a_record_holds_the_new_fields_only_where_they_say_something(tmp_path: Path) -> None:
    store.write_record(tmp_path, make_record())
    assert json.loads((tmp_path / store.RECORD).read_text())["spec"].keys() == SPEC.keys()
    tuned = make_spec(tuned_over=(0.003, 0.01, 0.03), split="validation")
    assert codec.decode(RunSpec, codec.encode(tuned)) == tuned
    assert len({tuned.id, make_spec().id, make_spec(split="validation").id, make_spec(tuned_over=(0.01,)).id}) == 4


@given(st.lists(st.floats(1e-6, 1.0), max_size=5), st.sampled_from(["test", "validation"]))
def test_the_spec_as_it_is_stored_hashes_to_the_id(rates: list[float], split: str) -> None:
    spec = make_spec(tuned_over=tuple(rates), split=split)
    text = json.dumps(codec.encode(make_record(spec))["spec"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest()[:10] == spec.id


# --- rates and the choice


@given(st.floats(1e-6, 1.0), st.integers(1, 9))
def test_rates_are_evenly_spaced_on_a_log_scale_around_the_default(default: float, count: int) -> None:
    found = tune.rates(default, count)
    assert len(found) == count
    assert default in found
    steps = [math.log(b / a) for a, b in itertools.pairwise(found)]
    assert steps == pytest.approx([math.log(tune.FACTOR)] * (count - 1), abs=0.02)
    below = sum(rate < default for rate in found)
    assert below - (count - 1 - below) in (0, 1)


def trial(rate: float, value: float | None, *, reason: str = "") -> tuple[RunSpec, Record]:
    spec = make_spec(learning_rate=rate, split="validation")
    if value is None:
        return spec, make_record(spec, status="failed", scores={}, reason=reason)
    return spec, make_record(spec, scores={"accuracy": Score(value, 0, 1, 12, 6), "cost": Score(value, 0, 1, 12, 6)})


def test_the_best_on_validation_is_chosen_and_of_equals_the_nearest_to_the_default() -> None:
    assert tune.choose([trial(0.003, 0.5), trial(0.01, 0.6), trial(0.03, 0.7)], 0.01, accuracy) == 0.03
    assert tune.choose([trial(0.003, 0.7), trial(0.01, 0.7), trial(0.03, 0.7)], 0.01, accuracy) == 0.01
    assert tune.choose([trial(0.001, 0.7), trial(0.01, 0.6), trial(0.1, 0.7)], 0.01, accuracy) == 0.001
    lower = replace(accuracy, name="cost", higher_is_better=False)
    assert tune.choose([trial(0.003, 0.5), trial(0.01, 0.6), trial(0.03, 0.7)], 0.01, lower) == 0.003
    assert tune.choose([trial(0.003, 0.5), trial(0.01, None)], 0.01, accuracy) == 0.003
    assert tune.choose([trial(0.003, None), trial(0.01, None)], 0.01, accuracy) is None


# --- the program


def test_every_method_and_rank_gets_the_same_number_of_trials_on_validation(desk: Desk) -> None:
    assert desk.train("--tune", "3", "--rank", "2,4", "--seeds", "2") == 0
    found = records(desk.results / "trials")
    assert {record.spec.split for record in found} == {"validation"}
    assert {record.spec.seed for record in found} == {0}
    rates: dict[str, set[float]] = {}
    for record in found:
        rates.setdefault(record.spec.name, set()).add(record.spec.learning_rate)
    assert {name: len(values) for name, values in rates.items()} == {"lora-r2": 3, "lora-r4": 3, "full": 3}
    assert len(found) == 9
    assert all((run.folder / store.ANSWERS).exists() for run in store.read_trials(desk.results))


def test_the_chosen_rate_goes_into_the_spec_with_what_it_was_chosen_from(desk: Desk) -> None:
    desk.train("--tune", "3", "--seeds", "2")
    for name, spec in chosen(desk).items():
        if name == "base":
            assert spec.tuned_over == ()
            continue
        trials = tune.trials_of_run(spec, desk.results)
        assert [run.record.spec.learning_rate for run in trials] == list(spec.tuned_over)
        assert spec.learning_rate == spec.tuned_over[BEST[spec.method]]
        best = max(trials, key=lambda run: run.record.scores["acc"].value)
        assert best.record.spec.learning_rate == spec.learning_rate
    assert {record.spec.seed for record in records(desk.results / "runs")} == {0, 1}


def test_tables_show_no_trial_and_say_which_rates_were_tried(desk: Desk) -> None:
    desk.train("--tune", "3")
    rows = list(csv.DictReader((desk.results / "leaderboard" / "toy.csv").read_text().splitlines()))
    assert [row["method"] for row in rows if row["metric"] == "acc"] == ["base", "lora", "full"]
    specs = chosen(desk)
    full = next(row for row in rows if row["method"] == "full")
    assert [float(rate) for rate in full["tuned_over"].split()] == list(specs["full"].tuned_over)
    assert rows[0]["tuned_over"] == ""
    assert f"full {specs['full'].learning_rate:.2g}" in next(
        line for line in desk.out.splitlines() if "tuned  " in line
    )
    assert "learning rate (" not in desk.out


def test_the_plan_counts_the_trials_and_does_nothing(desk: Desk) -> None:
    flags = ("--task", str(desk.task), "--model", str(desk.model), "--no-memory", "--rank", "2", "--tune", "5")
    assert desk.run("plan", *flags, "--method", "base,lora,full") == 0
    assert "3 runs · 10 trials of learning rates, 5 for each method and rank, on validation" in desk.out
    assert desk.out.count("after its trials") == 2
    assert not desk.results.exists()
    assert desk.run("plan", *flags, "--method", "full") == 0
    assert "1 run · 5 trials" in desk.out


def test_running_again_keeps_trials_and_choices_and_more_seeds_reuse_them(desk: Desk) -> None:
    desk.train("--tune", "3")
    before = {path: path.stat().st_mtime_ns for path in desk.results.rglob(store.RECORD)}
    assert desk.train("--tune", "3", "--seeds", "2") == 0
    after = {path: path.stat().st_mtime_ns for path in desk.results.rglob(store.RECORD)}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2


def test_a_rate_whose_loss_is_no_number_is_a_result_and_not_tried_again(desk: Desk) -> None:
    desk.work = diverges_above
    assert desk.train("--tune", "3") == 0
    assert len(chosen(desk)["lora-r2"].tuned_over) == 3
    before = {path: path.stat().st_mtime_ns for path in desk.results.rglob(store.RECORD)}
    assert desk.train("--tune", "3") == 0
    assert before == {path: path.stat().st_mtime_ns for path in desk.results.rglob(store.RECORD)}


def test_a_trial_that_was_killed_leaves_its_run_out_until_it_has_run(desk: Desk) -> None:
    desk.work = dies_above
    assert desk.train("--tune", "3") == 1
    assert "lora  r2   s0 is not run: the trial at" in desk.err
    assert set(chosen(desk)) == {"base", "full"}
    desk.work = learn
    assert desk.train("--tune", "3") == 0
    assert chosen(desk)["lora-r2"].learning_rate == best_rate(chosen(desk)["lora-r2"])


def test_ctrl_c_among_the_trials_starts_no_run_and_the_same_command_continues(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner.run

    def one_then_stop(jobs: list[Job], *rest: Any) -> runner.Result:
        return replace(run(jobs[:1], *rest), interrupted=True)

    monkeypatch.setattr("harness.cli.commands.run.runner.run", one_then_stop)
    assert desk.train("--tune", "3") == 130
    assert "continue" in desk.out
    assert len(records(desk.results / "trials")) == 1
    assert not (desk.results / "runs").exists()
    monkeypatch.setattr("harness.cli.commands.run.runner.run", run)
    assert desk.train("--tune", "3") == 0
    assert desk.err.count("finished before") == 1
    assert len(records(desk.results / "trials")) == 6


def test_where_every_trial_fails_the_run_goes_untuned_and_does_not_claim_otherwise() -> None:
    asked = (make_spec(test_examples=40),)
    failed = make_record(status="oom", scores={}, reason="needed 12.0 GiB")
    found = tune.choose_rates(asked, 3, acc, lambda spec: replace(failed, spec=spec), examples=12)
    assert found == tune.ChosenRates(asked, ())
    waiting = tune.choose_rates(asked, 3, acc, lambda spec: None, examples=12)
    assert [spec for spec, _ in waiting.waiting] == list(asked)
    assert waiting.specs == ()


# --- the test split


def shuffle_test_gold(path: Path) -> None:
    """Give every example of the test split, and no other, another gold answer."""
    from harness.data import loading

    ids = {example.question for example in loading.load_splits(TaskSource(str(path)).task()).test}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["question"] in ids:
            row["answer"] = next(choice for choice in row["choices"] if choice != row["answer"])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_other_gold_answers_in_the_test_split_change_no_trial_and_no_choice(desk: Desk) -> None:
    desk.train("--tune", "3")
    first = [(path.relative_to(desk.results).parts[:4], path.read_bytes()) for path in trial_answers(desk)]
    rates = {name: spec.learning_rate for name, spec in chosen(desk).items()}
    desk.results.rename(desk.folder / "before")
    shuffle_test_gold(desk.task)
    desk.train("--tune", "3")
    again = [(path.relative_to(desk.results).parts[:4], path.read_bytes()) for path in trial_answers(desk)]
    assert sorted(first) == sorted(again)
    assert {name: spec.learning_rate for name, spec in chosen(desk).items()} == rates


def trial_answers(desk: Desk) -> list[Path]:
    return list((desk.results / "trials").rglob(store.ANSWERS))


def test_a_real_trial_is_asked_validation_questions_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from harness.model import answer as evaluate
    from harness.runs import plan, worker
    from harness.runs.options import Options
    from harness.training import loop
    from tests.runs.test_worker import Ear
    from tests.support.tiny_models import toy_folder

    options = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        methods=("lora",),
        model=str(toy_folder(tmp_path / "toymodel")),
        results=tmp_path / "results",
        ranks=(4,),
        epochs=1.0,
        dtype="fp32",
        device="cpu",
        memory=False,
        tune=2,
    )
    (made,) = plan.make(options)
    assert made.specs == ()
    assert made.tuning is not None
    seen: list[str] = []
    answer, fit = evaluate.answer, loop.fit

    def listening(model: object, tokenizer: object, examples: object, *rest: object, **more: object) -> object:
        seen.extend(example.id for example in examples)  # type: ignore[attr-defined]
        return answer(model, tokenizer, examples, *rest, **more)  # type: ignore[arg-type]

    def counting(model: object, tokenizer: object, pairs: list[object], *rest: object, **more: object) -> object:
        assert len(pairs) == len(made.splits.train)
        return fit(model, tokenizer, pairs, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluate, "answer", listening)
    monkeypatch.setattr(loop, "fit", counting)
    for job in made.tuning.jobs():
        store.prepare(job.folder)
        worker.run(replace(job, threads=1), Ear())
        assert store.read_record(job.folder).status == "ok"
    asked = {example.id for example in made.splits.validation}
    assert set(seen) == asked
    assert len(seen) == 2 * len(asked)
    assert asked.isdisjoint(example.id for example in made.splits.test)
    (spec,) = plan.update(made).specs
    assert len(spec.tuned_over) == 2
    assert metrics.acc.name in store.read_record(made.tuning.jobs()[0].folder).scores

"""Probes: what a model is asked as well, and not trained on. Named and checked at planning, asked and kept by the worker."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.data import loading, probes, registry
from harness.errors import HarnessError
from harness.metrics.scoring import chance
from harness.model import checkpoint
from harness.model.checkpoint import TINY
from harness.record import Record
from harness.report import leaderboard
from harness.report.figures import cache, write
from harness.runs import plan, worker
from harness.runs.forecast import preflight
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import codec, records, withhold
from harness.tiny import questions, skills
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files
from tests.runs.conftest import model  # noqa: F401 - a fixture
from tests.runs.test_worker import Ear, job_of, planned  # noqa: F401 - fixtures
from tests.support import answer_rows
from tests.support.cli_runner import Desk, without_torch
from tests.support.probe_runner import ask
from tests.support.records import make_spec
from tests.support.sample_inputs import toy_options, write_task

DRAW = write.write  # before a test sets it to nothing


@pytest.fixture
def asked(tmp_path: Path) -> Options:
    """A task, a look-alike of a model, and another file to probe with."""
    other = write_task(tmp_path / "other.jsonl")
    other.write_text(other.read_text().replace("Filing", "Claim"))
    return replace(toy_options(tmp_path), probes=(str(other),))


def refusal(options: Options) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        plan.make(options)
    return caught.value


def test_a_run_without_probes_has_the_id_it_always_had() -> None:
    plain = make_spec()
    assert "probes" not in plain.fields()
    assert plain.id == "0419a3c323"
    assert replace(plain, probes=("other@0",)).id != plain.id


def test_a_record_from_before_probes_reads(planned: Plan) -> None:  # noqa: F811
    job = job_of(planned, "base")
    worker.run(job, Ear())
    path = job.folder / records.RECORD
    content = json.loads(path.read_text())
    assert content.pop("probes") == {}
    assert codec.decode(Record, content).probes == {}


def test_the_base_model_and_what_trains_are_probed_and_nothing_else(asked: Options) -> None:
    chosen = replace(asked, methods=("base", "fewshot", "lora"), ranks=(2,), scoring="both", tune=2)
    (made,) = plan.make(chosen)
    (key,) = {probe for spec in made.default_specs for probe in spec.probes}
    assert key.startswith("other@")
    assert {(s.method, s.scoring) for s in made.default_specs if s.probes} == {("base", "choices"), ("lora", "choices")}
    assert {(s.method, s.scoring) for s in made.default_specs if not s.probes} == {
        ("base", "generate"),
        ("fewshot", "choices"),
    }
    assert made.trials
    assert not any(trial.probes for trial in made.trials)


def test_a_probe_that_changes_makes_other_runs(asked: Options) -> None:
    before = plan.make(asked)[0].specs[0].id
    path = Path(asked.probes[0])
    path.write_text(path.read_text().replace("Claim", "Motion"))
    assert plan.make(asked)[0].specs[0].id != before


@pytest.mark.parametrize(
    ("name", "fix"), [("generl", "did you mean 'general'"), ("wikitxt", "did you mean 'wikitext'")]
)
def test_a_name_that_nobody_has_is_refused_with_the_nearest(asked: Options, name: str, fix: str) -> None:
    problem = refusal(replace(asked, probes=(name,)))
    assert name in problem.problem
    assert fix in problem.fix


def test_what_is_trained_on_is_no_probe(asked: Options) -> None:
    assert "itself" in refusal(replace(asked, probes=asked.tasks)).problem


def test_a_probe_without_its_data_is_refused_before_anything_trains(asked: Options, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    problem = refusal(replace(asked, probes=("general",), data=tmp_path / "empty"))
    assert "missing" in problem.problem
    assert "arc" in problem.where or "ai2_arc" in problem.where


def test_general_is_the_embedded_models_own_skills_and_public_tasks_for_others(asked: Options) -> None:
    tiny, other = checkpoint.read("tiny"), checkpoint.read(asked.model)
    assert probes.references(("general",), "cfa", embedded=tiny.embedded) == ("tiny_skills",)
    assert probes.references(("cfa", "general", "arc_challenge"), "fpb", embedded=other.embedded) == (
        "cfa",
        "arc_challenge",
        "openbookqa",
        "mmlu",
        "gsm8k_number",
        "wikitext",
    )


def test_the_skills_are_those_of_the_suite_and_fit_what_may_be_written() -> None:
    import random

    from harness.model.loading import load_tokenizer

    splits = loading.load_splits(questions.TASK)
    assert len(splits.test) == 40 * len(skills.SKILLS) <= probes.MAX_QUESTIONS
    first = {name: make(random.Random(f"held out/{name}"))[0] for name, (make, _) in skills.SKILLS.items()}
    for name, pair in first.items():
        assert pair in {(e.question, e.target) for e in splits.test if e.slices["skill"] == name}
    tokenizer = load_tokenizer(TINY)
    longest = max(len(tokenizer(e.target)["input_ids"]) for e in splits.test)
    assert longest < questions.TASK.max_new_tokens
    assert registry.recorded()[questions.NAME] == registry.task(questions.NAME) == questions.TASK
    assert questions.NAME not in registry.tasks()


@pytest.mark.parametrize("method", ["base", "lora"])
def test_a_probed_run_keeps_what_was_said_and_its_own_answers_stay(
    planned: Plan,  # noqa: F811
    tmp_path: Path,
    method: str,
) -> None:
    plain = job_of(planned, method)
    worker.run(plain, Ear())
    other = write_task(tmp_path / "other.jsonl", rows=90)
    other.write_text(other.read_text().replace("Filing", "Claim"))
    (made,) = plan.make(replace(planned.options, probes=(str(other),)))
    job = job_of(made, method)
    worker.run(job, Ear())
    record = records.read_record(job.folder)
    assert record.status == "ok", record.reason
    assert record.spec == job.spec != plain.spec
    assert record.answers_sha256 == records.read_record(plain.folder).answers_sha256
    assert set(record.probes) == {"other"}
    assert record.cost is not None
    assert record.cost.phases["probe"].peak_bytes > 0
    kept = record.probes["other"]
    said = records.read_answers(job.folder, records.probe_file("other"))
    assert kept.answers_sha256 == records.answers_sha256(job.folder, records.probe_file("other"))
    assert records.Run(job.folder, record).probe_answers()["other"] == said
    right = sum(answer.parsed == answer.target for answer in said) / len(said)
    assert kept.scores["acc_norm"].value == pytest.approx(right)
    assert kept.chance == chance(made.probes[0].task, made.probes[0].examples)
    as_run = probes.as_run(record, "other")
    assert (as_run.spec.task, as_run.spec.test_examples, as_run.scores) == ("other", len(said), kept.scores)
    records.prepare(job.folder)
    assert not list(job.folder.glob(records.PROBES))


def test_questions_that_the_window_is_too_short_for_are_refused_before_anything_trains(planned: Plan) -> None:  # noqa: F811
    (made,) = plan.make(replace(planned.options, probes=(questions.NAME,)))
    with pytest.raises(HarnessError, match="tokens without its context"):
        preflight.look(made.preflight(made.ahead, predict=False))


def test_a_probe_that_changed_since_the_plan_is_not_asked(planned: Plan, tmp_path: Path) -> None:  # noqa: F811
    other = write_task(tmp_path / "other.jsonl", rows=90)
    (made,) = plan.make(replace(planned.options, probes=(str(other),)))
    other.write_text(other.read_text().replace("Filing", "Claim"))
    job = job_of(made, "base")
    worker.run(job, Ear())
    assert "changed since" in records.read_record(job.folder).reason


@pytest.fixture
def probed_with_figures(probed: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk of `probed`, which draws figures from now on."""
    monkeypatch.setattr(write, "write", DRAW)
    shutil.rmtree(probed.results / cache.FOLDER)  # the note that there are none
    return probed


@pytest.fixture
def probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk at which base, LoRA and full were run on a task and asked another."""
    without_torch(monkeypatch)
    desk, other = Desk(tmp_path, capsys), write_task(tmp_path / "other.jsonl", rows=120)
    desk.work = ask
    other.write_text(other.read_text().replace("Filing", "Claim"))
    assert desk.train("--probe", str(other)) == 0, desk.err
    return desk


def test_what_was_forgotten_is_shown_kept_and_verified(probed_with_figures: Desk, tmp_path: Path) -> None:
    probed = probed_with_figures
    shown = probed.out
    assert "▼ forgot" in shown
    assert "On the probe: difference from it on other" in shown
    assert "probes     other, 36 questions" in shown
    assert probed.run("report") == 0
    board = probed.results / "leaderboard"
    assert "▼ forgot" in (board / "toy.md").read_text()
    assert (board / "toy.csv").read_text().split("\n")[0].split(",") == list(leaderboard.COLUMNS)
    assert (board / "toy.forgetting.csv").read_text().count("\n") == 4
    assert ET.parse(probed.results / "figures/toy/forgetting.svg").getroot() is not None
    page = (probed.results / "report.html").read_text()
    assert "against its change on a probe" in page
    assert "▼ forgot" in page
    data_files = ["--task", str(probed.task), "--task", str(tmp_path / "other.jsonl")]
    assert main(["verify", str(probed.results), *data_files]) == 0


def test_a_changed_answer_to_a_probe_is_found(probed: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (path for path in (probed.results / "runs").rglob("s0-*") if path.parent.name == "full")
    path = folder / records.probe_file("other")
    rows = answer_rows.rows(path)
    row = next(row for row in rows if row["text"] != row["target"])
    row["loglik"] = [-0.5 if choice == row["target"] else -1.5 for choice in row["choices"]]
    row["text"] = row["parsed"] = row["target"]
    answer_rows.write_rows(path, rows)
    data_files = ["--task", str(probed.task), "--task", str(tmp_path / "other.jsonl")]
    capsys.readouterr()
    assert main(["verify", str(folder), *data_files]) == 1
    out = capsys.readouterr().out
    assert f"{files.ANSWERS_CHECKSUM}: probe other" in out
    assert f"{arithmetic.SCORES}: probe other" in out
    record = records.read_record(folder)
    digest = records.answers_sha256(folder, path.name)
    records.write_record(
        folder, replace(record, probes={"other": replace(record.probes["other"], answers_sha256=digest)})
    )
    assert main(["verify", str(folder), *data_files]) == 1
    out = capsys.readouterr().out
    assert "checksum" not in out
    assert f"{arithmetic.SCORES}: probe other" in out


def test_answers_to_a_probe_are_published_with_the_run(probed: Desk) -> None:
    runs = records.read_all(probed.results)
    new = records.publish(probed.results, runs)
    assert len(new) == 3
    for folder, run in zip(new, runs, strict=True):
        assert (folder / records.probe_file("other")).read_bytes() == (
            run.folder / records.probe_file("other")
        ).read_bytes()
    hidden = {run.record.spec.id: {"other": withhold.stand_in_answers(run.probe_answers()["other"])} for run in runs}
    with pytest.raises(HarnessError, match="never overwritten"):
        records.publish(probed.results, runs, None, hidden)
    shutil.rmtree(probed.results / "published")
    for folder in records.publish(probed.results, runs, None, hidden):
        kept = records.read_record(folder).probes["other"]
        assert kept.answers_sha256 == records.answers_sha256(folder, records.probe_file("other"))
        assert all(withhold.is_withheld(a) for a in records.read_answers(folder, records.probe_file("other")))

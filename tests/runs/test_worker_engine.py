"""Runs whose answers another engine computes: recorded with it, trained once, and never in a table with other engines."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters import replay
from harness.analysis.compare import cells
from harness.analysis.sections import sections
from harness.errors import HarnessError
from harness.methods import COMPARED
from harness.metrics.scoring import score_answers
from harness.report import comparison
from harness.report.leaderboard import leaderboard
from harness.report.names import engine_words
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records, training_files
from harness.verify.run import verify
from tests.challengers.test_runs import Ear
from tests.support import fake_vllm
from tests.support.analyses import compare_runs
from tests.support.sample_inputs import write_task
from tests.support.tiny_models import toy_folder

ENGINE = "vllm 9.9"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("engines")
    return Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        methods=("base", "lora"),
        ranks=(2,),
        epochs=1.0,
        model=str(toy_folder(folder / "toy")),
        results=folder / "results",
        memory=False,
        jobs=1,
    )


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == "vllm" else versions(name))
    fake_vllm.install(monkeypatch)


def done(options: Options) -> list[records.Run]:
    """Do the runs of these options; return them in the order of the plan."""
    (made,) = plan.make(options)
    for job in made.jobs():
        records.prepare(job.folder)
        worker.run(job, Ear())
    folders = [records.run_dir(options.results, spec) for spec in made.specs]
    return [records.Run(folder, records.read_record(folder)) for folder in folders]


def test_an_engine_answers_with_the_adapter_of_the_run_before_and_stands_in_a_table_of_its_own(
    options: Options,
) -> None:
    base, lora = done(options)
    base_by_engine, lora_by_engine = done(replace(options, engine="vllm"))
    for own, other in ((base, base_by_engine), (lora, lora_by_engine)):
        assert (other.record.status, other.record.reason) == ("ok", "")
        assert (own.record.spec.engine, other.record.spec.engine) == ("", ENGINE)
        assert own.record.spec.id != other.record.spec.id
        assert other.record.environment.packages["vllm"] == "9.9"
        assert other.record.cost is not None
        assert {"engine", "evaluate"} <= set(other.record.cost.phases)
        faults = [check.name for check in verify(other.folder, options.source(options.tasks[0]).task()) if not check.ok]
        assert faults == []
    assert lora_by_engine.record.adapter_sha256 == lora.record.adapter_sha256 != ""
    assert training_files.weights_sha256(lora_by_engine.folder) == lora.record.adapter_sha256
    assert lora_by_engine.record.steps_sha256 == lora.record.steps_sha256  # with its seconds: it was not trained again
    assert lora.record.cost
    assert lora_by_engine.record.cost
    assert lora_by_engine.record.cost.phases["train"] == lora.record.cost.phases["train"]
    assert lora_by_engine.record.final_loss == lora.record.final_loss

    runs = [(run.record, run.answers()) for run in (base, lora, base_by_engine, lora_by_engine)]
    first, second = sections(cells(runs))
    assert {cell.spec.engine for cell in first.cells} == {""}
    assert {cell.spec.engine for cell in second.cells} == {ENGINE}
    assert f"by {ENGINE}" in second.title
    labels = [row["label"] for row in leaderboard(cells(runs)) if row["metric"] == first.metric_name]
    assert labels == ["base", "lora r2", f"base by {ENGINE}", f"lora r2 by {ENGINE}"]
    assert engine_words(first) == []
    assert ENGINE in engine_words(second)[0]

    compared = compare_runs(runs[1], runs[3])
    assert compared.engines is not None
    assert (compared.engines.first, compared.engines.second) == ("transformers", ENGINE)
    assert compared.engines.same_weights
    assert compared.engines.questions == lora.record.spec.test_examples
    assert compared.engines.changed <= compared.engines.questions // 10  # equal but for rounding
    assert any("on the same adapter" in line for line in comparison.verdict(compared))
    assert compare_runs(runs[0], runs[3]).engines is None


def test_an_answer_that_another_engine_changed_is_counted(options: Options) -> None:
    base = done(options)[0]
    record, answers = base.record, base.answers()
    others = [next(choice for choice in answer.choices if choice != answer.parsed) for answer in answers]
    changed = [
        replace(answer, parsed=other, text=other) if number < 5 else answer
        for number, (answer, other) in enumerate(zip(answers, others, strict=True))
    ]
    scores = score_answers(changed, options.source(options.tasks[0]).task().metrics)
    other = replace(record, spec=replace(record.spec, engine=ENGINE), scores=scores)
    change = compare_runs((record, answers), (other, changed)).engines
    assert change is not None
    assert (change.changed, change.questions) == (5, len(answers))
    assert change.low < change.rate < change.high


def test_without_a_run_before_the_engine_gets_weights_that_are_trained_for_it(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = done(replace(options, results=tmp_path / "alone", engine="vllm", methods=("lora",)))[0]
    before = done(replace(options, methods=("lora",)))[0]
    assert alone.record.status == "ok"
    assert alone.record.adapter_sha256 == before.record.adapter_sha256
    assert alone.record.steps_sha256 != before.record.steps_sha256  # its own seconds
    assert [a.text for a in alone.answers()] == [a.text for a in before.answers()]

    versions = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.10" if name == "vllm" else versions(name))
    newer = done(replace(options, results=tmp_path / "alone", engine="vllm", methods=("lora",)))[0]
    assert newer.record.spec.engine == "vllm 9.10"
    assert newer.record.steps_sha256 == alone.record.steps_sha256  # taken over


def test_an_engine_that_gives_no_answer_makes_a_failed_run(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(fake_vllm.LLM):
        def generate(self, *arguments: object, **settings: object) -> list[object]:
            return []

    fake_vllm.install(monkeypatch, Silent)
    (run,) = done(replace(options, results=tmp_path / "failed", engine="vllm", methods=("base",)))
    assert run.record.status == "failed"
    assert "vLLM gave 0 answers" in run.record.reason
    assert run.record.scores == {}


def test_a_replay_does_not_start_the_engine_and_says_so(options: Options, tmp_path: Path) -> None:
    (made,) = plan.make(replace(options, results=tmp_path / "replay", engine="vllm", methods=("base",)))
    (job,) = made.jobs()
    assert replay.ask(job, job.folder, (0,)).reason == f"its answers are those of {ENGINE}, which is not started again"


def test_the_default_rows_are_those_that_an_engine_can_load_and_others_are_refused(options: Options) -> None:
    (made,) = plan.make(replace(options, methods=COMPARED, engine="vllm"))
    assert {spec.method for spec in made.specs} == {"base", "calibrated", "fewshot", "lora"}
    with pytest.raises(HarnessError, match="cannot load the weights of full"):
        plan.make(replace(options, methods=("base", "full"), engine="vllm"))


def test_no_engine_keeps_old_ids(options: Options) -> None:
    (made,) = plan.make(options)
    assert all("engine" not in spec.fields() for spec in made.specs)

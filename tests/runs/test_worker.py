"""The worker's promises, kept with a Llama of 20,000 weights: what a finished run leaves, and what an unfinished one."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness import processes
from harness.errors import HarnessError
from harness.metrics.scoring import score_answers
from harness.runs import plan, worker
from harness.runs.job import Event, Job, Progress, RunEnd
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records
from tests.support.data_files import asked, written
from tests.support.sample_inputs import write_task

pytest.importorskip("torch")


class Ear:
    """A reporter that keeps what it is told and asks to stop after `patience` events."""

    def __init__(self, patience: int = 10**9) -> None:
        self.events: list[Event] = []
        self.patience = patience

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def should_stop(self) -> bool:
        return len(self.events) >= self.patience


@pytest.fixture
def planned(tmp_path: Path, model: Path) -> Plan:
    options = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        model=str(model),
        results=tmp_path / "results",
        ranks=(4,),
        epochs=1.0,
        batch_size=8,
        dtype="fp32",
        device="cpu",
        memory=False,
    )
    return plan.make(options)[0]


def job_of(planned: Plan, method: str) -> Job:
    job = next(job for job in planned.jobs() if job.spec.method == method)
    records.prepare(job.folder)
    return replace(job, threads=1)


def texts_below(folder: Path) -> Sequence[str]:
    return [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("method", ["base", "lora", "qlora", "full"])
def test_a_run_leaves_a_record_with_scores_and_a_cost_for_each_phase(planned: Plan, method: str) -> None:
    job, ear = job_of(planned, method), Ear()
    worker.run(job, ear)
    record = records.read_record(job.folder)
    assert record.status == "ok", record.reason
    assert ear.events[-1] == RunEnd("ok")
    assert record.spec == job.spec
    assert record.scores["acc_norm"].n == job.spec.test_examples
    assert record.cost is not None
    trains = method != "base"
    assert list(record.cost.phases) == (["load", "train", "evaluate"] if trains else ["load", "evaluate", "validation"])
    assert all(phase.seconds > 0 and phase.peak_bytes > 0 for phase in record.cost.phases.values())
    assert record.cost.weights == planned_weights(job)
    if trains:
        assert record.cost.parts is not None
        parts = vars(record.cost.parts)
        assert sum(parts.values()) == record.cost.phases["train"].peak_bytes
        assert min(parts.values()) >= 0
        assert record.final_loss is not None
        assert math.isfinite(record.final_loss)
        steps = records.read_steps(job.folder)
        assert [step["step"] for step in steps] == list(range(1, steps[0]["steps"] + 1))
        assert any(isinstance(event, Progress) and event.phase == "train" for event in ear.events)
    assert (record.cost.trained_weights > 0) == trains


def planned_weights(job: Job) -> int:
    from harness.model import loading

    return loading.shape(str(job.model_folder)).weights


def test_the_answers_are_the_evidence_of_the_scores(planned: Plan) -> None:
    job = job_of(planned, "base")
    worker.run(job, Ear())
    record, answers = records.read_record(job.folder), records.read_answers(job.folder)
    assert record.answers_sha256 == records.answers_sha256(job.folder)
    assert [answer.id for answer in answers] == [example.id for example in planned.splits.test]
    right = sum(answer.parsed == answer.target for answer in answers) / len(answers)
    assert record.scores["acc_norm"].value == pytest.approx(right)
    assert record.chance is not None


@pytest.mark.parametrize("method", ["base", "lora"])
def test_untrained_rows_alone_answer_validation_questions_and_their_answers_are_stored(
    planned: Plan, method: str
) -> None:
    job = job_of(planned, method)
    worker.run(job, Ear())
    record = records.read_record(job.folder)
    assert (record.validation is None) == (method == "lora")
    if record.validation is not None:
        answers = records.read_answers(job.folder, records.VALIDATION)
        assert [answer.id for answer in answers] == [example.id for example in planned.splits.validation]
        assert record.validation.scores == score_answers(answers, planned.task.metrics)
        assert record.validation.answers_sha256 == records.answers_sha256(job.folder, records.VALIDATION)


def test_the_record_says_what_guessing_scores_where_the_task_does_not(planned: Plan, tmp_path: Path) -> None:
    task = written(tmp_path, asked(), "asked.jsonl")
    (made,) = plan.make(replace(planned.options, tasks=(str(task),), methods=("base",)))
    assert made.task.chance is None
    job = job_of(made, "base")
    worker.run(job, Ear())
    record = records.read_record(job.folder)
    assert record.chance == pytest.approx(1 / 3)
    assert record.guess == "guessing"


def test_runs_on_cuda_ask_for_repeatable_kernels_and_go_on_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    asked_for: list[tuple[tuple[bool, ...], dict[str, bool]]] = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *a, **k: asked_for.append((a, k)))
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    worker.repeatable("cpu")
    assert asked_for == []
    worker.repeatable("cuda")
    assert asked_for == [((True,), {"warn_only": True})]
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert processes.QUIET["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_two_runs_of_a_spec_give_the_same_answers_byte_for_byte(planned: Plan) -> None:
    job = job_of(planned, "lora")
    worker.run(job, Ear())
    first = (job.folder / records.ANSWERS).read_bytes()
    records.prepare(job.folder)
    worker.run(job, Ear())
    assert (job.folder / records.ANSWERS).read_bytes() == first


def test_an_adapter_is_written_that_peft_loads_and_that_gives_the_trained_model(planned: Plan) -> None:
    job = job_of(planned, "lora")
    worker.run(job, Ear())
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(job.model_folder)
    ids = torch.arange(1, 9)[None]
    plain = base(ids).logits
    tuned = PeftModel.from_pretrained(base, str(job.folder / records.ADAPTER))(ids).logits
    assert not torch.allclose(plain, tuned)
    cost = records.read_record(job.folder).cost
    assert cost is not None
    assert cost.adapter_bytes >= 4 * cost.trained_weights


def test_nothing_a_run_leaves_names_a_path_of_this_machine(planned: Plan) -> None:
    job = job_of(planned, "lora")
    worker.run(job, Ear())
    for text in texts_below(job.folder):
        assert str(job.model_folder) not in text
        assert str(job.folder) not in text


def test_full_weights_are_kept_only_where_asked_for(planned: Plan) -> None:
    job = job_of(planned, "full")
    worker.run(job, Ear())
    assert not list(job.folder.rglob("*.safetensors"))
    worker.run(replace(job, save_full=True), Ear())
    assert (job.folder / "model" / "model.safetensors").exists()
    records.prepare(job.folder)
    assert not (job.folder / "model").exists()


def test_a_run_asked_to_stop_finishes_its_step_and_writes_interrupted(planned: Plan) -> None:
    job, ear = job_of(planned, "lora"), Ear(patience=2)
    worker.run(job, ear)
    record = records.read_record(job.folder)
    assert record.status == "interrupted"
    assert not record.scores
    assert 1 <= len(records.read_steps(job.folder)) < records.read_steps(job.folder)[0]["steps"]


def test_data_that_changed_since_the_plan_is_not_trained_on(planned: Plan) -> None:
    job = job_of(planned, "base")
    path = Path(job.source.name)
    path.write_text(path.read_text().replace("Filing 1 ", "Filing one "))
    worker.run(job, Ear())
    record = records.read_record(job.folder)
    assert record.status == "failed"
    assert "changed since" in record.reason


def test_a_bug_becomes_a_failed_record_and_its_traceback_goes_into_the_log(
    planned: Plan, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from harness.model import answer as evaluate

    def broken(*_: object, **__: object) -> None:
        raise KeyError("where it broke")

    monkeypatch.setattr(evaluate, "answer", broken)
    job = job_of(planned, "base")
    worker.run(job, Ear())
    record = records.read_record(job.folder)
    assert record.status == "failed"
    assert record.reason.startswith("KeyError: 'where it broke' (test_worker.py:")
    assert "Traceback" in capfd.readouterr().err


def test_a_full_disk_is_told_where_no_record_can_be_written(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job, ear = job_of(planned, "base"), Ear()
    monkeypatch.setattr("harness.store.files.os.fsync", full)
    worker.run(job, ear)
    last = ear.events[-1]
    assert isinstance(last, RunEnd)
    assert last.status == "failed"
    assert "No space left" in last.reason
    assert not (job.folder / records.RECORD).exists()


def oom_errors() -> list[BaseException]:
    import torch

    return [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
    ]


@pytest.mark.parametrize("error", oom_errors(), ids=lambda error: type(error).__name__)
def test_every_way_to_run_out_of_memory_is_oom(error: BaseException) -> None:
    status, reason = worker.explain(error)
    assert status == "oom"
    assert reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (HarnessError("the loss is nan at step 3 of 9"), "the loss is nan at step 3 of 9"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
    ],
)
def test_other_errors_are_failed_with_one_line(error: BaseException, reason: str) -> None:
    assert worker.explain(error) == ("failed", reason)


def test_progress_is_told_at_a_pace_that_nobody_drowns_in(monkeypatch: pytest.MonkeyPatch) -> None:
    ear, clock = Ear(), [0.0]
    monkeypatch.setattr("harness.runs.worker.time.perf_counter", lambda: clock[0])
    pace = worker._Pace(ear)
    for step in range(1, 101):
        clock[0] += 0.01
        pace.tell("train", step, 100)
    assert 5 <= len(ear.events) <= 12


def test_a_record_is_plain_json(planned: Plan) -> None:
    job = job_of(planned, "base")
    worker.run(job, Ear())

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    json.loads((job.folder / records.RECORD).read_text(), parse_constant=refuse)

"""A run over two processes: the record of one, a failed row if one of them dies, and a refusal before anything starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import environment
from harness.data import registry
from harness.errors import HarnessError
from harness.record import Record
from harness.runs import plan, worker
from harness.runs.executors import inventory
from harness.runs.executors.inventory import Card
from harness.runs.job import Event, Job, Progress, RunEnd
from harness.runs.options import Options
from harness.runs.shards import group
from harness.store import checkpoint_files, records
from tests.support.sample_inputs import write_task

pytest.importorskip("torch")


class Listener:
    """A reporter that calls a function at the first step of training."""

    def __init__(self, on_step: Callable[[], None] = lambda: None, *, stops: bool = False) -> None:
        self.events: list[Event] = []
        self._on_step, self._stops = on_step, stops

    def tell(self, event: Event) -> None:
        first = not any(isinstance(e, Progress) and e.phase == "train" for e in self.events)
        self.events.append(event)
        if first and isinstance(event, Progress) and event.phase == "train":
            self._on_step()

    def should_stop(self) -> bool:
        return self._stops and any(isinstance(e, Progress) and e.phase == "train" for e in self.events)


@pytest.fixture
def options(tmp_path: Path, model: Path) -> Options:
    return Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        methods=("base", "full", "lora"),
        model=str(model),
        results=tmp_path / "results",
        ranks=(4,),
        epochs=1.0,
        batch_size=8,
        dtype="fp32",
        device="cpu",
        memory=False,
        save_full=True,
    )


def attempt(options: Options, method: str, listener: Listener | None = None) -> tuple[Job, Record]:
    (planned,) = plan.make(options)
    job = next(replace(job, threads=1) for job in planned.jobs() if job.spec.method == method)
    records.prepare(job.folder)
    worker.run(job, listener or Listener())
    return job, records.read_record(job.folder)


def children() -> list[int]:
    """The processes that this one started and that are alive."""
    lists = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(word) for path in lists for word in path.read_text().split()]


@pytest.mark.parametrize("method", ["base", "full", "lora"])
def test_the_record_of_two_processes_is_that_of_one(options: Options, method: str) -> None:
    one_job, one = attempt(options, method)
    two_job, two = attempt(replace(options, shard=2, results=options.results.with_name("two")), method)
    assert (two.status, two.reason, two.spec.shards, two.environment.backend) == ("ok", "", 2, "gloo")
    assert replace(two.spec, shards=1) == one.spec
    assert two.scores.keys() == one.scores.keys()
    assert two.cost
    assert one.cost
    assert two.cost.phases.keys() == one.cost.phases.keys()
    assert two.cost.phases["evaluate"].tokens == one.cost.phases["evaluate"].tokens
    names = ("weights", "trained_weights", "weights_bytes", "adapter_bytes", "train_tokens")
    assert {name: getattr(two.cost, name) for name in names} == {name: getattr(one.cost, name) for name in names}
    firsts, seconds = records.read_answers(one_job.folder), records.read_answers(two_job.folder)
    assert [answer.id for answer in seconds] == [answer.id for answer in firsts]
    for first, second in zip(firsts, seconds, strict=True):
        assert second.loglik == pytest.approx(first.loglik, rel=1e-4, abs=1e-5)
    if method == "base":
        assert seconds == firsts  # the same batches of the same weights
        return
    assert two.cost.process_peaks[0] == two.cost.phases["train"].peak_bytes
    assert len(two.cost.process_peaks) == 2
    assert two.cost.parts
    assert sum(vars(two.cost.parts).values()) == two.cost.phases["train"].peak_bytes
    steps = [[step["loss"] for step in records.read_steps(job.folder)] for job in (one_job, two_job)]
    assert steps[1] == pytest.approx(steps[0], rel=1e-5)
    folder = records.ADAPTER if method == "lora" else records.MODEL
    assert_weights_close(one_job.folder / folder, two_job.folder / folder)


def assert_weights_close(first: Path, second: Path) -> None:
    import torch
    from safetensors.torch import load_file

    (a,), (b,) = (sorted(folder.glob("*model.safetensors")) for folder in (first, second))
    left, right = load_file(a), load_file(b)
    assert left.keys() == right.keys()
    for name, weight in left.items():
        torch.testing.assert_close(right[name], weight, rtol=1e-3, atol=2e-4)
    config = "adapter_config.json" if (first / "adapter_config.json").exists() else "config.json"
    assert (first / config).read_text() == (second / config).read_text()


def test_generated_texts_are_those_of_one_process(options: Options) -> None:
    options = replace(options, scoring="generate", methods=("base",))
    one, _ = attempt(options, "base")
    two, _ = attempt(replace(options, shard=2, results=options.results.with_name("two")), "base")
    assert records.read_answers(two.folder) == records.read_answers(one.folder)


def test_a_killed_process_ends_the_run_as_a_failed_row_and_leaves_none(options: Options) -> None:
    before = set(children())

    def kill() -> None:
        youngest = max(set(children()) - before)
        os.kill(youngest, signal.SIGKILL)

    listener = Listener(kill)
    _, record = attempt(replace(options, shard=2, epochs=200.0), "full", listener)
    assert record.status == "failed"
    assert record.reason == "process 2 of 2: killed by signal 9 (often out of memory)"
    assert listener.events[-1] == RunEnd("failed", record.reason)
    assert set(children()) == before


def test_a_request_to_stop_ends_all_processes_and_the_row_says_so(options: Options) -> None:
    before = set(children())
    _, record = attempt(replace(options, shard=2, epochs=200.0), "lora", Listener(stops=True))
    assert (record.status, record.reason) == ("interrupted", "stopped by Ctrl-C or a signal")
    assert set(children()) == before


@pytest.mark.parametrize("method", [pytest.param("full", marks=pytest.mark.slow), "lora"])
def test_a_run_that_was_stopped_and_one_that_was_killed_end_with_the_bytes_of_an_undisturbed_one(
    options: Options, method: str
) -> None:
    options = replace(options, shard=2, dropout=0.1, methods=(method,), checkpoint_minutes=1e-9, epochs=2.0)
    job, whole = attempt(replace(options, results=options.results.with_name("whole")), method)
    before = set(children())
    again, stopped = attempt(options, method, Listener(stops=True))
    assert stopped.status == "interrupted"
    names = {path.name for path in (again.folder / checkpoint_files.FOLDER).iterdir()}
    assert len(names) == 3
    assert {"checkpoint.json"} < names

    def kill() -> None:
        os.kill(max(set(children()) - before), signal.SIGKILL)

    _, killed = attempt(options, method, Listener(kill))
    assert killed.status == "failed"
    _, last = attempt(options, method)
    assert last.status == "ok"
    assert last.checkpoints
    assert len(last.checkpoints.resumptions) == 2
    assert (last.adapter_sha256, last.answers_sha256) == (whole.adapter_sha256, whole.answers_sha256)
    losses = [[step["loss"] for step in records.read_steps(folder)] for folder in (job.folder, again.folder)]
    assert losses[0] == losses[1]
    weights = [sorted(folder.rglob("*.safetensors")) for folder in (job.folder, again.folder)]
    assert [path.read_bytes() for path in weights[0]] == [path.read_bytes() for path in weights[1]]
    assert not checkpoint_files.exists(again.folder)


@pytest.mark.parametrize("method", [pytest.param("full", marks=pytest.mark.slow), "lora"])
def test_the_weights_of_the_lowest_validation_loss_are_those_of_one_process(
    options: Options, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.training import selection

    true_loss = selection.loss
    monkeypatch.setattr(selection, "loss", lambda *words: abs(true_loss(*words) - 4.0))  # lowest before the last step
    options = replace(
        options, keep_best=True, methods=(method,), learning_rate=0.02, epochs=3.0, checkpoint_minutes=1e-9
    )
    one_job, one = attempt(options, method)
    divided = replace(options, shard=2, results=options.results.with_name("two"))
    two_job, two = attempt(divided, method)
    assert (two.status, two.reason) == ("ok", "")
    assert one.selection
    assert two.selection
    assert (two.selection.steps, two.selection.best) == (one.selection.steps, one.selection.best)
    assert two.selection.losses == pytest.approx(one.selection.losses, rel=1e-3, abs=1e-3)
    assert one.selection.best < one.selection.steps[-1]
    folder = records.ADAPTER if method == "lora" else records.MODEL
    assert_weights_close(one_job.folder / folder, two_job.folder / folder)
    resumed = replace(divided, results=options.results.with_name("resumed"))
    assert attempt(resumed, method, Listener(stops=True))[1].status == "interrupted"
    _, last = attempt(resumed, method)
    assert last.selection
    assert (last.selection.losses, last.adapter_sha256, last.answers_sha256) == (
        two.selection.losses,
        two.adapter_sha256,
        two.answers_sha256,
    )


@pytest.mark.parametrize("method", ["fedlora", "lora8", "full8"])
def test_a_method_that_cannot_be_divided_is_refused_while_planning(
    options: Options, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.data.registry.missing", lambda method: [])
    with pytest.raises(HarnessError, match=f"{method} cannot be divided") as caught:
        plan.make(replace(options, methods=("lora", method), shard=2))
    assert "these can be divided: lora" in str(caught.value.fix)


def test_more_processes_than_cards_are_refused_while_planning(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "cuda_present", lambda: True)
    two = tuple(Card(number, f"GPU-{number}", "A card", 2**34, 2**34) for number in range(2))
    monkeypatch.setattr(inventory, "read", lambda: two)
    with pytest.raises(HarnessError, match="4 processes need 4 CUDA devices, and this machine has 2"):
        plan.make(replace(options, device="cuda", shard=4))


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"cards": (Card(0, "GPU-0", "A card", 2**34, 2**34),)}, "--devices"),
        ({"engine": "vllm"}, "--engine"),
    ],
)
def test_what_a_divided_run_cannot_have_is_refused(options: Options, settings: dict[str, Any], flag: str) -> None:
    method = registry.method("lora")
    with pytest.raises(HarnessError, match=r".") as caught:
        group.require(replace(options, shard=2, **settings), [method], device="cpu")
    assert caught.value.where == f"--shard 2 {flag}"
    assert caught.value.fix == f"leave {flag} or --shard out"


def test_one_process_has_the_id_and_the_record_of_before(options: Options) -> None:
    (planned,) = plan.make(options)
    assert all("shards" not in spec.fields() for spec in planned.specs)
    (divided,) = plan.make(replace(options, shard=2))
    assert all(spec.fields()["shards"] == 2 for spec in divided.specs if not spec.challenger)

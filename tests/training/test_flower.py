"""Federated LoRA through Flower: the same weights as the plain rounds, here and under Flower's own simulation runtime.

Skipped where flwr is not installed (`pip install 'adaptbench[federated]'`); the rounds themselves are in `test_federated`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.adapters import library
from harness.model.tokenize import Pair
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records
from harness.training import federated, flower
from harness.training.federated import Reply, Weights
from tests.runs.test_worker import Ear, texts_below
from tests.support.sample_inputs import write_task
from tests.support.tiny_models import toy_folder
from tests.training.test_federated import COUNT, assert_equal, folder, halves, pairs, spec_of, spread

pytest.importorskip("flwr", reason="needs flwr: pip install 'adaptbench[federated]'")

__all__ = ["folder", "pairs"]  # fixtures


@pytest.mark.parametrize("rounds", [1, 4])
def test_flower_comes_to_the_same_weights_as_the_plain_rounds(folder: Path, pairs: list[Pair], rounds: int) -> None:
    spec = spec_of("fedlora", rounds=rounds)
    plain, first = spread(folder, pairs, spec, halves())
    through, second = spread(folder, pairs, spec, halves(), server=flower.serve)
    assert_equal(federated.read(plain), federated.read(through))
    assert first.losses == second.losses


def test_one_client_through_flower_is_the_plain_run(folder: Path, pairs: list[Pair]) -> None:
    spec = spec_of("fedlora", rounds=3)
    plain, _ = spread(folder, pairs, spec, ["all"] * COUNT)
    through, _ = spread(folder, pairs, spec, ["all"] * COUNT, server=flower.serve)
    assert_equal(federated.read(plain), federated.read(through))


class Memory:
    """A keeper of the last state, as it comes back from a file."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def take(self) -> dict[str, Any] | None:
        return torch.load(io.BytesIO(self.content), weights_only=True) if self.content else None

    def offer(self, capture: Callable[[], dict[str, Any]], *, urgent: bool, is_last: bool) -> None:
        file = io.BytesIO()
        torch.save(capture(), file)
        self.content = file.getvalue()


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_rounds_through_flower_go_on_after_an_interruption(folder: Path, pairs: list[Pair], stop: int) -> None:
    spec = spec_of("fedlora", rounds=4)
    whole, plain = spread(folder, pairs, spec, halves(), server=flower.serve)
    first = Memory()
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) >= stop

    _, stopped = spread(folder, pairs, spec, halves(), server=flower.serve, keeper=first, should_stop=should_stop)
    assert stopped.stopped
    resumed, fit = spread(folder, pairs, spec, halves(), server=flower.serve, keeper=Memory(first.content))
    assert_equal(federated.read(whole), federated.read(resumed))
    assert fit.losses == plain.losses


class Shift:
    """A client that adds its number and the round's to every weight."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __call__(self, number: int, weights: Weights) -> Reply:
        moved = {name: (weight + self.place + 10 * number).astype(np.float32) for name, weight in weights.items()}
        return Reply(moved, self.place)


EVERYONE = [Shift(1), Shift(2), Shift(3)]
START: Weights = {"lora_A": np.zeros((2, 3), np.float32), "lora_B": np.ones(4, np.float32)}


def test_each_client_is_told_the_round_and_weighs_by_its_examples() -> None:
    found = flower.serve(EVERYONE, 2, START)
    assert_equal(found, federated.serve(EVERYONE, 2, START))
    np.testing.assert_allclose(found["lora_B"], 1 + 2 * 14 / 6 + 10, rtol=1e-6)


def test_what_a_client_raises_goes_through() -> None:
    def broken(number: int, weights: Weights) -> Reply:
        raise MemoryError("out of memory")

    with pytest.raises(MemoryError):
        flower.serve([broken], 1, START)


@pytest.mark.slow
def test_flowers_own_simulation_runtime_comes_to_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'flwr[simulation]'")
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from flwr.serverapp import ServerApp
    from flwr.simulation import run_simulation

    server, found = ServerApp(), {}

    @server.main()  # type: ignore[untyped-decorator]
    def main(grid: Any, context: Any) -> None:
        result = flower.strategy(len(EVERYONE)).start(grid, flower.to_record(START), num_rounds=2)
        found.update(flower.from_record(result.arrays))

    run_simulation(
        server,
        flower.client_app(EVERYONE),
        num_supernodes=len(EVERYONE),
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    for name, weight in flower.serve(EVERYONE, 2, START).items():
        np.testing.assert_allclose(found[name], weight, rtol=1e-6)  # replies are averaged as they come in


def test_a_run_leaves_a_record_that_states_its_clients_and_an_adapter_that_peft_loads(tmp_path: Path) -> None:
    asked = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        methods=("fedlora",),
        model=str(toy_folder(tmp_path / "model")),
        results=tmp_path / "results",
        ranks=(4,),
        epochs=1.0,
        batch_size=4,
        dtype="fp32",
        device="cpu",
        memory=False,
    )
    (job,) = plan.make(asked)[0].jobs()
    records.prepare(job.folder)
    worker.run(replace(job, threads=1), Ear())
    record = records.read_record(job.folder)
    assert record.status == "ok", record.reason
    assert (record.spec.clients, record.spec.clients_by) == (4, "hash")
    assert record.spec.rounds > 1
    assert record.cost is not None
    assert record.cost.parts is not None
    assert sum(vars(record.cost.parts).values()) == record.cost.phases["train"].peak_bytes
    steps = records.read_steps(job.folder)
    assert [step["step"] for step in steps] == list(range(1, steps[0]["steps"] + 1))
    (run,) = records.read_all(asked.results)
    assert library.read(run).by_peft
    assert not [text for text in texts_below(job.folder) if "Traceback" in text]

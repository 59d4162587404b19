"""How far an adapter can move by its rates, and how far rows of one plan do."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.record import Record
from harness.schedule import planned_steps, rate_at
from harness.store import records
from harness.store.records import Run
from harness.verify.check import Check
from harness.verify.checks.artifacts import adapters, motion
from tests.support.records import make_record, make_spec

STEPS = 60


def moved(gradients: np.ndarray) -> float:
    """Return how far AdamW with a rate of 1 moves a weight in its last step."""
    first, second = motion.BETAS
    m = v = 0.0
    for gradient in gradients:
        m, v = first * m + (1 - first) * gradient, second * v + (1 - second) * gradient**2
    count = len(gradients)
    return abs(m / (1 - first**count)) / math.sqrt(v / (1 - second**count))


@pytest.mark.parametrize("step", [1, 2, 10, 60, 400])
def test_no_gradients_move_a_weight_further_than_the_bound_and_the_worst_ones_reach_it(step: int) -> None:
    luck = np.random.default_rng(step)
    first, second = motion.BETAS
    for _ in range(200):
        assert moved(luck.standard_normal(step) ** 3 + luck.normal()) <= motion.quotient(step) * (1 + 1e-9)
    worst = (first / second) ** np.arange(step)[::-1]  # where Cauchy's inequality is an equation
    assert moved(worst) == pytest.approx(motion.quotient(step))


def run_of(root: Path, size: float, *, method: str = "lora", rank: int = 8, seed: int = 0, **spec: object) -> Run:
    """Write an adapter of which B is so large, in shares of the sum of its rates."""
    values = {"method": method, "rank": rank, "seed": seed, "learning_rate": 1e-3, "warmup": 0.1, "epochs": 1.0}
    values |= {"train_examples": STEPS * 8, "batch_size": 8, "micro_batch": 8, **spec}
    record: Record = make_record(make_spec(**values))
    steps = planned_steps(record.spec.train_examples, record.spec)
    rates = sum(rate_at(1e-3, record.spec.warmup, step, steps) for step in range(steps))
    folder = root / f"{method}-{rank}-{seed}"
    (folder / records.ADAPTER).mkdir(parents=True)
    b = size * rates * np.random.default_rng(seed).choice([-1.0, 1.0], (32, rank)).astype(np.float32)
    a = np.ones((rank, 16), np.float32)
    save_file({"q.lora_A.weight": a, "q.lora_B.weight": b.astype(np.float32)}, folder / records.ADAPTER / adapters.FILE)
    return Run(folder, record)


def checked(*runs: Run) -> Check:
    (result,) = motion.publication_checks(runs)
    return result


def test_an_adapter_within_its_rates_is_no_fault(tmp_path: Path) -> None:
    assert checked(run_of(tmp_path, 0.9)).ok


def test_weights_that_moved_steadily_contradict_half_the_rate(tmp_path: Path) -> None:
    run = run_of(tmp_path, 0.9)
    halved = Run(run.folder, replace(run.record, spec=replace(run.record.spec, learning_rate=5e-4)))
    result = checked(halved)
    assert not result.ok
    assert "the rates move it by" in result.detail


def test_a_row_that_moved_twice_as_far_as_others_of_its_rate_is_a_fault(tmp_path: Path) -> None:
    rows = [("lora", 2, 0.16), ("lora", 8, 0.15), ("qlora", 2, 0.16), ("qlora", 8, 0.31)]
    runs = [run_of(tmp_path, size, method=method, rank=rank, seed=s) for method, rank, size in rows for s in range(3)]
    assert "qlora-r8 seed 0: B moved by 0.31 of its rates, in the other rows 0.16" in checked(*runs).detail


def test_rows_of_several_rates_and_other_methods_are_not_compared(tmp_path: Path) -> None:
    rows = [("lora", 2, 0.16), ("lora", 8, 0.15), ("qlora", 8, 0.16)]
    runs = [run_of(tmp_path, size, method=method, rank=rank) for method, rank, size in rows]
    runs.append(run_of(tmp_path, 0.3, method="qlora", rank=2, learning_rate=2e-3))
    runs.append(run_of(tmp_path, 9.0, method="lora+", rank=2))
    assert checked(*runs).ok

"""Counts of weights that are packed or never reached by text must fit the bytes of the model and the method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.record import Record
from harness.verify.checks.record import shape
from tests.support.records import make_cost, make_record, make_spec

WEIGHTS, PACKED, TRAINED = 1_000_000, 700_000, 10_000


def record_of(method: str, *, base_bits: int = 0, **changes: Any) -> Record:
    rank = 0 if method == "full" else 8
    spec = make_spec(method=method, model="another", rank=rank, alpha=32.0 if rank else 0.0, base_bits=base_bits)
    values = {"weights": WEIGHTS, "trained_weights": TRAINED, "parts": None, "adapter_bytes": 4 * TRAINED + 2_000}
    return make_record(spec, cost=replace(make_cost(), **(values | changes)))


def faults(record: Record) -> str:
    return " ".join(result.detail for result in shape.run_checks(record) if not result.ok)


def in_four_bits(packed: int) -> int:
    return int(packed * 4.13 / 8 + (WEIGHTS - packed) * 4 + TRAINED * 4)


def test_the_bytes_of_a_packed_model_fit_its_packed_weights() -> None:
    packed = {"packed_weights": PACKED, "weights_bytes": in_four_bits(PACKED)}
    assert not faults(record_of("qlora", **packed))
    assert not faults(record_of("lora", base_bits=4, **packed))
    plain = {"packed_weights": PACKED, "weights_bytes": WEIGHTS * 4 + 4 * TRAINED}
    assert "cannot have" in faults(record_of("qlora", **plain))
    assert "cannot have" in faults(record_of("lora", base_bits=4, **plain))


def test_full_fine_tuning_trains_all_weights_that_text_reaches() -> None:
    full = {"weights_bytes": 4 * WEIGHTS, "adapter_bytes": 0}
    assert not faults(record_of("full", trained_weights=WEIGHTS, **full))
    assert not faults(record_of("full", trained_weights=WEIGHTS - 5, idle_weights=5, **full))
    assert "trained 999,995 of 1,000,000" in faults(record_of("full", trained_weights=WEIGHTS - 5, **full))


@pytest.mark.parametrize("field", ["packed_weights", "idle_weights"])
def test_counts_beyond_all_weights_are_faults(field: str) -> None:
    assert "of 1,000,000 weights" in faults(record_of("qlora", **{field: WEIGHTS + 1}))

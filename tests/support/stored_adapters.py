"""Runs with adapters made on the fly: a toy model adapted with random weights, saved as a worker saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from harness.data import registry
from harness.record import RunSpec, Score
from harness.store import records
from tests.support.records import make_answers, make_cost, make_record
from tests.support.tiny_models import toy_spec

REVISION = "aaaabbbbcccc"


def adapted_spec(method: str = "lora", **changes: Any) -> RunSpec:
    """Return the spec of an adapter of the toy model."""
    values: dict[str, Any] = {"method": method, "rank": 4, "alpha": 8.0, "model_revision": REVISION}
    return toy_spec(**(values | changes))


def write_run(results: Path, model: Path, spec: RunSpec, *, start: int = 0) -> records.Run:
    """Write a run of the spec with an adapter of random weights, drawn from `start`, and return it."""
    from dataclasses import replace

    method = registry.method(spec.method)
    made = method.adapt(method.load(str(model), spec), spec)
    generator = torch.Generator().manual_seed(start)
    for name, weight in made.named_parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=generator) * (0.2 if "lora_B" in name else 0.3)
    folder = records.run_dir(results, spec)
    adapter = folder / records.ADAPTER
    if method.save:
        method.save(made, adapter, spec)
    else:
        made.peft_config["default"].base_model_name_or_path = "/where/it/was/trained"
        made.save_pretrained(adapter, save_embedding_layers=False)
    held = sum(path.stat().st_size for path in adapter.glob("adapter_model*"))
    answers = make_answers(9, 3)
    record = make_record(
        spec,
        scores={"acc_norm" if spec.task == "cfa" else "accuracy": Score(0.75, 0.5, 0.9, 12, 6)},
        cost=replace(make_cost(), adapter_bytes=held),
        answers_sha256=records.write_answers(folder, answers),
    )
    records.write_record(folder, record)
    return records.Run(folder, record)


def logits(model: Any) -> torch.Tensor:
    """Return what the model says to a few tokens."""
    with torch.no_grad():
        found: torch.Tensor = model.eval()(torch.arange(40).view(2, 20)).logits
    return found.float()

"""Logged steps as training writes them, and an adapter beside them, for a run made up for a test."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.record import ProbeResult, Record, RunSpec
from harness.schedule import planned_steps, rate_at
from harness.store import answer_files, records, training_files
from harness.verify import embedded

Rows = list[dict[str, Any]]


def rows_of(record: Record) -> Rows:
    """Return the steps that the record's spec plans, with the record's tokens, speed and final loss."""
    spec = record.spec
    count, luck = planned_steps(spec.train_examples, spec), random.Random(f"{spec.id} steps")
    tokens = record.cost.train_tokens if record.cost else count
    seconds = tokens / record.cost.train_tokens_per_second if record.cost else 1.0
    return [
        {
            "step": number + 1,
            "steps": count,
            "loss": 2.0 - number / count * (1 + luck.random() / 10) if number + 1 < count else record.final_loss,
            "tokens": tokens // count + (tokens % count if number == 0 else 0),
            "learning_rate": rate_at(spec.learning_rate, spec.warmup, number, count),
            "seconds": seconds * 2 * (number + 1) / (count * (count + 1)),
        }
        for number in range(count)
    ]


def write(folder: Path, record: Record, rows: Rows) -> Record:
    """Write steps, packed if the folder has packed ones, and the record with their checksum; return the record."""
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packed = folder / training_files.PACKED_STEPS
    if packed.is_file():
        packed.write_bytes(answer_files.pack(content))
    else:
        (folder / training_files.STEPS).write_bytes(content)
    record = replace(record, steps_sha256=training_files.steps_sha256(folder))
    records.write_record(folder, record)
    return record


def write_adapter(folder: Path, record: Record) -> Record:
    """Write an adapter of the recorded size and the record with its checksum; return the record."""
    adapter = folder / training_files.ADAPTER
    adapter.mkdir(exist_ok=True)
    spec, size = record.spec, record.cost.adapter_bytes if record.cost else 0
    config = {"peft_type": "LORA", "r": spec.rank, "lora_alpha": spec.alpha, "lora_dropout": spec.dropout}
    config |= {"base_model_name_or_path": spec.model, "target_modules": ["linear"]}
    config |= {"use_dora": False, "use_rslora": False, "init_lora_weights": True}
    (adapter / training_files.ADAPTER_CONFIG).write_text(json.dumps(config))
    (adapter / "adapter_model.safetensors").write_bytes(tensor_bytes(random_tensors(spec), size))
    record = replace(record, adapter_sha256=training_files.weights_sha256(folder))
    records.write_record(folder, record)
    return record


def random_tensors(spec: RunSpec) -> dict[str, np.ndarray]:
    """Return random matrices A and B of LoRA on the embedded model; B is as large as its rates allow."""
    luck, made = np.random.default_rng(int(spec.id, 16)), {}
    size = 0.05 * spec.learning_rate * planned_steps(spec.train_examples, spec)
    for number, (inner, outer) in enumerate(embedded.linear_shapes()):
        made[f"{number}.linear.lora_A.weight"] = luck.standard_normal((spec.rank, inner)).astype(np.float32)
        made[f"{number}.linear.lora_B.weight"] = luck.normal(0, size, (outer, spec.rank)).astype(np.float32)
    return made


def tensor_bytes(tensors: Mapping[str, np.ndarray], size: int) -> bytes:
    """Return a safetensors file of these matrices, its header padded so that the file has `size` bytes."""
    header, start = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [start, start + values.nbytes]}
        start += values.nbytes
    text = json.dumps(header).encode().ljust(size - 8 - start)
    return len(text).to_bytes(8, "little") + text + b"".join(values.tobytes() for values in tensors.values())


def write_all(folder: Path, record: Record) -> None:
    """Write a run's record, with the steps and the adapter that its spec asks for."""
    if record.spec.rank:
        record = write_adapter(folder, record)
    if record.spec.train_examples:
        write(folder, record, rows_of(record))
    else:
        records.write_record(folder, record)


def with_probes(record: Record, probes: Mapping[str, ProbeResult]) -> Record:
    """Return the record with results of probes and the cost of asking them."""
    if record.cost is None:
        return replace(record, probes=probes)
    phase = replace(record.cost.phases["evaluate"], seconds=1.5)
    cost = replace(record.cost, phases={**record.cost.phases, "probe": phase})
    return replace(record, probes=probes, cost=cost, seconds=record.seconds + phase.seconds)


def change(folder: Path, edit: Callable[[Rows], object]) -> None:
    """Edit the steps of a run, packed or not, and bring the checksum in the record up to date."""
    rows = training_files.read_steps(folder)
    edit(rows)
    write(folder, records.read_record(folder), rows)

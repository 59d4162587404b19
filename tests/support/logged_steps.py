"""Logged steps as training writes them, and an adapter beside them, for a run made up for a test."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.record import ProbeResult, Record
from harness.schedule import planned_steps, rate_at
from harness.store import answer_files, records, training_files

Rows = list[dict[str, Any]]


def rows_of(record: Record) -> Rows:
    """Return the steps that the record's spec plans, with the record's tokens, speed and final loss."""
    spec = record.spec
    count = planned_steps(spec.train_examples, spec)
    tokens = record.cost.train_tokens if record.cost else count
    seconds = tokens / record.cost.train_tokens_per_second if record.cost else 1.0
    return [
        {
            "step": number + 1,
            "steps": count,
            "loss": 2.0 - number / count if number + 1 < count else record.final_loss,
            "tokens": tokens // count + (tokens % count if number == 0 else 0),
            "learning_rate": rate_at(spec.learning_rate, spec.warmup, number, count),
            "seconds": seconds / count,
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
    (adapter / "adapter_config.json").write_text("{}\n")
    size = record.cost.adapter_bytes if record.cost else 0
    (adapter / "adapter_model.safetensors").write_bytes(random.Random(record.spec.id).randbytes(size))
    record = replace(record, adapter_sha256=training_files.weights_sha256(folder))
    records.write_record(folder, record)
    return record


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

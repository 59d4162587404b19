"""Logged steps and stored weights: honest ones pass, and what contradicts the settings is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.record import Record
from harness.store import records, training_files
from harness.verify.checks.artifacts import training
from tests.support import logged_steps
from tests.support.logged_steps import Rows
from tests.support.records import make_record, make_spec


def written(folder: Path, **spec: Any) -> Record:
    record = make_record(make_spec(**spec), final_loss=0.25)
    cost = replace(record.cost, adapter_bytes=5) if record.cost else None
    adapter = folder / training_files.ADAPTER
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"12345")
    record = replace(record, cost=cost, adapter_sha256=training_files.weights_sha256(folder))
    return logged_steps.write(folder, record, logged_steps.rows_of(record))


def failed(folder: Path, record: Record | None = None) -> list[str]:
    checks = training.run_checks(folder, record or records.read_record(folder))
    return [check.name for check in checks if not check.ok]


@pytest.mark.parametrize("spec", [{}, {"epochs": 3.0, "warmup": 0.0}, {"seed": 4, "batch_size": 5}])
def test_the_steps_of_an_honest_run_follow_its_settings(tmp_path: Path, spec: dict[str, Any]) -> None:
    written(tmp_path, **spec)
    assert failed(tmp_path) == []


def test_packed_steps_have_the_same_checksum(tmp_path: Path) -> None:
    record = written(tmp_path / "run")
    training_files.publish(tmp_path / "run", tmp_path / "published", weights=True)
    assert sorted(path.name for path in (tmp_path / "published").iterdir()) == ["adapter", "steps.jsonl.gz"]
    assert failed(tmp_path / "published", record) == []


def test_weights_that_are_not_published_are_no_fault(tmp_path: Path) -> None:
    record = written(tmp_path / "run")
    training_files.publish(tmp_path / "run", tmp_path / "published", weights=False)
    assert not (tmp_path / "published" / training_files.ADAPTER).exists()
    assert failed(tmp_path / "published", record) == []


STEP_FAULTS: dict[str, tuple[Callable[[Rows], object], str]] = {
    "truncated": (lambda rows: rows.pop(), training.SCHEDULE),
    "a step twice": (lambda rows: rows.insert(1, rows[1]), training.SCHEDULE),
    "another rate": (lambda rows: [row.update(learning_rate=row["learning_rate"] * 2) for row in rows], training.SCHEDULE),
    "one rate": (lambda rows: rows[1].update(learning_rate=0.0), training.SCHEDULE),
    "a loss that is no number": (lambda rows: rows[0].update(loss=float("nan")), training.SCHEDULE),
    "another field": (lambda rows: rows[0].update(note="trust me"), training.SCHEDULE),
    "no tokens": (lambda rows: rows[0].update(tokens=0), training.SCHEDULE),
    "fewer tokens": (lambda rows: rows[0].update(tokens=rows[0]["tokens"] - 1), training.TOTALS),
    "another last loss": (lambda rows: rows[-1].update(loss=0.2), training.TOTALS),
}  # fmt: skip


@pytest.mark.parametrize("fault", STEP_FAULTS)
def test_changed_steps_are_reported(tmp_path: Path, fault: str) -> None:
    edit, name = STEP_FAULTS[fault]
    written(tmp_path)
    logged_steps.change(tmp_path, edit)
    assert name in failed(tmp_path)


@pytest.mark.parametrize("change", [{"learning_rate": 0.02}, {"warmup": 0.5}, {"epochs": 2.0}, {"batch_size": 4}, {"train_examples": 48}])  # fmt: skip
def test_a_setting_other_than_the_logged_one_is_reported(tmp_path: Path, change: dict[str, Any]) -> None:
    record = written(tmp_path)
    assert failed(tmp_path, replace(record, spec=replace(record.spec, **change))) == [training.SCHEDULE]


def test_steps_and_weights_that_are_not_those_of_the_record_are_reported(tmp_path: Path) -> None:
    record = written(tmp_path)
    assert failed(tmp_path, replace(record, steps_sha256="0" * 64)) == [training.STEPS]
    assert failed(tmp_path, replace(record, steps_sha256="")) == [training.STEPS]
    assert failed(tmp_path, replace(record, final_loss=0.1)) == [training.TOTALS]
    (tmp_path / training_files.STEPS).unlink()
    assert failed(tmp_path) == [training.STEPS]
    (tmp_path / training_files.ADAPTER / "adapter_model.safetensors").write_bytes(b"12346")
    assert failed(tmp_path) == [training.WEIGHTS, training.STEPS]


def test_damaged_packed_steps_are_reported(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / training_files.PACKED_STEPS).write_bytes(b"no gzip file")
    assert failed(tmp_path) == [training.STEPS]


def test_records_of_older_versions_have_no_checksums_and_pass(tmp_path: Path) -> None:
    record = written(tmp_path)
    assert failed(tmp_path, replace(record, steps_sha256="", adapter_sha256="")) == []

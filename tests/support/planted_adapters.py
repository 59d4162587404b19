"""Faults in published adapters: each kind with the check that must report it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.store import records, training_files
from harness.verify import tensors
from harness.verify.checks.artifacts import adapters, motion
from tests.support import logged_steps
from tests.support.planted import rewrite
from tests.support.planting import Plant, spec_of_all
from tests.support.tampering import run

Tensors = dict[str, np.ndarray]
FIRST_B = "0.linear.lora_B.weight"


def write_all(root: Path) -> None:
    """Write the adapters of all LoRA runs of a publication, each with its checksum."""
    for path in sorted(root.rglob(records.RECORD)):
        record = records.read_record(path.parent)
        if record.spec.rank:
            logged_steps.write_adapter(path.parent, record)


def config(**fields: Any) -> Plant:
    """Plant values into the config of an adapter."""

    def plant(root: Path) -> None:
        write_all(root)
        path = run(root) / records.ADAPTER / training_files.ADAPTER_CONFIG
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        _sign(path.parent.parent)

    return plant


def weights(change: Callable[[Tensors], object], source: int = 0, target: int = 0) -> Plant:
    """Plant the changed tensors of one seed's adapter into another's, or its own."""

    def plant(root: Path) -> None:
        write_all(root)
        stored = {name: values.copy() for name, values in tensors.read(_file(run(root, seed=source))).items()}
        change(stored)
        path = _file(run(root, seed=target))
        path.write_bytes(logged_steps.tensor_bytes(stored, path.stat().st_size))
        _sign(path.parent.parent)

    return plant


def setting(name: str, value: Any) -> Plant:
    """Plant a setting into all seeds of a row whose adapters say otherwise."""

    def plant(root: Path) -> None:
        write_all(root)
        spec_of_all(name, value)(root)

    return plant


def _file(folder: Path) -> Path:
    return folder / records.ADAPTER / adapters.FILE


def _sign(folder: Path) -> None:
    rewrite(folder, lambda r: r.update(adapter_sha256=training_files.weights_sha256(folder)))


def _each(factor: Callable[[np.ndarray], Any], where: str = "") -> Callable[[Tensors], object]:
    return lambda stored: stored.update(
        {name: (values * factor(values)).astype(np.float32) for name, values in stored.items() if where in name}
    )


def _noise(values: np.ndarray) -> Any:
    return 1 + 1e-4 * np.random.default_rng(1).standard_normal(values.shape)


def _break(stored: Tensors) -> None:
    stored[FIRST_B][0, 0] = np.nan


FAULTS: dict[str, tuple[Plant, str]] = {
    "an adapter of another alpha than the record": (setting("alpha", 64.0), adapters.CONFIG),
    "an adapter of another dropout than the record": (setting("dropout", 0.1), adapters.CONFIG),
    "lora called dora": (setting("method", "dora"), adapters.CONFIG),
    "lora called rslora": (setting("method", "rslora"), adapters.CONFIG),
    "lora called pissa": (setting("method", "pissa"), adapters.CONFIG),
    "another rank in an adapter's config": (config(r=16), adapters.CONFIG),
    "another base model in an adapter's config": (config(base_model_name_or_path="owner/better"), adapters.CONFIG),
    "fewer target modules in an adapter's config": (config(target_modules=["q_proj"]), adapters.CONFIG),
    "another kind of adapter in its config": (config(peft_type="IA3"), adapters.CONFIG),
    "dora in an adapter's config": (config(use_dora=True), adapters.CONFIG),
    "another version of peft than the run's": (config(peft_version="0.1.0"), adapters.CONFIG),
    "a number of an adapter that is not finite": (weights(_break), adapters.TENSORS),
    "an adapter of zeros": (weights(_each(lambda values: 0)), adapters.TENSORS),
    "a tensor of an adapter left out": (weights(lambda stored: stored.pop(FIRST_B)), adapters.TENSORS),
    "an adapter copied as another seed's": (weights(lambda stored: None, target=1), adapters.COPIES),
    "an adapter copied with noise": (weights(_each(_noise), target=1), adapters.COPIES),
    "an adapter that moved further than its rates": (weights(_each(lambda values: 20, "lora_B")), motion.MOTION),
    "an adapter copied with the signs changed": (weights(_each(lambda values: -1), target=1), adapters.COPIES),
}

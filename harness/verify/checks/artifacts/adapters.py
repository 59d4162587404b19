"""Checks of published adapters: the config and the tensors are those of the run's settings, and no other run has them.

PEFT writes its settings into `adapter_config.json`, so a LoRA run's rank, alpha, dropout and variant stand there a second
time. The names and shapes of the tensors show layers and rank. B starts at zero, and training moves it.

The B matrices of two runs are compared, up to their sign: A and B with all signs changed are the same adapter. With two
seeds the random A differ, and B differ by 114 % of their size and more; `lora` and `qlora` with one seed start from the same
A, and B differ by 53 % and more (`tiny`, `cfa` and `claims`). Less than 2 % is a copy of another seed. With one seed, or in
PiSSA, where A and B start at the weights of the model, less than 0.1 % is a copy.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.record import Record, RunSpec
from harness.store import records, training_files
from harness.store.codec import strict_json
from harness.store.records import Run
from harness.verify import tensors
from harness.verify.check import Check, check
from harness.verify.checks.answers.likeness import may_be_equal
from harness.verify.checks.record.shape import FAMILY

CONFIG = "published adapter has the settings of the run"
TENSORS = "published adapter has finite weights of the run's shape"
COPIES = "no published adapter is another's"
NAMES = (*FAMILY, "dora", "lora-fa")  # methods whose adapter is PEFT's LoRA
FILE = "adapter_model.safetensors"
LOW, HIGH, LENGTHS = ".lora_A.", ".lora_B.", ".lora_magnitude_vector"
COPY_SHARE = 0.02  # of the size of B; honest pairs of two seeds: 1.14 and more
NEAR_SHARE = 1e-3  # the same if both start from the same adapter
SAMPLE = 2**16  # numbers of B that are compared

Tensors = Mapping[str, np.ndarray]


def run_checks(folder: Path, record: Record) -> list[Check]:
    """Return the checks of a LoRA run's stored adapter; a publication may leave it out."""
    adapter = folder / records.ADAPTER
    if record.spec.method not in NAMES or not (adapter / FILE).is_file():
        return []
    try:
        config = strict_json((adapter / training_files.ADAPTER_CONFIG).read_text(encoding="utf-8"))
        weights = tensors.read(adapter / FILE)
    except (HarnessError, OSError, ValueError) as error:
        return [check(TENSORS, [getattr(error, "problem", str(error))])]
    if not isinstance(config, dict):
        return [check(CONFIG, [f"the config is {json.dumps(config)[:60]}, need an object"])]
    faults = [*_config_faults(config, record), *_target_faults(config.get("target_modules"), weights)]
    return [check(CONFIG, faults), check(TENSORS, _tensor_faults(weights, record))]


def _config_faults(config: Mapping[str, Any], record: Record) -> list[str]:
    spec = record.spec
    needed = {
        "peft_type": "LORA",
        "r": spec.rank,
        "lora_alpha": spec.alpha,
        "lora_dropout": spec.dropout,
        "base_model_name_or_path": spec.model,
        "use_dora": spec.method == "dora",
        "use_rslora": spec.method == "rslora",
        "init_lora_weights": "pissa" if spec.method == "pissa" else True,
    }
    faults = [
        f"{name} is {config[name]!r} in the adapter's config, {value!r} in the record"
        for name, value in needed.items()
        if name in config and config[name] != value
    ]
    version, package = str(config.get("peft_version", "")), record.environment.packages.get("peft", "")
    if version and version.partition("@")[0] != package:
        faults.append(f"peft_version is {version!r} in the adapter's config, {package!r} among the run's packages")
    return faults


def _target_faults(targets: object, weights: Tensors) -> list[str]:
    """Return a fault if the layers that the config lists are not those that have tensors."""
    if not isinstance(targets, list):
        return []
    layers = {name.partition(LOW)[0] for name in weights if LOW in name}
    idle = [name for name in targets if not any(_is_target(layer, name) for layer in layers)]
    others = sorted(layer for layer in layers if not any(_is_target(layer, name) for name in targets))
    faults = [f"target_modules lists {', '.join(map(str, idle))}, and no tensor is of it"] * bool(idle)
    return faults + [f"target_modules lists no layer of the tensor {name}" for name in others[:1]]


def _is_target(layer: str, name: object) -> bool:
    return layer == name or layer.endswith(f".{name}")


def _tensor_faults(weights: Tensors, record: Record) -> list[str]:
    spec, cost = record.spec, record.cost
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    faults = [f"{name} has a number that is not finite" for name in broken]
    low = [(name, values.shape[0]) for name, values in weights.items() if LOW in name]
    high = [(name, values.shape[-1]) for name, values in weights.items() if HIGH in name]
    faults += [f"{name} has rank {rank}, the run {spec.rank}" for name, rank in (*low, *high) if rank != spec.rank]
    if len(low) != len(high) or not low:
        faults.append(f"{len(low)} matrices A and {len(high)} matrices B")
    elif not any(values.any() for name, values in weights.items() if HIGH in name):
        faults.append("every B is zero, so the adapter changes nothing")
    if any(LENGTHS in name for name in weights) != (spec.method == "dora"):
        faults.append(f"{spec.method} has {'no ' * (spec.method == 'dora')}vectors of lengths, which DoRA trains")
    count = sum(values.size for name, values in weights.items() if spec.method != "lora-fa" or LOW not in name)
    if cost and count != cost.trained_weights:
        faults.append(f"the adapter has {count:,} trained weights, the record states {cost.trained_weights:,}")
    return faults


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the check that the published adapters of a publication are different ones."""
    return [check(COPIES, list(_copy_faults(run for run in runs if run.record.status == "ok")))]


def _copy_faults(runs: Iterable[Run]) -> Iterable[str]:
    groups: defaultdict[tuple[int, ...], list[tuple[RunSpec, np.ndarray]]] = defaultdict(list)
    for run in runs:
        values = sampled(run.folder / records.ADAPTER / FILE)
        if run.record.spec.method in NAMES and values is not None:
            groups[values.shape].append((run.record.spec, values))
    for group in groups.values():
        for (first, a), (second, b) in itertools.combinations(group, 2):
            size = max(np.linalg.norm(a), np.linalg.norm(b))
            apart = min(np.linalg.norm(a - b), np.linalg.norm(a + b))
            alike = first.seed == second.seed or {first.method, second.method} == {"pissa"} or first.start
            share = NEAR_SHARE if alike else COPY_SHARE
            if size > 0 and apart < share * size and not may_be_equal(first, second):
                yield f"{first.task} {first.name} seed {first.seed} and {second.task} {second.name} seed {second.seed}"


def sampled(path: Path) -> np.ndarray | None:
    """Return numbers of the B matrices of an adapter, at equal distances; None if there are no readable ones."""
    try:
        weights = tensors.read(path)
    except (HarnessError, OSError):
        return None
    matrices = [weights[name].ravel() for name in sorted(weights) if HIGH in name]
    values = np.concatenate(matrices).astype(np.float64) if matrices else np.zeros(0)
    finite = values.size and np.isfinite(values).all()
    return values[:: -(-values.size // SAMPLE)] if finite else None

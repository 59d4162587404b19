"""The catalog of adapters for one base model: their names, their folders, and the obstacle if one cannot be served.

An adapter is checked against the recorded hash of its base model, and against the bits of the base model in training.
An adapter of QLoRA corrects a model in 4 bits, and gives other answers on another base.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.adapters import library, peft_config
from harness.adapters.serve.refusal import MODEL_NOT_FOUND, NOT_SERVED, Refusal
from harness.data import registry
from harness.errors import HarnessError, did_you_mean
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.store import records

BITS = {16.0: "lora", 8.0: "lora8", 4.0: "qlora"}  # methods by the bits of their base model


@dataclass(frozen=True)
class Servable:
    """An adapter: its id, a readable name ("" if none), its folder, and the obstacle to serving it ("" if none).

    `dtype` is that of its run, "" if there is no run.
    """

    id: str
    name: str
    folder: Path
    obstacle: str = ""
    dtype: str = ""
    created: int = 0


def servables_of_runs(runs: Iterable[records.Run], base: Checkpoint, bits: float) -> list[Servable]:
    """Return the adapters of finished runs, each with its run's id and, if it is unique, a readable name."""
    adapters = [servable_of_run(run, base, bits) for run in library.finished_with_adapter(runs)]
    counts = Counter(adapter.name for adapter in adapters)
    return [adapter if counts[adapter.name] == 1 else replace(adapter, name="") for adapter in adapters]


def servable_of_run(run: records.Run, base: Checkpoint, bits: float, id: str = "") -> Servable:
    """Return the adapter of one run; its id is `id` or, if that is empty, the run's id."""
    spec = run.record.spec
    name = "-".join(records.path_word(word) for word in (spec.task, spec.name, f"s{spec.seed}"))
    return Servable(
        id=id or spec.id,
        name="" if id else name,
        folder=run.folder / records.ADAPTER,
        obstacle=_obstacle(run, base, bits),
        dtype=spec.dtype,
        created=_seconds(run.record.started),
    )


def servable_of_folder(id: str, folder: Path, base: Checkpoint) -> Servable:
    """Return an adapter without a run: exported, merged, or written by another program.

    Its files may not name its base model.

    Raises:
        HarnessError: the folder has no adapter.
    """
    config = library.read_config(folder)
    checkpoint.read_shapes(folder / library.WEIGHTS)
    revision = _base_revision(folder, config)
    if revision and not base.matches(revision):
        return Servable(id, "", folder, _wrong_base(revision, base))
    return Servable(id, "", folder, peft_config.problem(config))


def _wrong_base(revision: str, base: Checkpoint) -> str:
    return f"it was trained on the base model {revision}, and {base.revision} is served"


def _base_revision(folder: Path, config: dict[str, Any]) -> str:
    recipe = folder / library.RECIPE
    if not recipe.is_file():
        return str(config.get("revision") or "")  # `adapters export` writes it for a model of the hub
    try:
        return str(json.loads(recipe.read_text(encoding="utf-8"))["model_revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{library.RECIPE} cannot be read: {error}", where=str(folder), fix="merge again") from error


def _obstacle(run: records.Run, base: Checkpoint, bits: float) -> str:
    spec = run.record.spec
    if not base.matches(spec.model_revision):
        return _wrong_base(f"{spec.model} @ {spec.model_revision}", base)
    try:
        adapter = library.read(run)
    except HarnessError as error:
        return error.problem
    if reason := peft_config.problem(adapter.config):
        return reason
    training_bits = _bits(spec)
    if training_bits != bits:
        return f"it was trained on the base model in {training_bits:g} bits, and {bits:g} are served: use --bits {training_bits:g}"
    return ""


def _bits(spec: RunSpec) -> float:
    try:
        return float(round(registry.method(spec.method).frozen_bits))  # 4 bits with their scales are 4.13
    except HarnessError:  # a PEFT config of the user, on the unchanged model
        return 16.0


def _seconds(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp())
    except ValueError:
        return 0


@dataclass(frozen=True)
class Catalog:
    """The base model and the adapters, by the names in requests."""

    base: Checkpoint
    adapters: Sequence[Servable]

    @property
    def served(self) -> list[Servable]:
        """The adapters without an obstacle."""
        return [adapter for adapter in self.adapters if not adapter.obstacle]

    def find(self, name: str) -> Servable | None:
        """Return the adapter of a name, None for the base model.

        Raises:
            Refusal: 404 for an unknown name, 409 for an adapter that is not served.
        """
        if name == self.base.name:
            return None
        adapter = next((adapter for adapter in self.adapters if name in (adapter.id, adapter.name)), None)
        if adapter is None:
            names = [self.base.name, *(word for a in self.served for word in (a.id, a.name) if word)]
            hint = did_you_mean(name, names) or "GET /v1/models lists them"
            raise Refusal(404, f"there is no model '{name[:200]}'; {hint}", code=MODEL_NOT_FOUND, param="model")
        if adapter.obstacle:
            message = f"the adapter '{name}' is not served: {adapter.obstacle}"
            raise Refusal(409, message, code=NOT_SERVED, param="model")
        return adapter

    def models(self) -> list[dict[str, Any]]:
        """Return the base model and the served adapters as OpenAI's list of models."""
        rows: list[dict[str, Any]] = [{"id": self.base.name, "created": 0, "root": self.base.name, "parent": None}]
        for adapter in self.served:
            row = {"id": adapter.id, "created": adapter.created, "root": adapter.id, "parent": self.base.name}
            rows.append(row | ({"name": adapter.name} if adapter.name else {}))
        return [{"object": "model", "owned_by": "adaptbench"} | row for row in rows]

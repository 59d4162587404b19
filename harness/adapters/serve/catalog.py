"""The adapters that one base model can be served with: what each is called, where it lies, and why one is not served.

An adapter is checked against the hash of the base model that its run recorded, and against the bits that the base model
had in training: an adapter of QLoRA corrects a model in 4 bits, and answers differently on top of another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.adapters import library as adapters
from harness.adapters.serve.protocol import MODEL_NOT_FOUND, NOT_SERVED, Refusal
from harness.data import registry
from harness.errors import HarnessError, did_you_mean
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.store import records

BITS = {16.0: "lora", 8.0: "lora8", 4.0: "qlora"}  # whose way of loading the base model


@dataclass(frozen=True)
class Servable:
    """An adapter: the id that it answers to, another name ("" for none), its folder, and why it is not served ("" if it is).

    `dtype` is that of its run, "" where there is none.
    """

    id: str
    name: str
    folder: Path
    why_not: str = ""
    dtype: str = ""
    created: int = 0


def of_runs(runs: Iterable[records.Run], base: Checkpoint, bits: float) -> list[Servable]:
    """Return the adapters that finished runs left, each under its run's id and, where no other has it, a readable name."""
    found = [of_run(run, base, bits) for run in adapters.finished_with_adapter(runs)]
    often = Counter(one.name for one in found)
    return [one if often[one.name] == 1 else replace(one, name="") for one in found]


def of_run(run: records.Run, base: Checkpoint, bits: float, id: str = "") -> Servable:
    """Return the adapter of one run, under another `id` than the run's where one is given."""
    spec = run.record.spec
    name = "-".join(records.path_word(word) for word in (spec.task, spec.name, f"s{spec.seed}"))
    return Servable(
        id=id or spec.id,
        name="" if id else name,
        folder=run.folder / records.ADAPTER,
        why_not=_why_not(run, base, bits),
        dtype=spec.dtype,
        created=_seconds(run.record.started),
    )


def of_folder(id: str, folder: Path, base: Checkpoint) -> Servable:
    """Return an adapter of no run here: exported, merged, or another program's, whose base model its files may not tell.

    Raises:
        HarnessError: there is no adapter in the folder.
    """
    config = adapters.read_config(folder)
    checkpoint.read_shapes(folder / adapters.WEIGHTS)
    revision = _told_revision(folder, config)
    other = f"it was made for {revision}, and the base model here is {base.revision}"
    from harness.adapters.merge import extra_parts

    return Servable(id, "", folder, other if revision and revision != base.revision else extra_parts(config))


def _told_revision(folder: Path, config: dict[str, Any]) -> str:
    recipe = folder / adapters.RECIPE
    if not recipe.is_file():
        return str(config.get("revision") or "")  # what `adapters export` writes for a model of the hub
    try:
        return str(json.loads(recipe.read_text(encoding="utf-8"))["model_revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{adapters.RECIPE} cannot be read: {error}", where=str(folder), fix="merge again"
        ) from error


def _why_not(run: records.Run, base: Checkpoint, bits: float) -> str:
    from harness.adapters.merge import extra_parts  # needs torch, which the command's help does not

    spec = run.record.spec
    if spec.model_revision != base.revision:
        return f"it was made for {spec.model} @ {spec.model_revision}, and the base model here is {base.revision}"
    try:
        kept = adapters.read(run)
    except HarnessError as error:
        return error.problem
    if more := extra_parts(kept.config):
        return more
    trained = _bits(spec)
    if trained != bits:
        return (
            f"it was trained on the base model in {trained:g} bits, which here has {bits:g}: serve --bits {trained:g}"
        )
    return ""


def _bits(spec: RunSpec) -> float:
    try:
        return float(round(registry.method(spec.method).frozen_bits))  # 4 bits and their scales are 4.13
    except HarnessError:  # by a PEFT config of the user's, on the model as it is
        return 16.0


def _seconds(started: str) -> int:
    try:
        return int(datetime.fromisoformat(started).timestamp())
    except ValueError:
        return 0


@dataclass(frozen=True)
class Catalog:
    """The base model and the adapters by the names that requests may use."""

    base: Checkpoint
    adapters: Sequence[Servable]

    @property
    def served(self) -> list[Servable]:
        """Those that are served."""
        return [one for one in self.adapters if not one.why_not]

    def find(self, name: str) -> Servable | None:
        """Return the adapter of a name, None for the base model.

        Raises:
            Refusal: 404 for an unknown name, 409 for an adapter that is not served.
        """
        if name == self.base.name:
            return None
        one = next((one for one in self.adapters if name in (one.id, one.name)), None)
        if one is None:
            known = [self.base.name, *(word for one in self.served for word in (one.id, one.name) if word)]
            hint = did_you_mean(name, known) or "GET /v1/models lists them"
            raise Refusal(404, f"there is no model '{name[:200]}'; {hint}", code=MODEL_NOT_FOUND, param="model")
        if one.why_not:
            message = f"the adapter '{name}' is not served: {one.why_not}"
            raise Refusal(409, message, code=NOT_SERVED, param="model")
        return one

    def listed(self) -> list[dict[str, Any]]:
        """Return the base model and the served adapters as OpenAI lists models."""
        rows: list[dict[str, Any]] = [{"id": self.base.name, "created": 0, "root": self.base.name, "parent": None}]
        for one in self.served:
            named = {"name": one.name} if one.name else {}
            rows.append({"id": one.id, "created": one.created, "root": one.id, "parent": self.base.name, **named})
        return [{"object": "model", "owned_by": "adaptbench"} | row for row in rows]

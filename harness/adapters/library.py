"""Adapters as things to keep: every tuned run's adapter under its run id, looked at in milliseconds and without torch.

An adapter lies in its run's folder as `adapter/`, in PEFT's layout: `adapter_config.json`, `adapter_model.safetensors`.
What is known about it stands in the run's record, so there is no second list that could differ from the first.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import registry
from harness.errors import HarnessError, one_line
from harness.format import NONE, Table, interval, number, short, size, spoken, trained_on
from harness.methods import by_config
from harness.model import checkpoint
from harness.record import Record, RunSpec
from harness.schema import Method
from harness.store import records

CONFIG, WEIGHTS, CARD = "adapter_config.json", "adapter_model.safetensors", "README.md"
COLUMNS = ("id", "run", "task", "base", "score", "peak", "adapter", "licence of the data")
TRAIN_AGAIN = "delete the run's folder and train it again"


@dataclass(frozen=True)
class Kept:
    """The adapter of a finished run: PEFT's config as it was saved, and the bytes of its weights."""

    run: records.Run
    config: Mapping[str, Any]
    size: int

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.run.folder / records.ADAPTER

    @property
    def spec(self) -> RunSpec:
        """What decided it."""
        return self.run.record.spec

    @property
    def by_peft(self) -> bool:
        """Whether PEFT can load it; `bottleneck` saves a layout of its own."""
        return isinstance(self.config.get("peft_type"), str)


def of(runs: Iterable[records.Run]) -> list[records.Run]:
    """Return the finished runs that left an adapter, whole or not, in their order."""
    return [run for run in runs if run.record.status == "ok" and (run.folder / records.ADAPTER).is_dir()]


def read(run: records.Run) -> Kept:
    """Look at a run's adapter: its config, and the header of its weights against the file's length and the record.

    Raises:
        HarnessError: the run has none, and why; or what is there is not what the run saved.
    """
    folder = run.folder / records.ADAPTER
    if run.record.status != "ok" or not folder.is_dir():
        raise HarnessError(
            _why_none(run), where=str(run.folder), fix="name the run of an adapter: lora, qlora or alike"
        )
    config, weights = folder / CONFIG, folder / WEIGHTS
    for path in (config, weights):
        if not path.is_file():
            raise HarnessError(f"damaged adapter: {path.name} is missing", where=str(folder), fix=TRAIN_AGAIN)
    found = read_config(folder)
    try:
        checkpoint.read_shapes(weights)
    except HarnessError as error:
        said = error.problem.removeprefix("corrupt checkpoint: ")
        raise HarnessError(f"damaged adapter: {said}", where=str(weights), fix=TRAIN_AGAIN) from error
    held = sum(path.stat().st_size for path in folder.glob("adapter_model*"))
    cost = run.record.cost
    if cost and cost.adapter_bytes and cost.adapter_bytes != held:
        problem = f"damaged adapter: {held:,} bytes where the run saved {cost.adapter_bytes:,}"
        raise HarnessError(problem, where=str(weights), fix=TRAIN_AGAIN)
    return Kept(run, found, held)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the adapter's config of a folder.

    Raises:
        HarnessError: it is missing, or no JSON object.
    """
    path = folder / CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fix = "name a folder with an adapter in PEFT's layout"
        raise HarnessError(f"no {CONFIG} in this folder", where=str(folder), fix=fix) from None
    except (OSError, ValueError, RecursionError) as error:
        problem = f"damaged adapter: its config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix=TRAIN_AGAIN) from None
    if not isinstance(found, dict):
        raise HarnessError("damaged adapter: its config is no object", where=str(path), fix=TRAIN_AGAIN)
    return found


def _why_none(run: records.Run) -> str:
    record = run.record
    spec = record.spec
    name = spoken(spec) if spec.train_examples else f"{spec.method} s{spec.seed}"
    if record.status != "ok":
        return f"{name} did not finish ({record.status}), so it has no adapter"
    if not spec.train_examples:
        return f"{name} trains nothing, so it has no adapter"
    if record.cost and record.cost.adapter_bytes:
        return f"the adapter of {name} is not here: a published run or a copy comes without"
    return f"{name} changes the model itself, so it has no adapter"


def same_base(specs: Sequence[RunSpec]) -> None:
    """Refuse adapters that were trained on different weights.

    Raises:
        HarnessError: naming two runs and the base model and revision of each.
    """
    first = specs[0]
    for other in specs[1:]:
        if other.model_revision != first.model_revision:
            where = " and ".join(f"{s.id} on {s.model}@{s.model_revision}" for s in (first, other))
            raise HarnessError(
                "the adapters belong to different base models", where=where, fix="name adapters of one base model"
            )


def table(runs: Sequence[records.Run], licences: Mapping[str, str]) -> Table:
    """Return one row for each adapter; `licences` are those of the tasks' data by name. A damaged one says so."""
    return Table("", COLUMNS, tuple(_row(run, licences) for run in runs), left=frozenset({0, 1, 2, 3, 7}))


def _row(run: records.Run, licences: Mapping[str, str]) -> tuple[str, ...]:
    record, spec = run.record, run.record.spec
    try:
        held = size(read(run).size)
    except HarnessError:
        held = "✗ damaged"
    return (
        spec.id,
        spoken(spec),
        short(trained_on(spec), 24),
        f"{short(spec.model, 24)} @ {spec.model_revision[:7]}",
        next(iter(scores(record)), NONE),
        size(peak) if (peak := peak_bytes(record)) else NONE,
        held,
        short(licences.get(spec.task) or "not known here", 32),
    )


def scores(record: Record) -> list[str]:
    """Return each score in words with its interval, the headline first, such as `accuracy 79.8 [76.5, 83.0]`."""
    return [
        f"{name.replace('_', ' ')} {number(one.value, one.unit)} {interval(one.low, one.high, one.unit)}".strip()
        for name, one in record.scores.items()
    ]


def peak_bytes(record: Record) -> int:
    """Return the training peak in bytes; 0 where none was measured."""
    return record.cost.phases["train"].peak_bytes if record.cost and "train" in record.cost.phases else 0


def facts(kept: Kept, licence: str) -> list[tuple[str, str]]:
    """Return all that is known about an adapter as (name, value), the spec whole."""
    record, spec, cost = kept.run.record, kept.spec, kept.run.record.cost
    found = [
        ("run", f"{spoken(spec)} ({spec.id})"),
        ("task", f"{spec.task} v{spec.task_version}"),
        *[("trained on", trained_on(spec))] * (trained_on(spec) != spec.task),
        ("base model", f"{spec.model} @ {spec.model_revision}"),
        *[("score", text) for text in scores(record)],
        ("read answers", f"{number(record.parse_rate)} %"),
        ("guessing", NONE if record.chance is None else f"{number(record.chance)} % by {record.guess}"),
        ("peak in training", size(peak) if (peak := peak_bytes(record)) else NONE),
        ("adapter", f"{size(kept.size)} ({kept.size:,} bytes)"),
        ("trained weights", f"{cost.trained_weights:,} of {cost.weights:,}" if cost else NONE),
        ("layers", ", ".join(targets(kept.config)) or NONE),
        ("licence of data", licence or "not known here"),
        ("trained", f"{record.started} on {record.environment.machine}"),
        ("code", record.environment.commit),
        ("folder", str(kept.folder)),
    ]
    return found + [("spec", f"{name} = {value}") for name, value in spec.fields().items()]


def targets(config: Mapping[str, Any]) -> list[str]:
    """Return the kinds of modules that an adapter's config targets, such as `q_proj`, sorted."""
    named = config.get("target_modules")
    names = named if isinstance(named, list) else [named] if isinstance(named, str) else []
    return sorted({str(name).rpartition(".")[2] for name in names})


def hub_id(spec: RunSpec) -> str:
    """Return the base model's id on the hub; empty for the embedded model and for a folder, which have none."""
    return spec.model if spec.model.count("/") == 1 and not spec.model.startswith((".", "/", "~")) else ""


def portable_config(kept: Kept) -> dict[str, Any]:
    """Return the config with a base model that means something elsewhere: its hub id at its commit, else its name."""
    config = dict(kept.config) | {"base_model_name_or_path": kept.spec.model}
    pinned = len(kept.spec.model_revision) == 40 and hub_id(kept.spec)  # a commit of the hub, not our own checksum
    return config | {"revision": kept.spec.model_revision if pinned else None}


def require_empty(folder: Path) -> None:
    """Refuse a folder to write into that is a file or holds anything.

    Raises:
        HarnessError: nothing that is there is ever overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise HarnessError("this is a file, not a folder", where=str(folder), fix="name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise HarnessError("the folder is not empty", where=str(folder), fix="name a new or an empty folder")


def require_peft(kept: Kept) -> None:
    """Refuse an adapter that PEFT does not know.

    Raises:
        HarnessError: with the method that made it.
    """
    if not kept.by_peft:
        problem = f"the method {kept.spec.method} saves a layout of its own, which no other program loads"
        raise HarnessError(problem, where=str(kept.folder), fix="export the adapter of another method")


def export(kept: Kept, folder: Path, card: str) -> list[Path]:
    """Write the adapter in PEFT's layout with its model card into a new or empty folder; return the files.

    Raises:
        HarnessError: the folder is not empty, or the adapter is not PEFT's.
    """
    require_peft(kept)
    require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights, config, readme = folder / WEIGHTS, folder / CONFIG, folder / CARD
    shutil.copyfile(kept.folder / WEIGHTS, weights)
    records.write_text(config, json.dumps(portable_config(kept), indent=2, sort_keys=True) + "\n")
    records.write_text(readme, card)
    return [weights, config, readme]


def method_of(spec: RunSpec, adapter: Path) -> Method:
    """Return the method of a run; one that was given as a PEFT config is found again in the adapter's own.

    Raises:
        HarnessError: the method is not known here.
    """
    try:
        return registry.method(spec.method)
    except HarnessError:
        config = adapter / "adapter_config.json"
        if not config.is_file():
            raise
        return by_config.read(str(config))

"""The stored adapters of runs by run id: read in milliseconds and without torch, listed, and exported.

An adapter is the folder `adapter/` of its run, in PEFT's layout: `adapter_config.json`, `adapter_model.safetensors`.
The run's record describes it, so there is no second list that could differ from the first.
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
RECIPE = "merge.json"  # in the folder of a merged adapter: how it was merged, and of which runs
COLUMNS = ("id", "run", "task", "base", "score", "peak", "adapter", "licence of the data")
RETRAIN = "delete the run's folder and train it again"


@dataclass(frozen=True)
class StoredAdapter:
    """The adapter of a finished run: PEFT's config, and the size of its weights in bytes."""

    run: records.Run
    config: Mapping[str, Any]
    size: int

    @property
    def folder(self) -> Path:
        """The adapter's folder."""
        return self.run.folder / records.ADAPTER

    @property
    def spec(self) -> RunSpec:
        """The run's spec."""
        return self.run.record.spec

    @property
    def by_peft(self) -> bool:
        """Whether PEFT can load it; `bottleneck` saves another layout."""
        return isinstance(self.config.get("peft_type"), str)


def finished_with_adapter(runs: Iterable[records.Run]) -> list[records.Run]:
    """Return the finished runs with an adapter, intact or damaged, in their order."""
    return [run for run in runs if run.record.status == "ok" and (run.folder / records.ADAPTER).is_dir()]


def read(run: records.Run) -> StoredAdapter:
    """Return a run's adapter, its weights checked against the file's length and the record.

    Raises:
        HarnessError: the run has no adapter, or the adapter is not the one that the run saved.
    """
    folder = run.folder / records.ADAPTER
    if run.record.status != "ok" or not folder.is_dir():
        raise HarnessError(
            _missing_reason(run),
            where=str(run.folder),
            fix="name the run of an adapter: lora, qlora or a similar method",
        )
    config, weights = folder / CONFIG, folder / WEIGHTS
    for path in (config, weights):
        if not path.is_file():
            raise HarnessError(f"damaged adapter: {path.name} is missing", where=str(folder), fix=RETRAIN)
    content = read_config(folder)
    try:
        checkpoint.read_shapes(weights)
    except HarnessError as error:
        problem = error.problem.removeprefix("corrupt checkpoint: ")
        raise HarnessError(f"damaged adapter: {problem}", where=str(weights), fix=RETRAIN) from error
    size_on_disk = sum(path.stat().st_size for path in folder.glob("adapter_model*"))
    cost = run.record.cost
    if cost and cost.adapter_bytes and cost.adapter_bytes != size_on_disk:
        problem = f"damaged adapter: {size_on_disk:,} bytes, the run saved {cost.adapter_bytes:,}"
        raise HarnessError(problem, where=str(weights), fix=RETRAIN)
    return StoredAdapter(run, content, size_on_disk)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the adapter's config of a folder.

    Raises:
        HarnessError: it is missing or not a JSON object.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fix = "name a folder with an adapter in PEFT's layout"
        raise HarnessError(f"no {CONFIG} in this folder", where=str(folder), fix=fix) from None
    except (OSError, ValueError, RecursionError) as error:
        problem = f"damaged adapter: its config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix=RETRAIN) from None
    if not isinstance(config, dict):
        raise HarnessError(
            f"damaged adapter: its config is a {type(config).__name__}, not an object", where=str(path), fix=RETRAIN
        )
    return config


def _missing_reason(run: records.Run) -> str:
    record = run.record
    spec = record.spec
    name = spoken(spec) if spec.train_examples else f"{spec.method} s{spec.seed}"
    if record.status != "ok":
        return f"{name} did not finish ({record.status}), so it has no adapter"
    if not spec.train_examples:
        return f"{name} trains nothing, so it has no adapter"
    if record.cost and record.cost.adapter_bytes:
        return f"the adapter of {name} is missing: published and copied runs have none"
    return f"{name} changes the model itself, so it has no adapter"


def require_same_base(specs: Sequence[RunSpec]) -> None:
    """Raise an error if adapters were trained on different weights.

    Raises:
        HarnessError: with two runs, and the base model and revision of each.
    """
    first = specs[0]
    for spec in specs[1:]:
        if spec.model_revision != first.model_revision:
            runs = " and ".join(f"{s.id} on {s.model}@{s.model_revision}" for s in (first, spec))
            raise HarnessError(
                "the adapters belong to different base models", where=runs, fix="name adapters of one base model"
            )


def table(runs: Sequence[records.Run], licences: Mapping[str, str]) -> Table:
    """Return the table of adapters, a row each; `licences` are those of the tasks' data by name."""
    return Table("", COLUMNS, tuple(_row(run, licences) for run in runs), left=frozenset({0, 1, 2, 3, 7}))


def _row(run: records.Run, licences: Mapping[str, str]) -> tuple[str, ...]:
    record, spec = run.record, run.record.spec
    try:
        adapter_size = size(read(run).size)
    except HarnessError:
        adapter_size = "✗ damaged"
    return (
        spec.id,
        spoken(spec),
        short(trained_on(spec), 24),
        f"{short(spec.model, 24)} @ {spec.model_revision[:7]}",
        next(iter(scores(record)), NONE),
        size(peak) if (peak := peak_bytes(record)) else NONE,
        adapter_size,
        short(licences.get(spec.task) or "unknown", 32),
    )


def scores(record: Record) -> list[str]:
    """Return each score with its interval as text, the headline first, such as `accuracy 79.8 [76.5, 83.0]`."""
    return [
        f"{name.replace('_', ' ')} {number(score.value, score.unit)} {interval(score.low, score.high, score.unit)}".strip()
        for name, score in record.scores.items()
    ]


def peak_bytes(record: Record) -> int:
    """Return the peak memory of training in bytes, 0 if it was not measured."""
    return record.cost.phases["train"].peak_bytes if record.cost and "train" in record.cost.phases else 0


def details(adapter: StoredAdapter, licence: str) -> list[tuple[str, str]]:
    """Return the details of an adapter as pairs of name and value, with every field of the spec."""
    record, spec, cost = adapter.run.record, adapter.spec, adapter.run.record.cost
    rows = [
        ("run", f"{spoken(spec)} ({spec.id})"),
        ("task", f"{spec.task} v{spec.task_version}"),
        *[("trained on", trained_on(spec))] * (trained_on(spec) != spec.task),
        ("base model", f"{spec.model} @ {spec.model_revision}"),
        *[("score", text) for text in scores(record)],
        ("readable answers", f"{number(record.parse_rate)} %"),
        ("chance level", NONE if record.chance is None else f"{number(record.chance)} % by {record.guess}"),
        ("peak in training", size(peak) if (peak := peak_bytes(record)) else NONE),
        ("adapter", f"{size(adapter.size)} ({adapter.size:,} bytes)"),
        ("trained weights", f"{cost.trained_weights:,} of {cost.weights:,}" if cost else NONE),
        ("layers", ", ".join(targets(adapter.config)) or NONE),
        ("licence of data", licence or "unknown"),
        ("trained", f"{record.started} on {record.environment.machine}"),
        ("code", record.environment.commit),
        ("folder", str(adapter.folder)),
    ]
    return rows + [("spec", f"{name} = {value}") for name, value in spec.fields().items()]


def targets(config: Mapping[str, Any]) -> list[str]:
    """Return the kinds of target modules of an adapter's config, such as `q_proj`, sorted."""
    value = config.get("target_modules")
    names = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return sorted({str(name).rpartition(".")[2] for name in names})


def hub_id(spec: RunSpec) -> str:
    """Return the base model's id on the hub, empty for the embedded model and for a folder."""
    return spec.model if spec.model.count("/") == 1 and not spec.model.startswith((".", "/", "~")) else ""


def portable_config(adapter: StoredAdapter) -> dict[str, Any]:
    """Return the config with a base model name for other machines: its hub id and commit, otherwise its name."""
    config = dict(adapter.config) | {"base_model_name_or_path": adapter.spec.model}
    pinned = len(adapter.spec.model_revision) == 40 and hub_id(
        adapter.spec
    )  # a commit of the hub, not a checksum of weights
    return config | {"revision": adapter.spec.model_revision if pinned else None}


def require_empty(folder: Path) -> None:
    """Raise an error unless an output folder is new or empty.

    Raises:
        HarnessError: the path is a file, or the folder has content. Existing files are never overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise HarnessError("the output path is a file, a folder is needed", where=str(folder), fix="name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise HarnessError("the output folder is not empty", where=str(folder), fix="name a new or an empty folder")


def require_peft(adapter: StoredAdapter) -> None:
    """Raise an error if PEFT cannot load an adapter.

    Raises:
        HarnessError: with the method of the adapter.
    """
    if not adapter.by_peft:
        problem = f"the method {adapter.spec.method} saves its own layout, PEFT's is needed"
        raise HarnessError(problem, where=str(adapter.folder), fix="export the adapter of another method")


def export(adapter: StoredAdapter, folder: Path, card: str) -> list[Path]:
    """Write an adapter in PEFT's layout with its model card into a new or empty folder; return the files.

    Raises:
        HarnessError: the folder is not empty, or the adapter is not in PEFT's layout.
    """
    require_peft(adapter)
    require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights, config, readme = folder / WEIGHTS, folder / CONFIG, folder / CARD
    shutil.copyfile(adapter.folder / WEIGHTS, weights)
    records.write_text(config, json.dumps(portable_config(adapter), indent=2, sort_keys=True) + "\n")
    records.write_text(readme, card)
    return [weights, config, readme]


def method_of(spec: RunSpec, adapter: Path) -> Method:
    """Return the method of a run; a method from a PEFT config is read from the adapter's config.

    Raises:
        HarnessError: the method is not available.
    """
    try:
        return registry.method(spec.method)
    except HarnessError:
        config = adapter / CONFIG
        if not config.is_file():
            raise
        return by_config.read(str(config))

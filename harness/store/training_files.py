"""The files that training leaves in a run's folder: the logged steps, and the trained weights.

    steps.jsonl             an optimizer step a line, written during the run; published as steps.jsonl.gz
    adapter/                adapter_config.json and adapter_model.safetensors
    model/                  with `--save-full`: the weights of full fine-tuning

A record has the SHA-256 of the lines of the steps and of the list of checksums of the weights. That list is the
output of `sha256sum` in the folder for its config and its files of weights, in the order of their names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from harness.errors import HarnessError
from harness.store import answer_files, checkpoint_files, files, links
from harness.store.codec import encode

STEPS = "steps.jsonl"
PACKED_STEPS = f"{STEPS}{answer_files.SUFFIX}"
ADAPTER = "adapter"
MODEL = "model"
ADAPTER_CONFIG = "adapter_config.json"
WEIGHTS = "*.safetensors"
MAX_PUBLISHED = 64 * 2**20  # bytes of weights of one run; GitHub refuses files of more than 100 MB


def targets(folder: Path) -> tuple[str, ...]:
    """Return the kinds of modules that a run's adapter changes, such as `q_proj`, sorted; none without a PEFT config."""
    try:
        value = json.loads((folder / ADAPTER / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("target_modules")
    except (OSError, ValueError, AttributeError):
        return ()
    names = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return tuple(sorted({str(name).rpartition(".")[2] for name in names}))


def open_steps(folder: Path) -> TextIO:
    """Return `steps.jsonl` opened for appending; each line is written to the disk immediately."""
    with files.write_errors(folder):
        file = links.open_regular(folder / STEPS, links.APPEND)
        return os.fdopen(file, "a", encoding="utf-8", buffering=1)


def append_step(steps: TextIO, step: Mapping[str, Any]) -> None:
    """Append a step, such as `{"step": 3, "loss": 0.41, "seconds": 0.2}`."""
    steps.write(json.dumps(encode(step)) + "\n")


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """Return the steps so far, without an incomplete last line."""
    steps = []
    for line in steps_bytes(folder).decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):
            steps.append(json.loads(line))
    return steps


def read_losses(folder: Path) -> tuple[tuple[int, float], ...]:
    """Return the logged steps as (step, loss), without lines that have no finite loss; none if they cannot be read."""
    try:
        steps = read_steps(folder)
    except HarnessError:
        return ()
    pairs = ((step.get("step"), step.get("loss")) for step in steps if isinstance(step, dict))
    return tuple(
        (number, float(loss))
        for number, loss in pairs
        if isinstance(number, int) and isinstance(loss, int | float) and math.isfinite(loss)
    )


def steps_bytes(folder: Path) -> bytes:
    """Return the lines of the steps, in whichever form they are stored; empty if there are none.

    Raises:
        HarnessError: the file cannot be read.
    """
    path = next((path for name in (PACKED_STEPS, STEPS) if (path := folder / name).is_file()), None)
    if path is None:
        return b""
    try:
        content = path.read_bytes()
        return answer_files.unpack(content) if path.name == PACKED_STEPS else content
    except (OSError, ValueError) as error:
        fix = answer_files.run_again(folder)
        raise HarnessError(f"the steps cannot be read: {error}", where=str(path), fix=fix) from None


def steps_sha256(folder: Path) -> str:
    """Return the SHA-256 of the lines of the steps, as in the record; empty if there are none."""
    content = steps_bytes(folder)
    return hashlib.sha256(content).hexdigest() if content else ""


def clear(folder: Path) -> None:
    """Remove what an unfinished attempt left; its steps stay if there is a checkpoint, whose run reads them."""
    if not checkpoint_files.exists(folder):
        (folder / STEPS).unlink(missing_ok=True)
        checkpoint_files.drop(folder)
    (folder / PACKED_STEPS).unlink(missing_ok=True)
    for name in (STEPS, PACKED_STEPS):
        files.sweep(folder / name)
    for name in (ADAPTER, MODEL):
        if (folder / name).exists() or (folder / name).is_symlink():
            files.remove(folder / name)  # of a link, not what it leads to
        files.sweep_folder(folder / name)


def settle(folder: Path, config: Mapping[str, Any]) -> None:
    """Give an adapter that PEFT wrote the permissions of the umask, and its config the same bytes in every process.

    Args:
        folder: of the adapter.
        config: PEFT's config in memory. Its sets are stored in the order of their hashes, which differs between processes.
    """
    path = folder / ADAPTER_CONFIG
    fields = json.loads(path.read_text(encoding="utf-8"))
    sets = [name for name, value in config.items() if isinstance(value, set | frozenset)]
    fields |= {name: sorted(fields[name]) for name in sets if isinstance(fields.get(name), list)}
    files.write(path, json.dumps(fields, indent=2, sort_keys=True).encode())
    files.set_permissions(folder)


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a run's trained weights, the config of an adapter among them; empty if none are stored."""
    adapter, model = folder / ADAPTER, folder / MODEL
    if adapter.is_dir():
        return sorted([*adapter.glob(ADAPTER_CONFIG), *adapter.glob(WEIGHTS)])
    return sorted(model.glob(WEIGHTS)) if model.is_dir() else []


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of the list of checksums of a run's trained weights, as in the record; empty if none are stored."""
    lines = [f"{_file_sha256(path)}  {path.name}\n" for path in weight_files(folder)]
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of_weights(folder: Path) -> int:
    """Return the bytes of a run's trained weights on the disk."""
    return sum(path.stat().st_size for path in weight_files(folder))


def is_evidence(path: str) -> bool:
    """Return whether a path is that of published steps or weights."""
    *folders, name = path.split("/")
    return name == PACKED_STEPS or (folders[-1:] in ([ADAPTER], [MODEL]))


def publish(folder: Path, target: Path, *, weights: bool) -> None:
    """Copy the steps of a run, packed, into its published folder, and with `weights` the trained weights."""
    if content := steps_bytes(folder):
        files.write(target / PACKED_STEPS, answer_files.pack(content))
    if weights:
        for path in weight_files(folder):
            files.write(target / path.relative_to(folder), path.read_bytes())

"""A model folder, examined in milliseconds without torch: its location, its integrity and its main figures.

A model id is `tiny` (embedded), a folder in the Hugging Face layout, a GGUF file, a short name or a hub id. `resolve` turns each of them into a
folder and checks its files, so that a broken checkpoint is refused before training starts. Facts for which transformers
must be imported are read by `harness.model.loading`.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, did_you_mean, one_line, why_not_fetched
from harness.methods.parts import packing
from harness.model.files import depth, gguf_file, identity
from harness.model.files.identity import CODE
from harness.record import RunSpec

TINY = Path(__file__).parents[1] / "tiny" / "model"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
DEFAULT_WINDOW = 2048
MOST_HEADER_BYTES = 100_000_000  # as in safetensors
WINDOW = ("max_position_embeddings", "n_positions", "max_seq_len")
HIDDEN = ("hidden_size", "n_embd", "d_model")  # names of architectures for the width

Shapes = Mapping[str, tuple[int, ...]]  # of weights by name


@dataclass(frozen=True)
class Checkpoint:
    """The main facts about a model folder. Records store `name`, never a machine path.

    `hidden` is 0 if unknown. `config` is the part of the config that describes a decoder. `revision` names everything that
    decides an answer, see `identity`; `weights_revision` names the weights alone, as older records of local folders do.
    `format` describes the GGUF file that the folder was converted from, empty for other models.
    `quantised` is (library or format, bits) of weights that are stored quantised, None for plain ones.
    """

    folder: Path
    name: str
    revision: str
    hidden: int
    window: int
    weights_bytes: int
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    weights_revision: str = ""
    format: str = ""
    quantised: tuple[str, int] | None = None

    @property
    def embedded(self) -> bool:
        """Return whether this is the model that the project ships, `tiny`."""
        return self.folder == TINY.resolve()

    def matches(self, revision: str) -> bool:
        """Return whether a record with this revision is of this model."""
        return revision in (self.revision, self.weights_revision)


def read(model_id: str, *, remote_code: bool = False) -> Checkpoint:
    """Return the facts about the model that `--model` names, for errors see `resolve`.

    With `remote_code` its Python code is a part of the model.
    """
    folder, config, shapes = _examined(model_id, remote_code)
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config
    if not (width := _first(text, HIDDEN, 0)) or not _first(text, WINDOW, 0):
        text = {**_class_settings(config), **text}
    if not width and not _is_side(_first(text, HIDDEN, 0), shapes):
        text = {**text, **dict.fromkeys(HIDDEN)}
    full, weights = _revisions(folder, remote_code)
    origin = gguf_file.origin(folder)
    return Checkpoint(
        folder=folder,
        name=_name(model_id, folder),
        revision=full,
        weights_revision=weights,
        format=origin.format if origin else "",
        hidden=_first(text, HIDDEN, 0),
        window=_first(text, WINDOW, DEFAULT_WINDOW),
        weights_bytes=sum(path.stat().st_size for path in weight_files(folder)),
        config=text,
        quantised=packing.read_settings(packed)
        if isinstance(packed := config.get("quantization_config"), dict)
        else None,
    )


def _is_side(width: int, shapes: Shapes) -> bool:
    """Return whether a weight has a side of the width: transformers' own width for a config without is not every model's."""
    return any(width in shape for shape in shapes.values())


def _class_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the decoder with transformers' own for all that a config leaves out; empty if unknown.

    Published configs of Gemma 3 leave the window out, for one. This imports transformers, so it is for such configs only.
    """
    from transformers import CONFIG_MAPPING

    if config["model_type"] not in CONFIG_MAPPING:
        return {}
    try:
        complete: dict[str, Any] = (
            CONFIG_MAPPING[config["model_type"]].from_dict(dict(config)).get_text_config().to_dict()
        )
    except Exception:  # a broken config is refused where the model is built, with words
        return {}
    return complete


def base_of_runs(
    specs: Sequence[RunSpec], model_id: str | None, *, remote_code: bool, describe: Callable[[RunSpec], str]
) -> Checkpoint:
    """Return the base model of runs, checked against the hash in the record of each.

    Args:
        specs: the specs of the runs.
        model_id: the model's folder or id, None for the name in the first run's record.
        remote_code: whether Python code that comes with the model may run.
        describe: returns the part of the error message about a run's revision, such as "the run began from 1a2b3c".

    Raises:
        HarnessError: the model is missing, its weights have another hash, or it needs code and `remote_code` is False.
    """
    if any(spec.remote_code for spec in specs) and not remote_code:
        # a record or a folder from somebody else must not make this machine run code
        problem = "this model needs Python code that comes with it: the run was trained with --trust-remote-code"
        raise HarnessError(problem, where=specs[0].model, fix="pass --trust-remote-code if you have read that code")
    base = read(model_id or specs[0].model, remote_code=specs[0].remote_code)
    for spec in specs:
        if not base.matches(spec.model_revision):
            problem = f"the model in this folder has revision {base.revision}, but {describe(spec)}"
            raise HarnessError(problem, where=str(base.folder), fix="pass the base model of the run with --model DIR")
    return base


def resolve(model_id: str, *, remote_code: bool = False) -> Path:
    """Return the folder of a model, with config, weights and tokenizer checked; a hub id is fetched if not in the cache.

    Raises:
        HarnessError: no such folder, no such id on the hub, no network, or a broken checkpoint.
    """
    return _examined(model_id, remote_code)[0]


def _examined(model_id: str, remote_code: bool) -> tuple[Path, dict[str, Any], Shapes]:
    """Return the folder of a model, its config and the shapes of its weights, see `resolve`."""
    folder = _folder(model_id, remote_code)
    config, shapes = read_config(folder), dict[str, tuple[int, ...]]()
    for path in weight_files(folder):
        shapes |= read_shapes(path)
    depth.refuse_more_layers(folder, config, shapes)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise HarnessError("no tokenizer in the model folder", where=str(folder), fix="copy tokenizer.json beside it")
    return folder.resolve(), config, shapes


def is_local(model_id: str) -> bool:
    """Return whether a model can be read without a network: embedded, a folder, or in the hub's cache with weights."""
    path = _path(model_id)
    if model_id == "tiny" or path.is_dir() or gguf_file.is_gguf(path) or gguf_file.is_installed(model_id):
        return True
    if model_id.count("/") != 1 or model_id.startswith((".", "/", "~")):
        return False
    from huggingface_hub import try_to_load_from_cache

    in_cache = {name: isinstance(try_to_load_from_cache(model_id, name), str) for name in (CONFIG, INDEX, WEIGHTS)}
    return in_cache[CONFIG] and (in_cache[INDEX] or in_cache[WEIGHTS])


def _folder(model_id: str, remote_code: bool) -> Path:
    if model_id == "tiny":
        if not TINY.is_dir():
            raise HarnessError("the embedded model is missing", where=str(TINY), fix="reinstall the package")
        return TINY
    path = _path(model_id)
    if path.is_dir():
        return path
    file = path if gguf_file.is_gguf(path) else gguf_file.of_short_name(model_id)
    return gguf_file.folder(file) if file else _download(model_id, remote_code)


def _path(model_id: str) -> Path:
    with contextlib.suppress(RuntimeError):  # ~name of a user unknown on this machine
        return Path(model_id).expanduser()
    return Path(model_id)


def _download(model_id: str, remote_code: bool) -> Path:
    """Return the local snapshot of a hub id, from the cache if it is already there."""
    path = _path(model_id)
    if path.is_file():
        fix = f"--model {path.parent}" if (path.parent / CONFIG).is_file() else "pass a model folder"
        raise HarnessError(f"'{model_id}' is a file, not a model folder", where="--model", fix=fix)
    near = _near(model_id)
    if model_id.count("/") != 1 or model_id.startswith((".", "/", "~")):
        fix = near or "pass 'tiny', a folder, a GGUF file, or a hub id such as owner/name"
        raise HarnessError(f"no model folder '{model_id}'", where="--model", fix=fix)
    from huggingface_hub import snapshot_download

    # Its tries without a network are in the error below.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    patterns = [*HUB_FILES, *[CODE] * remote_code]
    try:
        with contextlib.suppress(Exception):
            snapshot = Path(snapshot_download(model_id, allow_patterns=patterns, local_files_only=True))
            if not remote_code or any(snapshot.glob(CODE)):  # an earlier download may have skipped the code
                return snapshot
        return Path(snapshot_download(model_id, allow_patterns=patterns))
    except Exception as error:  # the client's errors for offline, unknown and gated share no base class
        fix = f"download it on a machine with network (hf download {model_id} --local-dir DIR) and pass --model DIR"
        problem = f"model '{model_id}' cannot be fetched: {why_not_fetched(error)}"
        raise HarnessError(problem, where="--model", fix=f"{near}   or {fix}" if near else fix) from error


def _near(model_id: str) -> str:
    """Return a suggestion for a missing folder: the embedded model, or a folder of a similar name beside it."""
    parent = _path(model_id).parent
    beside = [path.name for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    prefix = model_id.rpartition("/")[0]
    return did_you_mean(
        model_id, ["tiny", *gguf_file.SHORT_NAMES, *(f"{prefix}/{name}" if prefix else name for name in beside)]
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model folder's config.

    Raises:
        HarnessError: `config.json` is missing, unreadable, not an object, or names no architecture.
    """
    path = folder / CONFIG
    if not path.is_file():
        adapter = (folder / "adapter_config.json").is_file()
        raise HarnessError(
            "this is an adapter, not a model" if adapter else "no config.json in the model folder",
            where=str(folder),
            fix="pass the folder of the model that it adapts"
            if adapter
            else "pass a folder with config.json, *.safetensors and a tokenizer, as save_pretrained writes it",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"the model's config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix="fetch it again") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        fault = "names no model_type" if isinstance(config, dict) else "is not an object"
        raise HarnessError(f"the model's config {fault}", where=str(path), fix="fetch it again")
    return config


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder, sorted: all shards in its index, if it has one.

    Raises:
        HarnessError: the folder has none, or a shard is missing.
    """
    index = folder / INDEX
    if not index.is_file():
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise HarnessError(
                "no weights in safetensors format in the model folder",
                where=str(folder),
                fix="older formats are not read: save the model with save_pretrained, which writes safetensors",
            )
        return files
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError("the index of the weights is broken", where=str(index), fix="fetch it again") from error
    if strange := [name for name in names if Path(name).name != name or "\\" in name]:
        problem = f"the index of the weights names '{strange[0]}', which is not a file of its folder"
        raise HarnessError(problem, where=str(index), fix="do not use this model: no valid index has such names")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise HarnessError(f"weight file {missing[0]} is missing", where=str(folder), fix="fetch the model again")
    return [folder / name for name in names]


def read_shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each tensor of a safetensors file, from its header alone.

    Raises:
        HarnessError: the header is broken, or the file's length is not what the header says (a cut download).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, MOST_HEADER_BYTES):
                raise ValueError("header longer than the file or than 100 MB")
            header = json.loads(file.read(length))
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        if end != size or not tensors:
            raise ValueError(f"{size} bytes where its header promises {end}" if tensors else "no weight in it")
        return {name: tuple(entry["shape"]) for name, entry in tensors.items()}
    except OSError as error:
        fix = "check the file and its permissions"
        raise HarnessError(f"the weights cannot be read: {error.strerror}", where=str(path), fix=fix) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        problem = f"corrupt checkpoint: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix="fetch the file again") from error


def revision(folder: Path, *, remote_code: bool = False) -> str:
    """Return the model's revision: a hub snapshot's commit, else 12 hex digits of a hash of all files that decide answers.

    The embedded model's is the hash of its weights: the other files come with the version of the project.
    """
    return _revisions(folder, remote_code)[0]


def _revisions(folder: Path, remote_code: bool) -> tuple[str, str]:
    full, weights = identity.of_folder(folder, weight_files(folder), remote_code=remote_code)
    origin = gguf_file.origin(folder)
    if origin and origin.contents == full:  # as it was converted
        return origin.revision, origin.revision
    return (weights if folder.resolve() == TINY.resolve() else full), weights


def _name(model_id: str, folder: Path) -> str:
    if model_id == "tiny":
        return "tiny"
    if model_id in gguf_file.SHORT_NAMES:
        return model_id
    if origin := gguf_file.origin(folder):
        return origin.file
    if identity.is_snapshot(folder):
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    return folder.name if _path(model_id).exists() else model_id


def _first(config: dict[str, Any], keys: tuple[str, ...], default: int) -> int:
    """Return the first of these settings that is an integer above 0, else the default."""
    return next((config[key] for key in keys if isinstance(config.get(key), int) and config[key] > 0), default)

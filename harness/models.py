"""Model id to folder, revision, shape, tokenizer and weights; the choice of device and precision.

A model id is `tiny` (embedded), a folder in the Hugging Face layout, or a hub id. Whatever it is, `resolve` turns it
into a folder and checks it, so that a broken checkpoint is refused before anything trains.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from harness.errors import HarnessError, did_you_mean
from harness.schema import Method, RunSpec

TINY = Path(__file__).parent / "tiny" / "model"
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
FAST_BF16_FLAGS = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True)
class Shape:
    """Dimensions of a model, read from its config without its weights.

    `weights` counts every number once (tied matrices too). `linears` holds (inputs, outputs) of each linear layer
    that LoRA adapts: all of them but the output layer. `max_positions` is the window in tokens.
    """

    architecture: str
    hidden: int
    layers: int
    vocab: int
    weights: int
    max_positions: int
    linears: tuple[tuple[int, int], ...]

    @property
    def max_rank(self) -> int:
        """The smallest side of any linear layer: a larger rank would not be low-rank there."""
        return min((min(sides) for sides in self.linears), default=0)


def resolve(model_id: str) -> Path:
    """Return the folder of a model, checked: config, weight files and tokenizer are there and whole.

    Raises:
        HarnessError: no such folder, nothing on the hub under this id, no network, or a broken checkpoint.
    """
    folder = TINY if model_id == "tiny" else Path(model_id).expanduser()
    if not folder.is_dir():
        if model_id == "tiny":
            raise HarnessError("the embedded model is missing", where=str(TINY), fix="reinstall the package")
        folder = _download(model_id)
    check_folder(folder)
    return folder.resolve()


def _download(model_id: str) -> Path:
    """Return the local snapshot of a hub id, from the cache where it is there already."""
    help_text = (
        "download it on a machine with network (`hf download " + model_id + " --local-dir DIR`) and pass --model DIR"
    )
    if Path(model_id).is_file():
        raise HarnessError(f"'{model_id}' is a file, not a model folder", where="--model", fix="pass its folder")
    if model_id.count("/") != 1 or model_id.startswith((".", "/", "~")):
        fix = did_you_mean(model_id, ["tiny"]) or "pass 'tiny', a folder, or a hub id such as owner/name"
        raise HarnessError(f"no model folder '{model_id}'", where="--model", fix=fix)
    from huggingface_hub import snapshot_download

    try:
        with contextlib.suppress(Exception):
            return Path(snapshot_download(model_id, allow_patterns=list(HUB_FILES), local_files_only=True))
        return Path(snapshot_download(model_id, allow_patterns=list(HUB_FILES)))
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise HarnessError(f"model '{model_id}' cannot be fetched: {reason}", where="--model", fix=help_text) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder whose config, safetensors or tokenizer is missing or broken. Reads headers only.

    Raises:
        HarnessError: naming the file.
    """
    from transformers import AutoModelForCausalLM

    config = load_config(folder)
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise HarnessError(
            f"'{config.model_type}' is not a causal language model",
            where=str(folder),
            fix="pass a model that writes text",
        )
    for path in weight_files(folder):
        _check_safetensors(path)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise HarnessError("no tokenizer in the model folder", where=str(folder), fix="copy tokenizer.json beside it")


def load_config(folder: Path) -> Any:
    """Return the transformers config of a folder.

    Raises:
        HarnessError: `config.json` is missing, not JSON, or of an unknown architecture.
    """
    from transformers import AutoConfig

    path = folder / "config.json"
    if not path.is_file():
        raise HarnessError(
            "no config.json in the model folder", where=str(folder), fix="pass a Hugging Face model folder"
        )
    try:
        json.loads(path.read_text(encoding="utf-8"))
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise HarnessError(
            f"the model's config cannot be read: {reason}", where=str(path), fix="fetch it again"
        ) from error


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder, sorted; all shards that its index names.

    Raises:
        HarnessError: there is none, or a shard is missing.
    """
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise HarnessError(
                "no model.safetensors in the model folder",
                where=str(folder),
                fix="older formats are not read: save the model with save_pretrained, which writes safetensors",
            )
        return files
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise HarnessError("the index of the weights is broken", where=str(index), fix="fetch it again") from error
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise HarnessError(f"weight file {missing[0]} is missing", where=str(folder), fix="fetch the model again")
    return [folder / name for name in names]


def _check_safetensors(path: Path) -> None:
    """Refuse a file whose header is broken or whose length is not what the header says (a cut download)."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= size - 8:
                raise ValueError("header longer than the file")
            header = json.loads(file.read(length))
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=-1)
        if 8 + length + end != size:
            raise ValueError(f"{size} bytes where its header promises {8 + length + end}")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = str(error).split("\n")[0][:120]
        raise HarnessError(f"corrupt checkpoint: {reason}", where=str(path), fix="fetch the file again") from error


def revision(model_id: str) -> str:
    """Return what pins the weights: a hub snapshot's commit, else the first 12 hex digits of their SHA-256."""
    folder = resolve(model_id)
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


@functools.lru_cache(maxsize=8)
def shape(model_id: str) -> Shape:
    """Return the model's shape from its config alone: nothing is allocated."""
    return config_shape(load_config(resolve(model_id)))


def config_shape(config: Any) -> Shape:
    """Return the shape that a transformers config describes, built on the meta device (no memory, about a second)."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    text = config.get_text_config()
    output = model.get_output_embeddings()
    return Shape(
        architecture=str(config.model_type),
        hidden=int(text.hidden_size),
        layers=int(text.num_hidden_layers),
        vocab=int(text.vocab_size),
        weights=sum(weight.numel() for weight in model.parameters()),
        max_positions=int(getattr(text, "max_position_embeddings", 0) or 2048),
        linears=tuple(
            sides for layer in model.modules() if layer is not output and (sides := linear_sides(layer)) is not None
        ),
    )


def linear_sides(layer: torch.nn.Module) -> tuple[int, int] | None:
    """Return (inputs, outputs) of a linear layer, GPT-2's transposed kind too; None for any other module."""
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    if type(layer).__name__ == "Conv1D":
        inputs, outputs = layer.get_parameter("weight").shape
        return int(inputs), int(outputs)
    return None


def adapter_weights(shape: Shape, rank: int) -> int:
    """Return how many numbers LoRA of this rank trains: rank x (inputs + outputs) of every adapted layer."""
    return rank * sum(inputs + outputs for inputs, outputs in shape.linears)


def trained_share(shape: Shape, method: Method, rank: int) -> float:
    """Return trained weights over the model's weights: 0.0 for the base, 1.0 for full, the adapter's share for LoRA."""
    if not method.trains:
        return 0.0
    return adapter_weights(shape, rank) / shape.weights if method.adapter else 1.0


def check_rank(shape: Shape, rank: int) -> None:
    """Refuse a rank that is not between 1 and the smallest side of a linear layer.

    Raises:
        HarnessError: with the largest rank that fits.
    """
    if not 1 <= rank <= shape.max_rank:
        raise HarnessError(
            f"rank {rank} is not between 1 and {shape.max_rank}",
            where=f"--rank {rank}, smallest linear layer {shape.max_rank} wide",
            fix=f"choose a rank from 1 to {shape.max_rank}",
        )


def choose_device() -> Literal["cpu", "cuda"]:
    """Return "cuda" where torch sees a device, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def choose_dtype(device: str) -> Literal["bf16", "fp32"]:
    """Return "bf16" where the processor multiplies it natively (Ampere or newer; AMX or AVX512-BF16), else "fp32"."""
    if device == "cuda":
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp32"
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
    return "bf16" if any(flag in flags for flag in FAST_BF16_FLAGS) else "fp32"


def precision(spec: RunSpec) -> contextlib.AbstractContextManager[Any]:
    """Return the context that a forward pass runs in: autocast to bf16 where the spec says so.

    Matrix products run in bf16 for every method; softmax, norms and losses keep fp32. What trains stays fp32.
    """
    if spec.dtype == "bf16":
        return torch.autocast(spec.device, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model folder.

    Raises:
        HarnessError: it cannot be read, or it has no end-of-text token, which every answer ends with.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise HarnessError(
            f"the tokenizer cannot be read: {reason}", where=str(folder), fix="fetch it again"
        ) from error
    if tokenizer.eos_token_id is None:
        raise HarnessError(
            "the tokenizer has no end-of-text token", where=str(folder), fix="set eos_token in its config"
        )
    return tokenizer

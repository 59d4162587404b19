"""A model's architecture, shape and tokenizer from its id, and the precision of a forward pass.

`harness.model.checkpoint` locates a model and checks its files without torch; this module needs torch.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError, one_line
from harness.methods.parts import architecture
from harness.model import checkpoint
from harness.record import RunSpec
from harness.schema import Method


@dataclass(frozen=True)
class Shape:
    """The dimensions of a model, read from its config without its weights.

    `weights` counts every number once (tied matrices too). `linears` has (inputs, outputs) of each linear layer that LoRA
    adapts: all but the output layer and those of `architecture.without_adapter`, about which `exceptions` is a sentence.
    `max_positions` is the window in tokens.
    """

    architecture: str
    hidden: int
    layers: int
    vocab: int
    weights: int
    max_positions: int
    linears: tuple[tuple[int, int], ...]
    exceptions: str = ""

    @property
    def max_rank(self) -> int:
        """Return the smallest side of any linear layer: a larger rank would not be low-rank there."""
        return min((min(sides) for sides in self.linears), default=0)


def resolve(model_id: str, *, remote_code: bool = False) -> Path:
    """Return the folder of a model; its files are complete and it is a causal language model.

    Raises:
        HarnessError: as `checkpoint.resolve`, for an unknown architecture, or for one that writes no text.
    """
    from transformers import AutoModelForCausalLM

    folder = checkpoint.resolve(model_id, remote_code=remote_code)
    config = load_config(folder, remote_code=remote_code)
    has_class = remote_code and "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    if not has_class and type(config) not in AutoModelForCausalLM._model_mapping:
        raise HarnessError(
            f"'{config.model_type}' is not a causal language model",
            where=str(folder),
            fix="pass a model that writes text",
        )
    return folder


def load_config(folder: Path, *, remote_code: bool = False) -> Any:
    """Return the transformers config of a folder; with `remote_code` Python code from the folder may run.

    Raises:
        HarnessError: `config.json` is missing, broken, or of an unknown architecture.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    path = str(folder / checkpoint.CONFIG)
    config = checkpoint.read_config(folder)
    kind = config["model_type"]
    if kind not in CONFIG_MAPPING and not remote_code:
        fix = "update transformers, or pass another model"
        if "auto_map" in config:
            fix += "; or, if you trust the Python code that comes with the model, run it with --trust-remote-code"
        raise HarnessError(f"transformers does not know the architecture '{kind}'", where=path, fix=fix)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=remote_code)
    except Exception as error:
        problem = f"the model's config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=path, fix="fetch it again") from error


def config_from(values: Mapping[str, Any]) -> Any:
    """Return the transformers config of a shipped architecture (see `harness.model.architectures`)."""
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[values["model_type"]].from_dict(dict(values))


@functools.lru_cache(maxsize=8)
def shape(model_id: str, *, remote_code: bool = False) -> Shape:
    """Return the model's shape from its config alone, without allocating weights.

    Raises:
        HarnessError: as `resolve`, or if config and weights belong to different models.
    """
    folder = resolve(model_id, remote_code=remote_code)
    config = load_config(folder, remote_code=remote_code)
    model = skeleton(config, remote_code=remote_code)
    if not getattr(config, "quantization_config", None):  # packed weights have other shapes
        _refuse_mismatch(folder, model)
    return _shape_of(config, model)


def config_shape(config: Any) -> Shape:
    """Return the shape of the model of a transformers config."""
    return _shape_of(config, skeleton(config))


def skeleton(config: Any, *, remote_code: bool = False, **options: Any) -> Any:
    """Return the model on the meta device, which takes no memory and about a second; `options` are transformers'."""
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=remote_code, **options)


def _refuse_mismatch(folder: Path, model: Any) -> None:
    """Raise an error for weights of another shape than the config's, and for missing layers.

    Only name patterns that occur in the files are compared: transformers renames and joins some weights on loading, mostly
    those of experts, and reports missing ones itself.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in checkpoint.weight_files(folder):
        shapes |= checkpoint.read_shapes(path)
    patterns = {re.sub(r"\d+", "#", name) for name in shapes}
    exceptions = ["experts", *(model._keys_to_ignore_on_load_missing or ())]
    for name, weight in model.named_parameters():
        if re.sub(r"\d+", "#", name) not in patterns or any(re.search(pattern, name) for pattern in exceptions):
            continue
        sides = tuple(weight.shape)
        if shapes.get(name) != sides:
            has = f"of shape {list(shapes[name])}, not {list(sides)}" if name in shapes else "missing"
            problem = f"config.json and the weights do not fit together: {name} is {has}"
            raise HarnessError(problem, where=str(folder), fix="fetch the model again")


def _shape_of(config: Any, model: Any) -> Shape:
    text = config.get_text_config()
    output, without = model.get_output_embeddings(), set(architecture.without_adapter(model))
    return Shape(
        architecture=str(config.model_type),
        hidden=int(text.hidden_size),
        layers=int(text.num_hidden_layers),
        vocab=int(text.vocab_size),
        weights=sum(weight.numel() for weight in model.parameters()),
        max_positions=int(getattr(text, "max_position_embeddings", 0) or 2048),
        linears=tuple(
            sides
            for name, layer in model.named_modules()
            if layer is not output and name not in without and (sides := linear_sides(layer)) is not None
        ),
        exceptions=architecture.exceptions(model),
    )


def linear_sides(layer: torch.nn.Module) -> tuple[int, int] | None:
    """Return (inputs, outputs) of a linear layer, GPT-2's transposed kind included, or None for any other module."""
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    if type(layer).__name__ == "Conv1D":
        inputs, outputs = layer.get_parameter("weight").shape
        return int(inputs), int(outputs)
    return None


def adapter_weights(shape: Shape, rank: int) -> int:
    """Return the number of weights that LoRA of this rank trains: rank x (inputs + outputs) of every adapted layer."""
    return rank * sum(inputs + outputs for inputs, outputs in shape.linears)


def trained_share(shape: Shape, method: Method, rank: int) -> float:
    """Return trained weights over the model's weights: 0.0 for the base, 1.0 for full, the adapter's share for LoRA."""
    if not method.trains:
        return 0.0
    return adapter_weights(shape, rank) / shape.weights if method.adapter else 1.0


def check_rank(shape: Shape, rank: int) -> None:
    """Raise an error for a rank that is not between 1 and the smallest side of a linear layer.

    Raises:
        HarnessError: the rank does not fit, with the largest that does; or the model has no linear layer.
    """
    if not shape.linears:
        raise HarnessError("the model has no layer to adapt", where=shape.architecture, fix="pass another model")
    if not 1 <= rank <= shape.max_rank:
        raise HarnessError(
            f"rank {rank} is not between 1 and {shape.max_rank}",
            where=f"--rank {rank}, smallest linear layer {shape.max_rank} wide",
            fix=f"choose a rank from 1 to {shape.max_rank}",
        )


def precision(spec: RunSpec) -> contextlib.AbstractContextManager[Any]:
    """Return the context for a forward pass: autocast to bf16 if the spec's dtype is bf16.

    Matrix products run in bf16 for every method. Softmax, norms, losses and trained weights stay in fp32.
    """
    if spec.dtype == "bf16":  # a cache of casts would have those of all layers whole
        return torch.autocast(spec.device, dtype=torch.bfloat16, cache_enabled=spec.shards == 1)
    return contextlib.nullcontext()


def tokenizer_of(folder: Path, spec: RunSpec) -> Any:
    """Return the tokenizer of a run's model, with the settings of its chat template; errors as `load_tokenizer`."""
    return load_tokenizer(folder, remote_code=spec.remote_code, template_args=spec.template_args)


def load_tokenizer(folder: Path, *, remote_code: bool = False, template_args: Sequence[str] | None = None) -> Any:
    """Return the tokenizer of a model folder.

    Args:
        folder: of the model.
        remote_code: whether Python code from the folder may run.
        template_args: the variables of the chat template, as `name=value`; None for the default, without thinking.

    Raises:
        HarnessError: it cannot be read, or it has no end-of-text token; every answer ends with that token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=remote_code)
    except Exception as error:
        problem = f"the tokenizer cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(folder), fix="fetch it again") from error
    if tokenizer.eos_token_id is None:
        raise HarnessError(
            "the tokenizer has no end-of-text token", where=str(folder), fix="set eos_token in its config"
        )
    tokenizer.template_args = None if template_args is None else tuple(template_args)
    return tokenizer

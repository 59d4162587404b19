"""The untrained model: the baseline for every gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError, one_line
from harness.methods.parts import packed_product
from harness.record import RunSpec
from harness.schema import Method


def load_weights(folder: str, spec: RunSpec, dtype: str, **options: Any) -> Any:
    """Return the model of a folder with its weights in `dtype` ("bf16" or "fp32") on `spec.device`.

    Args:
        folder: a Hugging Face model folder (see `harness.model.loading.resolve`).
        spec: gives the device.
        dtype: the precision of the weights.
        options: further arguments of transformers' `from_pretrained`.

    Raises:
        HarnessError: the weights cannot be read, or the architecture needs more than the folder has. transformers would
            fill missing weights with random numbers and go on.

    Weights that the folder stores in 4 or 8 bits stay packed.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from harness.methods.parts import wide_product

    disable_progress_bar()  # the run shows its own
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.bfloat16 if dtype == "bf16" else torch.float32,
            device_map={"": spec.device},
            local_files_only=True,
            trust_remote_code=spec.remote_code,
            use_safetensors=True,  # other formats are pickles, which run any code on loading
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        problem = f"the weights cannot be loaded: {one_line(error)}"
        raise HarnessError(problem, where=folder, fix="fetch the model again") from error
    if report["missing_keys"]:
        name = sorted(report["missing_keys"])[0]
        raise HarnessError(f"the checkpoint lacks the weight {name}", where=folder, fix="fetch the model again")
    return wide_product.install(packed_product.with_exact_products(model, spec), spec)


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model in `spec.dtype`."""
    return load_weights(folder, spec, spec.dtype)


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with nothing to train."""
    return model.requires_grad_(False)


# LoRA's alpha for every rank, so that one learning rate serves all ranks: with updates scaled by alpha / rank the best rate
# hardly depends on the rank ("LoRA without regret", Schulman et al. 2025, which uses the same 32).
ALPHA = 32.0
NARROW, USUAL = 224, 512  # widths: of the embedded model, and of the narrowest usual models


def rate_through(hidden_size: int, rates: Mapping[int, float]) -> float:
    """Return the learning rate at a width: on power laws through the rates at some widths, level below the narrowest.

    Under Adam the best rate falls as a power of the width (Yang et al. 2022, arXiv:2203.03466).
    """
    widths = sorted(rates)
    hidden_size = max(hidden_size, widths[0])
    pairs = itertools.pairwise(widths)
    low, high = next((pair for pair in pairs if hidden_size <= pair[1]), widths[-2:])
    power = math.log(rates[high] / rates[low]) / math.log(high / low)
    return float(rates[low] * (hidden_size / low) ** power)


def narrowness(hidden_size: int) -> float:
    """Return 1.0 up to width 224, 0.0 from 512, and between them a share that falls with the logarithm of the width.

    The embedded model is far from the tasks' language: its weights have to change more than those of a model that was
    trained on much text. Rules that hold for such models are wrong for it by a factor of ten, and this share
    leads from one rule to the other without a jump.
    """
    return min(1.0, max(0.0, math.log(USUAL / hidden_size) / math.log(USUAL / NARROW)))


def learning_rate(hidden_size: int) -> float:
    """Return 0.0: nothing trains."""
    return 0.0


METHOD = Method(
    name="base",
    title="untrained model",
    load=load,
    adapt=adapt,
    learning_rate=learning_rate,
    trains=False,
)

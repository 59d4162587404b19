"""LoRA on a model frozen in 8 bits: each row of a weight in int8 with one scale, packed by bitsandbytes.

The packing is LLM.int8()'s (Dettmers et al. 2022, arXiv:2208.07339). The product is PyTorch's in the spec's precision, on
every device (see `parts.packed_product`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, lora, qlora
from harness.methods.parts import packed_product, packing
from harness.record import RunSpec

unpack = packed_product.unpack_bytes


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model with its linear layers in int8, the output layer and the rest in `spec.dtype`.

    Raises:
        HarnessError: too few weights would be in 8 bits, or the folder stores them otherwise quantised.
    """
    from transformers import BitsAndBytesConfig

    skip = qlora.left_plain(folder, spec, 8)
    quantization = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skip)
    return packing.require(base.load_weights(folder, spec, spec.dtype, quantization_config=quantization), spec, 8)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="lora8",
    title="LoRA on a model in 8 bits",
    load=load,
    requires=("peft", "bitsandbytes"),
    frozen_bits=8.0,
)

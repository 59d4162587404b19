"""QLoRA (Dettmers et al. 2023, arXiv:2305.14314): LoRA on a model frozen in 4 bits, through bitsandbytes."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, lora
from harness.schema import RunSpec

# NF4 in blocks of 64 with one 8-bit scale each, and the scales in blocks of 256 with one fp32 scale each.
BITS_PER_WEIGHT = 4 + 8 / 64 + 32 / (64 * 256)


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model with its linear layers in NF4 with double quantisation, the rest in `spec.dtype`.

    PEFT's `prepare_model_for_kbit_training` is left out on purpose: it turns embeddings and norms into fp32 and
    switches gradient checkpointing on, which would make QLoRA differ from LoRA in more than the frozen weights.
    """
    import torch
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    model = base.load_weights(folder, spec, spec.dtype, quantization_config=quantization)
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            # In eval mode bitsandbytes would repack the weights for another kernel with rounded scales: the model
            # that is tested would not be the one that was trained, and could not be trained on.
            layer.support_avx512bf16_for_cpu = False
    return model


METHOD = dataclasses.replace(
    lora.METHOD,
    name="qlora",
    title="LoRA on a model in 4 bits (NF4)",
    load=load,
    requires=("peft", "bitsandbytes"),
    frozen_bits=BITS_PER_WEIGHT,
)

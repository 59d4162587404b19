"""QLoRA (Dettmers et al. 2023, arXiv:2305.14314): LoRA on a model frozen in 4 bits, through bitsandbytes."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, lora
from harness.methods.parts import packed_product, packing
from harness.record import RunSpec

# NF4 in blocks of 64 with one 8-bit scale each, and the scales in blocks of 256 with one fp32 scale each.
BITS_PER_WEIGHT = 4 + 8 / 64 + 32 / (64 * 256)
unpack = packed_product.unpack


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model with its linear layers in NF4 with double quantisation, the rest in `spec.dtype`.

    PEFT's `prepare_model_for_kbit_training` is not called on purpose: it casts embeddings and norms to fp32 and enables
    gradient checkpointing, so that QLoRA would differ from LoRA in more than the frozen weights.

    Raises:
        HarnessError: too few weights would be in 4 bits, or the folder stores them otherwise quantised.
    """
    import torch
    from transformers import BitsAndBytesConfig

    compute = torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        llm_int8_skip_modules=left_plain(folder, spec, 4),
    )
    model = base.load_weights(folder, spec, spec.dtype, quantization_config=quantization)
    return packing.require(model, spec, 4)


def left_plain(folder: str, spec: RunSpec, bits: int) -> list[str] | None:
    """Return the layers that bitsandbytes must not pack, None for transformers' own choice.

    Raises:
        HarnessError: the folder stores its weights quantised, and not in `bits` by bitsandbytes.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=spec.remote_code)
    packing.refuse_stored(config, spec, bits)
    kind = AutoModelForCausalLM._model_mapping.get(type(config), None)
    if not getattr(kind, "_is_stateful", False):  # only state-space layers have weights that must stay plain
        return None
    with torch.device("meta"):
        return packing.kept_plain(AutoModelForCausalLM.from_config(config, trust_remote_code=spec.remote_code))


METHOD = dataclasses.replace(
    lora.METHOD,
    name="qlora",
    title="LoRA on a model in 4 bits (NF4)",
    load=load,
    requires=("peft", "bitsandbytes"),
    frozen_bits=BITS_PER_WEIGHT,
)

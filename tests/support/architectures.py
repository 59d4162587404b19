"""Tiny random models of the architectures that people fine-tune, built from transformers' own configs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.support.tiny_models import toy_tokenizer

# The usual settings of a decoder; `head_dim` is set by those whose default is far wider.
DECODER: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": None,
}
EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LAYERS = ["sliding_attention", "full_attention"]
HEADS: dict[str, Any] = {"head_dim": 8, "query_pre_attn_scalar": 8}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 14,
}
# Settings by class of config.
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    "mistral": ("MistralConfig", {"sliding_window": 32}),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 8}),
    "qwen3-moe": ("Qwen3MoeConfig", {"head_dim": 8, **EXPERTS}),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4}),
    "gemma2": ("Gemma2Config", {**HEADS, "sliding_window": 32}),
    "gemma3-text": ("Gemma3TextConfig", {**HEADS, "sliding_window": 32, "layer_types": LAYERS}),
    "gemma3": ("Gemma3Config", {**HEADS, "sliding_window": 32, "layer_types": LAYERS}),
    "phi3": ("Phi3Config", {}),
    "falcon": ("FalconConfig", {}),
    "gpt2": ("GPT2Config", {}),
    "gpt-neox": ("GPTNeoXConfig", {}),
    "opt": ("OPTConfig", {"ffn_dim": 64, "word_embed_proj_dim": 32, "pad_token_id": 1}),
    "mamba": ("MambaConfig", {"state_size": 8}),
    "granite": ("GraniteConfig", {}),
    "bloom": ("BloomConfig", {}),
}

ONE_KIND_OF_HEAD = ("falcon", "gpt2", "gpt-neox", "opt", "mamba", "bloom")  # an entry that their config does not know


def config(name: str, **changes: Any) -> Any:
    """Return the config of a tiny model of an architecture."""
    import transformers

    kind, settings = SETTINGS[name]
    settings = DECODER | settings | changes
    if name in ONE_KIND_OF_HEAD:
        settings.pop("num_key_value_heads")
    if name == "gemma3":
        return transformers.Gemma3Config(
            text_config=transformers.Gemma3TextConfig(**settings),
            vision_config=transformers.SiglipVisionConfig(**VISION),
            mm_tokens_per_image=4,
            initializer_range=settings["initializer_range"],
            boi_token_index=290,
            eoi_token_index=291,
            image_token_index=292,
            tie_word_embeddings=True,
        )
    return getattr(transformers, kind)(**settings)


def model(name: str, **changes: Any) -> Any:
    """Return a tiny random model of an architecture, the same on every call, its weights far from uniform."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config(name, **changes)).eval()


def folder(name: str, path: Path, **changes: Any) -> Path:
    """Write a tiny random model of an architecture and the toy tokenizer to a folder."""
    model(name, **changes).save_pretrained(path)
    toy_tokenizer().save_pretrained(path)
    return path

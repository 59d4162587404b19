"""A folder of a Llama and a LoRA adapter as the GGUF files that llama.cpp reads.

The model's file holds the weights of the folder as they are, or quantised in blocks of 32. Tokens have numbers for names, because an engine gets and
returns token ids only; so no tokenizer is translated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

ARCHITECTURE = "llama"
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
PREFIX = "base_model.model."  # of the names in PEFT's files
CONTROL, NORMAL = 3, 1  # types of tokens
BLOCK = 32  # numbers of a row that share a scale


def write_model(folder: Path, target: Path, form: str) -> None:
    """Write a model folder as one file; its matrices in the form "fp32", "bf16", "q8_0" or "q4_0", vectors in fp32.

    Raises:
        HarnessError: a weight has no place in llama.cpp's Llama.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    writer = GGUFWriter(target, ARCHITECTURE)
    _add_settings(writer, config)
    kind = GGMLQuantizationType["F32" if form == "fp32" else form.upper()]
    for name, weight in _weights(folder):
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        tensor = f"{_tensor(name.removesuffix('.weight'), folder)}.weight"
        values = _turned(tensor, weight, config)
        if values.ndim > 1 and kind != GGMLQuantizationType.F32 and values.shape[-1] % BLOCK == 0:
            writer.add_tensor(tensor, quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor, values)
    _close(writer)


def write_adapter(adapter: Path, folder: Path, target: Path) -> None:
    """Write a LoRA adapter in PEFT's format for the model of a folder.

    Raises:
        HarnessError: it is another adapter than plain LoRA.
    """
    from gguf import GGUFType, GGUFWriter

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank, alpha = int(settings["r"]), float(settings["lora_alpha"])
    writer = GGUFWriter(target, ARCHITECTURE)
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    # llama.cpp multiplies by alpha over rank
    writer.add_float32("adapter.lora.alpha", alpha * rank**0.5 if settings.get("use_rslora") else alpha)
    for name, weight in _weights(adapter):
        module, _, half = name.removeprefix(PREFIX).removesuffix(".weight").rpartition(".lora_")
        if half not in ("A", "B") or not module:
            problem = f"the adapter has the weight {name}, and plain LoRA has none"
            raise HarnessError(problem, where=str(adapter), fix="--engine vllm, or leave --engine out")
        tensor = f"{_tensor(module, adapter)}.weight"
        writer.add_tensor(f"{tensor}.lora_{half.lower()}", _turned(tensor, weight, config) if half == "B" else weight)
    _close(writer)


def refuse_other_adapters(adapter: Path) -> None:
    """Refuse an adapter that is no plain LoRA, by its config.

    Raises:
        HarnessError: it is none.
    """
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    plain = settings.get("peft_type") == "LORA" and settings.get("bias", "none") == "none"
    further = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication")
    if not plain or any(settings.get(name) for name in further):
        names = ", ".join(name for name in further if settings.get(name)) or str(settings.get("peft_type"))
        problem = f"an engine loads plain LoRA only, and this adapter has {names}"
        raise HarnessError(problem, where=str(adapter), fix="leave --engine out")


def _add_settings(writer: Any, config: Mapping[str, Any]) -> None:
    heads, width = config["num_attention_heads"], config["hidden_size"]
    rope = config.get("rope_parameters") or {}
    head = config.get("head_dim") or width // heads
    ends = config.get("eos_token_id")
    end = int(ends[0] if isinstance(ends, list) else ends or 0)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    count = config["vocab_size"]
    writer.add_vocab_size(count)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{number}" for number in range(count)])
    writer.add_token_types([CONTROL if number == end else NORMAL for number in range(count)])
    writer.add_token_merges(["t 0"])  # llama.cpp wants one; no text is split
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _weights(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of all weights of a folder, as fp32 arrays."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                yield name, file.get_tensor(name).float().numpy()


def _tensor(module: str, folder: Path) -> str:
    """Return llama.cpp's name of a module."""
    if module in OUTER:
        return OUTER[module]
    number, _, part = module.removeprefix("model.layers.").partition(".")
    if not number.isdigit() or part not in LAYER:
        problem = f"the weight of {module} has no place in llama.cpp's Llama"
        raise HarnessError(problem, where=str(folder), fix="--engine vllm, or leave --engine out")
    return f"blk.{number}.{LAYER[part]}"


def _turned(tensor: str, weight: Any, config: Mapping[str, Any]) -> Any:
    """Return a weight as llama.cpp wants it: the rows of queries and keys in pairs, one of each half of a head.

    transformers turns the halves of a head against each other, llama.cpp neighbours.
    """
    heads = config["num_attention_heads"]
    if tensor.endswith("attn_k.weight"):
        heads = config.get("num_key_value_heads") or heads
    elif not tensor.endswith("attn_q.weight"):
        return weight
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

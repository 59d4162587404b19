"""The parts of an architecture that decide what can train: the layers that text reaches, those that an adapter must leave
alone, and experts that are stored as one tensor."""

from __future__ import annotations

from typing import Any


def label(model: Any) -> str:
    """Return the name of the architecture below any PEFT model, such as `MixtralForCausalLM`."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return type(inner).__name__


def text_parts(model: Any) -> list[Any] | None:
    """Return the modules that text goes through: decoder and output layer; None if that is the whole model.

    A model for pictures or sound has towers and projectors beside its decoder, and text never reaches them.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = inner.config
    if config.get_text_config() is config or not hasattr(inner, "get_decoder"):
        return None
    parts = [inner.get_decoder(), inner.get_output_embeddings(), inner.get_input_embeddings()]
    return None if parts[0] is inner else [part for part in parts if part is not None]


def beyond_text(model: Any) -> set[str]:
    """Return the names of the modules that text never reaches, such as a vision tower and its layers."""
    parts = text_parts(model)
    if parts is None:
        return set()
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    reached = {id(module) for part in parts for module in part.modules()}
    beyond = {id(module) for module in inner.modules() if reached.isdisjoint(map(id, module.modules()))}
    return {name for name, module in model.named_modules() if id(module) in beyond}


def idle_weights(model: Any) -> list[Any]:
    """Return the weights that text never reaches, each once."""
    beyond = beyond_text(model)
    weights = {id(w): w for name, module in model.named_modules() if name in beyond for w in module.parameters(False)}
    return list(weights.values())


def freeze_beyond_text(model: Any) -> Any:
    """Return the model with the weights frozen that text never reaches: they would count as trained and never move."""
    for name in beyond_text(model):
        model.get_submodule(name).requires_grad_(False)
    return model


def is_linear(module: Any) -> bool:
    """Return whether a module is a linear layer, GPT-2's transposed kind included."""
    import torch

    return isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"


def read_directly(model: Any) -> list[str]:
    """Return the names of linear layers of state-space mixers (Mamba and its kin) whose weights are read past the layer.

    The mixer multiplies by the weight of `dt_proj` itself, and fast kernels do so by that of `out_proj`. An adapter there
    would never get a gradient, and PEFT refuses `out_proj`.
    """
    return [
        f"{name}.{child}"
        for name, module in model.named_modules()
        if hasattr(module, "A_log") and hasattr(module, "D")
        for child in ("dt_proj", "out_proj")
        if is_linear(getattr(module, child, None))
    ]


def without_adapter(model: Any) -> list[str]:
    """Return the names of the linear layers that an adapter on all linear layers leaves out, in the model's order."""
    beyond = beyond_text(model)
    towers = [name for name, module in model.named_modules() if name in beyond and is_linear(module)]
    return [*towers, *read_directly(model)]


def exceptions(model: Any) -> str:
    """Return a sentence about the layers that adapters leave out, empty if there are none."""
    beyond = beyond_text(model)
    towers = [name for name in beyond if name.rpartition(".")[0] not in beyond]
    parts = [f"text never reaches {', '.join(sorted(towers))}"] if towers else []
    if direct := read_directly(model):
        parts.append(f"mixers read the weights of {kinds(direct)} past the layer")
    return f"not on every linear layer: {'; '.join(parts)}" if parts else ""


def keeps_state(model: Any) -> bool:
    """Return whether layers carry a state from token to token instead of keys and values, as transformers marks them."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return bool(getattr(inner, "_is_stateful", False))


def fused_experts(model: Any) -> list[str]:
    """Return the names of weights that hold all experts of a layer in one tensor, and so belong to no linear layer."""
    return [name for name, weight in model.named_parameters() if weight.ndim == 3 and "experts" in name]


def kinds(names: list[str]) -> str:
    """Return the last parts of some names, each once and in order: `q_proj, v_proj`."""
    return ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in names))

"""A trial of an adapted model on a few tokens before it trains: does it compute, and which weights does text reach?

A weight that no text reaches never gets a gradient. It is frozen here, so that it does not count as trained: layers that
take the keys of other layers, layers for pictures inside a decoder, an adapter on a weight that is read past its layer.
"""

from __future__ import annotations

from typing import Any

import torch

from harness.errors import HarnessError, one_line
from harness.methods.parts import architecture
from harness.model.loading import precision
from harness.record import RunSpec

TOKENS = 8
EXPERT = "experts."  # an expert that these tokens are not sent to may well get others


def freeze_idle(model: Any, spec: RunSpec) -> Any:
    """Return the model with the trained weights frozen that no text reaches.

    Raises:
        HarnessError: the model cannot be computed as the method adapted it, or text reaches none of the trained weights.
    """
    reached = _reached(model, spec)
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    idle = [weight for name, weight in trained if id(weight) not in reached and EXPERT not in name]
    if len(idle) == len(trained):
        problem = f"nothing that {spec.method} trains is reached by text in {architecture.label(model)}"
        raise HarnessError(problem, where=spec.name, fix="pass another model or method")
    for weight in idle:
        weight.requires_grad_(False)
    return model


def _reached(model: Any, spec: RunSpec) -> set[int]:
    """Return the ids of the weights from which the logits of a few tokens follow.

    Raises:
        HarnessError: the model cannot be computed.
    """
    ids = torch.arange(TOKENS, device=spec.device).remainder(model.get_input_embeddings().weight.shape[0])[None]
    dropped = torch.autograd.graph.saved_tensors_hooks(lambda tensor: None, lambda nothing: nothing)
    try:
        with torch.enable_grad(), dropped, precision(spec):
            logits = model(input_ids=ids, use_cache=False).logits
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # PEFT and the code of an architecture may fail in any way
        problem = f"{spec.method} cannot train {architecture.label(model)}: {one_line(error)}"
        raise HarnessError(problem, where=spec.name, fix="pass another model or method") from error
    return _leaves(logits.grad_fn)


def _leaves(node: Any) -> set[int]:
    """Return the ids of the tensors at the ends of a graph of operations."""
    leaves: set[int] = set()
    visited, stack = set[Any](), [node]
    while stack:
        node = stack.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if (variable := getattr(node, "variable", None)) is not None:
            leaves.add(id(variable))
        stack += [following for following, _ in node.next_functions]
    return leaves

"""DoRA (Liu et al. 2024, arXiv:2402.09353): LoRA that trains each column's length apart from its direction."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import lora
from harness.schema import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with DoRA adapters: LoRA with one argument changed."""
    return lora.adapt_with(model, spec, use_dora=True)


METHOD = dataclasses.replace(lora.METHOD, name="dora", title="DoRA on all linear layers", adapt=adapt)

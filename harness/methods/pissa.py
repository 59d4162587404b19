"""PiSSA (Meng et al. 2024, arXiv:2404.02948): LoRA that starts from each layer's largest singular values.

The principal part of a weight, of rank `spec.rank`, moves into the adapter and trains; the rest is frozen. Adapter and rest
add up to the weight, so that training starts from the base model. PEFT splits the base model's weights again when it loads
the saved adapter.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import full, lora
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with its layers split by an exact singular value decomposition, which depends on no seed."""
    return lora.adapt_with(model, spec, init_lora_weights="pissa")


METHOD = dataclasses.replace(
    lora.METHOD,
    name="pissa",
    title="LoRA from the largest singular values",
    adapt=adapt,
    # A and B start at the weight's own size, so they move as weights do: the paper trains 7 B weights at 2e-5, the wide end
    # of full fine-tuning's rates. The narrow end was not tuned.
    learning_rate=full.learning_rate,
    alpha=None,
)

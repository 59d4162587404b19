"""LoRA and bottleneck adapters on one model: both of the same rank, each as it is alone (see `lora`, `bottleneck`).

UniPELT (Mao et al. 2022, arXiv:2110.07577) has these two and a prefix, each behind a gate; here are no gates. The alpha of
the run is LoRA's; the adapters behind the feed-forward blocks keep the usual one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, bottleneck, lora, own_adapter
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with LoRA on its linear layers and an adapter behind each feed-forward block; both train.

    LoRA comes first: it adapts every linear layer that it finds, and the adapters' own are none of the model's.

    Raises:
        HarnessError: as `bottleneck.adapt`.
    """
    model = lora.adapt(model, spec)
    return bottleneck.insert(model, spec, alpha=base.ALPHA)


METHOD = dataclasses.replace(
    lora.METHOD,
    name="lora+bottleneck",
    title="LoRA and adapter modules together",
    adapt=adapt,
    save=own_adapter.save,
    restore=own_adapter.restorer(adapt),
)

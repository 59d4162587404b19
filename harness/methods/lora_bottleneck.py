"""LoRA and bottleneck adapters on one model, of the same rank and otherwise as in `lora` and `bottleneck`.

UniPELT (Mao et al. 2022, arXiv:2110.07577) has these two and a prefix, each behind a gate; this method has no gates. The
alpha of the run is LoRA's; the adapters behind the feed-forward blocks have the usual one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.methods import base, bottleneck, lora
from harness.methods.parts import own_adapter
from harness.record import RunSpec


def adapt(model: Any, spec: RunSpec) -> Any:
    """Return the model with LoRA on its linear layers and an adapter behind each feed-forward block; both train.

    LoRA comes first because it adapts every linear layer of the model: the adapters' layers must not be among them.

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

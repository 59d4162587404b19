"""A fake model divided as a run with `--shard` divides it, over processes that are imagined: for the forecast of its memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.testing._internal.distributed.fake_pg import FakeStore

from harness.record import RunSpec
from harness.training.shard import Shards


@contextlib.contextmanager
def divided(model: Any, spec: RunSpec) -> Iterator[Shards]:
    """Return a context in which a model of fake tensors is the first process's part of it.

    torch's fake backend answers every request to the other processes at once; only sizes count.
    """
    dist.init_process_group("fake", rank=0, world_size=spec.shards, store=FakeStore())  # type: ignore[no-untyped-call]
    try:
        for layer in model.modules():
            if getattr(layer, "packed_bits", 0) == 4:  # see `shard.plain_packed_weights`
                scales = layer._buffers.pop("scales")
                layer.register_parameter("scales", torch.nn.Parameter(scales, requires_grad=False))
        shards = Shards(0, spec.shards, "cpu")
        with unset_fake_temporarily():  # its ranks are read
            mesh = shards.mesh()
        shards.divide(model, spec, mesh)
        yield shards
    finally:
        dist.destroy_process_group()

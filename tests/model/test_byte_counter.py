"""The byte counter counts what torch's `MemTracker` counts, to the byte: on real tensors and on fake ones.

MemTracker rounds up to CUDA's blocks of 512 bytes on a GPU, follows one pass through a model (no second micro-batch), and
cannot watch the gradients of a model with frozen weights; where it can be asked, nothing differs.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker

from harness.methods import full, lora
from harness.model import loading
from harness.model.byte_counter import ByteCounter, model_tensors, storage_bytes
from harness.model.cpu_attention import fast_backward
from harness.model.tokenize import Pair
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support.tiny_models import toy_spec

CONFIG = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3}
CONFIG |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 500, "tie_word_embeddings": False}
ROWS = [Pair((1,) * 37, (2,) * 4)] * 4


class FrozenTracker(MemTracker):  # type: ignore[no-untyped-call]
    """MemTracker without its hooks on weights, which torch refuses on frozen ones; gradients are among the rest then."""

    def _track_module_params_and_buffers(self, module: Any, install_grad_hooks: bool = True) -> tuple[int, int]:
        return super()._track_module_params_and_buffers(module, install_grad_hooks=False)


def subject(method: Any, checkpointing: bool, *, real: bool) -> tuple[Any, Any, Any]:
    """A model with its optimizer in the middle of training, and the spec."""
    rank = 8 if method.ranked else 0
    spec = toy_spec(method=method.name, rank=rank, alpha=32.0, checkpointing=checkpointing, micro_batch=len(ROWS))
    model = loading.skeleton(loading.config_from(CONFIG), dtype=torch.float32)
    with torch.device("meta"):
        model = method.adapt(model, spec)
    loop.make_ready(model, spec)
    peak_memory._make_fake(model)
    if real:
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.05)
        for buffer in model.buffers():
            buffer.zero_()
    optimizer = loop.make_optimizer(model, spec, make=method.optimizer)
    peak_memory._make_state(optimizer)
    return model, optimizer, spec


def release(model: Any) -> None:
    """Free the weights of a model that MemTracker has seen: it keeps their graph alive, and other tests count bytes."""
    for weight in model.parameters():
        weight.data = weight.data.new_empty(0)


def tensors(real: bool) -> Any:
    return contextlib.nullcontext() if real else FakeTensorMode()


@pytest.mark.parametrize("real", [True, False], ids=["real", "fake"])
@pytest.mark.parametrize("checkpointing", [False, True], ids=["", "checkpointing"])
@pytest.mark.parametrize("method", [full.METHOD, lora.METHOD], ids=lambda method: str(method.name))
def test_the_peak_of_a_training_step_is_that_of_torchs_tracker(method: Any, checkpointing: bool, real: bool) -> None:
    with tensors(real):
        model, optimizer, spec = subject(method, checkpointing, real=real)
        with ByteCounter(model, optimizer) as count, fast_backward(model, dtype="fp32", device="cpu", masked=False):
            loop.train_step(model, optimizer, ROWS, spec, 1e-3, padding=0)
        model, optimizer, spec = subject(method, checkpointing, real=real)
        tracker = FrozenTracker() if method.adapter else MemTracker()
        tracker.track_external(model, optimizer)
        weights = storage_bytes(model_tensors(model))
        with tracker, fast_backward(model, dtype="fp32", device="cpu", masked=False):
            loop.train_step(model, optimizer, ROWS, spec, 1e-3, padding=0)
        ((device, parts),) = tracker.get_tracker_snapshot("peak").items()
        release(model)
    sizes = {getattr(name, "value", name): size for name, size in parts.items()}
    assert device == torch.device("cpu")
    assert sizes["Total"] == count.peak
    assert sizes["Parameter"] + sizes["Buffer"] == weights
    assert sizes["Optstate"] == count.optimizer_at_peak
    if not method.adapter:
        assert sizes["Gradient"] == count.gradients_at_peak > 0


def test_a_prediction_on_fake_tensors_counts_the_bytes_of_the_real_step() -> None:
    peaks = []
    for real in (True, False):
        with tensors(real):
            model, optimizer, spec = subject(lora.METHOD, False, real=real)
            with ByteCounter(model, optimizer) as count, fast_backward(model, dtype="fp32", device="cpu", masked=False):
                loop.train_step(model, optimizer, ROWS, spec, 1e-3, padding=0)
            peaks.append(count.peak)
    assert peaks[0] == peaks[1]

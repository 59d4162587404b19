"""Full fine-tuning with Adam's two moments in 8 bits (Dettmers et al. 2022, arXiv:2110.02861).

The rest is as in `full`: weights and gradients in fp32, products in the spec's precision. A trained weight takes 4 bytes for
itself, 4 for its gradient and 2 + 8/256 for both moments with one fp32 scale for each block of 256: 10.03 bytes instead of
16. bitsandbytes stores tensors of fewer than 4,096 numbers in fp32. The paper's stable embedding layer, which normalises
embeddings and stores their moments in fp32, is not used: it would change the model.

bitsandbytes (0.50) takes the step on CUDA in a kernel of its own. On the CPU it uses PyTorch, one tensor after the other,
with fp32 copies of that tensor's moments; the byte-counter does not see these copies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError
from harness.methods import full
from harness.record import RunSpec


def load(folder: str, spec: RunSpec) -> Any:
    """Return the model in fp32, as `full` does.

    Raises:
        HarnessError: the installed bitsandbytes has no 8-bit steps for this device (0.50 has them for both).
    """
    if not takes_steps(spec.device):
        problem = f"the installed bitsandbytes has no 8-bit Adam for {spec.device}"
        raise HarnessError(problem, where="--method full8", fix="update bitsandbytes, or run without full8")
    return full.load(folder, spec)


def takes_steps(device: str) -> bool:
    """Return whether the installed bitsandbytes has a kernel of 8-bit steps for "cpu" or "cuda"."""
    import bitsandbytes  # noqa: F401 - registers its kernels
    import torch

    kernel = "bitsandbytes::optimizer_update_8bit_blockwise"
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(kernel, device.upper()))


def optimizer(groups: Sequence[dict[str, Any]], learning_rate: float, betas: tuple[float, float]) -> Any:
    """Return AdamW with moments in blocks of 8 bits; the decay is decoupled, as in torch's AdamW."""
    import torch
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily():  # its code books are read number by number, and fake tensors have no numbers
        import bitsandbytes

        adam = bitsandbytes.optim.AdamW8bit(groups, lr=learning_rate, betas=betas)
        books = {name: book.tolist() for name, book in adam.name2qmap.items()}
    adam.name2qmap = {name: torch.tensor(book) for name, book in books.items()}  # fake if the weights are
    return adam


METHOD = dataclasses.replace(
    full.METHOD,
    name="full8",
    title="full fine-tuning with 8-bit Adam",
    load=load,
    requires=("bitsandbytes",),
    optimizer=optimizer,
)

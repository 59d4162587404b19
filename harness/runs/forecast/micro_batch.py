"""The default micro-batch: how many of a step's examples go through the model at once.

The split of a step changes its memory and its time, and its result only by rounding: each part's loss is a share of the
whole step's. The choice reads lengths and the config alone, so that the same command gives the same runs.

*Time.* Each pass has a cost of its own, above all to read all weights. On a processor about a thousand tokens pay for it;
from about two thousand on, tensors leave the caches and a token takes longer again. Seconds of a step of 16 examples, LoRA
r8 in bf16 on one core (AMX), and the counted peak; the longest examples have 318 tokens with SmolLM2, 96 with `tiny`:

    examples at once               3      4      8     16
    SmolLM2-135M, claims        10.4   10.3          11.2
                             0.94 GiB   1.2           3.8
    tiny, cfa                          0.16   0.12   0.13
                                         32     50     88 MiB

In fp32 a step of `tiny` on the examples of `cfa` takes 167 ms with 4 of them at once, 133 with 8 and 131 with 16 (one core of an
AMD EPYC of family 26, with oneDNN).

On CUDA a pass must hide the time to start its kernels, and memory does not slow it: five thousand tokens.

*Memory.* On a processor the choice takes at most twice the memory that one example at once takes, unless both are small. On
CUDA it takes at most what the card holds. The memory is that of the closed formula, with all weights of a decoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.runs.forecast import closed_form
from harness.runs.forecast.closed_form import Dims
from harness.schema import Method

CPU_TOKENS = {"bf16": 1_300, "fp32": 700}  # a token takes twice as long in fp32, and the cost of a pass is the same
SMALL_TOKENS = CPU_TOKENS["bf16"]  # in either precision below `SMALL`: a pass costs above all its operations
CUDA_TOKENS = 5_000
RATIO = 2.0  # to the memory of one example at once
SMALL = 256 * 2**20  # bytes; a process that has loaded torch takes more
CARD_SHARE = 0.85  # of a card, for live tensors; the rest is for CUDA, cuBLAS and gaps between tensors
REFERENCE_RANK = 8  # all adapters of a plan share one micro-batch, so that their memory can be compared


@dataclass(frozen=True)
class Load:
    """The rows of a step in tokens, longest first, as (prompt, target), and the model's config."""

    rows: Sequence[tuple[int, int]]
    config: Mapping[str, Any]
    dtype: str

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(1, sum(self.rows[0])) if self.rows else 1

    def bytes(self, count: int, *, weight_bytes: float, adapter: bool) -> float | None:
        """Return the peak with `count` of the longest rows at once; None for a config without the usual widths.

        `weight_bytes` are those of a weight with its gradient and optimizer state, if it has them.
        """
        shape = closed_form.widths(self.config)
        if shape is None:
            return None
        tokens = count * self.longest
        targets = sum(target for _, target in self.rows[:count])
        rank = REFERENCE_RANK if adapter else 0
        saved = closed_form.saved(shape, rank, self.dtype) * shape.layers * tokens
        return weight_bytes * shape.weights + saved + max(12 * targets * shape.vocab, _working(shape, tokens))


def _working(shape: Dims, tokens: int) -> int:
    return (4 * shape.inner + 6 * shape.hidden) * tokens


def on_cpu(load: Load, batch_size: int) -> int:
    """Return the micro-batch of every method on a processor."""
    stored = 2 if load.dtype == "bf16" else 4

    def peak(count: int) -> float:
        return load.bytes(count, weight_bytes=stored, adapter=True) or 0.0

    def rows(tokens: int) -> int:
        return min(batch_size, max(1, tokens // load.longest))

    if 0 < peak(rows(SMALL_TOKENS)) <= SMALL:
        return _even(rows(SMALL_TOKENS), batch_size)
    limit = max(SMALL, RATIO * peak(1))
    return _even(
        next(count for count in range(rows(CPU_TOKENS[load.dtype]), 0, -1) if count == 1 or peak(count) <= limit),
        batch_size,
    )


def on_cuda(load: Load, batch_size: int, method: Method, card_bytes: int) -> int:
    """Return the micro-batch of a method on a card; `card_bytes` is 0 if its memory is not known."""
    rows = min(batch_size, max(1, CUDA_TOKENS // load.longest))
    stored = method.frozen_bits / 8 if method.adapter else 4 * method.trained_bits / 8

    def fits(count: int) -> bool:
        peak = load.bytes(count, weight_bytes=stored, adapter=method.adapter)
        return peak is None or peak <= CARD_SHARE * card_bytes

    if not card_bytes:
        return _even(rows, batch_size)
    return _even(next(count for count in range(rows, 0, -1) if count == 1 or fits(count)), batch_size)


def _even(rows: int, batch_size: int) -> int:
    """Return the size of equal shares of a step, none above `rows`."""
    return math.ceil(batch_size / math.ceil(batch_size / rows))

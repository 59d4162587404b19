"""The time that training takes by arithmetic: FLOPs over a share of a card's peak, and bytes over its bandwidth.

Per token a frozen linear weight takes 2 FLOPs forward and 2 backward (the gradient of its input), a trained one 2 more;
causal attention takes 2 x tokens x width a layer forward and twice that backward; the output layer only counts at target
positions. Checkpointing adds a forward pass of the layers. If a micro-batch has too few tokens to keep a card busy, a
pass takes as long as reading the weights. Unpacking 4-bit weights, casting fp32 ones and the optimizer are bound by bandwidth.

These are closed forms, for plans without a model; `tests/runs/test_gpu_forecast.py` holds them equal to torch's `FlopCounterMode`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import HarnessError, did_you_mean
from harness.record import RunSpec
from harness.schema import Method

SHARE = 0.4  # of the peak: LoRA of an 8 B model on an H100 reached 39 % (by the timings that LoRAFusion published)
CONTEXT = 0.5 * 2**30  # bytes that CUDA takes for itself
SPARE = 0.05  # of a card that the allocator's rounding and its gaps may take
OPTIMIZER_BYTES = (
    40  # per trained fp32 weight and step: norm 4, clipping 8, AdamW reads 16 and writes 12; in bf16 half as many
)
CAST_BYTES = 6  # per fp32 weight that autocast turns into bf16
UNPACK_BYTES = 2.5  # per 4-bit weight: reads 0.5, writes 2
MARGIN = 0.03  # of what is usable, for the error of a prediction
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(gib|gb|g|)", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """A GPU: its memory in bytes, dense bf16 FLOP/s with fp32 sums, and bytes/s of its memory.

    If only a size was named, `assumed` is the listed card whose speed is used. Both speeds are 0 if no listed card has
    that size.
    """

    name: str
    memory: float
    flops: float
    bandwidth: float
    assumed: str = ""

    @property
    def usable(self) -> float:
        """Bytes that training may hold: without CUDA's own and without the allocator's losses."""
        return self.memory * (1 - SPARE) - CONTEXT

    @property
    def limit(self) -> float:
        """The highest predicted peak that counts as fitting: predictions may be a little too low."""
        return self.usable * (1 - MARGIN)


def _card(name: str, gib: float, tflops: float, gigabytes: float) -> Card:
    return Card(name, gib * 2**30, tflops * 1e12, gigabytes * 1e9)


# Memory as the driver reports it; speeds from the makers' data sheets, without sparsity.
CARDS = (
    _card("A10", 22.5, 125, 600),
    _card("L4", 22.5, 121, 300),
    _card("RTX-3090", 24, 71, 936),
    _card("RTX-4090", 24, 165, 1008),
    _card("RTX-5090", 31.8, 209, 1792),
    _card("A100-40GB", 40, 312, 1555),
    _card("A40", 45, 150, 696),
    _card("L40S", 45, 362, 864),
    _card("A6000", 48, 155, 768),
    _card("A100-80GB", 80, 312, 2039),
    _card("H100", 79.6, 989, 3350),
    _card("H200", 140.4, 989, 4800),
    _card("B200", 179, 2250, 8000),
)


def card(text: str) -> Card:
    """Read `--gpu`: a card's name, or a size such as `24GiB` (or 24, which means the same) with the speed of the slowest listed card of about that size.

    Raises:
        HarnessError: neither a listed card nor a size above 0.
    """
    by_name = {card.name.lower(): card for card in CARDS}
    if text.strip().lower() in by_name:
        return by_name[text.strip().lower()]
    match = SIZE.fullmatch(text.strip())
    if not match or not 1 <= float(match[1]) <= 10_000:
        names = ", ".join(card.name for card in CARDS)
        fix = did_you_mean(text.lower(), by_name) or f"--gpu 24GiB, or one of {names}"
        raise HarnessError(f"--gpu {text} is neither a size nor a known card", where="--gpu", fix=fix)
    memory = float(match[1]) * (1e9 if match[2].lower() == "gb" else 2**30)
    similar = [card for card in CARDS if abs(card.memory / memory - 1) <= 0.1]
    if not similar:
        return Card(text.strip(), memory, 0, 0)
    slowest = min(similar, key=lambda card: card.flops)
    return Card(text.strip(), memory, slowest.flops, slowest.bandwidth, assumed=slowest.name)


@dataclass(frozen=True)
class Price:
    """The price of an hour, with its currency if one was named."""

    amount: float
    currency: str = ""

    @property
    def words(self) -> str:
        """The price in words, such as `2.50 USD`."""
        return f"{self.amount:g} {self.currency}".strip()

    @property
    def title(self) -> str:
        """The title of a column of costs."""
        return f"cost {self.currency}".strip()


PRICE = re.compile(r"\s*([A-Za-z]{3}|[$€£])?\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]{3}|[$€£])?\s*")


def price(value: str, flag: str, example: str) -> Price:
    """Read `--price 2.50`, `2.50USD` or `$2.50`.

    Raises:
        HarnessError: no number above 0, or two currencies.
    """
    match = PRICE.fullmatch(value)
    if not match or not float(match[2]) > 0 or (match[1] and match[3]):
        problem = f"{flag} {value} is not a number above 0, with or without a currency"
        raise HarnessError(problem, where=flag, fix=f"{flag} {example}")
    return Price(float(match[2]), (match[1] or match[3] or "").upper())


@dataclass(frozen=True)
class Size:
    """The sizes that decide a model's arithmetic: weights of adapted linear layers and output layer, and widths.

    `sides` are inputs and outputs of all adapted layers added up, so that rank x sides are the adapter's weights.
    """

    weights: int
    linear: int
    output: int
    sides: int
    layers: int
    width: int


def train_flops(size: Size, spec: RunSpec, method: Method, lengths: Sequence[tuple[int, int]]) -> float:
    """Return the FLOPs of one pass over examples of these (prompt, target) lengths in tokens."""
    passes = (2 if method.adapter else 3) + spec.checkpointing
    adapters = spec.rank * size.sides if method.adapter else 0
    tokens = sum(prompt + target for prompt, target in lengths)
    squares = sum((prompt + target) ** 2 for prompt, target in lengths)
    targets = sum(target for _, target in lengths)
    linear = 2 * tokens * (size.linear * passes + adapters * (3 + spec.checkpointing))
    attention = 2 * squares * size.width * size.layers * (3 + spec.checkpointing)
    return linear + attention + 2 * targets * size.output * (2 if method.adapter else 3)


def reading_flops(size: Size, lengths: Sequence[tuple[int, int]]) -> float:
    """Return the FLOPs of reading test examples of these (prompt, answer) lengths once."""
    tokens = sum(prompt + answer for prompt, answer in lengths)
    squares = sum((prompt + answer) ** 2 for prompt, answer in lengths)
    answers = sum(answer for _, answer in lengths)
    return 2 * (tokens * size.linear + squares * size.width * size.layers + answers * size.output)


def train_seconds(
    size: Size, spec: RunSpec, method: Method, lengths: Sequence[tuple[int, int]], gpu: Card, share: float
) -> float:
    """Return the seconds of training; `share` is the part of the card's peak that matrix products reach."""
    steps = max(1, round(spec.epochs * -(-len(lengths) // spec.batch_size)))
    batches = steps * -(-spec.batch_size // spec.micro_batch)
    passes = (2 if method.adapter else 3) + spec.checkpointing
    unpacked = UNPACK_BYTES * size.linear if method.frozen_bits not in (0.0, 16.0) else 0.0
    half = method.trained_bits == 16 and spec.dtype == "bf16"
    cast = 0.0 if method.adapter or half else CAST_BYTES * size.linear * (1 + spec.checkpointing)
    trained = spec.rank * size.sides if method.adapter else size.weights
    arithmetic = spec.epochs * train_flops(size, spec, method, lengths) / (share * gpu.flops)
    reading = batches * passes * 2 * size.linear / gpu.bandwidth
    moving = batches * ((2 + spec.checkpointing) * unpacked + cast) + steps * OPTIMIZER_BYTES * trained / (1 + half)
    return max(arithmetic, reading) + moving / gpu.bandwidth


def reading_seconds(size: Size, lengths: Sequence[tuple[int, int]], gpu: Card, share: float) -> float:
    """Return the seconds of reading the test examples once; writing answers is not counted."""
    return reading_flops(size, lengths) / (share * gpu.flops)

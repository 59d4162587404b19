"""A config's numbers of layers and experts against the weights: a model of 200,000 layers is refused before it is built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

USUAL_LAYERS = 512  # up to so many layers or experts a model is built, and its shapes are compared with the weights
COUNTS = re.compile("(layers?|experts|blocks|depth)$")  # settings that count modules


def refuse_more_layers(folder: Path, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise an error for a config with far more layers or experts than the weights: to build them would take the memory.

    Layers are numbered in the names of the weights; experts may be joined along a side of one weight.
    """
    numbers = [int(digits) + 1 for name in shapes for digits in re.findall(r"(?<![^.])\d{1,9}(?![^.])", name)]
    most = max(numbers, default=0)
    sides = {side for shape in shapes.values() for side in shape}
    for name, value in _module_counts(config):
        if value > max(USUAL_LAYERS, most) and value not in sides:
            problem = f"config.json says {name} {value:,}, and the weights have no more than {most:,}"
            raise HarnessError(problem, where=str(folder / "config.json"), fix="fetch the model again")


def _module_counts(config: Mapping[str, Any], depth: int = 3) -> Iterator[tuple[str, int]]:
    for name, value in config.items():
        if isinstance(value, dict) and depth:
            yield from _module_counts(value, depth - 1)
        elif isinstance(value, int) and COUNTS.search(name):
            yield name, value

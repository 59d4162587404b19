"""Merges LoRA adapters of one base model into one, layer by layer, by their changes of the weights.

An adapter changes the weight of a layer by delta = scale * B A, with A [r, inputs], B [outputs, r], scale = alpha / r
(alpha / sqrt(r) for rsLoRA). This module sums, trims or drops entries of that product. PEFT's `add_weighted_adapter`
(read in 0.21, peft/tuners/lora/model.py) does so for `cat`, `svd` and the types ending in `_svd` only. Its `linear`,
`ties`, `dare_linear`, `dare_ties` and `magnitude_prune` work on A and B separately, each scaled by
sqrt(weight * scale), and multiply afterwards: for two adapters

    (B1 + B2)(A1 + A2) = B1 A1 + B2 A2 + B1 A2 + B2 A1

and the last two terms belong to neither adapter. Any rotation of the r directions between A and B gives the same delta.
So A and B of different adapters are unrelated, and the results of those types depend on arbitrary rotations.

Methods:  sum, linear         weighted sums, exact: A and B are concatenated, the rank is the sum of ranks
          svd                 a weighted sum at a requested rank
          ties, dare, prune   see the functions; at a requested rank

A change of higher rank is truncated by a singular value decomposition, with the smallest loss in the sum of squares
(Eckart and Young 1936). The preserved share is reported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.adapters import library, peft_config
from harness.adapters.sparse import dare, prune, ties
from harness.errors import HarnessError, one_line
from harness.store import training_files

EXACT = ("sum", "linear")
SPARSE = ("ties", "dare", "prune")
METHODS = (*EXACT, "svd", *SPARSE)
_KEY = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(A|B)\.weight")


@dataclass(frozen=True)
class Factors:
    """The change of one layer's weight as `b @ a`: a [r, inputs], b [outputs, r], the scale in b; fp32."""

    a: torch.Tensor
    b: torch.Tensor

    @property
    def delta(self) -> torch.Tensor:
        """The change [outputs, inputs]."""
        return self.b @ self.a


@dataclass(frozen=True)
class SavedLayer:
    """One layer of an adapter in its file; its change is `scale * b @ a`; fp32."""

    a: torch.Tensor
    b: torch.Tensor
    scale: float


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter by layer, with the PEFT settings that its merge inherits."""

    layers: Mapping[str, Factors]
    targets: tuple[str, ...] | str
    fan_in_fan_out: bool = False

    @property
    def rank(self) -> int:
        """The largest rank of its layers."""
        return max(layer.a.shape[0] for layer in self.layers.values())


@dataclass(frozen=True)
class MergedAdapter:
    """A merged adapter, every layer at `rank`.

    `energy` is the preserved share of the squared change, `min_energy` that of the layer with the largest loss. Both are
    1 if nothing was truncated.
    """

    adapter: Adapter
    rank: int
    energy: float = 1.0
    min_energy: float = 1.0


def read(folder: Path) -> Adapter:
    """Return a LoRA adapter from a folder in PEFT's layout.

    Raises:
        HarnessError: it is no LoRA adapter, or it is more than scale * B A (DoRA, PiSSA, trained biases or embeddings),
            so its change of the weights does not follow from A and B.
    """
    config, file_layers = read_layers(folder)
    layers = {name: Factors(layer.a, layer.b * layer.scale) for name, layer in file_layers.items()}
    modules = config.target_modules
    plain = not (config.layers_to_transform or config.exclude_modules)
    targets = modules if isinstance(modules, str) else tuple(sorted(modules or ()))
    return Adapter(layers, targets if plain and targets else tuple(sorted(layers)), bool(config.fan_in_fan_out))


def read_layers(folder: Path) -> tuple[Any, dict[str, SavedLayer]]:
    """Return PEFT's config of a LoRA adapter and its layers by name in the base model.

    Raises:
        HarnessError: as in `read`; or PEFT would load less or something else than the file has, or a weight is not finite.
    """
    from peft import PeftConfig
    from safetensors.torch import load_file

    if reason := peft_config.problem(library.read_config(folder)):
        _refuse(reason, folder)
    try:
        config: Any = PeftConfig.from_pretrained(str(folder))
        weights = load_file(folder / library.WEIGHTS)
    except Exception as error:  # PEFT's and safetensors' errors share no base class
        problem = f"the adapter cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(folder), fix="name an adapter in PEFT's layout") from error
    halves = _halves(weights, folder)
    if not halves or any(pair.keys() != {"A", "B"} for pair in halves.values()):
        _refuse("a layer lacks A or B", folder)
    layers = {
        name: SavedLayer(pair["A"], pair["B"], _scale(config, name, pair["A"].shape[0]))
        for name, pair in halves.items()
    }
    if reason := next(filter(None, (_difference(config, name, layer) for name, layer in layers.items())), ""):
        _refuse(reason, folder)
    return config, layers


def _halves(weights: Mapping[str, torch.Tensor], folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return the matrices A and B of each layer in fp32, by "A" and "B"."""
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for key, weight in weights.items():
        match = _KEY.fullmatch(key)
        if match is None or weight.dim() != 2:
            _refuse(f"its weight {key} with {weight.dim()} dimensions is not A or B of a linear layer", folder)
        elif match[2] in halves.setdefault(match[1], {}):
            _refuse(f"its layer {match[1]} has two matrices {match[2]}", folder)
        elif not (weight.is_floating_point() and bool(torch.isfinite(weight.float()).all())):
            _refuse(f"its weight {key} ({weight.dtype}) has entries that are not finite numbers", folder)
        else:
            halves[match[1]][match[2]] = weight.float()
    return halves


def _difference(config: Any, name: str, layer: SavedLayer) -> str:
    """Return what PEFT would load otherwise than this layer's file has it, empty if nothing."""
    from peft.tuners.tuners_utils import check_target_module_exists
    from peft.utils.other import get_pattern_key

    patterns = config.rank_pattern or {}
    rank, ranks = patterns.get(get_pattern_key(list(patterns), name), config.r), (layer.a.shape[0], layer.b.shape[1])
    if ranks != (rank, rank):
        return f"A and B of its layer {name} have the ranks {ranks[0]} and {ranks[1]}, its config says {rank}"
    if config.target_modules != "all-linear" and not check_target_module_exists(config, name):
        return f"its layer {name} is not among its target_modules, so PEFT would leave it out"
    return ""


def _refuse(why: str, folder: Path) -> None:
    fix = "merge adapters of lora, qlora, rslora, lora+ or lora-fa"
    raise HarnessError(f"this adapter cannot be merged: {why}", where=str(folder), fix=fix)


def _scale(config: Any, layer: str, rank: int) -> float:
    """Return the factor of a layer's B A, as in PEFT; the rank is that of the weights."""
    from peft.utils.other import get_pattern_key

    patterns = config.alpha_pattern or {}
    alpha = float(patterns.get(get_pattern_key(list(patterns), layer), config.lora_alpha))
    return alpha / (math.sqrt(rank) if config.use_rslora else rank)


def default_weights(how: str, count: int) -> tuple[float, ...]:
    """Return the default weights of adapters: 1 each, for `linear` equal parts of 1."""
    return (1.0 / count if how == "linear" else 1.0,) * count


def merge(
    adapters: Sequence[Adapter],
    how: str,
    weights: Sequence[float],
    *,
    density: float = 1.0,
    rank: int | None = None,
    seed: int = 0,
) -> MergedAdapter:
    """Return adapters of one base model merged; a layer is merged from the adapters that have it.

    Args:
        adapters: the adapters, one or more.
        how: the method, one of `METHODS`.
        weights: the weight of each adapter; an adapter of weight 0 is ignored.
        density: the share of each change that `ties`, `dare` and `prune` preserve, above 0 up to 1.
        rank: the rank of a truncated result; the sum of the adapters' ranks by default.
        seed: the seed of `dare`'s random entries.

    Raises:
        HarnessError: all weights are 0, or the adapters have layers of different sizes.
    """
    parts = [(adapter, weight) for adapter, weight in zip(adapters, weights, strict=True) if weight]
    if not parts:
        raise HarnessError("every weight is 0, another is needed", where="--weights", fix="--weights 0.5,0.5")
    names = sorted({name for adapter, _ in parts for name in adapter.layers})
    total = sum(adapter.rank for adapter, _ in parts)
    generator = torch.Generator().manual_seed(seed)
    layers, preserved, total_energy, lowest = {}, 0.0, 0.0, 1.0
    for name in names:
        layer_parts = [(adapter.layers[name], weight) for adapter, weight in parts if name in adapter.layers]
        sizes = sorted({(part.b.shape[0], part.a.shape[1]) for part, _ in layer_parts})
        if len(sizes) > 1:
            problem = f"the adapters have different sizes of one layer: {', '.join(f'{m}×{n}' for m, n in sizes)}"
            raise HarnessError(problem, where=name, fix="merge adapters of one base model")
        if how in EXACT:
            layers[name] = concatenate(layer_parts, total)
            continue
        stack = torch.stack([part.delta for part, _ in layer_parts])
        delta = combine(stack, how, [weight for _, weight in layer_parts], density=density, generator=generator)
        layers[name], layer_preserved, energy = truncate(delta, rank or total)
        preserved, total_energy = preserved + layer_preserved, total_energy + energy
        lowest = min(lowest, layer_preserved / energy) if energy else lowest
    result = Adapter(layers, _targets([adapter for adapter, _ in parts], names), parts[0][0].fan_in_fan_out)
    return MergedAdapter(result, result.rank, preserved / total_energy if total_energy else 1.0, lowest)


def _targets(adapters: Sequence[Adapter], names: Sequence[str]) -> tuple[str, ...] | str:
    """Return the common targets of adapters; the layer names if they differ."""
    common = len({adapter.targets for adapter in adapters}) == 1 and all(len(a.layers) == len(names) for a in adapters)
    return adapters[0].targets if common else tuple(names)


def concatenate(parts: Sequence[tuple[Factors, float]], rank: int) -> Factors:
    """Return factors of the exact weighted sum of the parts' products, padded with zeros to `rank`.

    Weighted sums of deltas are task arithmetic (Ilharco et al. 2023, arXiv:2212.04089). PEFT's `cat` does the same.
    """
    a = torch.cat([part.a for part, _ in parts])
    b = torch.cat([part.b * weight for part, weight in parts], dim=1)
    return _pad(a, b, rank)


def truncate(delta: torch.Tensor, rank: int) -> tuple[Factors, float, float]:
    """Return the nearest factors of a rank to a change [outputs, inputs], and the preserved and total squared change."""
    u, s, v = torch.linalg.svd(delta, full_matrices=False)
    root, energy = s[:rank].sqrt(), s.square()
    factors = _pad(root[:, None] * v[:rank], u[:, :rank] * root, rank)
    return factors, float(energy[:rank].sum()), float(energy.sum())


def _pad(a: torch.Tensor, b: torch.Tensor, rank: int) -> Factors:
    missing = rank - a.shape[0]
    return Factors(torch.nn.functional.pad(a, (0, 0, 0, missing)), torch.nn.functional.pad(b, (0, missing)))


def combine(
    deltas: torch.Tensor, how: str, weights: Sequence[float], *, density: float, generator: torch.Generator
) -> torch.Tensor:
    """Return the combined change [outputs, inputs] of several [n, outputs, inputs]."""
    if how == "ties":
        return ties(deltas, weights, density)
    if how == "dare":
        deltas = dare(deltas, density, generator)
    elif how == "prune":
        deltas = prune(deltas, density)
    elif how != "svd":
        raise HarnessError(f"unknown merge method '{how}'", where="--how", fix=f"one of {', '.join(METHODS)}")
    return torch.einsum("n,noi->oi", torch.tensor(weights, dtype=deltas.dtype), deltas)


def save(merged: MergedAdapter, folder: Path, base: str) -> list[Path]:
    """Write a merged adapter in PEFT's layout; return the files. Alpha equals the rank, so the scale is 1.

    Args:
        merged: the adapter.
        folder: the output folder, created if necessary.
        base: the base model's hub id or name.
    """
    from peft import LoraConfig
    from safetensors.torch import save_file

    adapter = merged.adapter
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=merged.rank,
        lora_alpha=merged.rank,
        lora_dropout=0.0,
        bias="none",
        target_modules=adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets),
        fan_in_fan_out=adapter.fan_in_fan_out,
        inference_mode=True,
        base_model_name_or_path=base,
    )
    weights = {
        f"base_model.model.{name}.lora_{half}.weight": tensor.contiguous()
        for name, layer in adapter.layers.items()
        for half, tensor in (("A", layer.a), ("B", layer.b))
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(str(folder))
    training_files.settle(folder, config.to_dict())
    return [folder / "adapter_model.safetensors", folder / "adapter_config.json"]

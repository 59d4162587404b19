"""LoRA adapters of one base model made into one, layer by layer, on the change of the weights that each makes.

An adapter changes the weight of a layer by delta = scale * B A, with A [r, inputs], B [outputs, r], scale = alpha / r
(alpha / sqrt(r) for rsLoRA). That product is what is summed, trimmed or dropped here, and what a merged adapter must
stand for. PEFT's `add_weighted_adapter` (read in 0.21, peft/tuners/lora/model.py) does the same for `cat`, `svd` and
the types that end in `_svd` only. Its `linear`, `ties`, `dare_linear`, `dare_ties` and `magnitude_prune` work on A and
B apart, each scaled by sqrt(weight * scale), and multiply afterwards: for two adapters

    (B1 + B2)(A1 + A2) = B1 A1 + B2 A2 + B1 A2 + B2 A1

where the last two belong to neither. The same delta is made by any rotation of the r directions between its A and its
B, so A and B of different adapters have nothing to do with each other, and what those types give depends on it.

How:    sum, linear   weighted sums, exact: A and B are put behind each other, the rank is the sum of ranks
        svd           a weighted sum at the rank that is asked for
        ties, dare, prune   see the functions; at the rank that is asked for
What does not fit into a rank is cut by a singular value decomposition, which loses least in the sum of squares (Eckart
and Young 1936); how much is kept is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.errors import HarnessError, one_line

EXACT = ("sum", "linear")
SPARSE = ("ties", "dare", "prune")
HOW = (*EXACT, "svd", *SPARSE)
# What of PEFT's config makes an adapter more than scale * B A on the weights of the base model.
MORE = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
)
PLAIN_STARTS = ("gaussian", "eva", "orthogonal")  # ways to start that leave the base model's weights as they are
_KEY = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(A|B)\.weight")


@dataclass(frozen=True)
class Factors:
    """The change of one layer's weight as `b @ a`: a [r, inputs], b [outputs, r], the scale in b; fp32."""

    a: torch.Tensor
    b: torch.Tensor

    @property
    def delta(self) -> torch.Tensor:
        """The change itself [outputs, inputs]."""
        return self.b @ self.a


@dataclass(frozen=True)
class Saved:
    """One layer of an adapter as its file has it: its change is `scale * b @ a`; fp32."""

    a: torch.Tensor
    b: torch.Tensor
    scale: float


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter by layer, and the settings of PEFT's that a merged one takes over."""

    layers: Mapping[str, Factors]
    targets: tuple[str, ...] | str
    fan_in_fan_out: bool = False

    @property
    def rank(self) -> int:
        """The largest rank of its layers."""
        return max(layer.a.shape[0] for layer in self.layers.values())


@dataclass(frozen=True)
class Merged:
    """A merged adapter, every layer at `rank`.

    `kept` is the share of the squared change that the rank holds, `least` of the layer that lost most; both 1 where
    nothing was cut.
    """

    adapter: Adapter
    rank: int
    kept: float = 1.0
    least: float = 1.0


def read(folder: Path) -> Adapter:
    """Read a LoRA adapter in PEFT's layout.

    Raises:
        HarnessError: it is no LoRA adapter, or more than scale * B A (DoRA, PiSSA, trained biases or embeddings), so
            that its change of the weights does not follow from A and B.
    """
    config, saved = read_saved(folder)
    layers = {name: Factors(layer.a, layer.b * layer.scale) for name, layer in saved.items()}
    named = config.target_modules
    plain = not (config.layers_to_transform or config.exclude_modules)
    targets = named if isinstance(named, str) else tuple(sorted(named or ()))
    return Adapter(layers, targets if plain and targets else tuple(sorted(layers)), bool(config.fan_in_fan_out))


def read_saved(folder: Path) -> tuple[Any, dict[str, Saved]]:
    """Return PEFT's config of a LoRA adapter and its layers by the base model's names; errors as `read`."""
    from peft import PeftConfig
    from safetensors.torch import load_file

    try:
        config: Any = PeftConfig.from_pretrained(str(folder))
        weights = load_file(folder / "adapter_model.safetensors")
    except Exception as error:  # PEFT's and safetensors' errors share no base class
        problem = f"the adapter cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(folder), fix="name an adapter in PEFT's layout") from error
    _refuse_more(config, folder)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    for key, weight in weights.items():
        found = _KEY.fullmatch(key)
        if found is None or weight.dim() != 2:
            _refuse(f"its weight {key} is not of a linear layer's A or B", folder)
        else:
            halves.setdefault(found[1], {})[found[2]] = weight.float()
    if not halves or any(pair.keys() != {"A", "B"} for pair in halves.values()):
        _refuse("it lacks the A or the B of a layer", folder)
    return config, {
        name: Saved(pair["A"], pair["B"], _scale(config, name, pair["A"].shape[0])) for name, pair in halves.items()
    }


def _refuse(why: str, folder: Path) -> None:
    fix = "merge adapters of lora, qlora, rslora, lora+ or lora-fa"
    raise HarnessError(f"this adapter cannot be merged: {why}", where=str(folder), fix=fix)


def _refuse_more(config: Any, folder: Path) -> None:
    if more := more_than_factors({**vars(config), "peft_type": getattr(config.peft_type, "value", config.peft_type)}):
        _refuse(more, folder)


def more_than_factors(config: Mapping[str, Any]) -> str:
    """Say why an adapter of this PEFT config is more than scale * B A on the base model's weights; "" where it is not."""
    if config.get("peft_type") != "LORA":
        return f"it is of the type {config.get('peft_type')}, not LORA"
    more = [name for name in MORE if config.get(name)]
    start = config.get("init_lora_weights")
    if config.get("bias", "none") != "none":
        more.append(f"bias={config['bias']}")
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        more.append(f"init_lora_weights={start}")
    return f"with {more[0]} it is more than the product of B and A on the base model's weights" if more else ""


def _scale(config: Any, layer: str, rank: int) -> float:
    """Return what a layer's B A is multiplied by, as PEFT does; the rank is that of the weights."""
    from peft.utils.other import get_pattern_key

    patterns = config.alpha_pattern or {}
    alpha = float(patterns.get(get_pattern_key(list(patterns), layer), config.lora_alpha))
    return alpha / (math.sqrt(rank) if config.use_rslora else rank)


def default_weights(how: str, count: int) -> tuple[float, ...]:
    """Return each adapter's weight where none is given: 1, and for `linear` equal parts of 1."""
    return (1.0 / count if how == "linear" else 1.0,) * count


def merge(
    adapters: Sequence[Adapter],
    how: str,
    weights: Sequence[float],
    *,
    density: float = 1.0,
    rank: int | None = None,
    seed: int = 0,
) -> Merged:
    """Merge adapters of one base model; a layer that only some of them adapt is merged of these.

    Args:
        adapters: one or more.
        how: one of `HOW`.
        weights: of each adapter; one of weight 0 has no part in it.
        density: the share of each change that `ties`, `dare` and `prune` keep, above 0 up to 1.
        rank: of the result, where it is cut; the sum of the adapters' ranks by default.
        seed: of what `dare` drops.

    Raises:
        HarnessError: all weights are 0, or the adapters do not fit each other.
    """
    parts = [(adapter, weight) for adapter, weight in zip(adapters, weights, strict=True) if weight]
    if not parts:
        raise HarnessError("every weight is 0: nothing is left to merge", where="--weights", fix="--weights 0.5,0.5")
    names = sorted({name for adapter, _ in parts for name in adapter.layers})
    total = sum(adapter.rank for adapter, _ in parts)
    generator = torch.Generator().manual_seed(seed)
    layers, held, whole, least = {}, 0.0, 0.0, 1.0
    for name in names:
        found = [(adapter.layers[name], weight) for adapter, weight in parts if name in adapter.layers]
        if len({(part.a.shape[1], part.b.shape[0]) for part, _ in found}) > 1:
            raise HarnessError("the adapters are of layers of different sizes", where=name, fix="merge others")
        if how in EXACT:
            layers[name] = concatenate(found, total)
            continue
        stack = torch.stack([part.delta for part, _ in found])
        delta = combine(stack, how, [weight for _, weight in found], density=density, generator=generator)
        layers[name], kept, energy = truncate(delta, rank or total)
        held, whole = held + kept, whole + energy
        least = min(least, kept / energy) if energy else least
    made = Adapter(layers, _targets([adapter for adapter, _ in parts], names), parts[0][0].fan_in_fan_out)
    return Merged(made, made.rank, held / whole if whole else 1.0, least)


def _targets(adapters: Sequence[Adapter], names: Sequence[str]) -> tuple[str, ...] | str:
    """Return what all target; layer by layer where they differ."""
    same = len({adapter.targets for adapter in adapters}) == 1 and all(len(a.layers) == len(names) for a in adapters)
    return adapters[0].targets if same else tuple(names)


def concatenate(parts: Sequence[tuple[Factors, float]], rank: int) -> Factors:
    """Return factors whose product is the weighted sum of the parts' products, exactly, at `rank` (zeros fill it up).

    Weighted sums of deltas are task arithmetic (Ilharco et al. 2023, arXiv:2212.04089). PEFT's `cat` does the same.
    """
    a = torch.cat([part.a for part, _ in parts])
    b = torch.cat([part.b * weight for part, weight in parts], dim=1)
    return _filled(a, b, rank)


def truncate(delta: torch.Tensor, rank: int) -> tuple[Factors, float, float]:
    """Return the nearest factors of this rank to a change [outputs, inputs], and the squared change kept and whole."""
    u, s, v = torch.linalg.svd(delta, full_matrices=False)
    root, energy = s[:rank].sqrt(), s.square()
    factors = _filled(root[:, None] * v[:rank], u[:, :rank] * root, rank)
    return factors, float(energy[:rank].sum()), float(energy.sum())


def _filled(a: torch.Tensor, b: torch.Tensor, rank: int) -> Factors:
    lack = rank - a.shape[0]
    return Factors(torch.nn.functional.pad(a, (0, 0, 0, lack)), torch.nn.functional.pad(b, (0, lack)))


def combine(
    deltas: torch.Tensor, how: str, weights: Sequence[float], *, density: float, generator: torch.Generator
) -> torch.Tensor:
    """Return one change [outputs, inputs] of several [n, outputs, inputs]."""
    if how == "ties":
        return ties(deltas, weights, density)
    if how == "dare":
        deltas = dare(deltas, density, generator)
    elif how == "prune":
        deltas = prune(deltas, density)
    elif how != "svd":
        raise HarnessError(f"unknown way to merge '{how}'", where="--how", fix=f"one of {', '.join(HOW)}")
    return torch.einsum("n,noi->oi", torch.tensor(weights, dtype=deltas.dtype), deltas)


def prune(deltas: torch.Tensor, density: float) -> torch.Tensor:
    """Return each change [n, outputs, inputs] with its entries of largest magnitude, a share `density`, and zeros else.

    Each matrix is trimmed by itself, as PEFT does; the paper on TIES trims over all the weights of a model at once.
    PEFT's `magnitude_prune` trims A and B instead; a product of trimmed factors is not the trimmed product. The trimming
    itself is that of `peft.utils.merge_utils`, which rounds the number of entries down; the nearest one is taken here.
    """
    count = max(1, round(density * deltas[0].numel()))
    flat = deltas.flatten(1)
    places = flat.abs().topk(count, dim=1).indices
    return torch.zeros_like(flat).scatter(1, places, flat.gather(1, places)).view_as(deltas)


def ties(deltas: torch.Tensor, weights: Sequence[float], density: float) -> torch.Tensor:
    """Return the change that TIES makes of several (Yadav et al. 2023, arXiv:2306.01708), with its lambda at 1.

    Trim each change (see `prune`); elect for each entry the sign of the larger sum; take the mean of those changes that
    have this sign there. Weights (the paper has none) count in the election and in the mean, so only their ratios
    matter, and a negative one turns its change round. PEFT's `ties` does this to A and to B; its `ties_svd` does it to
    the product, with weights that have no vote and are no part of the mean's divisor. With weights of 1 the two are the
    same, but for an exact tie: it elects nobody here, and what is positive there.
    """
    parts = torch.tensor(weights, dtype=deltas.dtype)[:, None, None]
    scaled = prune(deltas, density) * parts
    agree = scaled.sign() == scaled.sum(dim=0).sign()
    agree &= scaled != 0
    mass = (agree * parts.abs()).sum(dim=0)
    return (scaled * agree).sum(dim=0) / torch.where(mass > 0, mass, 1.0)


def dare(deltas: torch.Tensor, density: float, generator: torch.Generator) -> torch.Tensor:
    """Return each change with its entries dropped at random, a share `density` kept and divided by it.

    DARE (Yu et al. 2024, arXiv:2311.03099), whose drop rate is 1 - density: the expectation of each entry stays. PEFT's
    `dare_linear` and `dare_ties` drop entries of A and of B: a dropped one takes a term of a whole row or column of the
    product with it, and of several adapters the mixed products stay too. The entries that drop are those that
    `peft.utils.merge_utils` drops after the same seed; it draws from torch's global generator.
    """
    keep = torch.rand(deltas.shape, generator=generator) < density
    return deltas * keep / density


def save(merged: Merged, folder: Path, base: str) -> list[Path]:
    """Write a merged adapter in PEFT's layout, alpha equal to the rank so that the scale is 1; return the files.

    Args:
        merged: the adapter.
        folder: where to; made if it is not there.
        base: the base model's hub id or name.
    """
    from peft import LoraConfig
    from safetensors.torch import save_file

    made = merged.adapter
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=merged.rank,
        lora_alpha=merged.rank,
        lora_dropout=0.0,
        bias="none",
        target_modules=made.targets if isinstance(made.targets, str) else list(made.targets),
        fan_in_fan_out=made.fan_in_fan_out,
        inference_mode=True,
        base_model_name_or_path=base,
    )
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"base_model.model.{name}.lora_{half}.weight": tensor.contiguous()
        for name, layer in made.layers.items()
        for half, tensor in (("A", layer.a), ("B", layer.b))
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(str(folder))
    return [folder / "adapter_model.safetensors", folder / "adapter_config.json"]

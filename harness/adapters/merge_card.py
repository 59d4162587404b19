"""What is said of a merged adapter: in a line for the terminal, and in the card that lies beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.adapters import library
from harness.adapters.card import FEWER_BITS, front_matter
from harness.adapters.library import Kept
from harness.format import Table, escape, markdown, number, spoken, trained_on

SOURCES = {
    "sum": "weighted sum of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "linear": "weighted mean of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "svd": "weighted sum of the changes, cut to a rank by a singular value decomposition",
    "ties": "TIES: trim, elect signs, mean of those that agree (Yadav et al. 2023, arXiv:2306.01708)",
    "dare": "DARE: entries dropped at random, the others scaled up, a weighted sum (Yu et al. 2024, arXiv:2311.03099)",
    "prune": "entries of the largest magnitude, then a weighted sum",
}


@dataclass(frozen=True)
class Recipe:
    """How adapters are merged; `rank` None is the sum of ranks, `kept` and `least` (see `merging.Merged`) come after."""

    how: str
    weights: tuple[float, ...]
    density: float
    rank: int | None
    seed: int
    kept: float = 1.0
    least: float = 1.0


def outcome(recipe: Recipe) -> str:
    """Say what rank the result has and how much of the change it holds."""
    if recipe.how in ("sum", "linear"):
        return f"rank {recipe.rank}: exact, nothing of the change is lost"
    least = f"; the layer that lost most keeps {number(recipe.least)} %"
    return f"rank {recipe.rank}: {number(recipe.kept)} % of the squared change is kept{least}"


def bases(kept: Sequence[Kept]) -> list[str]:
    """Say which of the adapters were trained on a base model of fewer bits, which the sum of changes does not know."""
    packed = [one.spec for one in kept if one.spec.method in FEWER_BITS]
    return [f"{spoken(spec)} ({spec.id}) was trained on the base model {FEWER_BITS[spec.method]}" for spec in packed]


def card(kept: Sequence[Kept], recipe: Recipe, command: str) -> str:
    """Return the card of an adapter merged of these; `command` makes it again."""
    spec = kept[0].spec
    front = {"library_name": "peft", "pipeline_tag": "text-generation"}
    hub = {"base_model": library.hub_id(spec), "base_model_relation": "adapter"} if library.hub_id(spec) else {}
    rows = [
        (
            one.spec.id,
            spoken(one.spec),
            trained_on(one.spec),
            f"{weight:g}",
            next(iter(library.scores(one.run.record)), "–"),
        )
        for one, weight in zip(kept, recipe.weights, strict=True)
    ]
    columns = ("run", "adapter", "task", "weight", "its own score on its task")
    trimmed = f" Density {recipe.density:g}." if recipe.how in ("ties", "dare", "prune") else ""
    seed = f" Seed {recipe.seed}." if recipe.how == "dare" else ""
    blocks = [
        front_matter(front | hub | {"tags": ["lora", "merge"]}),
        f"# {escape(spec.model.rpartition('/')[2])}, {len(kept)} adapters merged",
        f"For `{escape(spec.model)}`, revision `{spec.model_revision}`. Merged of:",
        markdown(Table("", columns, tuple(rows), left=frozenset({0, 1, 2}))),
        f"{SOURCES[recipe.how][:1].upper()}{SOURCES[recipe.how][1:]}, on the change of each weight that an adapter "
        f"makes (scale · B A), layer by layer.{trimmed}{seed} The result has {outcome(recipe)}.",
        "\n".join(f"- {escape(line)}" for line in bases(kept)),
        "The scores are those of the single adapters. How the merged one scores was not measured here, and does not "
        "follow from them.",
        f"Made by\n\n```\n{command}\n```",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"

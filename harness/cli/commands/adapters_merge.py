"""`adapters merge`: adapters of one base model merged into one, saved as an adapter with a card of its sources."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import errors
from harness.adapters import card, library
from harness.adapters.card import Recipe
from harness.adapters.library import StoredAdapter
from harness.cli import parse
from harness.cli.arguments import Arguments, Flag, write
from harness.cli.flags import RESULTS, choice
from harness.cli.lookup import find
from harness.cli.terminal import output
from harness.errors import HarnessError
from harness.format import size
from harness.store import records

DONE = 0
HOW = ("sum", "linear", "ties", "dare", "svd", "prune")  # `harness.adapters.merge` needs torch, and help must not
TRIMMED, CUT = ("ties", "dare", "prune"), ("svd", "ties", "dare", "prune")
DENSITY = 0.2  # TIES keeps the largest 20 % (Yadav et al. 2023)


FLAGS = (
    Flag(
        "runs", "the beginning of a run's id, its name, or its folder", metavar="RUN", example="cfa/lora-r8", nargs="+"
    ),
    replace(choice("--how", "way of merging; sum and linear lose nothing", HOW), required=True),
    Flag(
        "--weights",
        "weight of each adapter",
        parse.numbers,
        metavar="0.5,0.5",
        example="0.5,0.5",
        unset="1; linear: equal parts of 1",
    ),
    Flag(
        "--density",
        f"share of each change that {', '.join(TRIMMED)} keep",
        parse.share,
        example=f"{DENSITY:g}",
        unset=f"{DENSITY:g}",
    ),
    Flag("--rank", f"rank of the result, for {', '.join(CUT)}", parse.count, example="8", unset="the sum of ranks"),
    Flag("--seed", "seed of the entries that dare drops", parse.integer(0), example="0", default=0),
    Flag(
        "--out",
        "where to write it: a new or empty folder",
        parse.path,
        metavar="FOLDER",
        example="merged",
        required=True,
    ),
    RESULTS,
)


def read_recipe(arguments: Arguments) -> Recipe:
    """Return the recipe that the flags describe.

    Raises:
        HarnessError: a flag that does not apply, or another number of weights than of adapters.
    """
    how, number_of = arguments.how, len(arguments.runs)
    for flag, value, ways in (("--density", arguments.density, TRIMMED), ("--rank", arguments.rank, CUT)):
        if value is not None and how not in ways:
            raise HarnessError(
                f"{flag} has no part in --how {how}", where=flag, fix=f"leave it out, or --how {ways[0]}"
            )
    density = arguments.density or (DENSITY if how in TRIMMED else 1.0)
    default = (1.0 / number_of if how == "linear" else 1.0,) * number_of
    weights = default if arguments.weights is None else _require_weights(arguments.weights, number_of)
    return Recipe(how, weights, density, arguments.rank, arguments.seed)


def _require_weights(weights: tuple[float, ...], number_of: int) -> tuple[float, ...]:
    example = "--weights " + ",".join(["0.5"] * number_of)
    if len(weights) != number_of:
        problem = f"{len(weights)} weight{'s' * (len(weights) != 1)} for {number_of} adapter{'s' * (number_of != 1)}"
        text = ",".join(f"{weight:g}" for weight in weights)
        raise HarnessError(problem, where=f"--weights {text}", fix=example)
    if not any(weights):
        raise HarnessError("every weight is 0: nothing is left to merge", where="--weights", fix=example)
    return weights


def main(arguments: Arguments) -> int:
    """Merge adapters, and show how much of the change the result holds."""
    recipe, folder = read_recipe(arguments), arguments.out
    library.require_empty(folder)
    adapters = [find(name, arguments.results) for name in arguments.runs]
    ids = [adapter.spec.id for adapter in adapters]
    if twice := next((id for id in ids if ids.count(id) > 1), None):
        fix = "name each once, and give it a weight with --weights"
        raise HarnessError(f"the run {twice} is named twice", where="adapters merge", fix=fix)
    for adapter in adapters:
        library.require_peft(adapter)
    library.require_same_base([adapter.spec for adapter in adapters])
    paths, recipe = _write(adapters, recipe, folder)
    output.say(card.merge_outcome(recipe))
    for line in card.base_notes(adapters):
        output.say(line)
    output.say(f"{size(paths[0].stat().st_size)} adapter")
    output.closing(paths)
    return DONE


def _write(adapters: Sequence[StoredAdapter], recipe: Recipe, folder: Path) -> tuple[list[Path], Recipe]:
    from harness import processes
    from harness.adapters import merge as merging

    processes.quieten()
    spec = adapters[0].spec
    changes = [merging.read(adapter.folder) for adapter in adapters]
    merged = merging.merge(
        changes, recipe.how, recipe.weights, density=recipe.density, rank=recipe.rank, seed=recipe.seed
    )
    paths = merging.save(merged, folder, spec.model)
    recipe = replace(recipe, rank=merged.rank, energy=merged.energy, min_energy=merged.min_energy)
    words = ["adapters", "merge", *(adapter.spec.id for adapter in adapters), *_words(recipe), "--out", "FOLDER"]
    fields = {"model": spec.model, "model_revision": spec.model_revision, **recipe.fields()}
    document = fields | {"runs": [adapter.spec.fields() | {"id": adapter.spec.id} for adapter in adapters]}
    records.write_text(folder / library.RECIPE, json.dumps(document, indent=1) + "\n")
    records.write_text(folder / library.CARD, card.merge_card(adapters, recipe, errors.command(*words)))
    return [*paths, folder / library.RECIPE, folder / library.CARD], recipe


def _words(recipe: Recipe) -> list[str]:
    """Return the flags that repeat a merge."""
    values: dict[str, Any] = {"how": recipe.how, "weights": recipe.weights}
    values |= {"density": recipe.density} if recipe.how in TRIMMED else {}
    values |= {"rank": recipe.rank} if recipe.how in CUT else {}
    values |= {"seed": str(recipe.seed)} if recipe.how == "dare" else {}  # as text, so that 0 is written too
    return write(FLAGS, values)

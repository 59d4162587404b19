"""`adapters merge`: adapters of one base model into one, saved as an adapter again, with a card that says of what."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import errors
from harness.adapters import card, library
from harness.adapters.card import Recipe
from harness.adapters.library import Kept
from harness.cli.flags import results_flag
from harness.cli.terminal import output
from harness.errors import HarnessError
from harness.format import size
from harness.runs import options
from harness.runs.options import count
from harness.store import records

DONE = 0
HOW = ("sum", "linear", "ties", "dare", "svd", "prune")  # `harness.adapters.merge` needs torch, and help must not
TRIMMED, CUT = ("ties", "dare", "prune"), ("svd", "ties", "dare", "prune")
DENSITY = 0.2  # TIES keeps the largest 20 % (Yadav et al. 2023)
RECIPE = "merge.json"


def flags(parser: argparse.ArgumentParser) -> None:
    """What `adapters merge` takes."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the beginning of a run's id, its name, or its folder")
    parser.add_argument(
        "--how", metavar="|".join(HOW), required=True, help="how; sum and linear lose nothing (required)"
    )
    parser.add_argument("--weights", metavar="0.5,0.5", help="of each adapter (default 1; linear: equal parts of 1)")
    parser.add_argument(
        "--density", metavar="N", help=f"share of each change that {', '.join(TRIMMED)} keep (default 0.2)"
    )
    parser.add_argument("--rank", metavar="N", help=f"of the result, for {', '.join(CUT)} (default: the sum of ranks)")
    parser.add_argument("--seed", metavar="N", default="0", help="of what dare drops (default 0)")
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="where to write it: a new or empty folder (required)"
    )
    results_flag(parser)


def read_recipe(found: argparse.Namespace) -> Recipe:
    """Turn the flags into what is to be done, refusing what makes no sense.

    Raises:
        HarnessError: a flag that does not apply, or a number out of range.
    """
    how, number_of = options.one_of(found.how, HOW, "--how"), len(found.runs)
    for flag, given, apply in (("--density", found.density, TRIMMED), ("--rank", found.rank, CUT)):
        if given is not None and how not in apply:
            raise HarnessError(
                f"{flag} has no part in --how {how}", where=flag, fix=f"leave it out, or --how {apply[0]}"
            )
    density = _density(found.density) if found.density is not None else DENSITY if how in TRIMMED else 1.0
    weights = _weights(found.weights, number_of) if found.weights is not None else ()
    if not found.seed.isascii() or not found.seed.isdigit():
        raise HarnessError(f"--seed {found.seed} is not a whole number from 0 on", where="--seed", fix="--seed 0")
    rank = count(found.rank, "--rank") if found.rank is not None else None
    default = (1.0 / number_of if how == "linear" else 1.0,) * number_of
    return Recipe(how, weights or default, density, rank, int(found.seed))


def _weights(text: str, wanted: int) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    example = ",".join(["0.5"] * wanted)
    if not found or not all(abs(value) < float("inf") for value in found):
        raise HarnessError(f"--weights {text} is not a list of numbers", where="--weights", fix=f"--weights {example}")
    if len(found) != wanted:
        problem = f"{len(found)} weight{'s' * (len(found) != 1)} for {wanted} adapter{'s' * (wanted != 1)}"
        raise HarnessError(problem, where=f"--weights {text}", fix=f"--weights {example}")
    if not any(found):
        raise HarnessError("every weight is 0: nothing is left to merge", where="--weights", fix=f"--weights {example}")
    return found


def _density(text: str) -> float:
    value = options.positive(text, "--density")
    if value > 1:
        raise HarnessError("a density is a share, above 0 and up to 1", where=f"--density {text}", fix="--density 0.2")
    return value


def merge(found: argparse.Namespace) -> int:
    """Merge, and say how much of the change the result holds."""
    from harness.cli.lookup import find

    recipe, results, folder = read_recipe(found), options.path(found.results), options.path(found.out)
    library.require_empty(folder)
    kept = [find(name, results) for name in found.runs]
    if twice := [one.spec.id for place, one in enumerate(kept) if one.spec.id in {o.spec.id for o in kept[:place]}]:
        fix = "name each once, and give it a weight with --weights"
        raise HarnessError(f"the run {twice[0]} is named twice", where="adapters merge", fix=fix)
    for one in kept:
        library.require_peft(one)
    library.same_base([one.spec for one in kept])
    paths, recipe = _write(kept, recipe, folder)
    output.say(card.merge_outcome(recipe))
    for line in card.base_notes(kept):
        output.say(line)
    output.say(f"{size(paths[0].stat().st_size)} adapter")
    output.written(paths)
    return DONE


def _write(kept: Sequence[Kept], recipe: Recipe, folder: Path) -> tuple[list[Path], Recipe]:
    from harness import processes
    from harness.adapters import merge as merging

    processes.quieten()
    spec = kept[0].spec
    read = [merging.read(one.folder) for one in kept]
    made = merging.merge(read, recipe.how, recipe.weights, density=recipe.density, rank=recipe.rank, seed=recipe.seed)
    paths = merging.save(made, folder, spec.model)
    recipe = replace(recipe, rank=made.rank, kept=made.kept, least=made.least)
    words = [*("adapters", "merge"), *(one.spec.id for one in kept), *_flags(recipe), "--out", "FOLDER"]
    fields = {"model": spec.model, "model_revision": spec.model_revision, **vars(recipe)}
    stated = fields | {"runs": [one.spec.fields() | {"id": one.spec.id} for one in kept]}
    records.write_text(folder / RECIPE, json.dumps(stated, indent=1) + "\n")
    records.write_text(folder / library.CARD, card.merge_card(kept, recipe, errors.command(*words)))
    return [*paths, folder / RECIPE, folder / library.CARD], recipe


def _flags(recipe: Recipe) -> list[str]:
    found = ["--how", recipe.how, "--weights", ",".join(f"{weight!r}" for weight in recipe.weights)]
    found += ["--density", repr(recipe.density)] * (recipe.how in TRIMMED)
    found += ["--rank", str(recipe.rank)] * (recipe.how in CUT)
    return found + ["--seed", str(recipe.seed)] * (recipe.how == "dare")

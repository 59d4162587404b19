"""`plan`: what would run; on a GPU that need not be here, what fits and how; and how near past predictions came."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli.terminal import output
from harness.errors import HarnessError
from harness.model import architectures
from harness.runs import options, plan
from harness.runs.forecast import fit, history
from harness.runs.forecast import gpu as speed
from harness.runs.forecast.gpu import Card
from harness.runs.options import Options
from harness.store import records

DONE = 0


@dataclass(frozen=True)
class Gpu:
    """The GPU flags: the card (None where not named), the price of an hour of it, and the share of its peak reached."""

    card: Card | None = None
    price: float | None = None
    share: float = speed.SHARE


def read_gpu(found: argparse.Namespace) -> Gpu:
    """Turn the flags into a `Gpu`.

    Raises:
        HarnessError: an unknown card, a price without a card, a share above 1, or a size that tells no speed.
    """
    price = None if found.price is None else options.positive(found.price, "--price")
    share = speed.SHARE if found.share_of_peak is None else options.positive(found.share_of_peak, "--share-of-peak")
    if share > 1:
        fix = "--share-of-peak 0.4"
        raise HarnessError(f"a share of {share:g} is above the peak", where="--share-of-peak", fix=fix)
    if found.gpu is None:
        if price is not None or found.share_of_peak is not None:
            flag = "--price" if price is not None else "--share-of-peak"
            raise HarnessError("no card named, so there is no time to tell", where=flag, fix="--gpu H100")
        return Gpu()
    card = speed.card(found.gpu)
    if price is not None and not card.flops:
        known = ", ".join(one.name for one in speed.CARDS)
        problem = f"no listed card has about {found.gpu}, so its speed is not known, nor the cost"
        raise HarnessError(problem, where="--price", fix=f"--gpu with one of {known}")
    if found.no_memory:
        raise HarnessError("--gpu asks for memory and --no-memory for none", where="--gpu", fix="leave one of them out")
    return Gpu(card, price, share)


def show(asked: Options, gpu: Gpu) -> int:
    """Show what `run` would do and do nothing."""
    if gpu.card is None and not architectures.is_only_shipped(asked.model):
        for one in plan.make(asked):
            output.header(one)
            output.planned(one)
        return DONE
    model, shipped = architectures.read(asked.model)
    imagined = replace(asked, device=asked.device or "cuda", dtype=asked.dtype or "bf16", imagined=True, memory=False)
    for one in plan.make(imagined, model=model):
        request = fit.Request(
            folder=model.folder,
            config=shipped.config if shipped else None,
            specs=one.default_specs,
            train=tuple((one.task.prompt(e), e.target) for e in one.splits.train),
            test=tuple((one.task.prompt(e), max((e.target, *e.choices), key=len)) for e in one.splits.test),
            card=gpu.card,
            share=gpu.share,
        )
        output.forecast(one, request, fit.look_in_own_process(request), price=gpu.price)
    return DONE


def show_accuracy(results: Path) -> int:
    """Show how far the predicted training peaks of all past runs were from the measured ones."""
    found = history.prediction_errors(run.record for run in records.read_all(results))
    if not found:
        raise HarnessError(
            "no finished run has both a predicted and a measured peak",
            where=str(results),
            fix="run a task first, without --no-memory, or name another folder: --results DIR",
        )
    output.accuracy(found)
    return DONE

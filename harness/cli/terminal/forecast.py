"""The tables of `plan --gpu` and `plan --accuracy`, and the sentences that say what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.format import NONE, Table, duration, quantity, run_name, size
from harness.runs.forecast.fit import CHARACTERS_PER_TOKEN, Forecast, Outlook, Request
from harness.runs.forecast.history import PredictionError
from harness.runs.plan import Plan


def forecasts(found: Outlook, request: Request, price: float | None) -> Table:
    """One row for each run: whether it fits and in which way, its peak by counter and by formula, time and cost."""
    titles = [
        "run",
        *["fits"] * (request.card is not None),
        "at once",
        "checkpointing",
        "peak",
        "by formula",
        "largest part",
    ]
    timed = request.card is not None and request.card.flops > 0
    titles += ["train", "test"] * timed + ["cost"] * (price is not None)
    rows = []
    for one in found.forecasts:
        spec, trains = one.spec, one.spec.micro_batch > 0
        row = [run_name(spec)]
        row += [_fits(one)] * (request.card is not None)
        row += [str(spec.micro_batch) if trains else NONE, ("yes" if spec.checkpointing else "no") if trains else NONE]
        row += [size(one.peak), size(one.by_formula.total) if one.by_formula else NONE]
        row.append(one.by_formula.largest if one.by_formula else NONE if trains else "weights")
        if timed:
            row += [_time(one, one.train_seconds), _time(one, one.test_seconds)]
        if price is not None:
            row.append(f"{cost(one, price):,.2f}" if one.fits else NONE)
        rows.append(tuple(row))
    left = {titles.index(name) for name in ("run", "fits", "checkpointing", "largest part") if name in titles}
    return Table("forecast", tuple(titles), tuple(rows), left=frozenset(left))


def _fits(one: Forecast) -> str:
    return "yes" if one.fits else "does not"


def _time(one: Forecast, seconds: float | None) -> str:
    return duration(seconds) if seconds is not None and one.fits else NONE


def cost(one: Forecast, price: float) -> float:
    """What a run costs at a price per hour: training and reading the test examples."""
    return ((one.train_seconds or 0.0) + (one.test_seconds or 0.0)) / 3600 * price


def heading(plan: Plan, found: Outlook, request: Request) -> list[tuple[str, str]]:
    """Say what is planned for what, in lines of a title and a text."""
    spec, card = request.specs[0], request.card
    here = "its config as shipped, not its weights" if request.config is not None else plan.model.revision[:7] + "…"
    longest, mean = found.tokens
    counted = "by tokenizer"
    if request.config is not None:
        counted = f"estimated without its tokenizer, at {CHARACTERS_PER_TOKEN:g} characters a token"
    lines = [
        (
            f"{plan.task.name} v{plan.task.version}",
            f"{plan.task.title} · train {len(request.train):,} · test {len(request.test):,}",
        ),
        ("model", f"{plan.model.name} · {quantity(found.weights)} weights · {spec.dtype} · {here}"),
        ("examples", f"{mean:,.0f} tokens on average, {longest:,} the longest, {counted}"),
    ]
    if card is None:
        return [*lines, ("device", f"{spec.device}; name a card to see what fits: --gpu H100")]
    return [*lines, ("gpu", f"{card.name}, {size(card.memory)}, of which {size(card.usable)} are counted on")]


def notes(found: Outlook, request: Request, price: float | None) -> list[str]:
    """Say what the figures rest on, and where the largest part of the largest run comes from."""
    lines = ["peak: the training step itself on the longest examples, run on tensors without memory, byte by byte"]
    known = [one for one in found.forecasts if one.by_formula is not None]
    if known:
        top = max(known, key=lambda one: one.peak)
        assert top.by_formula is not None
        parts = top.by_formula
        lines.append(
            f"largest: {' '.join(run_name(top.spec).split())} = weights {size(parts.weights)} + optimizer {size(parts.optimizer)}"
            f" + gradients {size(parts.gradients)} + activations {size(parts.activations)} + temporaries {size(parts.moment)}"
        )
    card = request.card
    if card is not None and card.flops:
        of = (
            f"of the {card.assumed}, assumed for its size (name the card to change that)"
            if card.assumed
            else "of the card"
        )
        lines.append(
            f"time: FLOPs at {request.share:.0%} of the {card.flops / 1e12:,.0f} TFLOP/s (dense bf16) {of}, plus weights moved at "
            f"{card.bandwidth / 1e9:,.0f} GB/s; written answers not counted; --share-of-peak changes the share"
        )
    elif card is not None:
        lines.append("time: not told, since no listed card has this size")
    if any(one.fits is False for one in found.forecasts):
        lines.append("does not: shown is the way that takes least")
    if price is not None:
        total = sum(cost(one, price) for one in found.forecasts if one.fits)
        lines.append(f"cost: at {price:g} an hour, {total:,.2f} for all that fit")
    return lines


def accuracy(found: Sequence[PredictionError]) -> Table:
    """One row for each model, method and device, and one for all."""
    rows = [
        (
            one.model,
            one.method,
            one.device,
            str(one.runs),
            size(one.predicted),
            size(one.measured),
            _share(one.mean),
            _share(one.worst),
        )
        for one in found
    ]
    runs = sum(one.runs for one in found)
    mean = sum(one.mean * one.runs for one in found) / runs
    worst = max((one.worst for one in found), key=abs)
    rows.append(("all", "", "", str(runs), "", "", _share(mean), _share(worst)))
    titles = ("model", "method", "device", "runs", "predicted", "measured", "error %", "worst %")
    return Table("prediction of the training peak", titles, tuple(rows), left=frozenset({0, 1, 2}))


def _share(value: float) -> str:
    return f"{100 * value:+.1f}"

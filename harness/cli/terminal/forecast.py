"""Tables of `plan --gpu` and `plan --accuracy`, and notes about their assumptions."""

from __future__ import annotations

from collections.abc import Sequence

from harness.format import NONE, Table, duration, quantity, run_name, size
from harness.model import token_counts
from harness.record import RunSpec
from harness.runs.forecast.fit import Forecast, Outlook, Request
from harness.runs.forecast.gpu import Price
from harness.runs.forecast.history import PredictionError
from harness.runs.plan import Plan


def forecasts(outlook: Outlook, request: Request, price: Price | None) -> Table:
    """Return the table of runs: fit to the card, settings that fit, peak by counter and by formula, time and cost."""
    titles = [
        "run",
        "epochs",
        "rate",
        *["fits"] * (request.card is not None),
        "micro-batch",
        "activations",
        "peak",
        "by formula",
        "largest part",
    ]
    timed = request.card is not None and request.card.flops > 0
    titles += ["train", "test"] * timed + ([price.title] if price else [])
    rows = []
    for forecast in outlook.forecasts:
        spec, trains = forecast.spec, forecast.spec.micro_batch > 0
        row = [run_name(spec), *((f"{spec.epochs:g}", f"{spec.learning_rate:.2g}") if trains else (NONE, NONE))]
        row += [_fits(forecast)] * (request.card is not None)
        row += [str(spec.micro_batch) if trains else NONE, _activations(spec) if trains else NONE]
        row += [size(forecast.peak), size(forecast.by_formula.total) if forecast.by_formula else NONE]
        row.append(forecast.by_formula.largest if forecast.by_formula else NONE if trains else "weights")
        if timed:
            row += [_time(forecast, forecast.train_seconds), _time(forecast, forecast.test_seconds)]
        if price is not None:
            row.append(f"{cost(forecast, price.amount):,.2f}" if forecast.fits else NONE)
        rows.append(tuple(row))
    left = {titles.index(name) for name in ("run", "fits", "activations", "largest part") if name in titles}
    return Table("forecast", tuple(titles), tuple(rows), left=frozenset(left))


def _activations(spec: RunSpec) -> str:
    return "computed twice" if spec.checkpointing else "stored"


def _fits(forecast: Forecast) -> str:
    return "yes" if forecast.fits else "does not fit"


def _time(forecast: Forecast, seconds: float | None) -> str:
    return duration(seconds) if seconds is not None and forecast.fits else NONE


def cost(forecast: Forecast, price: float) -> float:
    """Return the cost of a run at a price per hour, for training and reading the test examples."""
    return ((forecast.train_seconds or 0.0) + (forecast.test_seconds or 0.0)) / 3600 * price


def heading(plan: Plan, outlook: Outlook, request: Request) -> list[tuple[str, str]]:
    """Return the lines above the table, each a title and a text."""
    spec, card = request.specs[0], request.card
    source = (
        "from its config alone, without its weights" if request.config is not None else plan.model.revision[:7] + "…"
    )
    longest, mean = outlook.tokens
    counted = "by tokenizer"
    if request.config is not None:
        counted = f"estimated by statistics of {token_counts.family(request.config)} tokenizers, within about 5 %"
    lines = [
        (
            f"{plan.task.name} v{plan.task.version}",
            f"{plan.task.title} · train {len(request.train):,} · test {len(request.test):,}",
        ),
        ("model", f"{plan.model.name} · {quantity(outlook.weights)} weights · {spec.dtype} · {source}"),
        ("examples", f"{mean:,.0f} tokens on average, {longest:,} the longest, {counted}"),
    ]
    if card is None:
        return [*lines, ("device", f"{spec.device}; name a card to see what fits: --gpu H100")]
    return [
        *lines,
        (
            "gpu",
            f"{card.name}, {size(card.memory)}, of which {size(card.usable)} are usable; a run fits with a predicted peak up to {size(card.limit)}",
        ),
    ]


def notes(outlook: Outlook, request: Request, price: Price | None) -> list[str]:
    """Return notes about the assumptions of the numbers, and the parts of the largest peak."""
    lines = [
        "peak: a training step on the longest examples, simulated on tensors without memory and counted byte by byte; by "
        "formula: a second count, by a closed formula",
        "micro-batch: examples of an optimizer step in the model at a time",
    ]
    if any(forecast.spec.checkpointing for forecast in outlook.forecasts):
        lines.append(
            "computed twice: activations are computed again (--checkpointing), which saves memory and costs time"
        )
    names = {forecast.spec.method for forecast in outlook.forecasts}
    if {"full", "full-bf16"} <= names:
        lines.append(
            "full: weights, gradients and AdamW's moments in fp32, 16 bytes a weight; full-bf16: all in bf16, 8 bytes a weight, "
            "as PEFT's comparison trains it; it loses small updates, and is run if --method names it"
        )
    computed = [forecast for forecast in outlook.forecasts if forecast.by_formula is not None]
    if computed:
        top = max(computed, key=lambda forecast: forecast.peak)
        assert top.by_formula is not None
        parts = top.by_formula
        lines.append(
            f"largest: {' '.join(run_name(top.spec).split())} = weights {size(parts.weights)} + optimizer {size(parts.optimizer)}"
            f" + gradients {size(parts.gradients)} + activations {size(parts.activations)} + temporaries {size(parts.moment)}"
        )
    card = request.card
    if card is not None and card.flops:
        of = (
            f"of the {card.assumed}, the card assumed for this size (--gpu NAME for another)"
            if card.assumed
            else "of the card"
        )
        lines.append(
            f"time: an estimate from arithmetic at {100 * request.share:.0f} % of the peak rate {of}, {card.flops / 1e12:,.0f} TFLOP/s in "
            f"bf16 (--share-of-peak), and from reading all weights out of its memory at {card.bandwidth / 1e9:,.0f} GB/s for each "
            "micro-batch; the writing of answers is not counted"
        )
    elif card is not None:
        lines.append("time: unknown, since no listed card has this size")
    if row := outlook.long_row:
        name = " ".join(run_name(row.spec).split())
        others = f"{row.shortened:,} example{'s' * (row.shortened != 1)}"
        lines.append(
            f"one long example decides the peaks: {request.names[row.position] if request.names else row.position + 1} has "
            f"{row.tokens:,} tokens, the median is {row.median:,}; --max-tokens {row.window} shortens the context of {others}, "
            f"and {name} takes {size(row.after)} instead of {size(row.before)}"
        )
    if any(forecast.fits is False for forecast in outlook.forecasts):
        lines.append("does not fit: the row shows the settings that need least memory")
    if price is not None:
        total = sum(cost(forecast, price.amount) for forecast in outlook.forecasts if forecast.fits)
        lines.append(
            f"cost: training and test, at {price.words} per hour: {total:,.2f}{' ' * bool(price.currency)}{price.currency} "
            "for all runs that fit"
        )
    return lines


def accuracy(errors: Sequence[PredictionError]) -> Table:
    """Return the table of prediction errors: a row for each model, method and device, and one for all."""
    rows = [
        (
            error.model,
            error.method,
            error.device,
            str(error.runs),
            size(error.predicted),
            size(error.measured),
            _share(error.mean),
            _share(error.worst),
        )
        for error in errors
    ]
    runs = sum(error.runs for error in errors)
    mean = sum(error.mean * error.runs for error in errors) / runs
    worst = max((error.worst for error in errors), key=abs)
    rows.append(("all", "", "", str(runs), "", "", _share(mean), _share(worst)))
    titles = ("model", "method", "device", "runs", "predicted", "measured", "error %", "worst %")
    return Table("prediction of the training peak", titles, tuple(rows), left=frozenset({0, 1, 2}))


def _share(value: float) -> str:
    return f"{100 * value:+.1f}"

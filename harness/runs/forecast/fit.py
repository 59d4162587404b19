"""The fit of runs on a GPU that need not be in this machine: their peak, the fastest way that fits, and its time.

The peak is that of the project's own training step under fake tensors (`peak_memory`). The closed formula (`closed_form`)
also tells the ways worth trying. A forecast needs torch, so it runs in a process of its own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.data import registry
from harness.model import token_counts
from harness.record import RunSpec
from harness.runs.forecast import closed_form as formula
from harness.runs.forecast import gpu, preflight
from harness.runs.forecast.closed_form import Breakdown
from harness.runs.forecast.gpu import Card, Size
from harness.schema import Method

if TYPE_CHECKING:
    from harness.model.loading import Shape
    from harness.model.tokenize import Pair

LOOK_SECONDS = 3600.0  # for all ways together
NEAR = 1.15  # times what a card holds: above it by estimate, a way is not tried

Lengths = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Request:
    """The runs of a forecast. `config` is a shipped architecture, None if `folder` holds the model and its tokenizer.

    `train` and `test` are (prompt, answer) texts. Without a `card` only the peak is predicted. `tally` is a file that gets a
    byte for each run that was looked at, to show progress. `names` are the ids of the training examples.
    """

    folder: Path
    config: Mapping[str, Any] | None
    specs: tuple[RunSpec, ...]
    train: tuple[tuple[str, str], ...]
    test: tuple[tuple[str, str], ...]
    card: Card | None = None
    share: float = gpu.SHARE
    tally: Path | None = None
    names: tuple[str, ...] = ()

    def done(self) -> int:
        """Return how many runs have been looked at, by the file `tally`."""
        return self.tally.stat().st_size if self.tally is not None and self.tally.exists() else 0


@dataclass(frozen=True)
class LongRow:
    """A training example far longer than the others: its position, its tokens and the median of all, and what a window saves.

    With a window of `window` tokens `shortened` examples lose part of their context, and the peak of `spec` is `after`
    bytes instead of `before`.
    """

    position: int
    tokens: int
    median: int
    window: int
    shortened: int
    spec: RunSpec
    before: int
    after: int


@dataclass(frozen=True)
class Forecast:
    """One run in its best way (micro-batch and checkpointing of `spec`), its peak in bytes, and whether that fits.

    `by_formula` is None if the formula does not hold. `fits` and the seconds are None if no card, or no speed, is known.
    If no way fits, the forecast is of the way with the lowest peak. For the untrained model the peak is its weights.
    """

    spec: RunSpec
    peak: int
    by_formula: Breakdown | None
    fits: bool | None
    train_seconds: float | None
    test_seconds: float | None


@dataclass(frozen=True)
class Outlook:
    """The forecasts in the order of the request, the model's number of weights, and tokens per example: (longest, mean)."""

    forecasts: tuple[Forecast, ...]
    weights: int
    tokens: tuple[int, float]
    long_row: LongRow | None = None


def look(request: Request) -> Outlook:
    """Return the forecasts of a request.

    Raises:
        HarnessError: a rank above the layers' size, or an architecture that cannot be built.
    """
    import torch

    from harness.model import loading
    from harness.model.tokenize import Pair
    from harness.runs.forecast import peak_memory

    torch.set_num_threads(1)  # the forks below start without threads of their own
    config = loading.load_config(request.folder) if request.config is None else loading.config_from(request.config)
    shape = loading.config_shape(config)
    for rank in sorted({spec.rank for spec in request.specs if spec.rank}):
        loading.check_rank(shape, rank)
    size = size_of(shape)
    window = max(spec.max_tokens for spec in request.specs)
    train, test = _lengths(request, request.train, window), _lengths(request, request.test, window)
    longest = sorted(train, key=lambda pair: -sum(pair))
    dims = formula.dims(config.to_dict())

    @functools.cache  # a search asks for the ends of its line again
    def count(spec: RunSpec) -> int:
        rows: list[Pair] = [Pair((0,) * prompt, (0,) * target) for prompt, target in longest[: spec.micro_batch]]
        return peak_memory.config_peak(config, spec, registry.method(spec.method), rows)

    def forecast(spec: RunSpec) -> Forecast:
        method = registry.method(spec.method)
        if not method.trains:
            return _untrained(spec, size, test, request)
        best = _Search(spec, method, size, dims, longest, request, count).best()
        return replace(best, test_seconds=_reading(size, test, request))

    def counted(spec: RunSpec) -> Forecast:
        result = forecast(spec)
        if request.tally is not None:
            with request.tally.open("ab") as file:
                file.write(b".")
        return result

    seedless = tuple(dict.fromkeys(replace(spec, seed=0) for spec in request.specs))
    forecasts = dict(zip(seedless, processes.parallel_map(counted, seedless), strict=True))
    totals = [sum(pair) for pair in train] or [0]
    return Outlook(
        forecasts=tuple(_with_seed(forecasts[replace(spec, seed=0)], spec.seed) for spec in request.specs),
        weights=shape.weights,
        tokens=(max(totals), sum(totals) / len(totals)),
        long_row=_long_row(totals, list(forecasts.values()), longest, config),
    )


def _long_row(
    totals: Sequence[int], forecasts: Sequence[Forecast], longest: Sequence[tuple[int, int]], config: Any
) -> LongRow | None:
    """Return the longest example if it is far longer than nearly all others, with the peak of the first run without it."""
    from harness.model.tokenize import Pair
    from harness.runs.forecast import peak_memory

    trained = [forecast for forecast in forecasts if forecast.spec.micro_batch]
    example = preflight.long_example(totals)
    if not trained or example is None:
        return None
    spec = trained[0].spec
    rows = [Pair((0,) * prompt, (0,) * target) for prompt, target in longest[: spec.micro_batch]]
    cut = replace(spec, max_tokens=example.window)
    after = peak_memory.config_peak(config, cut, registry.method(spec.method), rows)
    return LongRow(
        position=example.position,
        tokens=example.tokens,
        median=example.median,
        window=example.window,
        shortened=example.shortened,
        spec=spec,
        before=trained[0].peak,
        after=after,
    )


def _with_seed(forecast: Forecast, seed: int) -> Forecast:
    return replace(forecast, spec=replace(forecast.spec, seed=seed))


def size_of(shape: Shape) -> Size:
    """Return the sizes that decide the arithmetic of a model of this shape."""
    return Size(
        weights=shape.weights,
        linear=sum(inputs * outputs for inputs, outputs in shape.linears),
        output=shape.hidden * shape.vocab,
        sides=sum(inputs + outputs for inputs, outputs in shape.linears),
        layers=shape.layers,
        width=shape.hidden,
    )


@dataclass(frozen=True)
class _Search:
    """The ways to do one run, tried from the fastest on until one fits."""

    spec: RunSpec
    method: Method
    size: Size
    dims: formula.Dims | None
    longest: Sequence[tuple[int, int]]
    request: Request
    count: Callable[[RunSpec], int]

    def best(self) -> Forecast:
        """Return the fastest way that fits, else the way with the lowest peak; without a card, the way of the spec."""
        card = self.request.card
        if card is None:
            return self.as_forecast(self.spec, self.count(self.spec), None)
        expected: dict[RunSpec, float] = {}
        for checkpointing in (False, True):
            expected |= self.expected([way for way in self.ways() if way.checkpointing == checkpointing])
        for way in sorted(expected, key=lambda way: (self.seconds(way) or 0.0, way.checkpointing, -way.micro_batch)):
            if expected[way] <= NEAR * card.limit and (peak := self.count(way)) <= card.limit:
                return self.as_forecast(way, peak, True)
        least = min(expected, key=lambda way: expected[way])
        peak = self.count(least)
        return self.as_forecast(least, peak, peak <= card.limit)

    def ways(self) -> Iterator[RunSpec]:
        """Halve the micro-batch down to one example, with and without checkpointing."""
        rows = self.spec.batch_size
        while rows:
            for checkpointing in (False, True):
                yield replace(self.spec, micro_batch=rows, checkpointing=checkpointing)
            rows //= 2

    def expected(self, ways: Sequence[RunSpec]) -> dict[RunSpec, float]:
        """Return a peak for each way without counting all: by formula, else on the line through the smallest two."""
        by_formula = {way: breakdown.total for way in ways if (breakdown := self.formula(way)) is not None}
        if len(by_formula) == len(ways):
            return by_formula
        small, *more = sorted(ways, key=lambda way: way.micro_batch)
        base = self.count(small)
        slope = (self.count(more[0]) - base) / (self.tokens(more[0]) - self.tokens(small)) if more else 0.0
        return {way: base + slope * (self.tokens(way) - self.tokens(small)) for way in ways}

    def tokens(self, way: RunSpec) -> int:
        """Return rows x width of the largest micro-batch; the last token of a row is only predicted."""
        rows = self.longest[: way.micro_batch]
        return len(rows) * (max(map(sum, rows)) - 1)

    def formula(self, way: RunSpec) -> Breakdown | None:
        """Return the closed formula's peak, None if it does not hold."""
        targets = sum(target for _, target in self.longest[: way.micro_batch])
        if self.dims is None or way.shards > 1:
            return None
        return formula.peak(self.dims, way, self.method, tokens=self.tokens(way), targets=targets)

    def seconds(self, way: RunSpec) -> float | None:
        """Return the training time, None if the card's speed is not known, or how several cards are connected."""
        card = self.request.card
        if card is None or not card.flops or way.shards > 1:
            return None
        return gpu.train_seconds(self.size, way, self.method, self.longest, card, self.request.share)

    def as_forecast(self, way: RunSpec, peak: int, fits: bool | None) -> Forecast:
        """Return the forecast of a way with its peak."""
        return Forecast(way, peak, self.formula(way), fits, self.seconds(way), None)


def _untrained(spec: RunSpec, size: Size, test: Lengths, request: Request) -> Forecast:
    peak = size.weights * (2 if spec.dtype == "bf16" else 4)
    fits = peak <= request.card.limit if request.card else None
    return Forecast(spec, peak, None, fits, None, _reading(size, test, request))


def _reading(size: Size, test: Lengths, request: Request) -> float | None:
    card = request.card
    return gpu.reading_seconds(size, test, card, request.share) if card and card.flops else None


def _lengths(request: Request, texts: Sequence[tuple[str, str]], window: int) -> Lengths:
    """Return (prompt, answer) lengths in tokens, the prompt cut to the window: by tokenizer, else estimated."""
    if request.config is not None:
        count = token_counts.counter(None, request.config)
        counts = [(math.ceil(count(prompt)), math.ceil(count(answer)) + 1) for prompt, answer in texts]
    else:
        from harness.model import loading, tokenize

        tokenizer = loading.load_tokenizer(request.folder)
        pairs = (tokenize.encode_pair(tokenizer, *pair) for pair in texts)
        counts = [(len(prompt), len(answer)) for prompt, answer in pairs]
    return tuple((max(1, min(prompt, window - answer)), min(answer, window - 1)) for prompt, answer in counts)


def look_in_own_process(request: Request) -> Outlook:
    """Return the outlook of `look`, from a process that may die without harm.

    Raises:
        HarnessError: as `look`, and if a library fails on the config.
    """
    return preflight.in_own_process(look, request, where="--model", seconds=LOOK_SECONDS)

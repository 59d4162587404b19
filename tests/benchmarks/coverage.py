"""How often intervals cover the truth, by simulation:   python tests/benchmarks/coverage.py [PART ...]

    PART        shares, differences, seeds, money, money-differences
    --draws N   draws of each scenario (500)
    --seed N    of the random numbers (0); no constant of `harness.metrics` was chosen on seeds from 100 on

Each line is a scenario: the share of draws with an interval, and among these the share that covers the truth, with what it
misses below and above. A scenario with fewer than 50 intervals has no line. The functions are those that tables call. The last
line of a part has the least and the largest coverage; with 500 draws, 95 % is 93 to 97 % by chance alone.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:1] = [str(Path(__file__).resolve().parents[2])]

import numpy as np

from harness.metrics import stats

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
Ends = tuple[float, float]  # of an interval
FEWEST = 50  # intervals of a scenario that has a line


class Scenario(NamedTuple):
    """A name, the true value, and a function that draws data and returns the interval."""

    name: str
    truth: float
    draw: Callable[[Rng], Ends]


class Coverage(NamedTuple):
    """Shares of draws: with an interval; of these, that cover, that lie above the truth, that lie below it."""

    printed: float
    covered: float
    above: float
    below: float


def coverage(scenario: Scenario, draws: int, seed: int) -> Coverage | None:
    """Return the coverage of a scenario, None if too few draws have an interval."""
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    ends = [scenario.draw(rng) for _ in range(draws)]
    printed = [(low, high) for low, high in ends if math.isfinite(low)]
    if len(printed) < FEWEST:
        return None
    above = sum(low > scenario.truth + 1e-12 for low, _ in printed) / len(printed)
    below = sum(high < scenario.truth - 1e-12 for _, high in printed) / len(printed)
    return Coverage(len(printed) / draws, 1 - above - below, above, below)


def alike(shares: Array, groups: int, likeness: float, rng: Rng) -> Array:
    """Return the shares of each group, [groups, len(shares)]; items of a group have this correlation."""
    if not likeness:
        return np.broadcast_to(shares, (groups, len(shares)))
    drawn = rng.gamma(np.maximum(shares * (1 - likeness) / likeness, 1e-12), size=(groups, len(shares)))
    total = drawn.sum(1, keepdims=True)
    return np.where(total > 0, drawn / np.where(total > 0, total, 1), shares)


def share(groups: int, size: int, likeness: float, truth: float) -> Scenario:
    """Return the scenario of a share of right answers in groups of a size."""
    names = np.repeat(np.arange(groups), size).tolist()

    def draw(rng: Rng) -> Ends:
        chances = alike(np.array([truth, 1 - truth]), groups, likeness, rng)[:, 0]
        values = (rng.random((groups, size)) < chances[:, None]).astype(float).ravel().tolist()
        return stats.clustered_interval(values, names, share=True)[1:]

    return Scenario(f"{groups} groups of {size}, correlation {likeness}, share {truth}", truth, draw)


def difference(groups: int, size: int, likeness: float, differing: float, advantage: float) -> Scenario:
    """Return the scenario of two rows that differ on a share of questions, by an advantage of the first."""
    names = np.repeat(np.arange(groups), size).tolist()
    kinds = np.array([(differing + advantage) / 2, (differing - advantage) / 2, 1 - differing])

    def draw(rng: Rng) -> Ends:
        chances = np.cumsum(alike(kinds, groups, likeness, rng), axis=1)
        picks = rng.random((groups, size))
        won, lost = picks < chances[:, :1], (picks >= chances[:, :1]) & (picks < chances[:, 1:2])
        a, b = won.astype(float).ravel().tolist(), lost.astype(float).ravel().tolist()
        return stats.paired_difference(a, b, names, share=True)[1:3]

    name = f"{groups} groups of {size}, correlation {likeness}, differing {differing}, advantage {advantage}"
    return Scenario(name, advantage, draw)


def seeds(count: int, n: int, sd: float, noise: float) -> Scenario:
    """Return the scenario of a share over seeds: `sd` between seeds, `noise` the part of chance in single answers."""

    def draw(rng: Rng) -> Ends:
        ease = np.where(rng.random(n) < noise, 0.7, (rng.random(n) < 0.7).astype(float))
        effects = np.clip(0.7 + rng.normal(0, sd, count), 0.02, 0.98)
        columns = []
        for effect in effects:  # a seed turns some answers right, or some wrong, so that the mean over seeds stays
            flip = rng.random(n) < abs(effect - 0.7) / (0.3 if effect > 0.7 else 0.7)
            columns.append(np.where(flip, float(effect > 0.7), rng.random(n) < ease).tolist())
        values = np.mean(columns, axis=0).tolist()
        return stats.clustered_interval(values, range(n), share=True, repeats=(stats.seeds(columns, range(n)),))[1:]

    return Scenario(f"{count} seeds, {n} questions, sd {sd}, noise {noise}", 0.7, draw)


AMOUNTS: dict[str, tuple[Callable[[Rng, int], Array], float]] = {
    "lognormal 1.0": (lambda rng, k: rng.lognormal(0, 1, k), math.exp(0.5)),
    "lognormal 1.5": (lambda rng, k: rng.lognormal(0, 1.5, k), math.exp(1.125)),
    "lognormal 2.0": (lambda rng, k: rng.lognormal(0, 2, k), math.exp(2)),
    "gamma 0.4": (lambda rng, k: rng.gamma(0.4, 1, k), 0.4),
    "exponential": (lambda rng, k: rng.exponential(1, k), 1.0),
    "Weibull 0.6": (lambda rng, k: rng.weibull(0.6, k), math.gamma(1 + 1 / 0.6)),
    "Pareto 2.2": (lambda rng, k: 1 + rng.pareto(2.2, k), 2.2 / 1.2),
    "Lomax 3": (lambda rng, k: rng.pareto(3, k), 0.5),
    "uniform": (lambda rng, k: rng.random(k), 0.5),
    "deductible and limit": (lambda rng, k: np.clip(rng.lognormal(0, 1.5, k), 0.5, 10) - 0.5 + 0.05, math.nan),
}


def mean_amount(kind: str) -> float:
    """Return the mean of a kind of amounts, by a large sample if there is no formula."""
    draw, mean = AMOUNTS[kind]
    return float(draw(np.random.default_rng(0), 4_000_000).mean()) if math.isnan(mean) else mean


def money(kind: str, n: int, nonzero: float, largest: int = 1) -> Scenario:
    """Return the scenario of `n` amounts, a share of them not zero, in groups of up to `largest`."""
    sizes = np.random.default_rng(n).integers(1, largest + 1, n)
    names = np.repeat(np.arange(n), sizes)[:n].tolist()

    def draw(rng: Rng) -> Ends:
        values = np.where(rng.random(n) < nonzero, AMOUNTS[kind][0](rng, n), 0.0)
        return stats.mean_interval(values.tolist(), names, share=False)[1:]

    groups = f", groups of 1 to {largest}" if largest > 1 else ""
    return Scenario(f"{kind}, n {n}, {nonzero:.0%} not zero{groups}", nonzero * mean_amount(kind), draw)


def money_difference(kind: str, n: int, first: float, second: float, common: float) -> Scenario:
    """Return the scenario of two rows that lose an amount on a share of questions; a part of these is common."""

    def draw(rng: Rng) -> Ends:
        stakes, both = AMOUNTS[kind][0](rng, n), rng.random(n) < common
        a = rng.random(n) < first
        b = np.where(both, a & (rng.random(n) < second / first), rng.random(n) < second)
        return stats.paired_amounts((a * stakes).tolist(), (b * stakes).tolist(), range(n))[1:3]

    name = f"{kind}, n {n}, {first:.0%} and {second:.0%} not zero, {common:.0%} in common"
    return Scenario(name, (first - second) * mean_amount(kind), draw)


GROUPS = ((8, 15), (8, 60), (12, 15), (20, 5), (20, 60), (40, 15), (100, 5), (300, 1))
CORRELATIONS = (0.0, 0.1, 0.3, 0.6)
SIZES = (
    (100, 0.3),
    (300, 0.1),
    (300, 0.3),
    (600, 0.05),
    (600, 0.1),
    (1000, 0.05),
    (1000, 0.1),
    (2000, 0.05),
    (2000, 0.3),
)
DIFFERENCES = ((600, 0.1, 0.1, 0.3), (600, 0.1, 0.04, 0.3), (300, 0.2, 0.05, 0.0), (1000, 0.07, 0.01, 0.0))


def grouped() -> Iterator[tuple[int, int, float]]:
    """Yield groups, their size and the correlation in them, which groups of one do not have."""
    for (groups, size), likeness in itertools.product(GROUPS, CORRELATIONS):
        if size > 1 or not likeness:
            yield groups, size, likeness


PARTS: dict[str, Callable[[], list[Scenario]]] = {
    "shares": lambda: [share(*row, truth) for row in grouped() for truth in (0.6, 0.9, 0.97)],
    "differences": lambda: [
        difference(*row, *pair) for row in grouped() for pair in ((0.05, 0.04), (0.1, 0.0), (0.2, 0.15), (0.3, 0.05))
    ],
    "seeds": lambda: [
        seeds(*row) for row in itertools.product((3, 4, 5), (60, 200, 600), (0.0, 0.03, 0.09), (0.0, 0.3, 1.0))
    ],
    "money": lambda: (
        [money(kind, *size) for kind in AMOUNTS for size in SIZES] + [money(kind, 900, 0.1, 5) for kind in AMOUNTS]
    ),
    "money-differences": lambda: [money_difference(kind, *row) for kind in AMOUNTS for row in DIFFERENCES],
}


def line(*cells: str) -> None:
    """Print a line of a Markdown table at once."""
    print("| " + " | ".join(cells) + " |", flush=True)


def table(name: str, draws: int, seed: int) -> None:
    """Print the table of one part."""
    print(f"\n## {name}\n")
    line("scenario", "with an interval", "covered", "too high", "too low")
    line("---", "--:", "--:", "--:", "--:")
    covered: list[float] = []
    for scenario in PARTS[name]():
        found = coverage(scenario, draws, seed)
        if found is not None:
            covered.append(found.covered)
            line(scenario.name, *(f"{100 * part:.1f} %" for part in found))
    low, middle, high = np.quantile(covered or [math.nan], [0, 0.5, 1])
    print(f"\n{len(covered)} scenarios: {100 * low:.1f} to {100 * high:.1f} %, median {100 * middle:.1f} %")


def main() -> None:
    """Print the tables of the parts that are named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        table(name, arguments.draws, arguments.seed)


if __name__ == "__main__":
    main()

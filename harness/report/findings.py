"""What a section's comparisons say beyond its rows: a verdict, what could have been found, which rank suffices, how rates were chosen."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.compare import MARGIN
from harness.format import interval, number, unit_of_difference
from harness.metrics import power
from harness.metrics.stats import LEVEL
from harness.training.clients import HASH

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell
    from harness.analysis.sections import Section


def points(value: float, unit: str) -> str:
    """Return a difference as people read it: `3.0 points`, or in the metric's unit."""
    return f"{number(value, unit)}{unit_of_difference(unit)}"


def verdict(section: Section) -> str:
    """Say in one sentence whether fine-tuning pays on these questions, and whether adapters do as well as full fine-tuning.

    By rule from the paired tests at 5 %, Holm-adjusted over all pairs of rows; nothing that they do not show is said.
    """
    tuned = [cell for cell in section.headline if cell.spec.method != "base" and cell.value is not None]
    judged = [(cell, cell.vs_base) for cell in tuned if cell.vs_base is not None]
    if not tuned:
        return "No fine-tuned run has finished, so nothing is shown about fine-tuning."
    if not judged:
        return "Whether fine-tuning pays is not shown: no base model stands beside these runs on the same questions."
    told = [(cell, found) for cell, found in judged if found.p_holm < LEVEL]
    better = [(cell, found) for cell, found in told if (found.value > 0) == cell.higher_is_better]
    unlike = f" and {len(told) - len(better)} worse" if len(better) < len(told) else ""
    if better:
        top, found = max(better, key=lambda pair: abs(pair[1].value))
        low, high = (found.low, found.high) if top.higher_is_better else (-found.high, -found.low)
        beat = f"{_counted(len(better), len(judged))} better than the base model{unlike}, {section.label(top)} by "
        gain = f"{points(abs(found.value), section.unit)} {interval(low, high, section.unit)}"
        return f"Fine-tuning pays on these questions: {beat}{gain}{_adapters(section)}."
    if told:
        rows, rest = _counted(len(told), len(judged)), ", and none is better" if len(told) < len(judged) else ""
        return f"Fine-tuning does harm on these questions: {rows} worse than the base model{rest}."
    rows = "the one tuned row cannot" if len(judged) == 1 else f"none of the {len(judged)} tuned rows can"
    return f"Fine-tuning is not shown to pay on these questions: {rows} be told from the base model."


def _counted(some: int, of: int) -> str:
    if of == 1:
        return "the one tuned row is"
    return f"all {of} tuned rows are" if some == of else f"{some} of {of} tuned rows {'are' if some > 1 else 'is'}"


def _adapters(section: Section) -> str:
    """How adapters stand to full fine-tuning, as the end of a sentence; empty where the best row does not decide it."""
    rows = [cell for cell in section.headline if cell.value is not None]
    full = next((cell for cell in rows if cell.spec.method == "full"), None)
    adapters = [cell for cell in rows if cell.spec.rank and cell.vs_best is not None]
    best = next((cell for cell in rows if cell.best_or_tied == "best"), None)
    if full is None or best is None or not (adapters or best.spec.rank):
        return ""
    if best is not full:
        if full.vs_best is None:
            return ""
        told = "cannot be told from" if full.best_or_tied == "tied" else "is worse than"
        return f"; full fine-tuning {told} {section.label(best)}" if best.spec.rank else ""
    enough = [cell for cell in adapters if cell.not_worse]
    if enough:
        named = section.label(min(enough, key=lambda cell: cell.spec.rank))
        return f"; {named} is shown to lose less than {points(MARGIN, 'share')} to full fine-tuning"
    alike = [section.label(cell) for cell in adapters if cell.best_or_tied == "tied"]
    if alike:
        return (
            f"; {' and '.join(filter(None, (', '.join(alike[:-1]), alike[-1])))} cannot be told from full fine-tuning"
        )
    return "; every adapter is worse than full fine-tuning"


def detects(section: Section) -> list[str]:
    """Say how large a true difference must be to be found: the minimum detectable effect of the section's tests.

    From the intervals of the paired differences, whose middle one counts: with power 80 %, for one comparison and for all
    pairs of rows corrected at once.
    """
    shown = [d for cell in section.headline for d in (cell.vs_best, cell.vs_base) if d is not None]
    halves = [half for d in shown if math.isfinite(half := (d.high - d.low) / 2) and half > 0]
    if not halves:
        return []
    half, rows = statistics.median(halves), sum(cell.value is not None for cell in section.headline)
    pairs = rows * (rows - 1) // 2
    line = (
        f"A paired test on these questions finds a true difference of {points(power.detectable(half), section.unit)} "
    )
    line += "in 8 of 10 cases"
    more = points(power.detectable(half, pairs), section.unit)
    return [f"{line}; corrected for all {pairs} pairs of rows, of {more}." if pairs > 1 else f"{line}."]


def spread(section: Section) -> list[str]:
    """Say how much of the doubt comes from seeds and how much from the choice of questions."""
    cells = [cell for cell in section.headline if cell.seed_sd is not None and cell.item_se is not None]
    if not cells:
        return []
    seeds = _range([cell.seed_sd or 0.0 for cell in cells], section.unit)
    items = _range([cell.item_se or 0.0 for cell in cells], section.unit)
    return [
        f"Seeds differ by a standard deviation of {seeds}; the choice of questions alone is a standard error of {items}."
    ]


def _range(values: Sequence[float], unit: str) -> str:
    low, high = number(min(values), unit), number(max(values), unit)
    return (f"{low} to {high}" if low != high else low) + unit_of_difference(unit)


def smallest_ranks(section: Section) -> list[str]:
    """Name for each method the smallest rank that a paired test shows to be not worse than the best row by the margin."""
    ranked: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in section.headline:
        if cell.spec.rank and cell.value is not None and cell.unit == "share":
            ranked[cell.spec.method].append(cell)
    found = []
    for method, cells in ranked.items():
        if len({cell.spec.rank for cell in cells}) > 1:
            enough = [cell for cell in cells if cell.not_worse]
            smallest = min(enough, key=lambda cell: cell.spec.rank, default=None)
            found.append(section.label(smallest) if smallest else f"no rank of {method}")
    if not found:
        return []
    test = "paired, one-sided at 2.5 %, Holm-adjusted"
    return [
        f"Smallest rank shown to lose less than {points(MARGIN, 'share')} to the best row ({test}): {', '.join(found)}."
    ]


def rates(section: Section) -> list[str]:
    """Say how learning rates were chosen: on validation out of how many, or not at all."""
    trained = [cell for cell in section.headline if cell.spec.train_examples]
    tuned = [cell for cell in trained if cell.spec.tuned_over]
    plain = [cell for cell in trained if not cell.spec.tuned_over]
    lines = []
    if tuned:
        counts = "/".join(map(str, sorted({len(cell.spec.tuned_over) for cell in tuned})))
        of = "" if not plain else " of " + ", ".join(map(section.label, tuned))
        lines.append(
            f"Learning rates{of} were chosen on the validation split, out of {counts} for each method and rank."
        )
    if plain:
        found = dict.fromkeys(f"{cell.spec.method} {cell.spec.learning_rate:.2g}" for cell in plain)
        lines.append(
            f"Learning rates were not tuned ({', '.join(found)}): a method may do better at another (--tune 3)."
        )
    return lines


def federated(section: Section) -> list[str]:
    """Say of each federated row who its clients are, and what is equal and what is not beside runs on pooled examples."""
    lines = []
    for cell in section.headline:
        spec = cell.spec
        if spec.rounds:
            dealt = f"no field says whose an example is, so groups were dealt by their hash to {spec.clients}"
            by = dealt if spec.clients_by == HASH else f"one for each {spec.clients_by}, {spec.clients} in all"
            lines.append(f"{section.label(cell)}: {spec.rounds} rounds of averaging the adapters of clients ({by}).")
    if lines:
        lines.append(
            "Clients see each example as often as a pooled run does, each its own in its own order, and side by side: the "
            "averaged adapter is fewer steps from the start. Bytes sent and privacy are not measured."
        )
    return lines


def rate_alarms(section: Section) -> list[str]:
    """Warn of a rate at the edge of those tried, and of several rates side by side, to pick from on the test split."""
    found = []
    sweeps: defaultdict[tuple[str, int], set[float]] = defaultdict(set)
    for cell in section.headline:
        spec = cell.spec
        if len(spec.tuned_over) > 1 and spec.learning_rate in (min(spec.tuned_over), max(spec.tuned_over)):
            end, way = ("lowest", "lower") if spec.learning_rate == min(spec.tuned_over) else ("highest", "higher")
            found.append(f"{section.label(cell)}: its rate is the {end} that was tried, a {way} one may do better")
        if spec.train_examples and not spec.tuned_over:
            sweeps[spec.method, spec.rank].add(spec.learning_rate)
    for (method, rank), tried in sweeps.items():
        if len(tried) > 1:
            name = f"{method} r{rank}" if rank else method
            found.append(
                f"{name} ran at {len(tried)} learning rates: who picks one by this table tunes on the test split"
            )
    return found


def gains(section: Section) -> list[str]:
    """Say what of the gain over a base model that writes its answers is format, where that is known."""
    cell = next((cell for cell in section.headline if cell.gains is not None), None)
    if cell is None or cell.gains is None:
        return []
    share = cell.gains.format.difference
    return [
        f"The base model scores {points(abs(share), section.unit)} {'more' if share >= 0 else 'less'} by the log-likelihood of "
        "the options than by what it writes: of what a row gains over a base model that writes, so much is format."
    ]

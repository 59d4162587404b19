"""What a section's comparisons say beyond its rows: a verdict, what could have been found, which rank suffices, how rates were chosen."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.compare import MARGIN
from harness.analysis.costs import cost_note
from harness.analysis.sections import Section, like_base
from harness.format import number, points, unit_of_difference
from harness.metrics import power
from harness.record import HASH
from harness.report import notes
from harness.report.names import chance_text, constant_words, different_settings

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell
    from harness.analysis.sections import Section


def detects(section: Section) -> list[str]:
    """Say how large a true difference must be to be found: the minimum detectable effect of the section's tests.

    From the intervals of the paired differences, whose middle one counts: with power 80 %, for one comparison and for all
    pairs of rows corrected at once.
    """
    differences = [d for cell in section.headline for d in (cell.vs_best, cell.vs_base) if d is not None]
    halves = [half for d in differences if math.isfinite(half := (d.high - d.low) / 2) and half > 0]
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
    names = []
    for method, cells in ranked.items():
        if len({cell.spec.rank for cell in cells}) > 1:
            enough = [cell for cell in cells if cell.not_worse]
            smallest = min(enough, key=lambda cell: cell.spec.rank, default=None)
            names.append(section.label(smallest) if smallest else f"no rank of {method}")
    if not names:
        return []
    test = "paired, one-sided at 2.5 %, Holm-adjusted"
    return [
        f"Smallest rank shown to lose less than {points(MARGIN, 'share')} to the best row ({test}): {', '.join(names)}."
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
        untuned = dict.fromkeys(f"{cell.spec.method} {cell.spec.learning_rate:.2g}" for cell in plain)
        lines.append(
            f"Learning rates were not tuned ({', '.join(untuned)}): a method may do better at another (--tune 3)."
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
    warnings = []
    sweeps: defaultdict[tuple[str, int], set[float]] = defaultdict(set)
    for cell in section.headline:
        spec = cell.spec
        if len(spec.tuned_over) > 1 and spec.learning_rate in (min(spec.tuned_over), max(spec.tuned_over)):
            end, way = ("lowest", "lower") if spec.learning_rate == min(spec.tuned_over) else ("highest", "higher")
            warnings.append(f"{section.label(cell)}: its rate is the {end} that was tried, a {way} one may do better")
        if spec.train_examples and not spec.tuned_over:
            sweeps[spec.method, spec.rank].add(spec.learning_rate)
    for (method, rank), tried in sweeps.items():
        if len(tried) > 1:
            name = f"{method} r{rank}" if rank else method
            warnings.append(
                f"{name} ran at {len(tried)} learning rates: who picks one by this table tunes on the test split"
            )
    return warnings


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


def alarms(section: Section, *, commits: str = "") -> list[str]:
    """Say what is wrong or doubtful in these runs; empty where nothing is.

    Args:
        section: the runs.
        commits: where the reader finds each run's commit, such as "in the table of runs"; empty where nowhere.
    """
    warnings = []
    for cell in section.headline:
        name = section.label(cell)
        unread = 0.0 if cell.parse_rate is None else 1 - cell.parse_rate
        if cell.status != "ok":
            warnings.append(f"{name} did not finish: {cell.status}" + (f", {cell.reason}" if cell.reason else ""))
        doubts = [f"scores below what {section.guess} scores, {chance_text(section)}"] if cell.below_chance else []
        doubts += [f"{number(unread)} % of its answers could not be read and count as wrong"] if unread else []
        doubts += [constant_words(cell.constant)] if cell.constant else []
        if doubts:
            warnings.append(f"{name}: {'; '.join(doubts)}")
        if cut := max((record.cut_examples for record in cell.records), default=0):
            warnings.append(f"{name}: {cut:,} inputs were too long and lost part of their context")
    warnings += notes.rate_alarms(section)
    if any(record.environment.commit.endswith("+") for record in section.records):
        marked = f" (marked + {commits})" if commits else ""
        warnings.append(f"some runs were made with changes that are in no commit{marked}")
    if reason := cost_note(section.records):
        warnings.append(f"memory and time: {reason}")
    if different := different_settings(section):
        warnings.append("not held equal between the trained runs: " + ", ".join(different))
    return warnings


def reading(section: Section) -> list[str]:
    """Say how to read the section's numbers: chance, intervals, ties, seeds."""
    lines = []
    if any(not cell.higher_is_better for cell in section.cells):
        lines.append("↓: lower is better.")
    if section.chance is not None:
        lines.append(f"{section.guess[:1].upper()}{section.guess[1:]} scores {chance_text(section)}.")
    group = "clustered by group" if any(c.groups != c.n for c in section.headline) else "over questions"
    seeds = {len(cell.seeds) for cell in section.headline if cell.status == "ok" and cell.spec.train_examples}
    if seeds and max(seeds) > 1:
        lines.append(
            f"Intervals are at 95 %, {group}; rows with several seeds speak of other questions and other seeds."
        )
    else:
        lines.append(f"Intervals are at 95 %, {group}; with one seed they speak of that one trained model.")
    if any(cell.vs_base for cell in section.headline):
        lines.append("Differences from the base model are paired on the same questions.")
    if any(map(like_base, section.headline)):
        lines.append(
            "≈ base: a paired test cannot tell it from the base model (5 %, Holm-adjusted over all pairs of rows)."
        )
    if any(cell.best_or_tied == "tied" for cell in section.headline):
        lines.append("≈ best: a paired test cannot tell it from the best (5 %, Holm-adjusted over all pairs of rows).")
    for more in (
        notes.detects,
        notes.spread,
        notes.smallest_ranks,
        notes.gains,
        notes.rates,
        notes.federated,
    ):
        lines += more(section)
    return lines

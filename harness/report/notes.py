"""Notes: how to read a section's numbers, and warnings about its runs, as sentences below tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.compare import MARGIN
from harness.analysis.sections import Section, like_base
from harness.format import counted, duration, interval, number, points, unit_of_difference
from harness.metrics import power
from harness.metrics.sampling import FEWEST_SEEDS
from harness.record import HASH
from harness.report.names import baseline_words, chance_text, engine_words

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell, Difference


def detects(section: Section) -> list[str]:
    """Return a note about the detectable difference: the minimum detectable effect of the section's tests.

    It follows from the standard error of each paired difference with the best row and the base model, at a power of 80 %,
    after the correction for all pairs of rows: that is what the marks of the table are by. The median is stated first. Seeds
    that differ much leave a share no detectable difference. The header of a run expects it before the runs.
    """
    best = next((cell.spec for cell in section.headline if cell.best_or_tied == "best"), None)
    both = [
        (cell.spec, *other)
        for cell in section.headline
        for other in ((best, cell.vs_best), (cell.baseline, cell.vs_base))
    ]
    differences = {frozenset((spec, other)): d for spec, other, d in both if d is not None}.values()
    errors = [(d.error, d.df) for d in differences if d.df > 0 and 0 < d.error < math.inf]
    if not errors:
        return []
    rows, share = sum(cell.value is not None for cell in section.headline), section.unit == "share"
    pairs, step = rows * (rows - 1) // 2, 1 / max(cell.n for cell in section.headline) if share else 0.0
    least = sorted(power.detectable(error, df, pairs, step=step) for error, df in errors)
    none = sum(share and difference > 1 for difference in least)
    middle = least[len(least) // 2]
    if share and middle > 1:
        return [f"Detectable difference: none in {none} of {len(least)} pairs of rows: the seeds differ too much."]
    low, high = (number(value, section.unit) for value in (least[0], least[len(least) - none - 1]))
    span = f" in the median of {len(least)} pairs of rows ({low} to {high})" if low != high else ""
    corrected = f", after the correction for all {pairs} pairs" * (pairs > 1)
    seeds = f" In {counted(none, 'pair')} none is: the seeds differ too much." if none else ""
    found = f"Detectable difference: {points(middle, section.unit)}{span} with a power of 80 %{corrected}"
    return [f"{found}; a smaller one is likely to be missed.{seeds}"]


def spread(section: Section) -> list[str]:
    """Return a note about the uncertainty from seeds and from the choice of questions."""
    cells = [cell for cell in section.headline if cell.seed_sd is not None and cell.item_se is not None]
    if not cells:
        return []
    seeds = _range([cell.seed_sd or 0.0 for cell in cells], section.unit)
    items = _range([cell.item_se or 0.0 for cell in cells], section.unit)
    return [f"Standard deviation between seeds: {seeds}. Standard error from the choice of questions: {items}."]


def _range(values: Sequence[float], unit: str) -> str:
    low, high = number(min(values), unit), number(max(values), unit)
    return (f"{low} to {high}" if low != high else low) + unit_of_difference(unit)


def smallest_ranks(section: Section) -> list[str]:
    """Return a note with the smallest rank of each method that is shown to lose less than the margin to every other row.

    Ranks from that of the best row on are of no interest; the best row itself is never named.
    """
    best = next((cell for cell in section.headline if cell.best_or_tied == "best"), None)
    ranked: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in section.headline:
        if cell.spec.rank and cell.value is not None and cell.unit == "share":
            ranked[cell.spec.method].append(cell)
    names = []
    for method, cells in ranked.items():
        if len({cell.spec.rank for cell in cells}) > 1:
            edge = best.spec.rank if best in cells else math.inf
            enough = [cell for cell in cells if cell.not_worse and cell.spec.rank < edge]
            smallest = min(enough, key=lambda cell: cell.spec.rank, default=None)
            none = f"no rank of {method}" + (f" below the best row's, {edge}" if best in cells else "")
            names.append(section.label(smallest) if smallest else none)
    if not names:
        return []
    test = "paired tests, one-sided at 2.5 %, Holm-adjusted"
    return [
        f"Smallest rank shown to be less than {points(MARGIN, 'share')} below every other row ({test}): {', '.join(names)}."
    ]


def rates(section: Section) -> list[str]:
    """Return notes about the choice of learning rates: on validation out of several, or not tuned."""
    trained = [cell for cell in section.headline if cell.spec.train_examples]
    tuned = [cell for cell in trained if cell.spec.tuned_over]
    plain = [cell for cell in trained if not cell.spec.tuned_over]
    lines = []
    if tuned:
        counts = "/".join(map(str, sorted({len(cell.spec.tuned_over) for cell in tuned})))
        rows = "" if not plain else " of " + ", ".join(map(section.label, tuned))
        lines.append(f"Learning rates{rows}: the best of {counts} on the validation split, for each method and rank.")
    if plain:
        untuned = dict.fromkeys(f"{cell.spec.method} {cell.spec.learning_rate:.2g}" for cell in plain)
        lines.append(
            f"Learning rates not tuned: {', '.join(untuned)}. A method may do better at another rate (--tune 3)."
        )
    return lines


def federated(section: Section) -> list[str]:
    """Return notes about federated rows: their clients, and the differences from runs on pooled examples."""
    lines = []
    for cell in section.headline:
        spec = cell.spec
        if spec.rounds:
            dealt = "no field of the data names clients, so groups were assigned by hash"
            clients = dealt if spec.clients_by == HASH else f"one for each {spec.clients_by}"
            lines.append(
                f"{section.label(cell)}: {spec.rounds} rounds of federated averaging over {spec.clients} clients ({clients})."
            )
    if lines:
        lines.append(
            "Clients and pooled runs see each example equally often. Clients train side by side, each in its own order, so "
            "the averaged adapter is fewer steps from its start. Bytes sent and privacy are not measured."
        )
    return lines


def packed(section: Section) -> list[str]:
    """Return a note about rows whose model is partly stored in 4 or 8 bits: the share of its weights."""
    shares: dict[str, list[str]] = {}
    for cell in section.headline:
        if cell.cost and cell.cost.packed_weights:
            share = number(cell.cost.packed_weights / cell.cost.weights)
            shares.setdefault(share, []).append(section.label(cell))
    return [
        f"{', '.join(labels)}: {share} % of the model's weights are stored in 4 or 8 bits, the rest (such as embeddings) "
        "in full precision."
        for share, labels in shares.items()
    ]


def gradients(section: Section) -> list[str]:
    """Return a note if no trained row has gradients in its peak, since full fine-tuning has some at another moment."""
    parts = [cell.cost.parts for cell in section.headline if cell.cost and cell.cost.parts]
    if not parts or any(part.gradients for part in parts):
        return []
    return ["Gradients: none at the moment of the peak, before the backward pass has made them."]


def times(section: Section) -> list[str]:
    """Return notes about times: median and range over seeds, runs beside others, a busy machine, interruptions."""
    cells = [cell for cell in section.headline if cell.train_times is not None]
    lines = []
    ranges = [(cell.train_times, cell) for cell in cells if cell.train_times and cell.train_times.count > 1]
    if ranges:
        widest, cell = max(ranges, key=lambda pair: pair[0].high - pair[0].low)
        low, high = duration(widest.low), duration(widest.high)
        span = (
            f"; the widest range of training is that of {section.label(cell)}, {low} to {high}" if low != high else ""
        )
        lines.append(f"Times are medians over seeds{span}.")
    if any(cell.has_neighbours for cell in cells):
        lines.append("∥: trained beside other runs; such a time is not comparable with that of a run that was alone.")
    if any(cell.busy for cell in cells):
        load = max(record.load or 0.0 for cell in cells for record in cell.records)
        lines.append(f"°: the machine was busy, with a load of up to {load:.1f} for each core; such times mean little.")
    if any(cell.has_resumptions for cell in cells):
        lines.append(
            "¦: interrupted and continued from a checkpoint; time is the sum of the parts, memory the highest of them."
        )
    return lines


def selections(section: Section) -> list[str]:
    """Return a note on rows whose weights were chosen by validation loss, empty without such a row."""
    rows = [(cell, picks) for cell in section.headline if (picks := [r.selection for r in cell.records if r.selection])]
    words = [
        f"{section.label(cell)} after step {', '.join(str(pick.best) for pick in picks)} of {picks[0].steps[-1]}"
        for cell, picks in rows
    ]
    return (
        [f"Tested with the weights of the lowest validation loss, not the last: {'; '.join(words)}."] if words else []
    )


def gains(section: Section) -> list[str]:
    """Return a note about the part of the gain that is format, if the base model was scored in both ways."""
    cell = next((cell for cell in section.headline if cell.gains is not None), None)
    if cell is None or cell.gains is None:
        return []
    share = cell.gains.format.difference
    return [
        f"The base model scores {points(abs(share), section.unit)} {'more' if share >= 0 else 'less'} by the log-likelihood of "
        "the options than by its written answers. This difference is format: part of each row's gain over a base model "
        "that writes, and no knowledge."
    ]


def baseline(section: Section) -> list[str]:
    """Return a note about the choice of the base model at its best, and about the gain that is form; empty without it."""
    rows = [cell for cell in section.headline if cell.validation is not None]
    best = section.baseline
    if len(rows) < 2 or best is None:
        return []
    scores = ", ".join(f"{section.label(cell)} {number(cell.validation, section.unit)}" for cell in rows)
    lines = [f"{section.label(best)} is the best untrained row on validation questions ({scores})."]
    plain = section.base
    if plain is not None and plain is not best and plain.vs_base is not None and plain.vs_base.value:
        lines.append(_form(section, plain.vs_base))
    return lines


def _form(section: Section, plain: Difference) -> str:
    """Return a sentence on the gain of the base model at its best over the plain one, by the difference of the plain one."""
    low, high = (-plain.high, -plain.low) if plain.value <= 0 else (plain.low, plain.high)
    apart = f"{points(abs(plain.value), section.unit)} {interval(low, high, section.unit)}"
    if (plain.value <= 0) == section.higher_is_better:
        return f"It gains {apart} over base without training: that part of a gain over base needs no training."
    return f"On the test questions it is {apart} worse than base: validation questions chose it, and test questions choose no row."


def challengers(section: Section) -> list[str]:
    """Return a note that names the rows without a language model; empty without such rows."""
    remote = [cell for cell in section.headline if cell.spec.server]
    names = [section.label(cell) for cell in section.headline if cell.challenges and cell not in remote]
    rows = f"{', '.join(names)} answer{'s' * (len(names) == 1)} without a trained language model"
    lines = [f"Challengers: {rows}; each is fitted on the training examples in seconds."] if names else []
    return lines + [_server(section, cell) for cell in remote]


def _server(section: Section, cell: Cell) -> str:
    """Return a sentence on the row of a server: which, when, how it answered, and what that took."""
    facts = dict(fact.split("=", 1) for fact in cell.spec.server)
    names = " ".join(facts[name] for name in ("server", "version") if name in facts)
    how = {"written": ", options repeated in writing", "loglik": ", options by log-likelihood"}.get(
        facts.get("options", ""), ""
    )
    usage = next((record.usage for record in cell.records if record.usage), None)
    cost = f", {usage.usd:.2f} USD" if usage and usage.usd is not None else ""
    tokens = f"; {usage.prompt_tokens + usage.answer_tokens:,} tokens{cost}" if usage else ""
    source = f"{facts['host']} ({names})" if names else facts["host"]
    return f"{section.label(cell)} is an untrained model of {source}, asked from {facts['date']} on{how}{tokens}; its answers are on trust."


def missing_intervals(section: Section) -> list[str]:
    """Return a sentence on each metric whose scores or differences have no interval, with the reason of its first such row."""
    of_all = list(dict.fromkeys(cell.shortage for cell in section.headline if cell.shortage))
    further: dict[str, str] = {}  # one reason for each metric: those of its rows differ in a count alone
    for cell in section.cells:
        if cell.shortage and cell.shortage not in of_all:
            further.setdefault(cell.metric, cell.shortage)
        elif cell.vs_base and cell.vs_base.reason and not cell.shortage:
            further.setdefault(f"differences in {cell.metric}", cell.vs_base.reason)
    lines = [f"No interval and no test: {reason}." for reason in of_all]
    return lines + [f"No interval for {metric}: {reason}." for metric, reason in further.items()]


def reading(section: Section) -> list[str]:
    """Return notes on how to read the section's numbers: chance, intervals, ties, seeds."""
    lines = engine_words(section)
    if any(not cell.higher_is_better for cell in section.cells):
        lines.append("↓: lower is better.")
    if section.chance is not None:
        lines.append(f"{section.guess[:1].upper()}{section.guess[1:]} scores {chance_text(section)}.")
    group = "clustered by group" if any(c.groups != c.n for c in section.headline) else "over questions"
    seeds = {len(cell.seeds) for cell in section.headline if cell.status == "ok" and cell.spec.train_examples}
    if seeds and max(seeds) >= FEWEST_SEEDS:
        lines.append(
            f"Intervals: 95 %, {group}. Rows with {FEWEST_SEEDS} seeds or more cover other questions and other seeds."
        )
    elif seeds and max(seeds) > 1:
        lines.append(
            f"Intervals: 95 %, {group}. Too few seeds: {max(seeds)}; to cover others, {FEWEST_SEEDS} are needed."
        )
    else:
        lines.append(f"Intervals: 95 %, {group}. With one seed they are about that one trained model.")
    lines += missing_intervals(section) + selections(section)
    if any(cell.end_probability is not None for cell in section.headline):
        lines.append("Ends the answer: probability of the end token behind the right option; form, in no score.")
    if any(cell.vs_base for cell in section.headline):
        paired = f"Differences from {baseline_words(section)} are paired on the same questions; their intervals are of one pair each."
        lines.append(
            f"{paired} Marks are corrected for all pairs, so a row may have ≈ although its interval excludes 0."
        )
        lines += baseline(section)
    test = "paired test at 5 %, Holm-adjusted over all pairs of rows"
    if any(map(like_base, section.headline)):
        lines.append(f"≈ base: no significant difference from {baseline_words(section)} ({test}).")
    if any(cell.best_or_tied == "tied" for cell in section.headline):
        lines.append(f"◀ best: the best value; ≈ best: no significant difference from it ({test}).")
    for more in (
        challengers,
        detects,
        spread,
        smallest_ranks,
        gains,
        rates,
        federated,
        packed,
        gradients,
        times,
    ):
        lines += more(section)
    return lines

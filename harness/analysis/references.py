"""Differences of each row from rows without training: the base model at its best, challengers, and the best of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.analysis.aggregate import Cell, Difference
from harness.analysis.items import ItemScores
from harness.record import RunSpec

Draft = tuple[Cell, ItemScores | None]
Differences = Mapping[tuple[int, int], Difference]


def with_references(family: Sequence[Draft], differences: Differences, ranks: Mapping[RunSpec, float]) -> list[Draft]:
    """Return the cells of a family with their differences from the rows without training.

    Args:
        family: the cells.
        differences: between each two of them.
        ranks: the validation scores of the untrained rows (see `validation_ranks`).
    """
    return _against_rival(_against_challengers(_against_base(family, differences, ranks), differences), differences)


def _against_base(family: Sequence[Draft], differences: Differences, ranks: Mapping[RunSpec, float]) -> list[Draft]:
    """Fill in `vs_base`: each cell less the base model at its best, on the same examples.

    Args:
        family: the cells.
        differences: between each two of them.
        ranks: the validation scores of the untrained rows, higher for the better one; the plain base row without one.
    """
    untrained = [position for position, (cell, _) in enumerate(family) if cell.spec in ranks]
    result = []
    for position, (cell, evidence) in enumerate(family):
        # There may be several (other dtype, other device): those with the same as the cell first.
        near = sorted(
            untrained, key=lambda base: (_same_numerics(family[base][0].spec, cell.spec), ranks[family[base][0].spec])
        )
        base = near[-1] if near else position
        if (position, base) in differences:
            cell = replace(cell, vs_base=differences[position, base], baseline=family[base][0].spec)
        result.append((cell, evidence))
    return result


def _against_challengers(family: Sequence[Draft], differences: Differences) -> list[Draft]:
    """Fill in `vs_challenger`: each row less the challenger that it is least clearly better than."""
    challengers = [position for position, (cell, _) in enumerate(family) if cell.challenges]
    result = []
    for position, (cell, evidence) in enumerate(family):
        compared = [other for other in challengers if (position, other) in differences and not cell.challenges]
        if compared:
            doubts = {n: _doubt(differences[position, n], 1 if cell.higher_is_better else -1) for n in compared}
            least = max(doubts, key=doubts.__getitem__)
            cell = replace(cell, vs_challenger=differences[position, least], challenger=family[least][0].spec)
        result.append((cell, evidence))
    return result


def _against_rival(family: Sequence[Draft], differences: Differences) -> list[Draft]:
    """Fill in `vs_rival`: each trained row less the best row without training whose answers can be read.

    The candidates are the base model at its best and the challengers. Their scores decide, and the difference is tested
    like that of any other pair.
    """
    baselines = {cell.baseline for cell, _ in family if cell.trains}
    rivals = [
        position
        for position, (cell, _) in enumerate(family)
        if (cell.challenges or cell.spec in baselines) and cell.value is not None and cell.parse_rate
    ]
    if not rivals:
        return list(family)
    sign = 1.0 if family[0][0].higher_is_better else -1.0
    top = max(rivals, key=lambda position: sign * (family[position][0].value or 0.0))
    return [
        (replace(cell, vs_rival=differences[position, top], rival=family[top][0].spec), evidence)
        if cell.trains and (position, top) in differences
        else (cell, evidence)
        for position, (cell, evidence) in enumerate(family)
    ]


def _doubt(difference: Difference, sign: float) -> tuple[float, float]:
    """Return how doubtful it is that a difference is a gain: its p-value, and more than 1 if it is none."""
    gain = sign * difference.value
    return (difference.p_holm if gain > 0 else 2.0 - difference.p_holm, -gain)


def _same_numerics(a: RunSpec, b: RunSpec) -> tuple[bool, bool]:
    return a.device == b.device, a.dtype == b.dtype


def validation_ranks(headline: Iterable[Cell]) -> dict[RunSpec, float]:
    """Return the rows that may be the base model at its best, each with its rank by validation score.

    A row without a validation score has the rank of minus infinity, and counts only if it is the plain base model.
    """
    ranks: dict[RunSpec, float] = {}
    for cell in headline:
        if cell.challenges:
            continue
        if cell.validation is not None and not cell.trains:
            ranks[cell.spec] = cell.validation if cell.higher_is_better else -cell.validation
        elif cell.spec.method == "base":
            ranks[cell.spec] = float("-inf")
    return ranks

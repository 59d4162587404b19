"""The intruder dimensions of one or several runs as a document and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.adapters.intruders import spectrum
from harness.adapters.intruders.spectrum import WeightSpectrum
from harness.format import Table, spoken
from harness.record import RunSpec
from harness.store.codec import encode, run_identity


def document(
    spec: RunSpec, matrices: Sequence[WeightSpectrum], epsilons: Sequence[float], *, epsilon: float, top: int
) -> Mapping[str, Any]:
    """Return the spectra of one run at full precision, as values for `json.dumps`."""
    content: Mapping[str, Any] = encode(
        {
            **run_identity(spec),
            "top": top,
            "epsilon": epsilon,
            "total": {str(bound): spectrum.count(matrices, bound) for bound in epsilons},
            "by_type": {str(bound): spectrum.by_kind(matrices, bound) for bound in epsilons},
            "vectors": sum(len(matrix.cosines) for matrix in matrices),
            "median_effective_rank": spectrum.median_rank(matrices),
            "relative_change": spectrum.relative_change(matrices),
            "matrices": [
                {**encode(matrix), "intruders": {str(bound): matrix.intruders(bound) for bound in epsilons}}
                for matrix in matrices
            ],
        }
    )
    return content


def tables(
    runs: Sequence[tuple[RunSpec, Sequence[WeightSpectrum]]], epsilons: Sequence[float], *, epsilon: float, top: int
) -> list[Table]:
    """Return the tables of the headline, the counts by type of weight, and the counts by epsilon."""
    names = [spoken(spec) for spec, _ in runs]
    head = tuple(
        (
            name,
            f"{spectrum.count(matrices, epsilon):,} of {sum(len(m.cosines) for m in matrices):,}",
            f"{len(matrices):,}",
            f"{spectrum.median_rank(matrices):g}",
            f"{max(m.effective_rank for m in matrices):,}",
            f"{100 * spectrum.relative_change(matrices):.2g} %",
        )
        for name, (_, matrices) in zip(names, runs, strict=True)
    )
    kinds = dict.fromkeys(m.kind for _, matrices in runs for m in matrices)
    counts = [spectrum.by_kind(matrices, epsilon) for _, matrices in runs]
    title = f"intruder dimensions: the {top} largest directions of each weight, |cosine| < {epsilon:g}"
    columns = ("run", "intruders", "weights", "median rank of change", "highest rank", "change / base")
    return [
        Table(title, columns, head),
        Table(
            "by type of weight",
            ("weight", *names),
            tuple((kind, *(f"{by_kind[kind]:,}" if kind in by_kind else "–" for by_kind in counts)) for kind in kinds),
        ),
        Table(
            "by epsilon",
            ("run", *(f"{bound:g}" for bound in epsilons)),
            tuple(
                (name, *(f"{spectrum.count(matrices, bound):,}" for bound in epsilons))
                for name, (_, matrices) in zip(names, runs, strict=True)
            ),
        ),
    ]

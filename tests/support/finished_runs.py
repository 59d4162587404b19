"""A finished comparison made up for the tests of tables, figures and report: it looks like a run of `cfa`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from harness import metrics
from harness.metrics import scoring
from harness.record import Answer, Cost, Parts, Phase, Record
from harness.schema import Metric
from tests.support.records import make_environment, make_record, make_spec

MIB = 2**20
RATES = {"lora": 0.01, "qlora": 0.01, "full": 0.001}
# method, rank, share right, training peak in MiB, frozen, trained, seconds
SHAPES: tuple[tuple[str, int, float, float, float, float, float], ...] = (
    ("base", 0, 0.33, 0.0, 6.5, 0.0, 0.0),
    ("lora", 2, 0.70, 47.0, 6.5, 0.14, 29.0),
    ("lora", 8, 0.79, 49.0, 6.5, 0.6, 31.0),
    ("lora", 32, 0.84, 56.0, 6.5, 2.3, 36.0),
    ("qlora", 2, 0.69, 41.0, 2.6, 0.14, 44.0),
    ("qlora", 8, 0.78, 43.0, 2.6, 0.6, 47.0),
    ("qlora", 32, 0.83, 50.0, 2.6, 2.3, 52.0),
    ("full", 0, 0.85, 90.0, 0.0, 6.5, 40.0),
)

Run = tuple[Record, Sequence[Answer] | None]


def make_run(
    method: str,
    rank: int,
    share: float = 0.8,
    peak: float = 50.0,
    frozen: float = 6.5,
    trained: float = 0.6,
    seconds: float = 30.0,
    *,
    seed: int = 0,
    n: int = 600,
    spec: dict[str, Any] | None = None,
    metric: Metric = metrics.accuracy,
) -> Run:
    """Return a finished run of which about `share` of the answers are right on `metric`; memory in MiB."""
    rate = RATES.get(method, 0.0 if method == "base" else 0.01)
    fields: dict[str, Any] = {
        "task": "cfa",
        "method": method,
        "rank": rank,
        "alpha": 32.0 if rank else 0.0,
        "seed": seed,
        "learning_rate": rate,
        "epochs": 3.0 if rate else 0.0,
        "batch_size": 32 if rate else 0,
        "train_examples": 1800 if rate else 0,
        "test_examples": n,
        "dtype": "bf16",
    }
    made = make_spec(**(fields | (spec or {})))
    answers = make_answers(share, n, seed=f"{method}{rank}{seed}")
    phases = {
        "load": Phase(seconds=0.4, peak_bytes=7 * MIB, resident_bytes=300 * MIB),
        "evaluate": Phase(seconds=6.2, peak_bytes=int(22.4 * MIB), resident_bytes=350 * MIB, tokens=90_000),
    }
    parts = None
    if method != "base":
        total = int(peak * MIB)
        kept, moved = int(frozen * MIB), int(trained * MIB)
        parts = Parts(kept, moved, moved, 2 * moved, total - kept - 4 * moved)
        phases["train"] = Phase(seconds=seconds, peak_bytes=total, resident_bytes=420 * MIB, tokens=330_000)
    cost = Cost(
        phases=phases,
        parts=parts,
        predicted_peak_bytes=int(peak * MIB * 0.97),
        weights=3_400_000,
        trained_weights=int(trained * MIB / 2),
        weights_bytes=int((frozen + trained) * MIB),
        adapter_bytes=int(trained * MIB) if rank else 0,
        train_tokens=330_000 if rate else 0,
        train_tokens_per_second=330_000 / seconds if rate else 0.0,
    )
    record = make_record(
        made,
        scores=scoring.score_answers(answers, (metric,)),
        parse_rate=scoring.parse_rate(answers),
        cost=cost,
        final_loss=0.4 if rate else None,
        environment=make_environment(
            packages={"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.19.1", "bitsandbytes": "0.50.0"}
        ),
    )
    return record, answers


def make_answers(share: float, n: int, seed: str) -> list[Answer]:
    """Return answers to questions in groups of a few; what is hard for one run is mostly hard for another."""
    hard, noise = random.Random("questions"), random.Random(seed)
    ease = [0.6 * hard.random() + 0.4 * noise.random() for _ in range(n)]
    solved = set(sorted(range(n), key=ease.__getitem__)[: round(share * n)])
    groups, answers, group = random.Random("groups"), [], 0
    for place in range(n):
        group += groups.random() < 0.67
        right = place in solved
        said = "a" if right else "b"
        slices = {"topic": ("ethics", "equity", "derivatives")[place % 3], "level": ("I", "II")[place % 2]}
        answers.append(
            Answer(
                id=f"q{place:04}",
                group=f"g{group}",
                target="a",
                text=said,
                parsed=said,
                choices=("a", "b", "c"),
                loglik=(-0.5, -1.5, -2.5) if right else (-1.5, -0.5, -2.5),
                slices=slices,
            )
        )
    return answers


def make_runs(seeds: int = 1, *, n: int = 600, metric: Metric = metrics.accuracy) -> list[Run]:
    """Return the eight runs of the default comparison for each seed; the base model runs once."""
    return [
        make_run(*shape, seed=seed, n=n, metric=metric)
        for seed in range(seeds)
        for shape in SHAPES
        if seed == 0 or shape[1] or shape[0] == "full"
    ]


def make_failed(
    method: str, rank: int = 0, status: str = "oom", reason: str = "out of memory", *, n: int = 600, **spec: Any
) -> Run:
    """Return a run that did not finish."""
    record, _ = make_run(method, rank, n=n, spec=spec)
    changes: dict[str, Any] = {"status": status, "scores": {}, "cost": None, "reason": reason, "parse_rate": 0.0}
    changes |= {"environment": record.environment, "chance": None, "final_loss": None}
    return make_record(record.spec, **changes), None

"""Copies of runs that are stirred: noise, another scale, a mean, single answers, late losses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.metrics.scoring import score_answers
from harness.store import records
from harness.verify.checks.answers import copies
from tests.support import answer_rows
from tests.support.planted import lookup
from tests.support.planting import TASKS_DIR, Content, Plant, at
from tests.support.tampering import run

LUCK = random.Random(3)


def mixed(change: Callable[..., object], target: Content, *sources: Content) -> Plant:
    """Change each answer of a run by those of others to the same question; scores and checksums are made anew."""

    def plant(root: Path) -> None:
        folder = run(root, **target)
        others = [records.read_answers(run(root, **source)) for source in sources]

        def rewrite(rows: list[Content]) -> None:
            for row, *found in zip(rows, *others, strict=True):
                change(row, *found)
                if row["choices"]:
                    row["text"] = row["parsed"] = row["choices"][row["loglik"].index(max(row["loglik"]))]

        answer_rows.change(folder / records.ANSWERS, rewrite)
        record, answers = records.read_record(folder), records.read_answers(folder)
        scores = score_answers(answers, lookup(TASKS_DIR[0]).tasks[record.spec.task].metrics)
        digest = records.answers_sha256(folder)
        records.write_record(folder, replace(record, scores=scores, answers_sha256=digest))

    return plant


def _times(noise: float, factor: float = 1.0) -> Callable[..., object]:
    return lambda row, other: row.update(loglik=[v * factor * (1 + LUCK.gauss(0, noise)) for v in other.loglik])


def _mean(row: Content, first: Any, second: Any) -> None:
    row["loglik"] = [(a + b) / 2 for a, b in zip(first.loglik, second.loglik, strict=True)]


def _every_second(row: Content, other: Any) -> None:
    if int(other.id.split("-")[-1]) % 2:
        row.update(loglik=list(other.loglik))


def _each(*plants: Plant) -> Plant:
    return lambda root: [plant(root) for plant in plants]


def _long_text(row: Content, *_: Any) -> None:
    row["text"] = row["parsed"] = f"answer {LUCK.random()}"


SECOND, THIRD = at(seed=1), at(seed=2)
FAULTS: dict[str, tuple[Plant, str]] = {
    "a seed copied with noise of 1 %": (mixed(_times(0.01), SECOND, at()), copies.STIRRED),
    "a seed copied with noise of 3 %": (mixed(_times(0.03), SECOND, at()), copies.STIRRED),
    "a seed copied at another scale": (mixed(_times(0.0, 1.12), SECOND, at()), copies.STIRRED),
    "a seed that is the mean of two": (mixed(_mean, THIRD, at(), SECOND), copies.STIRRED),
    "another rank copied with noise of 1 %": (mixed(_times(0.01), at("lora-r2"), at()), copies.STIRRED),
    "the base row with noise as each seed": (_each(*(mixed(_times(0.01), at(seed=seed), at("base")) for seed in range(3))), copies.STIRRED),
    "every second answer of another seed": (mixed(_every_second, SECOND, at()), copies.SINGLE),
    "all texts of another seed": (_each(mixed(_long_text, at(task="total")), mixed(lambda row, other: row.update(text=other.text, parsed=other.parsed), at(seed=1, task="total"), at(task="total"))), copies.SINGLE),
}  # fmt: skip

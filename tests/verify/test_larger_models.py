"""Honest tables of larger models raise no alarm: seeds that differ little, certain answers, equal texts, tiny losses.

The checks of copies were measured on the embedded model. These runs are made up after what larger ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.record import Answer
from harness.store import records
from harness.store.records import Run
from harness.verify.checks.answers import copies, likeness
from tests.support.records import make_record, make_spec

MODEL = "owner/model-8b"
SEEDS = 12
QUESTIONS, OPTIONS = 300, 4
Values = Sequence[Sequence[float]]


def spec_of(method: str, seed: int, scoring: str) -> dict[str, object]:
    trains = method != "base"
    return {
        "model": MODEL,
        "method": method,
        "seed": seed,
        "scoring": scoring,
        "rank": 8 if trains else 0,
        "train_examples": 1000 if trains else 0,
        "test_examples": QUESTIONS,
    }


def run_of(root: Path, method: str, seed: int, answers: Sequence[Answer], loss: float = 0.4) -> Run:
    scoring = "choices" if answers[0].choices else "generate"
    record = make_record(make_spec(**spec_of(method, seed, scoring)), final_loss=loss, cost=None, seconds=10.0 + seed)
    folder = root / f"{method}-{seed}"
    digest = records.write_answers(folder, list(answers))
    return Run(folder, replace(record, answers_sha256=digest))


def chosen(values: np.ndarray) -> list[Answer]:
    """Return answers whose options have these log-likelihoods."""
    options = tuple("ABCD"[: values.shape[1]])
    texts = [options[int(row.argmax())] for row in values]
    rows = zip(values.tolist(), texts, strict=True)
    return [
        Answer(f"q{n}", f"g{n}", "A", text, text, options, tuple(row), end_loglik=(0.0,) * len(options))
        for n, (row, text) in enumerate(rows)
    ]


def written(texts: Sequence[tuple[str, float]]) -> list[Answer]:
    return [Answer(f"q{n}", f"g{n}", "7", text, text, loglik=(nats,)) for n, (text, nats) in enumerate(texts)]


def board(root: Path, base: list[Answer], trained: Callable[[int], list[Answer]], *, loss: float = 0.0) -> list[Run]:
    """Return a base row and the seeds of a row, all with this final loss or each with its own."""
    losses = [loss or 0.3 + seed / 97 for seed in range(SEEDS)]
    return [run_of(root, "base", 0, base), *(run_of(root, "lora", s, trained(s), losses[s]) for s in range(SEEDS))]


def faults(runs: Sequence[Run]) -> list[str]:
    checks = [*likeness.publication_checks(runs), *copies.publication_checks(runs)]
    return [f"{check.name}: {check.detail}" for check in checks if not check.ok]


def drawn(seed: int, size: float = 1.0, options: int = OPTIONS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (QUESTIONS, options))


BASE = -8 - np.abs(drawn(99, 3.0))
EFFECT = drawn(98, 2.0)


@pytest.mark.parametrize("apart", [0.02, 0.01])
def test_seeds_that_differ_by_few_percent_of_what_training_changed(tmp_path: Path, apart: float) -> None:
    runs = board(tmp_path, chosen(BASE), lambda seed: chosen(BASE + EFFECT + drawn(seed, 2 * apart)))
    assert faults(runs) == []


def test_training_that_changes_no_more_than_rounding(tmp_path: Path) -> None:
    runs = board(tmp_path, chosen(BASE), lambda seed: chosen(BASE + drawn(seed, 0.03)))
    assert faults(runs) == []


def test_certain_answers_of_few_digits(tmp_path: Path) -> None:
    """Two options, the logits in bf16: the better one has a probability of nearly 1 in all seeds."""

    def certain(seed: int) -> list[Answer]:
        gap = np.round((12 + np.abs(drawn(seed, 1.0, 1))) * 8) / 8
        top = -np.exp(-gap)
        return chosen(np.concatenate([top, top - gap], axis=1))

    base = -1 - np.abs(drawn(97, 1.0, 2))
    assert faults(board(tmp_path, chosen(base), certain)) == []


def test_texts_that_nearly_all_seeds_write(tmp_path: Path) -> None:
    """Right and certain texts are equal, and so are the mistakes that the base model makes, too."""
    base = [("7", -0.9) if n % 3 else (f"wrong {n}", -1.2) for n in range(QUESTIONS)]

    def trained(seed: int) -> list[Answer]:
        luck = np.random.default_rng(seed)
        rows = [("7", -0.001 * float(luck.random())) if n % 6 else base[n] for n in range(QUESTIONS)]
        return written([(text, nats - 0.04 * float(luck.random())) for text, nats in rows])

    assert faults(board(tmp_path, written(base), trained)) == []


def test_losses_that_are_almost_zero_are_equal_by_chance(tmp_path: Path) -> None:
    loss = 37 * 2.0**-27
    runs = board(tmp_path, chosen(BASE), lambda seed: chosen(BASE + EFFECT + drawn(seed, 0.5)), loss=loss)
    assert faults(runs) == []


@pytest.mark.parametrize("noise", [0.001, 0.0])
def test_a_copy_among_them_is_reported(tmp_path: Path, noise: float) -> None:
    def trained(seed: int) -> list[Answer]:
        own = 0 if seed == 5 else seed
        return chosen(BASE + EFFECT + drawn(own, 0.2) + drawn(50 + seed, noise))

    assert any("seed 0" in fault and "seed 5" in fault for fault in faults(board(tmp_path, chosen(BASE), trained)))

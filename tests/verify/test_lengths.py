"""Tokens that a test wrote, counted again from its texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.record import Answer, Phase, Record
from harness.store import records
from harness.store.records import Run
from harness.verify.check import Check
from harness.verify.checks.answers import lengths
from tests.support.records import make_record, make_spec

TEXTS = [f"pay in part; {100 * n}.00; clause {n}" for n in range(20)]
PROMPTS = 4_000


def run_of(root: Path, seed: int, texts: list[str], more: int = 0, model: str = "tiny") -> Run:
    """Write a run that wrote these texts, its tokens right but for `more`."""
    answers = [Answer(f"q{n}", f"g{n}", text, text, text, loglik=(-1.0,)) for n, text in enumerate(texts)]
    spec = make_spec(scoring="generate", seed=seed, model=model, test_examples=len(texts))
    record: Record = make_record(spec)
    assert record.cost is not None
    tokens = PROMPTS + lengths.tokens_of(answers, spec.max_new_tokens) + more
    phases = {**record.cost.phases, "evaluate": replace(Phase(1.0, 1, 1), tokens=tokens)}
    folder = root / str(seed)
    digest = records.write_answers(folder, answers)
    return Run(folder, replace(record, answers_sha256=digest, cost=replace(record.cost, phases=phases)))


def checked(*runs: Run) -> Check:
    (result,) = lengths.publication_checks(runs)
    return result


def test_rows_that_wrote_other_texts_read_the_same_prompts(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path, seed, TEXTS[:seed] * 10 + TEXTS[seed:] + ["2500"] * (200 - 9 * seed - 20)) for seed in range(3)
    ]
    assert checked(*runs).ok


@pytest.mark.parametrize("more", [3, -3, 150])
def test_some_more_tokens_than_were_written_are_a_fault(tmp_path: Path, more: int) -> None:
    runs = [run_of(tmp_path, seed, TEXTS, more if seed == 1 else 0) for seed in range(3)]
    result = checked(*runs)
    assert not result.ok
    assert f"seed 1: {PROMPTS + more:,} tokens of prompts, other rows {PROMPTS:,}" in result.detail


def test_a_text_written_in_other_tokens_is_no_fault(tmp_path: Path) -> None:
    assert checked(*(run_of(tmp_path, seed, TEXTS, more=seed % 2) for seed in range(3))).ok


def test_texts_of_a_model_whose_tokenizer_is_not_here_are_left_to_replay(tmp_path: Path) -> None:
    assert checked(*(run_of(tmp_path, seed, TEXTS, more=99 * seed, model="owner/name") for seed in range(3))).ok

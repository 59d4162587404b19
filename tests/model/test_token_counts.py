"""Token counts without the model: exact with its tokenizer, within 5 % in total with its family's statistics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.data.source import TaskSource
from harness.model import architectures, checkpoint, token_counts
from harness.model.loading import load_tokenizer

# Tokens of the first test examples of tasks, counted with the tokenizers from which the statistics were made.
TOTALS: dict[str, dict[str, int]] = json.loads(
    (Path(__file__).parent / "token_totals.json").read_text(encoding="utf-8")
)
EXAMPLES = 60
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = {"tfns": "finlora_sentiment", "ner": "finlora_ner", "gsm8k_number": "gsm8k", "xbrl_term": "finlora_xbrl_term"}
FOLDERS |= {"auto_claims": "sagemaker_auto_claims", "filing": "sec_xbrl_filings"}
BUILT_IN = ("cfa", "cfa_listed", "cfa_shifted", "claims", "claims_shifted", "sec_qa", "reserving", "rating")


def texts(task_name: str) -> Sequence[str]:
    folder = SHARED / FOLDERS[task_name] if task_name in FOLDERS else None
    if folder and not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    source = TaskSource(task_name, data_dir=folder)
    task = source.task()
    return [f"{task.prompt(example)} {example.target}" for example in source.splits(task).test[:EXAMPLES]]


@pytest.mark.parametrize("name", [*BUILT_IN, *FOLDERS])
def test_totals_are_within_a_twentieth_for_every_family(name: str) -> None:
    counts = [token_counts.pieces(text) for text in texts(name)]
    for family, totals in TOTALS.items():
        weights = token_counts.statistics()[family]
        total = sum(weights[kind] * count for pieces in counts for kind, count in pieces.items())
        assert total == pytest.approx(totals[name], rel=0.05), family


def test_a_tokenizer_in_the_models_folder_counts_exactly() -> None:
    count, tokenizer = token_counts.counter(checkpoint.TINY, {}), load_tokenizer(checkpoint.TINY)
    for text in ("A deductible of 1,250.50 applies.", "né \n\n 3×4"):
        assert count(text) == len(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_broken_tokenizer_leaves_the_estimate(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    text = "The premium is 1,200."
    assert token_counts.counter(tmp_path, {})(text) == token_counts.counter(None, {})(text)


def test_every_shipped_model_has_a_family_and_every_family_weighs_every_kind_of_piece() -> None:
    kinds = set(token_counts.pieces("Any text"))
    for architecture in architectures.catalog().values():
        config = architecture.config
        assert (config["model_type"], config["vocab_size"]) in token_counts.FAMILIES or (
            config["model_type"] in token_counts.FAMILIES
        ), architecture.id
    for weights in token_counts.statistics().values():
        assert set(weights) == kinds


def test_digits_take_more_tokens_than_letters_and_an_empty_text_none() -> None:
    count = token_counts.counter(None, {"model_type": "qwen2", "vocab_size": 151936})
    assert count("") == 0
    assert count("premium 12,345.67 and 98,765.43") > count("premium of the policy and its terms")

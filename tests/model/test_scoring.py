"""Scores that do not depend on the architecture's masks, windows, penalties or vocabulary: options and written answers."""

from __future__ import annotations

import csv
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.model import answer as evaluate
from harness.model import generate, likelihood, loading, tokenize
from harness.record import Answer
from harness.schema import Example, Task
from tests.support import architectures
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_examples, toy_model, toy_spec, toy_task, toy_tokenizer

WORDS = [
    "The",
    "insurer",
    "books",
    "a",
    "loss",
    "record",
    "profit",
    "up",
    "down",
    "Answer",
    ":",
    ".",
    "premium",
    "is",
    "rises",
    "falls",
]
PENALTIES: dict[str, Any] = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "bad_words_ids": [[5], [6]]}


def word_tokenizer() -> Any:
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as kinds
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<unk>", "</s>", *WORDS])}
    tokenizer = Tokenizer(kinds.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


def question(*options: str) -> Example:
    return Example(id="q7", question="The premium", target=options[0], choices=options)


@pytest.mark.parametrize("options", [("steigend", "fallend"), ("up", "sube", "baja"), ("rises fast", "rises slow")])
def test_options_that_are_the_same_tokens_are_refused_with_both(options: tuple[str, ...]) -> None:
    with pytest.raises(
        HarnessError, match=rf"options '{options[-2]}' and '{options[-1]}' of example 'q7' are the same"
    ):
        tokenize.encode_test(word_tokenizer(), [question("up", "down"), question(*options)], toy_task(), 256, 0)


def test_the_case_of_labels_that_a_tokenizer_cannot_tell_apart() -> None:
    tokenizer = runpy.run_path(str(case("labels-that-a-tokenizer-cannot-tell-apart") / "unk.py"))["tok"]
    with pytest.raises(HarnessError, match="the same tokens"):
        tokenize.encode_test(tokenizer, [question("steigend", "fallend")], toy_task(), 256, 0)
    assert tokenize.encode_test(tokenizer, [question("rises", "falls")], toy_task(), 256, 0)


def long_questions(texts: list[str], repeats: int = 4) -> list[Example]:
    return [
        Example(
            id=f"q{i}",
            question="What does it do?",
            target="rises",
            choices=("rises", "falls a little", "stays"),
            context=" ".join([text] * repeats),
        )
        for i, text in enumerate(texts)
    ]


def gap(model: Any, examples: list[Example], dtype: str) -> float:
    """Return the largest difference of an answer's log-likelihoods from those of one row for each option."""
    spec = toy_spec(method="base", dtype=dtype, max_tokens=256)
    questions = tokenize.encode_test(toy_tokenizer(), examples, toy_task(), 256, 0)
    with torch.inference_mode(), loading.precision(spec):
        rows = likelihood.score_rows(model, [likelihood.Row([item]) for item in questions], spec)
    answers = evaluate.answer(model, toy_tokenizer(), examples, toy_task(), spec)
    pairs = [
        (a, b.option)
        for answer, row in zip(answers, rows, strict=True)
        for a, b in zip(answer.loglik, row, strict=True)
    ]
    return max(abs(a - b) for a, b in pairs)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["gemma2", "gemma3-text", "mistral", "gemma3"])
def test_rows_longer_than_a_sliding_window_are_scored_with_it_in_every_precision(name: str, dtype: str) -> None:
    model = architectures.model(name)
    if dtype == "bf16":
        model = model.to(torch.bfloat16)
    examples = long_questions([f"Insurer {i} books a loss." for i in range(4)]) + long_questions(["A loss."], 1)
    limit = likelihood.window(model)
    lengths = [len(item.prompt) for item in tokenize.encode_test(toy_tokenizer(), examples, toy_task(), 256, 0)]
    assert max(lengths) > limit == 32
    assert gap(model, examples, dtype) < (1e-3 if dtype == "fp32" else 0.05)


def test_the_case_of_a_sliding_window_in_bf16() -> None:
    with (case("sliding-window-in-bf16") / "labels.csv").open(newline="") as file:
        texts = [row["context"] for row in csv.DictReader(file)][:24]
    assert gap(architectures.model("gemma2").to(torch.bfloat16), long_questions(texts), "bf16") < 0.05


def test_rows_within_the_window_keep_the_tree_and_mixed_rows_come_back_in_their_order() -> None:
    model, spec = toy_model(), toy_spec()
    examples = long_questions(["A loss.", "A profit that stays."], 1)
    items = tokenize.encode_test(toy_tokenizer(), examples, toy_task(), 256, 0)
    rows = [likelihood.Row([item]) for item in items]
    limit = min(map(likelihood.path_length, rows))
    assert max(map(likelihood.path_length, rows)) > limit
    with torch.inference_mode():
        mixed = likelihood.by_window(limit)(model, rows[::-1], spec)
        plain = likelihood.score_rows(model, rows[::-1], spec)
    for a, b in zip(mixed, plain, strict=True):
        assert [nats.option for nats in a] == pytest.approx([nats.option for nats in b], abs=1e-3)
    assert likelihood.window(model) == float("inf")


@pytest.mark.parametrize("name", ["bloom", "falcon-alibi"])
def test_distances_counted_by_columns_are_scored_row_by_row(name: str) -> None:
    model = architectures.model("falcon", alibi=True) if name == "falcon-alibi" else architectures.model(name)
    assert likelihood.counts_columns(model)
    assert gap(model, long_questions(["A loss.", "A profit."], 1), "fp32") < 1e-3


def written(model: Any, examples: list[Example], task: Task) -> list[Answer]:
    spec = toy_spec(method="base", scoring="generate", max_new_tokens=6)
    return evaluate.answer(model, toy_tokenizer(), examples, task, spec)


@pytest.mark.parametrize("name", ["bloom", "mamba", "llama", "gpt2"])
@pytest.mark.parametrize("settings", [{key: value} for key, value in PENALTIES.items()], ids=lambda s: next(iter(s)))
def test_what_is_written_is_greedy_whatever_the_generation_settings_say(name: str, settings: dict[str, Any]) -> None:
    model, task = architectures.model(name), toy_task("generate")
    plain = written(model, toy_examples(3), task)
    for key, value in settings.items():
        setattr(model.generation_config, key, value)
    before = model.generation_config
    assert written(model, toy_examples(3), task) == plain
    assert model.generation_config is before


def test_the_case_of_penalties_of_the_generation_config(tmp_path: Path) -> None:
    with (case("penalties-of-the-generation-config") / "numbers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:4]
    examples = [Example(id=f"q{i}", question=row["context"], target=row["target"]) for i, row in enumerate(rows)]
    folder, texts = architectures.folder("bloom", tmp_path), []
    for penalty in (1.0, 5.0):
        (folder / "generation_config.json").write_text(f'{{"repetition_penalty": {penalty}, "eos_token_id": 0}}')
        model = registry.method("base").load(str(folder), toy_spec(method="base")).eval()
        assert generate.choose(model, [[1, 2]]) is generate.by_generate
        assert model.generation_config.repetition_penalty == penalty
        texts.append([answer.text for answer in written(model, examples, toy_task("generate"))])
    assert texts[0] == texts[1]


def test_each_written_token_is_the_likeliest_behind_the_tokens_before_it() -> None:
    model = architectures.model("mamba")
    model.generation_config.repetition_penalty = 5.0
    prompt = toy_tokenizer()("What does it do?")["input_ids"]
    with torch.inference_mode():
        (answer,) = generate.by_generate(model, [prompt], {0}, 6)
        logits = model(input_ids=torch.tensor([[*prompt, *answer.tokens]])).logits[0, len(prompt) - 1 : -1]
    assert logits.argmax(-1).tolist() == answer.tokens


def test_an_adapted_model_writes_as_greedily(tmp_path: Path) -> None:
    folder, method = architectures.folder("bloom", tmp_path), registry.method("lora")
    spec = toy_spec(method="lora", rank=4, alpha=32.0)
    model = method.adapt(method.load(str(folder), spec), spec)
    plain = written(model, toy_examples(3), toy_task("generate"))
    model.get_base_model().generation_config.repetition_penalty = 5.0
    assert written(model, toy_examples(3), toy_task("generate")) == plain


def test_a_plan_refuses_options_that_are_the_same_tokens_before_anything_trains(tmp_path: Path) -> None:
    from harness.data.loading import Splits
    from harness.model import checkpoint
    from harness.runs.forecast import preflight
    from harness.runs.forecast.preflight import Preflight

    toy_model(vocab_size=len(word_tokenizer())).save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    good, bad = question("up", "down"), question("steigend", "fallend")
    spec = toy_spec(method="base")
    for examples, fails in (((good,), False), ((good, bad), True)):
        splits = Splits((), (), examples)
        asked = Preflight.of_runs(checkpoint.read(str(tmp_path)), toy_task(), splits, [spec], predict=False)
        if fails:
            with pytest.raises(HarnessError, match="the same tokens"):
                preflight.look(asked)
        else:
            preflight.look(asked)

"""Rendering and tokenising: one boundary for training and testing, and what is shortened when the window is small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.model import tokenize
from harness.model.loading import load_tokenizer
from tests.support.tiny_models import toy_examples, toy_task, toy_tokenizer

STORIES = Path(__file__).resolve().parents[3] / "shared" / "models" / "stories260K"
needs_stories = pytest.mark.skipif(not STORIES.is_dir(), reason=f"{STORIES.name} is not beside this checkout")

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return toy_tokenizer()


def test_prompt_and_target_read_as_one_text_with_one_blank_between(tokenizer: Any) -> None:
    prompt, target = tokenize.encode_pair(tokenizer, "What does it do?\nAnswer:", "falls a little")
    assert tokenizer.decode(prompt + target) == "What does it do?\nAnswer: falls a little<end>"
    assert target[-1] == tokenizer.eos_token_id


def test_training_and_testing_see_the_same_prompt_and_the_same_continuation(tokenizer: Any) -> None:
    examples, task = toy_examples(9), toy_task()
    pairs = tokenize.encode_train(tokenizer, examples, task, 256, 0)
    for example, pair, item in zip(
        examples, pairs, tokenize.encode_test(tokenizer, examples, task, 256, 0), strict=True
    ):
        assert pair.prompt == item.prompt
        assert pair.target == item.options[example.choices.index(example.target)]


def test_a_chat_template_wraps_the_prompt_and_the_answer_follows_without_a_blank() -> None:
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = TEMPLATE
    prompt, target = tokenize.encode_pair(tokenizer, "Rises?", "yes")
    assert tokenizer.decode(prompt + target) == "<|user|>Rises?<|assistant|>yes<end>"


def test_a_tokenizer_that_closes_every_text_does_not_end_the_prompt() -> None:
    class Closing:
        chat_template = None

        def __init__(self) -> None:
            self.inner = toy_tokenizer()
            self.eos_token_id = self.inner.eos_token_id

        def __call__(self, text: str | list[str], *, add_special_tokens: bool = True, **options: Any) -> Any:
            found = self.inner(text, **options)
            if add_special_tokens:
                found["input_ids"] = [[*ids, self.eos_token_id] for ids in found["input_ids"]]
            return found

    prompt, target = tokenize.encode_pair(Closing(), "Answer:", "pay")
    assert Closing().eos_token_id not in prompt
    assert target.count(Closing().eos_token_id) == 1


def test_only_the_context_is_shortened_and_the_cut_is_counted(tokenizer: Any) -> None:
    long = replace(toy_examples(1)[0], context="First words. " + "Filler and more filler. " * 60 + "Last words.")
    whole = tokenize.encode_train(tokenizer, [long], toy_task(), 10_000, 0)[0]
    cut = tokenize.encode_train(tokenizer, [long], toy_task(), 160, 0)[0]
    text = tokenizer.decode(cut.prompt)
    assert len(cut) <= 160
    assert cut.cut_tokens == len(whole.prompt) - len(cut.prompt) > 0
    assert long.question in text
    assert all(f"- {option}" in text for option in long.choices)
    assert text.startswith("First words.")
    assert "Last words." in text


def test_the_window_is_used_to_the_full(tokenizer: Any) -> None:
    long = replace(toy_examples(1)[0], context="Filler and more filler. " * 60)
    item = tokenize.encode_test(tokenizer, [long], toy_task(), 160, 0)[0]
    assert len(item.prompt) + max(map(len, item.options)) >= 155


def test_room_is_kept_for_the_longest_option_and_for_what_may_be_written(tokenizer: Any) -> None:
    long = replace(toy_examples(1)[0], context="Filler and more filler. " * 60)
    item = tokenize.encode_test(tokenizer, [long], toy_task(), 160, 0)[0]
    assert len(item.prompt) + max(map(len, item.options)) <= 160
    assert len(tokenize.encode_test(tokenizer, [long], toy_task(), 160, 40)[0].prompt) <= 120
    assert tokenize.answer_room("generate", 40) == 40
    assert tokenize.answer_room("choices", 40) == 0


def test_a_question_that_does_not_fit_by_itself_is_refused_by_name(tokenizer: Any) -> None:
    with pytest.raises(HarnessError, match="'q0' needs") as caught:
        tokenize.encode_train(tokenizer, toy_examples(1), toy_task(), 40, 0)
    assert "--max-tokens" in caught.value.fix


@needs_stories
def test_a_sentencepiece_tokenizer_gets_one_blank_before_the_answer() -> None:
    tokenizer = load_tokenizer(STORIES)
    prompt, target = tokenize.encode_pair(tokenizer, "One day.\nAnswer:", "a red ball")
    assert prompt[0] == tokenizer.bos_token_id
    assert tokenizer.bos_token_id not in target
    pieces = tokenizer.convert_ids_to_tokens(prompt[1:] + target[:-1])
    assert "".join(pieces).replace("▁", " ").replace("<0x0A>", "\n") == " One day.\nAnswer: a red ball"

"""An assistant's turn is what the template writes: the blank in front of the answer, and the end behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.model import chat_turn, generate, tokenize
from harness.model.loading import load_tokenizer
from tests.support.tiny_models import toy_tokenizer

STORIES = Path(__file__).resolve().parents[3] / "shared" / "models" / "stories260K"
BLANK = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
OWN_END = (
    "{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}<turn_end>\n{% endfor %}"
    "{% if add_generation_prompt %}<turn>assistant\n{% endif %}"
)


def toy(template: str, *special: str) -> Any:
    tokenizer = toy_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.chat_template = template
    return tokenizer


def rendered(tokenizer: Any, question: str, answer: str) -> list[int]:
    chat = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(chat, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_the_templates_own_end_is_trained_scored_and_stops_writing() -> None:
    tokenizer = toy(OWN_END, "<turn>", "<turn_end>")
    prompt, target = tokenize.encode_pair(tokenizer, "Rises?", "yes it does")
    end = tokenizer.convert_tokens_to_ids("<turn_end>")
    assert target[-1] == end != tokenizer.eos_token_id
    assert end in generate.end_tokens(None, tokenizer)
    whole = rendered(tokenizer, "Rises?", "yes it does")
    assert whole[: len(prompt) + len(target)] == [*prompt, *target]


@pytest.mark.skipif(not STORIES.is_dir(), reason=f"{STORIES} is not here")
def test_a_blank_in_front_of_the_answer_stays_a_token_of_the_answer() -> None:
    tokenizer = load_tokenizer(STORIES)
    tokenizer.chat_template = BLANK
    prompt, target = tokenize.encode_pair(tokenizer, "Is it so?", "yes")
    assert [*prompt, *target] == rendered(tokenizer, "Is it so?", "yes")
    assert tokenizer.convert_ids_to_tokens(target)[0].startswith("▁y")


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}{{ m.content }}{% endfor %}",
        "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}",
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
    ],
)
def test_a_template_that_renders_no_answer_behind_its_prompt_leaves_the_end_of_text(template: str) -> None:
    tokenizer = toy(template)
    assert chat_turn.turn(tokenizer) == chat_turn.Turn("\n", "", tokenizer.eos_token_id)
    _, target = tokenize.encode_pair(tokenizer, "Rises?", "yes")
    assert target[-1] == tokenizer.eos_token_id

"""A chat template is somebody else's program: the prompt that it renders holds the question, or there is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.model import chat_turn, tokenize
from harness.model.chat import render
from harness.model.chat.render import chat_of
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_tokenizer

PARTS = (
    "{% for m in messages %}<ask>{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}<say>{% endif %}"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}"


def toy(template: Any, *special: str, args: tuple[str, ...] | None = None) -> Any:
    tokenizer = toy_tokenizer()
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.chat_template = template
    tokenizer.template_args = args
    return tokenizer


def prompt(tokenizer: Any, question: str = "Is hail covered?") -> str:
    return str(tokenizer.decode(tokenize.encode_pair(tokenizer, question, "yes")[0]))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_a_template_for_lists_of_parts_gets_parts() -> None:
    assert prompt(toy(PARTS)) == "<ask>Is hail covered?<say>"


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}<ask>{{ m['text'] }}{% endfor %}<say>",
        "<ask><say>",
        "{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}<say>",
        "{{ messages[0].content[:8] }}<say>",
    ],
)
def test_a_template_that_loses_the_question_is_an_error(template: str) -> None:
    with pytest.raises(HarnessError, match="loses the question"):
        prompt(toy(template))


def test_a_template_that_loses_one_question_only_is_an_error_that_names_it() -> None:
    template = "{% for m in messages %}{{ m.content if 'hail' not in m.content else '' }}{% endfor %}"
    assert prompt(toy(template), "Is rain covered?")
    with pytest.raises(HarnessError, match="Is hail covered"):
        prompt(toy(template))


def test_a_template_may_trim_and_join_blanks() -> None:
    template = "{% for m in messages %}{{ m.content | trim | replace('\n', ' ') }}{% endfor %}"
    assert prompt(toy(template), "  Is hail\ncovered? ") == "Is hail covered?"


def test_a_template_that_needs_a_systems_message_gets_an_empty_one() -> None:
    template = "<<{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}>>{% for m in messages[1:] %}{{ m.content }}{% endfor %}"
    assert prompt(toy(template)) == "<<>>Is hail covered?"


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}|{% endfor %}",
        "{% for m in messages if m.role != 'system' %}{{ m.content }}|{% endfor %}",
    ],
)
def test_a_systems_message_that_the_template_refuses_or_loses_goes_in_front_of_the_question(template: str) -> None:
    tokenizer = toy(template)
    chat = [{"role": "system", "content": "Be brief."}, user("Is hail covered?")]
    assert tokenizer.decode(tokenize.chat_ids(tokenizer, chat)) == "Be brief.\n\nIs hail covered?|"


def test_a_system_s_message_stays_where_the_template_takes_it() -> None:
    tokenizer = toy("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    chat = [{"role": "system", "content": "Be brief."}, user("Is hail covered?")]
    assert tokenizer.decode(tokenize.chat_ids(tokenizer, chat)) == "[system]Be brief.[user]Is hail covered?[assistant]"


def test_of_several_templates_the_default_is_taken_the_only_one_or_the_one_that_is_named() -> None:
    one, two = ("{% for m in messages %}" + mark + "{{ m.content }}{% endfor %}" for mark in "12")
    assert prompt(toy({"default": one, "rag": two})).startswith("1")
    assert prompt(toy({"rag": two})).startswith("2")
    assert prompt(toy({"default": one, "rag": two}, args=("chat_template=rag",))).startswith("2")
    with pytest.raises(HarnessError, match="none of the chat templates rag, terse is the default") as caught:
        prompt(toy({"rag": one, "terse": two}))
    assert "--template-args chat_template=rag" in caught.value.fix


def test_a_template_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SECONDS", 0.2)
    with pytest.raises(HarnessError, match="does not end"):
        prompt(toy(ENDLESS))
    later = "{% for m in messages %}{{ m.content }}{% if 'hail' in m.content %}" + ENDLESS + "{% endif %}{% endfor %}"
    with pytest.raises(HarnessError, match="does not end"):
        prompt(toy(later))


def test_a_template_that_depends_on_chance_is_an_error() -> None:
    with pytest.raises(HarnessError, match="differently each time"):
        prompt(toy("{{ range(90000) | random }}{% for m in messages %}{{ m.content }}{% endfor %}"))


def test_a_template_that_writes_a_book_is_an_error() -> None:
    with pytest.raises(HarnessError, match="2,000,017 characters"):
        prompt(toy("{{ 'ab' * 1000000 }}{% for m in messages %}{{ m.content }}{{ 'abcd' }}{% endfor %}"))


def test_a_template_that_fails_says_so() -> None:
    with pytest.raises(HarnessError, match="chat template fails: UndefinedError"):
        prompt(toy("{{ messages[0].no.such.thing }}"))


def test_thinking_is_off_if_the_template_has_the_switch_and_the_end_is_the_templates() -> None:
    tokenizer = toy(CHATML, "<|im_start|>", "<|im_end|>")
    asked, target = tokenize.encode_pair(tokenizer, "Is hail covered?", "yes")
    assert tokenizer.decode(asked).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert tokenizer.decode(target) == "yes<|im_end|>"


def test_thinking_is_on_if_the_user_says_so() -> None:
    tokenizer = toy(CHATML, args=("enable_thinking=true",))
    assert prompt(tokenizer).endswith("<|im_start|>assistant\n")
    chat = chat_of(tokenizer)
    assert chat is not None
    assert chat.thinks


def test_a_thought_that_the_template_opens_without_a_switch_is_left_out() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A>{{ m.content }}<end>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}<A><think>\n{% endif %}"
    )
    assert prompt(toy(template)) == "<U>Is hail covered?<A>"


def test_text_that_the_template_writes_in_front_of_every_answer_is_part_of_the_prompt() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% else %}<A><think>\n\n</think>\n\n{{ m.content }}"
        "<end>{% endif %}{% endfor %}{% if add_generation_prompt %}<A>{% endif %}"
    )
    tokenizer = toy(template)
    asked, target = tokenize.encode_pair(tokenizer, "Is hail covered?", "yes")
    assert tokenizer.decode(asked) == "<U>Is hail covered?<A><think>\n\n</think>\n\n"
    assert tokenizer.decode(target) == "yes<end>"
    assert tokenize.chat_ids(tokenizer, [user("Is hail covered?")]) == asked


def test_a_line_end_that_only_the_prompt_has_gives_way_to_what_stands_before_an_answer() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\n{% else %}A: {{ m.content }}<end>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'A:\n' }}{% endif %}"
    )
    tokenizer = toy(template)
    asked, target = tokenize.encode_pair(tokenizer, "Is hail covered?", "yes")
    assert tokenizer.decode(asked + target) == "Q: Is hail covered?\nA: yes<end>"
    chat = [user("Is hail covered?"), {"role": "assistant", "content": "yes"}]
    whole = tokenizer.apply_chat_template(chat, tokenize=False)
    assert asked + target == tokenizer(whole, add_special_tokens=False)["input_ids"]


def test_the_date_that_a_template_prints_is_the_same_on_every_day() -> None:
    template = (
        "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%A') }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert prompt(toy(template)).startswith("26 Jul 2024|Friday")
    fallback = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%Y') %}{% endif %}{{ date_string }}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert prompt(toy(fallback)).startswith("2024")
    assert prompt(toy(fallback, args=("date_string=1 May",))).startswith("1 May")


def case_template(name: str) -> str:
    return (case(name) / "chat_template.jinja").read_text(encoding="utf-8")


def test_the_shared_case_of_a_template_that_loses_the_question_gets_parts() -> None:
    tokenizer = toy(case_template("template-loses-the-question"))
    assert prompt(tokenizer) == "<user>Is hail covered?<model>"
    assert prompt(tokenizer) != prompt(tokenizer, "Is rain covered?")


def test_the_shared_case_of_a_template_that_thinks() -> None:
    tokenizer = toy(case_template("template-that-thinks"), "<|im_start|>", "<|im_end|>")
    asked, target = tokenize.encode_pair(tokenizer, "Is hail covered?", "yes")
    assert tokenizer.decode(asked).endswith("<think>\n\n</think>\n\n")
    assert tokenizer.decode(target) == "yes<|im_end|>"


def test_the_shared_case_of_a_template_with_the_date() -> None:
    assert prompt(toy(case_template("template-with-the-date"))).startswith("Today: 26 Jul 2024\n")


def test_the_shared_case_of_a_blank_in_front_of_the_answer() -> None:
    from harness.model.loading import load_tokenizer

    template = case_template("template-puts-a-blank-first")
    tokenizer = load_tokenizer(Path(case("..")) / "models" / "stories260K")
    tokenizer.chat_template = template
    asked, target = tokenize.encode_pair(tokenizer, "Is it so?", "yes")
    assert tokenizer.convert_ids_to_tokens(target) == ["▁y", "es", "</s>"]
    chat = [user("Is it so?"), {"role": "assistant", "content": "yes"}]
    whole = tokenizer.apply_chat_template(chat, tokenize=False)
    assert asked + target == tokenizer(whole, add_special_tokens=False)["input_ids"]
    assert chat_turn.turn(tokenizer).end == tokenizer.eos_token_id

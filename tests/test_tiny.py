"""The embedded model: its tokenizer loses nothing, its training resumes, its weights can do what the card says."""

from __future__ import annotations

import json
import math
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tiny import circuit, meanings, pretrain, reckoning, records, rules, skills, suite
from harness.tiny.tokenizer import FOLDER, words

MODEL = FOLDER / "model"


@cache
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL)


@cache
def model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60).filter(lambda text: "▁" not in text))
def test_the_tokenizer_gives_every_text_back(text: str) -> None:
    assert tokenizer().decode(tokenizer()(text, add_special_tokens=False)["input_ids"]) == text


def test_every_digit_is_one_token_and_no_number_begins_with_a_blank_alone() -> None:
    pieces = tokenizer().convert_ids_to_tokens(tokenizer()("12 (3) 4.50", add_special_tokens=False)["input_ids"])
    assert [piece.strip("▁") for piece in pieces] == ["1", "2", "(", "3", ")", "4", ".", "5", "0"]


def test_words_of_the_list_are_one_token_with_and_without_a_capital() -> None:
    for word in words():
        assert len(tokenizer().tokenize(word)) == len(tokenizer().tokenize(word.capitalize())) == 1


def test_every_skill_asks_in_the_harness_s_form_and_repeats_itself_by_seed() -> None:
    for name, (make, share) in skills.SKILLS.items():
        pairs = make(random.Random(f"{name} 1"))
        assert share > 0
        assert pairs
        for prompt, answer in pairs:
            assert prompt.endswith("\nAnswer:")
            assert answer
            assert answer == answer.strip()
        assert pairs == make(random.Random(f"{name} 1"))


def test_comparisons_name_the_right_number() -> None:
    found = [pair for seed in range(200) for pair in reckoning.compare(random.Random(seed))]
    asked = [(prompt, answer) for prompt, answer in found if prompt.startswith("Which is ") and " or " in prompt]
    assert len(asked) > 20
    for prompt, answer in asked:
        left, right = prompt.split(", ", 1)[1].split("?")[0].split(" or ")
        values = [int(text.replace(",", "")) for text in (left, right)]
        larger = any(word in prompt for word in ("larger", "higher", "more"))
        assert int(answer.replace(",", "")) == (max if larger else min)(values)


def test_days_are_put_in_order() -> None:
    found = [pair for seed in range(200) for pair in reckoning.order_dates(random.Random(seed))]
    asked = [(re.findall(r"\d{4}-\d\d-\d\d", prompt), prompt, answer) for prompt, answer in found]
    for days, prompt, answer in asked:
        if prompt.startswith("Is "):
            assert answer == ("yes" if (days[0] < days[1]) == ("before" in prompt) else "no")
        else:
            assert answer == (min if "earlier" in prompt or "first" in prompt else max)(days)


def test_records_hold_amounts_and_days_against_their_lines() -> None:
    for seed in range(200):
        line, asked = records.limited(random.Random(seed), "stone")
        (limit,) = map(int, re.findall(r"\d+", line))
        for question, answer in asked:
            value = int((re.findall(r"\d+", question) or [limit])[0])
            right = {"yes": value > limit, "no": value < limit}
            assert right[answer] if answer in right else int(answer) == min(value, limit)
        line, asked = records.period(random.Random(seed), "stone")
        first, last = re.findall(r"\d{4}-\d\d-\d\d", line)
        for question, answer in asked:
            (day,) = re.findall(r"\d{4}-\d\d-\d\d", question)
            assert (first <= day <= last) == (answer in ("yes", "inside"))
            assert (day < first) == (answer == "before") or answer in ("yes", "no")


def holds(condition: str, fact: str) -> bool:
    """Work out from the texts alone whether a condition of a rulebook holds."""
    days = re.findall(r"\d{4}-\d\d-\d\d", condition)
    if days:
        (day,) = re.findall(r"\d{4}-\d\d-\d\d", fact)
        if len(days) == 2:
            return not days[0] <= day <= days[1]
        return bool(day < days[0] if " until " in condition else day > days[0])
    for form, above in (("above|over|more than", True), ("below|under|less than", False)):
        if found := re.search(rf" (?:{form}) (\d+)$", condition):
            value = int(fact.rsplit(" ", 1)[1])
            return value > int(found[1]) if above else value < int(found[1])
    _, mark, listed = re.split(r" (among|is one of|in|without|lacks one of) ", condition, maxsplit=1)
    there = set(fact.split(" ", 1)[1].split(", "))
    lacking = mark in ("without", "lacks one of")
    return bool(set(listed.split(", ")) - there) if lacking else there <= set(listed.split(", "))


def test_rulebooks_are_decided_by_the_first_line_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for seed in range(300):
        rng = random.Random(seed)
        conditions = [rng.choice(rules.KINDS)(rng, f"name{n}") for n in range(3)]
        for condition in conditions:
            for truth in (True, False):
                assert holds(condition.text, condition.fact(rng, truth)) == truth, condition.text
                seen += 1
    assert seen == 1800
    monkeypatch.setattr(rules, "phrase", lambda rng, longest=3: f"w{rng.randrange(10**6)}")
    for seed in range(50):
        pairs = rules.rules(random.Random(seed))
        lines = pairs[0][0].split("\n\n")[0].splitlines()
        for _, answer in pairs:
            outcome, number = re.fullmatch(r"(w\d+); line (\d+)", answer).groups()  # type: ignore[union-attr]
            (line,) = [line for line in lines if re.search(rf"^\D*{number}\b", line)]
            assert outcome in line


def test_descriptions_use_words_that_belong_to_the_name() -> None:
    circles = {meaning.name: set(meaning.circle) for meaning in meanings.MEANINGS}
    texts = {meaning.text for meaning in meanings.MEANINGS}
    named = 0
    for seed in range(100):
        for prompt, answer in meanings.recall(random.Random(seed)):
            if answer in circles:
                named += 1
                assert len(circles[answer] & set(re.findall(r"[a-z]+", prompt.lower()))) >= 3
            else:
                assert answer in texts
    assert named > 50


def test_meanings_are_all_different_and_made_of_words_that_say_something() -> None:
    found = meanings.MEANINGS
    assert len({meaning.name for meaning in found}) == len({meaning.text for meaning in found}) == meanings.COUNT
    assert all(set(meaning.circle) <= set(meanings.PLAIN) for meaning in found)


def test_the_untrained_model_already_copies_and_without_the_circuit_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def copied() -> float:
        torch.manual_seed(3)
        untrained = pretrain.make_model(tokenizer())
        span = random.Random(5).choices(range(pretrain.FIRST_PLAIN_TOKEN, len(tokenizer())), k=20)
        with torch.inference_mode():
            guesses = untrained(input_ids=torch.tensor([span + span])).logits[0, 20:-1].argmax(-1).tolist()
        return sum(int(guess == token) for guess, token in zip(guesses, span[1:], strict=True)) / 19

    assert copied() > 0.4
    monkeypatch.setattr(circuit, "start_copying", lambda *_: None)
    assert copied() < 0.2


def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "TOKENS", 512)
    pretrain.pretrain(tmp_path / "whole", 4, tmp_path / "a", every=2)
    batch = pretrain.batch

    def broken(step: int, *rest: Any) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return batch(step, *rest)

    monkeypatch.setattr(pretrain, "batch", broken)
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain(tmp_path / "part", 4, tmp_path / "b", every=2)
    monkeypatch.setattr(pretrain, "batch", batch)
    pretrain.pretrain(tmp_path / "part", 4, tmp_path / "b", every=2)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    for workers in (1, 2):
        pretrain.pretrain(tmp_path / f"work{workers}", 2, tmp_path / "out", workers=workers)
    one, two = (torch.load(tmp_path / f"work{workers}" / "checkpoint.pt") for workers in (1, 2))
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-3)
    # The mean gradients of both shards; a process that kept to its own shard would be half of its norm away or more.
    means = [torch.cat([w["exp_avg"].flatten() for w in kept["optimizer"]["state"].values()]) for kept in (one, two)]
    assert float((means[0] - means[1]).norm() / means[0].norm()) < 0.02


def test_the_committed_weights_are_small_bf16_and_complete() -> None:
    from safetensors import safe_open

    path = MODEL / "model.safetensors"
    assert path.stat().st_size <= 16 * 2**20
    with safe_open(path, framework="pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118  (no iterator of its own)
    assert {tensor.dtype for tensor in tensors} == {torch.bfloat16}
    assert 1_000_000 <= sum(tensor.numel() for tensor in tensors) <= 8_000_000
    assert 1_000_000 <= model().num_parameters() <= 8_000_000


@pytest.mark.parametrize("skill", ["copy", "table", "record", "compare"])
def test_the_committed_weights_reach_the_score_on_the_card(skill: str) -> None:
    suited = json.loads((MODEL / "suite.json").read_text(encoding="utf-8"))
    card, each = suited["right"][skill], suited["questions_per_skill"]
    make, _ = skills.SKILLS[skill]
    rng = random.Random(f"another held out/{skill}")
    share = sum(suite.right(model(), tokenizer(), *make(rng)[0]) for _ in range(60)) / 60
    error = math.sqrt(card * (1 - card) * (1 / 60 + 1 / each))  # of the difference of the two samples
    assert share >= card - 3 * error - 0.02

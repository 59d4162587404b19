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

from harness.tiny import batches, circuit, meanings, pretrain, reckoning, records, rules, skills, steps, suite
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
        for prompt, answer in pairs:
            if answer in ("yes", "no"):
                assert re.match(r"(Does line \d+ hold|Line \d+: met)\?", prompt)
                continue
            outcome, number = re.fullmatch(r"(w\d+); line (\d+)", answer).groups()  # type: ignore[union-attr]
            (line,) = [line for line in lines if re.search(rf"^\D*{number}\b", line)]
            assert outcome in line


def test_questions_about_a_single_line_are_answered_from_its_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_case_text", lambda _, facts: "\n".join(facts))
    monkeypatch.setattr(rules, "choose", lambda _, *wordings: wordings[0])
    seen = {"yes": 0, "no": 0}
    for seed in range(60):
        pairs = rules.rules(random.Random(seed))
        lines = [line.partition(". ")[2] for line in pairs[0][0].split("\n\n")[0].splitlines()]
        first = int(pairs[0][0].partition(".")[0])
        facts: list[str] = []
        for prompt, answer in pairs:
            if found := re.match(r"Does line (\d+) hold", prompt):
                condition = lines[int(found[1]) - first].partition(" if ")[2].removesuffix(".")
                (fact,) = (fact for fact in facts if fact.split(" ")[0] == condition.split(" ")[0])
                assert holds(condition, fact) == (answer == "yes"), (condition, fact)
                seen[answer] += 1
            else:
                facts = prompt.split("\n\n")[-1].split("\nWhat follows?")[0].splitlines()
    assert min(seen.values()) > 50


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
    assert all(set(meaning.circle) <= set(meanings.CONTENT_WORDS) for meaning in found)


def test_the_untrained_model_already_copies_and_without_the_circuit_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def copied() -> float:
        torch.manual_seed(3)
        untrained = pretrain.make_model(tokenizer())
        span = random.Random(5).choices(range(batches.FIRST_PLAIN_TOKEN, len(tokenizer())), k=20)
        with torch.inference_mode():
            guesses = untrained(input_ids=torch.tensor([span + span])).logits[0, 20:-1].argmax(-1).tolist()
        return sum(int(guess == token) for guess, token in zip(guesses, span[1:], strict=True)) / 19

    assert copied() > 0.4
    monkeypatch.setattr(circuit, "start_copying", lambda *_: None)
    assert copied() < 0.2


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TOKENS", 512)


@pytest.mark.usefixtures("small_steps")
def test_a_resumed_training_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain.pretrain(tmp_path / "whole", 4, tmp_path / "a", every=2, workers=0)
    batch = batches.batch

    def broken(step: int, *rest: Any) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return batch(step, *rest)

    monkeypatch.setattr(batches, "batch", broken)
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain(tmp_path / "part", 4, tmp_path / "b", every=2, workers=0)
    monkeypatch.setattr(batches, "batch", batch)
    pretrain.pretrain(tmp_path / "part", 4, tmp_path / "b", every=2, workers=0)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_batches_are_the_same_whatever_process_makes_them() -> None:
    def loaded(workers: int) -> list[batches.Batch]:
        made = batches.Batches(3, 5, tokenizer())
        how = "spawn" if workers else None
        loader = torch.utils.data.DataLoader(made, batch_size=None, num_workers=workers, multiprocessing_context=how)
        return list(loader)

    for ours, theirs in zip(loaded(0), loaded(2), strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
        assert ours[0].shape == (42, 384)


@pytest.mark.usefixtures("small_steps")
def test_training_lowers_the_loss_and_leaves_the_pooling_heads_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    fresh = pretrain.make_model(tokenizer())
    fresh.config._attn_implementation = steps.register_attention()
    fixed = [(part, part.clone()) for part, _ in circuit.FrozenParts(fresh).parts]
    moving = fresh.model.layers[1].mlp.up_proj.weight
    before = moving.clone()
    stepper = steps.Stepper(fresh, steps.make_optimizer(fresh))
    batch = batches.batch(0, 1000, tokenizer())
    losses = [stepper(batch, 2e-3).item() for _ in range(4)]
    assert losses[-1] < losses[0] - 0.3
    assert all(torch.equal(part, start) for part, start in fixed)
    assert not torch.equal(moving, before)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError, match="step 50"):
        pretrain._log(tmp_path, 50, math.nan, 512, 1.0)


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

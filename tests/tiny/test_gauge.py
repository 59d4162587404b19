"""The texts that `tiny` was trained on further: their answers follow from the figures, and the training resumes."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from harness.tiny import draws, further, gauge
from harness.tiny.consequences import LEVELED, VALUED
from harness.tiny.tokenizer import FOLDER


def figures(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


def test_gauging_asks_in_the_harness_s_form_and_repeats_itself_by_seed() -> None:
    for seed in range(200):
        pairs = gauge.gauge(draws.Draw(f"form {seed}"))
        assert len(pairs) >= 3
        assert all(prompt.endswith("\nAnswer:") for prompt, _ in pairs)
        assert {answer for _, answer in pairs} <= {word for words in gauge.WORDS for word in words}
        assert pairs == gauge.gauge(draws.Draw(f"form {seed}"))


def test_the_answer_is_how_the_figure_of_the_question_compares_with_that_of_the_text() -> None:
    seen = set()
    for seed in range(400):
        pairs = gauge.gauge(random.Random(seed))
        text = pairs[0][0].rsplit("\n\n", 1)[0]
        if len(figures(text)) > 1:
            continue
        (figure,) = figures(text)
        for prompt, answer in pairs:
            (value,) = figures(prompt.rsplit("\n\n", 1)[-1])
            words = next(words for words in gauge.WORDS if answer in words)
            assert answer == words[0 if value > figure else 1 if value < figure else 2]
            seen.add(answer)
    assert seen == {word for words in gauge.WORDS for word in words}


def test_with_two_figures_the_question_names_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "phrases", lambda rng, count, longest: ["stone", "river"][:count])
    monkeypatch.setattr(gauge, "phrase", lambda rng, longest: "leaf")
    monkeypatch.setattr(gauge, "sentence", lambda rng: "Leaf.")
    seen = 0
    for seed in range(300):
        pairs = gauge.gauge(random.Random(seed))
        text = pairs[0][0].rsplit("\n\n", 1)[0].lower()
        if len(figures(text)) < 2:
            continue
        parts = [part for part in re.split(r"\.(?: |$)", text) if figures(part)]
        values = {name: figures(part)[0] for name in ("stone", "river") for part in parts if name in part}
        for prompt, answer in pairs:
            question = prompt.rsplit("\n\n", 1)[-1].lower()
            (name,) = [name for name in values if name in question]
            words = next(words for words in gauge.WORDS if answer in words)
            (value,) = figures(question)
            assert answer == words[0 if value > values[name] else 1 if value < values[name] else 2]
            seen += 1
    assert seen > 100


def test_a_resumed_further_training_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(further, "TOKENS", 2 * further.LENGTH)
    batch = further.batch
    further.further(tmp_path / "whole", FOLDER / "model", 2, tmp_path / "a", every=1)

    def broken(step: int, *rest: Any) -> Any:
        if step == 1:
            raise KeyboardInterrupt
        return batch(step, *rest)

    monkeypatch.setattr(further, "batch", broken)
    with pytest.raises(KeyboardInterrupt):
        further.further(tmp_path / "part", FOLDER / "model", 2, tmp_path / "b", every=1)
    monkeypatch.setattr(further, "batch", batch)
    further.further(tmp_path / "part", FOLDER / "model", 2, tmp_path / "b", every=1)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_a_batch_of_further_training_has_conclusions_gauging_and_the_earlier_skills() -> None:
    words = {word for words in gauge.WORDS for word in words}
    outcomes = {
        text for families in (VALUED, LEVELED) for family in families for text in (*family.outcomes, *family.values)
    }
    answers = [further.draw(draws.Draw(f"mix {seed}"))[0][1] for seed in range(400)]
    assert 0.55 < sum(answer in outcomes for answer in answers) / len(answers) < 0.75
    assert 0.05 < sum(answer in words for answer in answers) / len(answers) < 0.15


def test_the_rate_falls_to_its_least_at_the_end_of_the_schedule_that_a_step_follows() -> None:
    ends = [end for end, _ in further.SCHEDULES]
    assert ends == sorted(ends)
    assert ends[-1] == further.STEPS
    assert further.rate(further.STEPS - 1, further.STEPS) < 0.03 * further.PEAK_RATE
    assert further.rate(further.WARM_UP, further.STEPS) == further.PEAK_RATE
    assert further.schedule(100, further.STEPS) != further.schedule(further.STEPS - 1, further.STEPS)
    assert further.schedule(100, 200) == 200

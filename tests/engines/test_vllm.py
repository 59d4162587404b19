"""vLLM's engine against a stand-in with its classes and arguments; the real package is tried by hand (docs/engines.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.engines.vllm import VllmEngine
from harness.errors import HarnessError
from harness.record import Scoring
from tests.engines.conftest import Both, assert_equal
from tests.support import fake_vllm


@pytest.mark.parametrize("scoring", ["choices", "generate", "perplexity"])
@pytest.mark.parametrize("method", ["base", "lora"])
def test_answers_are_those_of_transformers(
    method: str, scoring: Scoring, both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_vllm.install(monkeypatch)
    engine = VllmEngine(both.model, both.spec(method), both.adapter(method))
    assert_equal(both.by_engine(engine, method, scoring), both.by_transformers(method, scoring))


def test_settings_are_repeatable_and_the_rank_is_one_that_kernels_exist_for(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_vllm.install(monkeypatch)
    VllmEngine(both.model, replace(both.spec("lora"), rank=33), both.adapter("lora"))
    settings = fake_vllm.LLM.settings
    assert (settings["seed"], settings["dtype"], settings["max_lora_rank"]) == (0, "float32", 64)
    assert settings["enforce_eager"]
    assert not settings["enable_prefix_caching"]
    with pytest.raises(HarnessError, match="up to rank 512"):
        VllmEngine(both.model, replace(both.spec("lora"), rank=1024), both.adapter("lora"))


def test_an_answer_that_ended_by_a_fault_is_none(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    class Aborts(fake_vllm.LLM):
        def generate(self, *arguments: object, **settings: object) -> list[object]:
            outputs = super().generate(*arguments, **settings)  # type: ignore[arg-type]
            outputs[-1].outputs[0].finish_reason = "abort"
            return outputs

    fake_vllm.install(monkeypatch, Aborts)
    engine = VllmEngine(both.model, both.spec("base"), None)
    with pytest.raises(HarnessError, match="'abort'"):
        both.by_engine(engine, "base", "generate")

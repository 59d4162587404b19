"""A stand-in for the package vllm: the same classes and arguments over a model of transformers, without its speed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch


class SamplingParams:
    """The settings of a request."""

    def __init__(
        self,
        *,
        temperature: float,
        max_tokens: int,
        stop_token_ids: Sequence[int] = (),
        logprobs: int | None = None,
        prompt_logprobs: int | None = None,
        detokenize: bool = True,
    ) -> None:
        assert temperature == 0.0
        self.max_tokens, self.stop, self.prompt_logprobs = max_tokens, set(stop_token_ids), prompt_logprobs


class LoRARequest:
    """An adapter."""

    def __init__(self, name: str, number: int, path: str) -> None:
        self.path = path


class LLM:
    """A model of a folder; `settings` are those of the last one."""

    settings: dict[str, Any]

    def __init__(self, model: str, **settings: Any) -> None:
        from transformers import AutoModelForCausalLM

        type(self).settings = settings
        self._plain = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self._tuned: dict[str, Any] = {}

    def generate(
        self, prompts: Any, params: SamplingParams, *, use_tqdm: bool, lora_request: LoRARequest | None
    ) -> list[Any]:
        """Return an output for each prompt."""
        model = self._with(lora_request)
        return [_output(model, prompt["prompt_token_ids"], params) for prompt in prompts]

    def _with(self, request: LoRARequest | None) -> Any:
        from peft import PeftModel

        if request is None:
            return self._plain
        if request.path not in self._tuned:
            self._tuned[request.path] = PeftModel.from_pretrained(self._plain, request.path).eval()
        return self._tuned[request.path]


@torch.inference_mode()
def _output(model: Any, prompt: list[int], params: SamplingParams) -> Any:
    rows = _logprobs(model, prompt)
    given = [None] + [{token: SimpleNamespace(logprob=rows[i][token].item())} for i, token in enumerate(prompt[1:])]
    text, written, values = list(prompt), list[int](), list[Any]()
    while len(written) < params.max_tokens and not set(written[-1:]) & params.stop:
        last = _logprobs(model, text)[-1]
        token = int(last.argmax())
        values.append({token: SimpleNamespace(logprob=last[token].item())})
        written.append(token)
        text.append(token)
    reason = "stop" if set(written[-1:]) & params.stop else "length"
    choice = SimpleNamespace(token_ids=written, logprobs=values, finish_reason=reason)
    return SimpleNamespace(outputs=[choice], prompt_logprobs=given if params.prompt_logprobs is not None else None)


def _logprobs(model: Any, text: Sequence[int]) -> torch.Tensor:
    return torch.log_softmax(model(input_ids=torch.tensor([text])).logits[0].float(), -1)


def install(monkeypatch: pytest.MonkeyPatch, llm: type = LLM) -> None:
    """Put the stand-in in the package's place."""
    package, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    package.LLM, package.SamplingParams = llm, SamplingParams  # type: ignore[attr-defined]
    request.LoRARequest = LoRARequest  # type: ignore[attr-defined]
    for name, module in (("vllm", package), ("vllm.lora", lora), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, module)

"""Replies with log-probabilities of given tokens in the forms of OpenAI, SGLang, vLLM and llama.cpp, for servers of tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.http_server import Respond, Response, refusal, reply

FORMS = ("offsets", "sglang", "vllm", "llama.cpp")


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text: numbers, texts with their spaces, and where each begins."""

    numbers: Sequence[int]
    texts: Sequence[str]
    offsets: Sequence[int]


def scoring_server(
    form: str, encode: Callable[[str], Tokens], score: Callable[[Sequence[int]], list[float]]
) -> Respond:
    """Answer completions in one of the forms; `score` returns the log-probability of each token but the first."""

    def respond(path: str, body: Any) -> Response:
        if body and path == "/tokenize" and form == "llama.cpp":
            return reply({"tokens": list(encode(body["content"]).numbers)})
        if body is None or not path.endswith("/v1/completions"):
            return refusal(404, "no such path")
        if form == "llama.cpp":
            return _forced(body, encode, score)
        tokens = encode(body["prompt"])
        choice: dict[str, Any] = {"text": " on", "finish_reason": "length", "logprobs": None}
        if body.get("echo"):
            choice |= {"text": body["prompt"] + " on", "logprobs": _table(form, tokens, score(tokens.numbers))}
        if form == "vllm" and "prompt_logprobs" in body:
            choice["prompt_logprobs"] = _prompt_logprobs(tokens, score(tokens.numbers))
        usage = {"prompt_tokens": len(tokens.numbers), "completion_tokens": 1}
        return reply({"model": "m", "choices": [choice], "usage": usage})

    return respond


def _table(form: str, tokens: Tokens, values: list[float]) -> dict[str, Any]:
    """Return an echo with a generated token: SGLang knows no offsets, and vLLM counts those of tokens without spaces."""
    texts, offsets = [*tokens.texts, " on"], [*tokens.offsets, sum(map(len, tokens.texts))]
    if form == "vllm":
        texts = [text.strip() for text in texts]
        offsets = [sum(map(len, texts[:number])) for number in range(len(texts))]
    if form == "sglang":
        offsets = [-1] * len(texts)
    return {"tokens": texts, "text_offset": offsets, "token_logprobs": [None, *values, -100.0]}


def _prompt_logprobs(tokens: Tokens, values: list[float]) -> list[dict[str, Any] | None]:
    rows = zip(tokens.numbers[1:], tokens.texts[1:], values, strict=True)
    return [None, *({str(n): {"logprob": v, "rank": 3, "decoded_token": text.strip()}} for n, text, v in rows)]


def _forced(body: Any, encode: Callable[[str], Tokens], score: Callable[[Sequence[int]], list[float]]) -> Response:
    """Return the token that a bias forces, with the log-probability that the model gives it; no text is echoed."""
    if isinstance(body["prompt"], str):
        row = {"id": 1, "token": "x", "logprob": -0.25, "top_logprobs": []}
        numbers = encode(body["prompt"]).numbers
    else:
        ((token, _),) = body["logit_bias"]
        numbers = body["prompt"]
        row = {"id": token, "token": "x", "logprob": score([*numbers, token])[-1], "top_logprobs": []}
    choice = {"text": "x", "finish_reason": "length", "logprobs": {"content": [row]}}
    usage = {"prompt_tokens": len(numbers), "completion_tokens": 1}
    return reply({"model": "m.gguf", "choices": [choice], "usage": usage})

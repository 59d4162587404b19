"""The JSON of answers in OpenAI's form: whole, or in the parts of a stream, with log-likelihoods of tokens."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.adapters.serve.request import Request


@dataclass(frozen=True)
class TokenText:
    """The text of an answer's token, its bytes if they are known, and its log-likelihood in nats.

    A part of a character has a text such as `bytes:\\xe2`. `offset` is the place in the answer where the token begins.
    """

    text: str
    data: bytes | None
    logprob: float
    offset: int = 0
    alternatives: Sequence[TokenText] = ()


@dataclass(frozen=True)
class Choice:
    """One answer to one prompt: its text, whether a stop text or end token ended it, its tokens if they are reported."""

    text: str
    stopped: bool
    tokens: Sequence[TokenText] | None = None


def answer(request: Request, model: str, choices: Sequence[Choice], counts: tuple[int, int]) -> dict[str, Any]:
    """Return the JSON of an answer.

    Args:
        request: the request.
        model: the id of the answering model.
        choices: the answers, those to one prompt side by side.
        counts: the number of tokens in all prompts, and in all answers.
    """
    kind = "chat.completion" if request.chat else "text_completion"
    rows: list[dict[str, Any]] = []
    for index, choice in enumerate(choices):
        content = {"message": {"role": "assistant", "content": choice.text}} if request.chat else {"text": choice.text}
        logprobs, reason = logprobs_json(choice.tokens, chat=request.chat), finish_reason(choice.stopped)
        rows.append({"index": index, **content, "logprobs": logprobs, "finish_reason": reason})
    return {**_head(request, model, kind), "choices": rows, "usage": _usage(counts)}


def finish_reason(stopped: bool) -> str:
    """Return the reason for an answer's end: a stop text or end token, or the limit of tokens."""
    return "stop" if stopped else "length"


def logprobs_json(tokens: Sequence[TokenText] | None, *, chat: bool) -> dict[str, Any] | None:
    """Return the log-likelihoods of tokens as JSON, None if they are not reported."""
    if tokens is None:
        return None
    if chat:
        return {"content": [_chat_token(token) for token in tokens], "refusal": None}
    return {
        "text_offset": [token.offset for token in tokens],
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{entry.text: entry.logprob for entry in (*token.alternatives, token)} for token in tokens],
    }


def _chat_token(token: TokenText) -> dict[str, Any]:
    return {**_entry(token), "top_logprobs": [_entry(alternative) for alternative in token.alternatives]}


def _entry(token: TokenText) -> dict[str, Any]:
    return {"token": token.text, "logprob": token.logprob, "bytes": None if token.data is None else list(token.data)}


class Chunks:
    """The parts of one streamed answer in OpenAI's form; all have one id."""

    def __init__(self, request: Request, model: str) -> None:
        kind = "chat.completion.chunk" if request.chat else "text_completion"
        self._chat, self._head = request.chat, _head(request, model, kind)

    def role(self, index: int) -> dict[str, Any]:
        """Return the first part of a choice in a chat, with the role of the speaker."""
        return self._chunk(index, {"delta": {"role": "assistant", "content": ""}}, None)

    def text(self, index: int, text: str, tokens: Sequence[TokenText] | None) -> dict[str, Any]:
        """Return a part of the choice of that index."""
        return self._chunk(index, {"delta": {"content": text}} if self._chat else {"text": text}, None, tokens)

    def end(self, index: int, reason: str) -> dict[str, Any]:
        """Return the last part of the choice of that index."""
        return self._chunk(index, {"delta": {}} if self._chat else {"text": ""}, reason)

    def usage(self, counts: tuple[int, int]) -> dict[str, Any]:
        """Return the part with the number of tokens in all prompts, and in all answers."""
        return {**self._head, "choices": [], "usage": _usage(counts)}

    def _chunk(
        self, index: int, content: dict[str, Any], reason: str | None, tokens: Sequence[TokenText] | None = None
    ) -> dict[str, Any]:
        logprobs = logprobs_json(tokens, chat=self._chat)
        choice = {"index": index, **content, "logprobs": logprobs, "finish_reason": reason}
        return {**self._head, "choices": [choice]}


def _head(request: Request, model: str, kind: str) -> dict[str, Any]:
    id = f"{'chatcmpl' if request.chat else 'cmpl'}-{uuid.uuid4().hex}"
    return {"id": id, "object": kind, "created": int(datetime.now(UTC).timestamp()), "model": model}


def _usage(counts: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}

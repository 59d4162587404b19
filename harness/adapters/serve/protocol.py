"""The part of OpenAI's HTTP interface that is served: what a request's JSON asks for, and the JSON of an answer.

Fields that would change the answer and are not served (`n` above 1, a temperature other than 0, penalties, tools) are
refused; others are ignored, as OpenAI ignores them. See platform.openai.com/docs/api-reference.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MODEL_NOT_FOUND, NOT_SERVED, TOO_LONG = "model_not_found", "adapter_not_served", "context_length_exceeded"
COMPLETION_TOKENS, CHAT_TOKENS = 16, 256  # OpenAI's default where a prompt is completed; of a chat it has none
MOST_STOPS = 4  # as OpenAI
# What a field may say: any other value would change the answer, or its form.
PLAIN: Mapping[str, tuple[Any, ...]] = {
    "temperature": (0,),
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "logprobs": (False,),
    "suffix": ("",),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "use_beam_search": (False,),  # from here on vLLM's own
    "ignore_eos": (False,),
    "min_tokens": (0,),
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "include_stop_str_in_output": (False,),
}
WHY = {"temperature": "answers are greedy", "n": "greedy answers are all the same"}


class Refusal(Exception):
    """A request that is not served: the HTTP status and what OpenAI's error object says."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def body(self) -> dict[str, Any]:
        """Return the JSON of the error."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Request:
    """A request: the model's name, chat messages or prompts (text or token ids), the most tokens, what ends an answer.

    Attributes:
        max_tokens: None if the request names no limit: then `usual_tokens`, or fewer if the window ends before.
        stream: whether the answer is sent in parts while it is written.
        include_usage: whether the last part of a stream counts the tokens.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    prompts: tuple[str | tuple[int, ...], ...]
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool = False
    include_usage: bool = False

    @property
    def chat(self) -> bool:
        """Whether it came as a chat."""
        return bool(self.messages)

    @property
    def usual_tokens(self) -> int:
        """The most tokens of an answer where none are named."""
        return CHAT_TOKENS if self.chat else COMPLETION_TOKENS


def read(body: bytes, *, chat: bool) -> Request:
    """Read the body of a request.

    Raises:
        Refusal: 400, naming the field.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise Refusal(400, "the body is not a JSON object")
    given = {name: value for name, value in found.items() if value is not None}
    for name, allowed in PLAIN.items():
        if name in given and not any(_same(given[name], value) for value in allowed):
            why = WHY.get(name, "it would change the answer")
            raise Refusal(400, f"{name} is served as {json.dumps(allowed[0])} only: {why}", param=name)
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "model is missing: the name of an adapter, or of the base model", param="model")
    limit = given.get("max_completion_tokens", given.get("max_tokens"))
    if limit is not None and (type(limit) is not int or limit < 1):
        raise Refusal(400, "max_tokens is not a whole number above 0", param="max_tokens")
    messages, prompts = (_messages(given), ()) if chat else ((), _prompts(given))
    return Request(model, messages, prompts, limit, _stops(given), *_streaming(given))


def _same(value: Any, allowed: Any) -> bool:
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


def _messages(given: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "messages is missing: a list of {role, content}", param="messages")
    return tuple(_message(one) for one in messages)


def _message(one: Any) -> Mapping[str, str]:
    content = one.get("content") if isinstance(one, dict) else None
    if isinstance(content, list):  # parts: texts are joined, pictures and sound are not served
        texts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = "".join(texts) if all(isinstance(text, str) for text in texts) else None  # type: ignore[arg-type]
    if not isinstance(content, str) or not isinstance(one.get("role"), str):
        raise Refusal(400, "a message is not {role, content} with text in both", param="messages")
    return {"role": one["role"], "content": content}


def _prompts(given: Mapping[str, Any]) -> tuple[str | tuple[int, ...], ...]:
    prompt = given.get("prompt")
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list) and prompt:
        if all(isinstance(part, str) for part in prompt):
            return tuple(prompt)
        rows = [prompt] if not isinstance(prompt[0], list) else prompt
        whole = (isinstance(row, list) and row and all(type(token) is int for token in row) for row in rows)
        if all(whole):
            return tuple(tuple(row) for row in rows)
    raise Refusal(400, "prompt is missing: a text, token ids, or a list of either", param="prompt")


def _stops(given: Mapping[str, Any]) -> tuple[str, ...]:
    stop = given.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(s, str) and s for s in stops):
        raise Refusal(400, f"stop is a text, or a list of at most {MOST_STOPS} of them", param="stop")
    return tuple(stops)


def _streaming(given: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether the answer is streamed, and whether its last part counts the tokens."""
    stream, settings = given.get("stream", False), given.get("stream_options", {})
    if not isinstance(stream, bool):
        raise Refusal(400, "stream is true or false", param="stream")
    usage = settings.get("include_usage", False) if isinstance(settings, dict) else None
    if not isinstance(usage, bool):
        raise Refusal(400, "stream_options is {include_usage: true or false}", param="stream_options")
    return stream, usage


def answer(
    request: Request, model: str, texts: Sequence[str], ended: Sequence[bool], used: tuple[int, int]
) -> dict[str, Any]:
    """Return the JSON of an answer.

    Args:
        request: what was asked.
        model: the id of what answered.
        texts: one for each prompt, or one for a chat.
        ended: of each, whether something ended it before the most tokens did.
        used: tokens of all prompts, and of all answers.
    """
    kind = "chat.completion" if request.chat else "text_completion"
    choices: list[dict[str, Any]] = []
    for place, (text, stopped) in enumerate(zip(texts, ended, strict=True)):
        said = {"message": {"role": "assistant", "content": text}} if request.chat else {"text": text}
        choices.append({"index": place, **said, "logprobs": None, "finish_reason": finish_reason(stopped)})
    return {**_head(request, model, kind), "choices": choices, "usage": _usage(used)}


def finish_reason(stopped: bool) -> str:
    """Return why an answer ended: by a stop text or an end token, or at the most tokens."""
    return "stop" if stopped else "length"


class Chunks:
    """The parts of one streamed answer as OpenAI shapes them; all have one id."""

    def __init__(self, request: Request, model: str) -> None:
        kind = "chat.completion.chunk" if request.chat else "text_completion"
        self._chat, self._head = request.chat, _head(request, model, kind)

    def role(self) -> dict[str, Any]:
        """Return the first part of a chat, which names who speaks."""
        return self._chunk(0, {"delta": {"role": "assistant", "content": ""}}, None)

    def text(self, index: int, text: str) -> dict[str, Any]:
        """Return a part of the answer to the prompt of that number."""
        return self._chunk(index, {"delta": {"content": text}} if self._chat else {"text": text}, None)

    def end(self, index: int, reason: str) -> dict[str, Any]:
        """Return the part that ends the answer to the prompt of that number."""
        return self._chunk(index, {"delta": {}} if self._chat else {"text": ""}, reason)

    def usage(self, used: tuple[int, int]) -> dict[str, Any]:
        """Return the part that counts the tokens of all prompts, and of all answers."""
        return {**self._head, "choices": [], "usage": _usage(used)}

    def _chunk(self, index: int, content: dict[str, Any], reason: str | None) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": index, **content, "logprobs": None, "finish_reason": reason}]}


def _head(request: Request, model: str, kind: str) -> dict[str, Any]:
    id = f"{'chatcmpl' if request.chat else 'cmpl'}-{uuid.uuid4().hex}"
    return {"id": id, "object": kind, "created": int(datetime.now(UTC).timestamp()), "model": model}


def _usage(used: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}

"""The served part of OpenAI's HTTP interface: the JSON of requests and of answers.

Fields that would change the answer are refused (`n` above 1, a temperature other than 0, penalties, tools). Other fields
are ignored, as by OpenAI. See platform.openai.com/docs/api-reference.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MODEL_NOT_FOUND, NOT_SERVED, TOO_LONG = "model_not_found", "adapter_not_served", "context_length_exceeded"
COMPLETION_TOKENS, CHAT_TOKENS = 16, 256  # OpenAI's default for completions; it has none for chats
MAX_STOPS = 4  # as in OpenAI
# The accepted values of fields; any other value would change the answer or its form.
SERVED_VALUES: Mapping[str, tuple[Any, ...]] = {
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
    "use_beam_search": (False,),  # from here on fields of vLLM
    "ignore_eos": (False,),
    "min_tokens": (0,),
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "include_stop_str_in_output": (False,),
}
REASONS = {"temperature": "answers are greedy", "n": "greedy answers are equal"}


class Refusal(Exception):
    """A refused request: the HTTP status and the content of OpenAI's error object."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def body(self) -> dict[str, Any]:
        """Return the JSON of the error."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Request:
    """A request: the model's name, chat messages or prompts (text or token ids), limit of tokens and stop texts.

    Attributes:
        max_tokens: None if the request has no limit; then `usual_tokens`, or fewer if the window is shorter.
        stream: whether the answer is sent in parts during its generation.
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
        """Whether the request is a chat."""
        return bool(self.messages)

    @property
    def usual_tokens(self) -> int:
        """The limit of tokens of an answer if the request has none."""
        return CHAT_TOKENS if self.chat else COMPLETION_TOKENS


def read(body: bytes, *, chat: bool) -> Request:
    """Return the request in a body.

    Raises:
        Refusal: 400, with the field.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise Refusal(400, "the body is not a JSON object")
    fields = {name: value for name, value in content.items() if value is not None}
    for name, allowed in SERVED_VALUES.items():
        if name in fields and not any(_equal(fields[name], value) for value in allowed):
            why = REASONS.get(name, "it would change the answer")
            raise Refusal(
                400,
                f"{name} is {json.dumps(fields[name])[:100]}, only {json.dumps(allowed[0])} is served: {why}",
                param=name,
            )
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "the field model needs the name of an adapter or of the base model", param="model")
    limit = fields.get("max_completion_tokens", fields.get("max_tokens"))
    if limit is not None and (type(limit) is not int or limit < 1):
        raise Refusal(400, f"max_tokens is {str(limit)[:100]}, a whole number above 0 is needed", param="max_tokens")
    messages, prompts = (_messages(fields), ()) if chat else ((), _prompts(fields))
    return Request(model, messages, prompts, limit, _stops(fields), *_streaming(fields))


def _equal(value: Any, allowed: Any) -> bool:
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


def _messages(fields: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "the field messages needs a list of {role, content}", param="messages")
    return tuple(_message(message) for message in messages)


def _message(message: Any) -> Mapping[str, str]:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):  # texts are joined; images and sound are not served
        texts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = "".join(texts) if all(isinstance(text, str) for text in texts) else None  # type: ignore[arg-type]
    if not isinstance(content, str) or not isinstance(message.get("role"), str):
        raise Refusal(400, "a message needs {role, content} with texts", param="messages")
    return {"role": message["role"], "content": content}


def _prompts(fields: Mapping[str, Any]) -> tuple[str | tuple[int, ...], ...]:
    prompt = fields.get("prompt")
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, list) and prompt:
        if all(isinstance(part, str) for part in prompt):
            return tuple(prompt)
        rows = [prompt] if not isinstance(prompt[0], list) else prompt
        are_tokens = (isinstance(row, list) and row and all(type(token) is int for token in row) for row in rows)
        if all(are_tokens):
            return tuple(tuple(row) for row in rows)
    raise Refusal(400, "the field prompt needs a text, token ids, or a list of either", param="prompt")


def _stops(fields: Mapping[str, Any]) -> tuple[str, ...]:
    stop = fields.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(s, str) and s for s in stops):
        raise Refusal(400, f"the field stop needs a text, or a list of at most {MAX_STOPS} texts", param="stop")
    return tuple(stops)


def _streaming(fields: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether the answer is streamed, and whether its last part counts the tokens."""
    stream, settings = fields.get("stream", False), fields.get("stream_options", {})
    if not isinstance(stream, bool):
        raise Refusal(400, "the field stream needs true or false", param="stream")
    usage = settings.get("include_usage", False) if isinstance(settings, dict) else None
    if not isinstance(usage, bool):
        raise Refusal(400, "the field stream_options needs {include_usage: true or false}", param="stream_options")
    return stream, usage


def answer(
    request: Request, model: str, texts: Sequence[str], stopped: Sequence[bool], counts: tuple[int, int]
) -> dict[str, Any]:
    """Return the JSON of an answer.

    Args:
        request: the request.
        model: the id of the answering model.
        texts: a text for each prompt, or one for a chat.
        stopped: for each text, whether a stop text or end token ended it.
        counts: the number of tokens in all prompts, and in all answers.
    """
    kind = "chat.completion" if request.chat else "text_completion"
    choices: list[dict[str, Any]] = []
    for index, (text, is_stopped) in enumerate(zip(texts, stopped, strict=True)):
        content = {"message": {"role": "assistant", "content": text}} if request.chat else {"text": text}
        choices.append({"index": index, **content, "logprobs": None, "finish_reason": finish_reason(is_stopped)})
    return {**_head(request, model, kind), "choices": choices, "usage": _usage(counts)}


def finish_reason(stopped: bool) -> str:
    """Return the reason for an answer's end: a stop text or end token, or the limit of tokens."""
    return "stop" if stopped else "length"


class Chunks:
    """The parts of one streamed answer in OpenAI's form; all have one id."""

    def __init__(self, request: Request, model: str) -> None:
        kind = "chat.completion.chunk" if request.chat else "text_completion"
        self._chat, self._head = request.chat, _head(request, model, kind)

    def role(self) -> dict[str, Any]:
        """Return the first part of a chat, with the role of the speaker."""
        return self._chunk(0, {"delta": {"role": "assistant", "content": ""}}, None)

    def text(self, index: int, text: str) -> dict[str, Any]:
        """Return a part of the answer to the prompt of that index."""
        return self._chunk(index, {"delta": {"content": text}} if self._chat else {"text": text}, None)

    def end(self, index: int, reason: str) -> dict[str, Any]:
        """Return the last part of the answer to the prompt of that index."""
        return self._chunk(index, {"delta": {}} if self._chat else {"text": ""}, reason)

    def usage(self, counts: tuple[int, int]) -> dict[str, Any]:
        """Return the part with the number of tokens in all prompts, and in all answers."""
        return {**self._head, "choices": [], "usage": _usage(counts)}

    def _chunk(self, index: int, content: dict[str, Any], reason: str | None) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": index, **content, "logprobs": None, "finish_reason": reason}]}


def _head(request: Request, model: str, kind: str) -> dict[str, Any]:
    id = f"{'chatcmpl' if request.chat else 'cmpl'}-{uuid.uuid4().hex}"
    return {"id": id, "object": kind, "created": int(datetime.now(UTC).timestamp()), "model": model}


def _usage(counts: tuple[int, int]) -> dict[str, int]:
    return {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}

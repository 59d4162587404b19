"""The JSON of requests in OpenAI's form: every field is served as it stands, or refused.

A field that is not known is refused as well, because its sender expects an effect. A field that is null counts as absent.
See platform.openai.com/docs/api-reference, and docs.vllm.ai for `top_k`, `min_p` and the neutral values of vLLM's fields.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.adapters.serve.generation import MAX_ALTERNATIVES
from harness.adapters.serve.refusal import Refusal
from harness.errors import did_you_mean

COMPLETION_TOKENS, CHAT_TOKENS = 16, 256  # OpenAI's default for completions; it has none for chats
MAX_STOPS = 4  # as in OpenAI
MAX_CHOICES = 128
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
# Fields with an effect, by path, and fields without one on an answer.
COMMON = frozenset(
    [
        "model",
        "stream",
        "stream_options",
        "stop",
        "max_tokens",
        "n",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "seed",
        "logprobs",
    ]
)
COMPLETION = COMMON | {"prompt", "best_of"}
CHAT = COMMON | {"messages", "max_completion_tokens", "top_logprobs"}
NO_EFFECT = frozenset(
    ["user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier", "parallel_tool_calls", "request_id"]
)
# The accepted values of other fields: any other value would change the answer or its form.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "echo": (False,),
    "suffix": ("",),
    "store": (False,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none",),
    "functions": ([],),
    "function_call": ("none",),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "use_beam_search": (False,),  # from here on fields of vLLM
    "length_penalty": (1,),
    "ignore_eos": (False,),
    "min_tokens": (0,),
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "include_stop_str_in_output": (False,),
    "skip_special_tokens": (True,),
    "spaces_between_special_tokens": (True,),
    "add_generation_prompt": (True,),
    "continue_final_message": (False,),
    "chat_template_kwargs": ({},),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
    "priority": (0,),
}


@dataclass(frozen=True)
class Request:
    """A request: the model's name, chat messages or prompts (text or token ids), and how to continue them.

    Attributes:
        max_tokens: None if the request has no limit; then `usual_tokens`, or fewer if the window is shorter.
        choices: the number of answers to each prompt.
        logprobs: the number of alternatives to report for each token, None to report nothing.
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
    choices: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    logprobs: int | None = None

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
    fields = _fields(body)
    _check_names(fields, CHAT if chat else COMPLETION)
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal(400, "the field model needs the name of an adapter or of the base model", param="model")
    stream, usage = _streaming(fields)
    choices = _number(fields, "n", 1, integer=True, low=1, high=MAX_CHOICES)
    if fields.get("best_of", choices) != choices:
        raise Refusal(400, f"best_of is {_text(fields['best_of'])}, only n ({choices}) is served", param="best_of")
    top_k = _number(fields, "top_k", 0, integer=True, low=-1, high=2**31)
    return Request(
        model=model,
        messages=_messages(fields) if chat else (),
        prompts=() if chat else _prompts(fields),
        max_tokens=_limit(fields),
        stop=_stops(fields),
        stream=stream,
        include_usage=usage,
        choices=int(choices),
        temperature=_number(fields, "temperature", 0, low=0, high=2),
        top_p=_number(fields, "top_p", 1, low=0, high=1, open_low=True),
        top_k=max(0, int(top_k)),
        min_p=_number(fields, "min_p", 0, low=0, high=1),
        seed=int(_number(fields, "seed", 0, integer=True, low=-(2**63), high=2**64)) if "seed" in fields else None,
        logprobs=_logprobs(fields, chat=chat),
    )


def _fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a body that are not null."""
    try:
        content = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise Refusal(400, "the body is not a JSON object")
    return {name: value for name, value in content.items() if value is not None}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {_text(twice)} is there twice")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _check_names(fields: Mapping[str, Any], effective: frozenset[str]) -> None:
    for name, value in fields.items():
        if name in NEUTRAL:
            if not any(_equal(value, neutral) for neutral in NEUTRAL[name]):
                only = json.dumps(NEUTRAL[name][0])
                message = f"{name} is {_text(value)}, only {only} is served: it would change the answer"
                raise Refusal(400, message, param=name)
        elif name not in effective and name not in NO_EFFECT:
            hint = did_you_mean(name, effective)
            message = f"the field {_text(name)} is not supported here{'; ' + hint if hint else ''}"
            raise Refusal(400, message, code="unsupported_parameter", param=name[:100])


def _equal(value: Any, neutral: Any) -> bool:
    return bool(value == neutral) and isinstance(value, bool) == isinstance(neutral, bool)


def _text(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _number(
    fields: Mapping[str, Any],
    name: str,
    default: float,
    *,
    low: float,
    high: float,
    integer: bool = False,
    open_low: bool = False,
) -> float:
    """Return the number in a field, within its limits; `open_low` excludes the lower one."""
    value = fields.get(name, default)
    right = type(value) is int or (not integer and type(value) is float and math.isfinite(value))
    if not right or not low <= value <= high or (open_low and value == low):
        kind = "a whole number" if integer else "a number"
        message = f"{name} is {_text(value)}, {kind} {'above' if open_low else 'from'} {low} to {high} is needed"
        raise Refusal(400, message, param=name)
    return value  # type: ignore[no-any-return]


def _limit(fields: Mapping[str, Any]) -> int | None:
    limits = {
        int(_number(fields, name, 1, integer=True, low=1, high=2**31))
        for name in ("max_tokens", "max_completion_tokens")
        if name in fields
    }
    if len(limits) > 1:
        raise Refusal(400, "max_tokens and max_completion_tokens differ, one is needed", param="max_tokens")
    return next(iter(limits), None)


def _logprobs(fields: Mapping[str, Any], *, chat: bool) -> int | None:
    """Return the number of alternatives for each token, None if nothing is to be reported."""
    value = fields.get("logprobs", False)
    if not chat:
        return (
            None if value is False else int(_number(fields, "logprobs", 0, integer=True, low=0, high=MAX_ALTERNATIVES))
        )
    if not isinstance(value, bool):
        raise Refusal(400, f"logprobs is {_text(value)}, true or false is needed", param="logprobs")
    count = int(_number(fields, "top_logprobs", 0, integer=True, low=0, high=MAX_ALTERNATIVES))
    if count and not value:
        raise Refusal(400, "top_logprobs needs logprobs: true", param="top_logprobs")
    return count if value else None


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
    if message["role"] not in ROLES:
        text = f"a message has the role {_text(message['role'])}, one of {', '.join(ROLES)} is needed"
        raise Refusal(400, text, param="messages")
    if extra := next((name for name, value in message.items() if name not in ("role", "content") and value), ""):
        raise Refusal(400, f"a message has the field {_text(extra)}, which is not supported here", param="messages")
    return {"role": ROLES[message["role"]], "content": content}


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
    is_object = isinstance(settings, dict) and settings.keys() <= {"include_usage"}
    usage = settings.get("include_usage", False) if is_object else None
    if not isinstance(usage, bool):
        raise Refusal(400, "the field stream_options needs {include_usage: true or false}", param="stream_options")
    if settings and not stream:
        raise Refusal(400, "stream_options needs stream: true", param="stream_options")
    return stream, usage

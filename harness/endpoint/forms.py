"""The bodies of requests in OpenAI's form, and the readers of replies; a reader raises `InvalidReply` unless all is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.endpoint.client import InvalidReply, Reply
from harness.endpoint.settings import Api

PATHS: Mapping[Api, str] = {"chat": "/chat/completions", "completions": "/completions"}
ENDS = frozenset(["stop", "length", "content_filter", "eos", "eos_token", "end_turn", "max_tokens"])
ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:[/\\]")  # the beginning of a path
WITHHELD = "content_filter"
SYSTEM = "Write the answer alone, in the form that the question asks for, without any explanation."
SYSTEM_OPTIONS = "Reply with one of the options, word for word, and with nothing else."


@dataclass(frozen=True)
class ServerFacts:
    """The facts of a server that decide or describe its answers; all are part of the run's id.

    Attributes:
        host: the host with its port.
        model: the name that the server reports.
        requested: the name in requests, if it is another.
        api: the form of requests.
        limit: the name of the field for the longest answer.
        temperature: "0", or empty if the server accepts none.
        options: "loglik" if options are scored by log-probabilities of their own tokens, "written" if replies are
            matched with them, empty if the task has none.
        server, version: as the server names itself; empty if it does not.
        tokens: the longest answer, if it is not the task's.
        date: the day of the first answer, in UTC.
        likelihood: the form in which the server gives log-probabilities of given tokens (`likelihood`); empty for an
            echo with offsets, and without any.
    """

    host: str
    model: str
    requested: str = ""
    api: str = "chat"
    limit: str = "max_tokens"
    temperature: str = "0"
    options: str = ""
    server: str = ""
    version: str = ""
    tokens: str = ""
    date: str = ""
    likelihood: str = ""

    def settings(self) -> tuple[str, ...]:
        """Return the facts as `name=value`, as a spec holds them; empty ones are left out."""
        return tuple(f"{name}={value}" for name, value in asdict(self).items() if value)

    @staticmethod
    def of(settings: Sequence[str]) -> ServerFacts:
        """Return the facts of a spec."""
        values = dict(text.split("=", 1) for text in settings)
        return ServerFacts(**{field.name: values.get(field.name, "") for field in fields(ServerFacts)})


@dataclass(frozen=True)
class Reading:
    """The content of a reply: a text or the log-likelihood of one, and the tokens that it cost (-1 if not reported)."""

    text: str = ""
    loglik: float = 0.0
    prompt_tokens: int = -1
    answer_tokens: int = -1


def generation(facts: ServerFacts, prompt: str, limit: int, *, stop: str, system: str) -> dict[str, Any]:
    """Return the body of a request for a text; a chat has the prompt as its only message of the user."""
    body: dict[str, Any] = {"model": facts.requested or facts.model, facts.limit: limit}
    if facts.temperature:
        body["temperature"] = 0
    if facts.api == "completions":
        return body | {"prompt": prompt} | ({"stop": [stop]} if stop else {})
    return body | {"messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}]}


def read_text(reply: Reply, facts: ServerFacts) -> Reading:
    """Return the text of a reply with the reason of its end, without which it may be cut."""
    choice = choice_of(reply, facts)
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or reason not in ENDS:
        raise InvalidReply(f"its end has the reason {str(reason)[:40]!r}")
    message = choice.get("message") if facts.api == "chat" else choice
    text = message.get("content" if facts.api == "chat" else "text") if isinstance(message, Mapping) else None
    if text is None and (reason == WITHHELD or (isinstance(message, Mapping) and message.get("refusal"))):
        text = ""  # the model declines: an answer that says nothing
    if not isinstance(text, str):
        raise InvalidReply("it has no text")
    return Reading(text, 0.0, *tokens_of(reply))


def reported_model(reply: Reply) -> str:
    """Return the name of the model that a reply reports, empty if none.

    llama.cpp reports the path of its file; the folders are those of its machine and belong in no record.
    """
    name = reply.content.get("model")
    if not isinstance(name, str):
        return ""
    return re.split(r"[/\\]", name)[-1] if ABSOLUTE.match(name) else name


def choice_of(reply: Reply, facts: ServerFacts) -> Mapping[str, Any]:
    """Return the one choice of a reply by the model of the facts."""
    name = reported_model(reply)
    if name and facts.model and name != facts.model:
        raise InvalidReply(f"it is by the model {name[:80]!r}, not {facts.model[:80]!r}")
    choices = reply.content.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        raise InvalidReply("it does not have one choice")
    return choices[0]


def tokens_of(reply: Reply) -> tuple[int, int]:
    """Return the counts of the prompt's and the answer's tokens, -1 if not reported."""
    usage = reply.content.get("usage")
    if not isinstance(usage, Mapping):
        return -1, -1
    prompts, answers = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(prompts) is int and type(answers) is int and prompts >= 0 and answers >= 0:
        return prompts, answers
    return -1, -1

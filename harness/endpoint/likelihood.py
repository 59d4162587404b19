"""The forms in which servers give log-probabilities of a text's own tokens: bodies of requests, readers of replies.

    offsets           `echo` with the offset of each token in the text                     OpenAI's form
    tokens            `echo` whose offsets are wrong or missing                            SGLang, vLLM
    prompt_logprobs   the tokens of the prompt by number                                   vLLM
    forced            a request for each token, which a bias forces; numbers by /tokenize  llama.cpp

With offsets an option's tokens are those that end behind the prompt. Otherwise they follow the tokens that a prompt has in
common with the text of prompt and option, so that tokens without their spaces, or one that begins each text, do no harm.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.endpoint.client import InvalidReply, Reply
from harness.endpoint.forms import Reading, ServerFacts, choice_of, tokens_of

OFFSETS, TOKENS, PROMPT, FORCED = "", "tokens", "prompt_logprobs", "forced"  # `ServerFacts.likelihood`
TOKENIZE = "/tokenize"  # below the server's root
BIAS = 1e6
SLACK = 1e-3  # nats that a log-probability may be above 0, by rounding


@dataclass(frozen=True)
class Scored:
    """The tokens of a text, by name or number, and their log-probabilities in nats; the first has None."""

    tokens: tuple[str, ...]
    logprobs: tuple[float | None, ...]


def request(facts: ServerFacts, text: str) -> dict[str, Any]:
    """Return the body of a request for the log-probabilities of a text's own tokens, but for the form `forced`."""
    body = {"model": facts.requested or facts.model, "prompt": text, "max_tokens": 1}
    more = {"prompt_logprobs": 0} if facts.likelihood == PROMPT else {"echo": True, "logprobs": 1}
    return body | more | {"temperature": 0}


def tokenization(text: str) -> dict[str, Any]:
    """Return the body of a request for the numbers of a text's tokens."""
    return {"content": text, "add_special": True, "with_pieces": False}


def forcing(facts: ServerFacts, before: Sequence[int], token: int) -> dict[str, Any]:
    """Return the body of a request for the log-probability of a token behind others."""
    body = {"model": facts.requested or facts.model, "prompt": list(before), "max_tokens": 1, "logprobs": 1}
    return body | {"temperature": 0, "logit_bias": [[token, BIAS]]}


def scored(reply: Reply, facts: ServerFacts) -> Scored:
    """Return the tokens of a text with their log-probabilities, none of those generated, in the form that the facts name."""
    choice = choice_of(reply, facts)
    return _prompt_logprobs(choice, reply) if facts.likelihood == PROMPT else _echoed(choice, reply)


def read_tokens(reply: Reply, facts: ServerFacts) -> Reading:
    """Return the tokens of a text, as `names` reads them."""
    return Reading(json.dumps(scored(reply, facts).tokens), 0.0, *tokens_of(reply))


def names(reading: Reading) -> list[str]:
    """Return the tokens in the reading of `read_tokens` or `read_numbers`."""
    return [str(token) for token in json.loads(reading.text)]


def read_option(reply: Reply, facts: ServerFacts, prompt: Sequence[str]) -> Reading:
    """Return the log-likelihood of the tokens behind those that a text has in common with a prompt."""
    text = scored(reply, facts)
    return Reading("", _sum(text.logprobs[common(prompt, text.tokens) :]), *tokens_of(reply))


def read_offsets(reply: Reply, facts: ServerFacts, start: int, text: str) -> Reading:
    """Return the log-likelihood of the tokens of a text that end behind its character `start`, none of those generated."""
    table = choice_of(reply, facts).get("logprobs")
    if not isinstance(table, Mapping):
        raise InvalidReply("it has no log-probabilities")
    tokens, values, offsets = (table.get(name) for name in ("tokens", "token_logprobs", "text_offset"))
    if not (isinstance(tokens, list) and isinstance(values, list) and isinstance(offsets, list)):
        raise InvalidReply("its log-probabilities lack tokens, values or offsets")
    if not len(tokens) == len(values) == len(offsets) or not all(type(offset) is int for offset in offsets):
        raise InvalidReply("its tokens, values and offsets differ in number")
    if offsets != sorted(offsets) or not offsets or offsets[-1] < start:
        raise InvalidReply("its offsets do not cover the text")
    ends = [*offsets[1:], offsets[-1] + len(str(tokens[-1]))]
    values = [v for v, begin, end in zip(values, offsets, ends, strict=True) if end > start and begin < len(text)]
    return Reading("", _sum(values), *tokens_of(reply))


def read_numbers(reply: Reply) -> Reading:
    """Return the numbers of a text's tokens, as `names` reads them; they cost nothing."""
    numbers = reply.content.get("tokens")
    if not isinstance(numbers, list) or not numbers or not all(type(number) is int for number in numbers):
        raise InvalidReply("it has no numbers of tokens")
    return Reading(json.dumps([str(number) for number in numbers]), 0.0, 0, 0)


def read_forced(reply: Reply, facts: ServerFacts, token: int) -> Reading:
    """Return the log-probability of a forced token."""
    table = choice_of(reply, facts).get("logprobs")
    rows = table.get("content") if isinstance(table, Mapping) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(row, Mapping) or row.get("id") != token:
        raise InvalidReply(f"it has no log-probability of the token {token}")
    return Reading("", _sum([row.get("logprob")]), *tokens_of(reply))


def has_offsets(reply: Reply, text: str) -> bool:
    """Return whether a reply echoes a text token by token, each at its own offset."""
    choices = reply.content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    table = choice.get("logprobs")
    tokens, offsets = (table.get("tokens"), table.get("text_offset")) if isinstance(table, Mapping) else (None, None)
    if not (isinstance(tokens, list) and isinstance(offsets, list) and len(tokens) == len(offsets)):
        return False
    if not all(type(offset) is int and offset >= 0 for offset in offsets):
        return False
    pairs = [(token, offset) for token, offset in zip(tokens, offsets, strict=True) if offset < len(text)]
    return "".join(str(token) for token, _ in pairs) == text and all(text.startswith(str(t), o) for t, o in pairs)


def covers(reply: Reply, facts: ServerFacts, text: str) -> bool:
    """Return whether a reply has a log-probability for each token of a text but the first, in the form that the facts name.

    Names of tokens may lack their spaces, and the first may be one that begins each text.
    """
    try:
        result = scored(reply, facts)
        _sum(result.logprobs[1:])
    except InvalidReply:
        return False
    rest = _packed("".join(_labels(reply, result)[1:]))
    return 0 < len(rest) <= len(_packed(text)) and _packed(text).endswith(rest) and 2 * len(rest) > len(_packed(text))


def common(prompt: Sequence[str], text: Sequence[str]) -> int:
    """Return how many tokens two texts have in common at their beginning."""
    pairs = zip(prompt, text, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(prompt), len(text)))


def _echoed(choice: Mapping[str, Any], reply: Reply) -> Scored:
    """Return the tokens of an echo; the count of the prompt's tokens divides them from those generated."""
    table, (count, _) = choice.get("logprobs"), tokens_of(reply)
    tokens, values = (table.get("tokens"), table.get("token_logprobs")) if isinstance(table, Mapping) else (None, None)
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise InvalidReply("its log-probabilities lack tokens or values")
    if not 0 < count <= len(tokens) <= count + 1:
        raise InvalidReply(f"it echoes {len(tokens)} tokens, and counts {count} of the prompt and one more")
    return Scored(tuple(str(token) for token in tokens[:count]), tuple(values[:count]))


def _prompt_logprobs(choice: Mapping[str, Any], reply: Reply) -> Scored:
    """Return the tokens of vLLM's `prompt_logprobs`: a table for each but the first, by the token's number."""
    rows, (count, _) = choice.get("prompt_logprobs"), tokens_of(reply)
    if not isinstance(rows, list) or not rows or (count >= 0 and len(rows) != count):
        raise InvalidReply("it has no log-probabilities of the prompt")
    tokens, values = [""], [None]
    for row in rows[1:]:
        if not isinstance(row, Mapping) or len(row) != 1:
            raise InvalidReply("a token of the prompt does not have one log-probability")
        ((number, entry),) = row.items()
        tokens.append(str(number))
        values.append(entry.get("logprob") if isinstance(entry, Mapping) else None)
    return Scored(tuple(tokens), tuple(values))


def _labels(reply: Reply, result: Scored) -> list[str]:
    """Return the texts of tokens; their names if they have no numbers."""
    rows = reply.content["choices"][0].get("prompt_logprobs")
    if not isinstance(rows, list) or len(rows) != len(result.tokens):
        return list(result.tokens)
    entries = [next(iter(row.values())) if isinstance(row, Mapping) and row else {} for row in rows]
    return [str(entry.get("decoded_token") or "") if isinstance(entry, Mapping) else "" for entry in entries]


def _packed(text: str) -> str:
    """Return a text without its spaces and the marks that stand for them in vocabularies."""
    return "".join(text.split()).replace("\u2581", "").replace("\u0120", "")


def _sum(values: Sequence[Any]) -> float:
    """Return the log-likelihood of tokens; one without a log-probability makes the reply invalid."""
    if not values or not all(type(v) in (int, float) and math.isfinite(v) and v <= SLACK for v in values):
        raise InvalidReply("a token of the option has no log-probability")
    return float(sum(values))

"""Log-probabilities of given tokens in the forms of four kinds of servers: the same log-likelihood of an option from each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint import likelihood
from harness.endpoint.client import InvalidReply, Reply
from harness.endpoint.connection import Connection, Settings
from harness.endpoint.contact import TEXT, contact
from harness.endpoint.forms import ServerFacts
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from tests.support.http_server import Respond, Response, chat, refusal, serving
from tests.support.scoring_servers import FORMS, Tokens, scoring_server

WORDS: dict[str, int] = {}
FACTS = ServerFacts("h", "m", date="2026-01-02", options="loglik", api="completions")
PAIRS = [("A question?", " it rises"), ("A question?", " no"), ("Another?", " it rises")]


def encode(text: str) -> Tokens:
    """A number for each word; a word has the space before it."""
    texts = re.findall(r" ?[^ ]+", text)
    numbers = [WORDS.setdefault(word, len(WORDS) + 10) for word in texts]
    return Tokens(numbers, texts, [sum(map(len, texts[:number])) for number in range(len(texts))])


def begun(text: str) -> Tokens:
    """The same with a token that begins each text."""
    tokens = encode(text)
    return Tokens([1, *tokens.numbers], ["<s>", *tokens.texts], [0, *(offset + 3 for offset in tokens.offsets)])


def score(numbers: Sequence[int]) -> list[float]:
    return [-float(len(numbers[:at]) + numbers[at]) for at in range(1, len(numbers))]


def of_option(tokens: Any, prompt: str, continuation: str) -> float:
    numbers = tokens(prompt + continuation).numbers
    return sum(score(numbers)[len(tokens(prompt).numbers) - 1 :])


def loglik(respond: Respond, folder: Path, **changes: Any) -> tuple[ServerFacts, list[float], Connection, list[Any]]:
    with serving(respond) as (url, seen):
        endpoint = Endpoint(url, "m", pause=0.001, attempts=3, **changes)
        facts = contact(endpoint, has_options=True)
        assert facts.options == "loglik"
        with Connection(Settings(endpoint, facts, 8, folder)) as connection:
            return facts, connection.score(PAIRS), connection, seen.posts


@pytest.mark.parametrize("tokens", [encode, begun], ids=["plain", "with a token that begins each text"])
@pytest.mark.parametrize("form", FORMS)
def test_the_log_likelihood_of_an_option_is_that_of_its_own_tokens(form: str, tokens: Any, tmp_path: Path) -> None:
    facts, values, connection, _ = loglik(scoring_server(form, tokens, score), tmp_path)
    assert values == [of_option(tokens, *pair) for pair in PAIRS]
    expected = {"offsets": "", "sglang": "tokens", "vllm": "tokens", "llama.cpp": "forced"}[form]
    assert facts.likelihood == ("tokens" if (form, tokens) == ("offsets", begun) else expected)
    assert ServerFacts.of(facts.settings()) == facts
    assert connection.usage().uncounted == 0


def test_vllm_whose_echo_is_cut_is_read_by_its_prompt_logprobs(tmp_path: Path) -> None:
    sound = scoring_server("vllm", begun, score)

    def respond(path: str, body: Any) -> Response:
        return refusal(400, "echo is not supported") if body and body.get("echo") else sound(path, body)

    facts, values, _, posts = loglik(respond, tmp_path)
    assert facts.likelihood == likelihood.PROMPT
    assert values == [of_option(begun, *pair) for pair in PAIRS]
    assert all(body["prompt_logprobs"] == 0 for body in posts if "echo" not in body)


def test_a_second_run_asks_nothing_again(tmp_path: Path) -> None:
    for form in FORMS:
        with serving(scoring_server(form, encode, score)) as (url, seen):
            endpoint = Endpoint(url, "m", pause=0.001)
            facts = contact(endpoint, has_options=True)
            settings = Settings(endpoint, facts, 8, tmp_path / form)
            with Connection(settings) as connection:
                first = connection.score(PAIRS)
            sent = len(seen.posts)
            with Connection(settings) as connection:
                assert connection.score(PAIRS) == first
            assert len(seen.posts) == sent


def test_a_prompt_that_is_another_with_its_option_is_read_both_ways(tmp_path: Path) -> None:
    pairs = [("A question?", " it rises"), ("A question? it rises", " no")]
    with serving(scoring_server("sglang", encode, score)) as (url, _):
        endpoint = Endpoint(url, "m", pause=0.001)
        with Connection(Settings(endpoint, contact(endpoint, has_options=True), 8, tmp_path)) as connection:
            assert connection.score(pairs) == [of_option(encode, *pair) for pair in pairs]


def test_a_server_whose_bias_changes_its_log_probabilities_is_asked_for_written_answers() -> None:
    sound = scoring_server("llama.cpp", encode, lambda numbers: [-0.001] * (len(numbers) - 1))

    def respond(path: str, body: Any) -> Response:
        return chat("4") if "chat" in path else sound(path, body)

    with serving(respond) as (url, _):
        assert contact(Endpoint(url, "m", pause=0.001), has_options=True).options == "written"


def test_written_options_can_be_wanted_of_a_server_that_scores() -> None:
    sound = scoring_server("vllm", encode, score)

    def respond(path: str, body: Any) -> Response:
        return chat("4") if "chat" in path else sound(path, body)

    with serving(respond) as (url, _):
        facts = contact(Endpoint(url, "m", pause=0.001, options="written"), has_options=True)
    assert (facts.options, facts.api) == ("written", "chat")


def test_log_likelihoods_that_a_server_cannot_give_are_an_error_with_what_was_tried() -> None:
    with serving(lambda path, _: chat("4", "m") if "chat" in path else refusal(404, "no")) as (url, _):
        with pytest.raises(HarnessError, match="no log-probabilities of given tokens: not by echo") as caught:
            contact(Endpoint(url, "m", pause=0.001, options="loglik"), has_options=True)
        assert "--endpoint-options written" in caught.value.fix
        with pytest.raises(HarnessError, match="chats have no log-probabilities"):
            contact(Endpoint(url, "m", "chat", options="loglik", pause=0.001), has_options=True)


def prompt_reply(rows: Any, count: int = 3) -> Reply:
    choice = {"text": "x", "finish_reason": "length", "prompt_logprobs": rows}
    usage = {"prompt_tokens": count, "completion_tokens": 1}
    return Reply({"model": "m", "choices": [choice], "usage": usage}, {})


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        [None, {"7": {"logprob": -1.0}}],
        [None, {"7": {"logprob": -1.0}, "8": {"logprob": -2.0}}, {"9": {"logprob": -1.0}}],
        [None, {"7": {"logprob": -1.0}}, {"9": {"logprob": None}}],
        [None, {"7": {"logprob": -1.0}}, {"9": {"logprob": 2.0}}],
        [None, {"7": {"logprob": -1.0}}, {"9": {"logprob": float("-inf")}}],
    ],
)
def test_a_reply_that_is_not_whole_is_no_log_likelihood(rows: Any) -> None:
    facts = replace(FACTS, likelihood=likelihood.PROMPT)
    with pytest.raises(InvalidReply):
        likelihood.read_option(prompt_reply(rows), facts, ["", "7"])


def test_a_text_that_is_only_in_part_echoed_is_not_covered() -> None:
    facts = replace(FACTS, likelihood=likelihood.TOKENS)
    tokens = encode(TEXT)
    for texts in (tokens.texts, tokens.texts[1:], tokens.texts[:-1], [*tokens.texts, "</s>"], ["x"] * 9):
        table = {"tokens": list(texts), "token_logprobs": [None, *[-1.0] * (len(texts) - 1)]}
        content = {
            "model": "m",
            "choices": [{"logprobs": table}],
            "usage": {"prompt_tokens": len(texts), "completion_tokens": 0},
        }
        covered = likelihood.covers(Reply(content, {}), facts, TEXT)
        assert covered is (list(texts) in (list(tokens.texts), list(tokens.texts[1:])))

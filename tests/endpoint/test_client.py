"""The client against a server whose replies are written here: what counts, what is sent again, what is refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from harness.endpoint import forms, settings
from harness.endpoint.client import Client, Refused
from harness.endpoint.forms import ServerFacts
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from tests.support.http_server import FAULTS, Response, chat, refusal, reply, serving, spoil

SECRET = "sk-1234567890abcdef"
FACTS = ServerFacts("h", "m")


def endpoint(url: str, **changes: Any) -> Endpoint:
    return replace(Endpoint(url, "m", pause=0.001, seconds=60, attempts=3), **changes)


def ask(url: str, **changes: Any) -> str:
    with Client(endpoint(url, **changes)) as client:
        body = forms.generation(FACTS, "Hello", 5, stop="", system="")
        return client.post("/chat/completions", body, lambda got: forms.read_text(got, FACTS)).text


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_leads_to_another_attempt_and_never_to_an_answer(kind: str) -> None:
    replies = iter([spoil(kind, chat("wrong")), chat("right")])
    with serving(lambda *_: next(replies)) as (url, seen):
        assert ask(url, seconds=0.5 if kind == "slow" else 60) == "right"
    assert len(seen.posts) == 2


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_that_stays_is_an_error_that_names_the_host_and_the_attempts(kind: str) -> None:
    with (
        serving(lambda *_: spoil(kind, chat("wrong"))) as (url, seen),
        pytest.raises(HarnessError, match="gave no answer in 3 attempts") as caught,
    ):
        ask(url, seconds=0.3 if kind == "slow" else 60)
    assert len(seen.posts) == 3
    assert "127.0.0.1" in caught.value.problem


@pytest.mark.parametrize("status", [301, 400, 404, 413, 422, 451])
def test_a_refusal_is_not_sent_again(status: int) -> None:
    with serving(lambda *_: refusal(status, "no such thing")) as (url, seen), pytest.raises(Refused) as caught:
        ask(url)
    assert len(seen.posts) == 1
    assert "no such thing" in caught.value.problem
    assert str(status) in caught.value.problem


def test_a_redirect_does_not_carry_the_key_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, SECRET)
    with serving(lambda *_: chat("stolen")) as (other, thief):
        away = Response(307, b"{}", {"Location": f"{other}/chat/completions"})
        with serving(lambda *_: away) as (url, _), pytest.raises(Refused):
            ask(url)
    assert thief.requests == []


def test_no_server_is_an_error() -> None:
    with serving(lambda *_: chat("x")) as (url, _):
        pass
    with pytest.raises(HarnessError, match="ConnectError"):
        ask(url)


def test_the_key_is_sent_as_a_header_and_is_in_no_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(settings.KEY, SECRET)
    caplog.set_level(logging.DEBUG)
    for status in (401, 403, 400, 500, 429):
        with (
            serving(lambda *_, s=status: refusal(s, f"Incorrect API key provided: {SECRET}")) as (url, seen),  # type: ignore[misc]
            pytest.raises(HarnessError) as caught,
        ):
            ask(url)
        assert seen.requests[0][2]["Authorization"] == f"Bearer {SECRET}"
        assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
    assert SECRET not in repr(endpoint("http://localhost:1/v1"))


def test_a_server_that_repeats_the_key_puts_it_into_no_answer_and_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, "sk/12+34=")
    repeated = chat("you sent Bearer sk/12+34=", model="m-sk/12+34=")
    for body in (repeated.body, repeated.body.replace(b"/", b"\\/")):
        parrot = Response(200, body, {"Server": "llama sk/12+34="})
        with serving(lambda *_, parrot=parrot: parrot) as (url, _), Client(endpoint(url)) as client:  # type: ignore[misc]
            got = client.post("/chat/completions", {}, lambda reply: reply)
        assert "12+34" not in repr(got)
        assert "you sent Bearer [redacted]" in repr(got)


def test_an_error_that_is_cut_within_the_key_shows_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, SECRET)
    for padding in range(180, 201):
        parrot = reply({"error": "x" * padding + SECRET})
        with (
            serving(lambda *_, parrot=parrot: parrot) as (url, _),  # type: ignore[misc]
            pytest.raises(HarnessError) as caught,
        ):
            ask(url, attempts=1)
        assert SECRET[:6] not in str(caught.value)


def test_without_a_key_the_error_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.KEY, raising=False)
    with serving(lambda *_: refusal(401, "who are you")) as (url, seen), pytest.raises(Refused) as caught:
        ask(url)
    assert "Authorization" not in seen.requests[0][2]
    assert "needs a key, and none is set" in caught.value.problem
    assert settings.KEY in caught.value.fix


def test_a_wait_that_is_too_long_is_an_error_at_once() -> None:
    with (
        serving(lambda *_: refusal(429, "quota", Retry_After="86400")) as (url, seen),
        pytest.raises(HarnessError, match="86,400 seconds"),
    ):
        ask(url)
    assert len(seen.posts) == 1


def test_the_query_of_an_address_is_sent() -> None:
    with serving(lambda *_: chat("x")) as (url, seen):
        assert ask(f"{url}?api-version=7") == "x"
    assert seen.requests[0][0] == "/v1/chat/completions?api-version=7"


def test_a_reply_of_another_model_is_no_answer() -> None:
    with (
        serving(lambda *_: chat("x", model="other")) as (url, _),
        pytest.raises(HarnessError, match="'other', not 'm'"),
    ):
        ask(url)


def test_a_reply_without_an_end_or_with_two_answers_is_none_and_a_declined_one_is_empty() -> None:
    two = reply({"model": "m", "choices": [{}, {}]})
    for bad in (chat("x", reason=None), chat("x", reason="tool_calls"), two, reply([1]), reply({"model": "m"})):
        with serving(lambda *_, bad=bad: bad) as (url, _), pytest.raises(HarnessError):  # type: ignore[misc]
            ask(url)
    declined = {"model": "m", "choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]}
    with serving(lambda *_: reply(declined)) as (url, _):
        assert ask(url) == ""

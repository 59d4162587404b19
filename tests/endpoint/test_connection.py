"""Many requests at once: order, the cache by which an interrupted run goes on, counts and costs, and a request to stop."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint import cache
from harness.endpoint.connection import Connection, Settings
from harness.endpoint.forms import ServerFacts
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from tests.support.http_server import Response, chat, refusal, reply, serving, spoil

FACTS = ServerFacts("h", "m", date="2026-01-02")
PROMPTS = [f"Prompt {number}" for number in range(30)]


def echo_of(_: str, body: Any) -> Response:
    return chat(f"re: {body['messages'][-1]['content']}")


def settings_of(url: str, folder: Path, facts: ServerFacts = FACTS, **changes: Any) -> Settings:
    endpoint = replace(Endpoint(url, "m", pause=0.001, attempts=3), **changes)
    return Settings(endpoint, facts, 8, folder)


def write(settings: Settings, prompts: list[str] = PROMPTS, **changes: Any) -> tuple[list[str], Connection]:
    with Connection(settings, **changes) as connection:
        return connection.write(prompts, has_options=False, one_line=True), connection


def test_answers_come_in_the_order_of_the_prompts_and_equal_prompts_are_sent_once(tmp_path: Path) -> None:
    with serving(echo_of) as (url, seen):
        texts, connection = write(settings_of(url, tmp_path), PROMPTS + PROMPTS[::-1])
    assert texts == [f"re: {prompt}" for prompt in PROMPTS + PROMPTS[::-1]]
    assert len(seen.posts) == len(PROMPTS)
    assert connection.usage().requests == len(PROMPTS)


def test_an_interrupted_run_goes_on_without_asking_twice(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 10:
            raise Enough

    with serving(echo_of) as (url, seen):
        settings = settings_of(url, tmp_path, parallel=2)
        with pytest.raises(Enough):
            write(settings, on_progress=stop)
        before = len(seen.posts)
        assert 10 <= before < len(PROMPTS)
        texts, connection = write(settings)
        assert texts == [f"re: {prompt}" for prompt in PROMPTS]
        assert len(seen.posts) == len(PROMPTS)
        assert connection.usage().reused == before
        again, connection = write(settings)
        assert (again, len(seen.posts), connection.usage().requests) == (texts, len(PROMPTS), 0)


def test_a_failure_stops_the_others_and_the_answers_before_it_are_kept(tmp_path: Path) -> None:
    down = threading.Event()

    def respond(path: str, body: Any) -> Response:
        if body["messages"][-1]["content"] == "Prompt 5":
            down.set()
        return refusal(500, "down") if down.is_set() else echo_of(path, body)

    with serving(respond) as (url, seen):
        settings = settings_of(url, tmp_path, parallel=1)
        with pytest.raises(HarnessError, match="gave no answer"):
            write(settings)
        sent = len(seen.posts)
        assert sent < 5 + 2 * 3 + 1
        with serving(echo_of) as (other, _):  # while the first has its port
            moved = replace(settings, endpoint=replace(settings.endpoint, url=other))
        assert cache.path(tmp_path, moved.endpoint, FACTS) != cache.path(tmp_path, settings.endpoint, FACTS)
    lines = cache.path(tmp_path, settings.endpoint, FACTS).read_text().splitlines()
    assert len(lines) == 1 + 5


@pytest.mark.parametrize(
    "changes", [{"model": "n"}, {"version": "2"}, {"server": "x"}, {"requested": "alias"}, {"temperature": ""}, {"api": "completions"}]
)  # fmt: skip
def test_an_answer_is_used_again_only_for_a_request_that_is_equal_in_everything(
    changes: dict[str, str], tmp_path: Path
) -> None:
    def respond(path: str, body: Any) -> Response:
        text = str(len(seen.posts))
        model = "n" if body["model"] == "n" else "m"
        if "messages" in body:
            return chat(text, model)
        return reply({"model": model, "choices": [{"text": text, "finish_reason": "stop"}]})

    with serving(respond) as (url, seen):
        settings = settings_of(url, tmp_path)
        write(settings, ["one"])
        write(replace(settings, facts=replace(FACTS, **changes)), ["one"])  # type: ignore[arg-type]
        write(replace(settings, limit=9), ["one"])
        write(settings, ["one"])
    assert len(seen.posts) == 3


def test_a_cut_or_strange_line_of_the_cache_is_passed_over(tmp_path: Path) -> None:
    with serving(echo_of) as (url, seen):
        settings = settings_of(url, tmp_path)
        write(settings, PROMPTS[:3])
        file = cache.path(tmp_path, settings.endpoint, FACTS)
        lines = file.read_text().splitlines()
        key = json.loads(lines[1])["key"]
        strange = {"key": key, "answer": {"text": 3, "loglik": 0.0, "prompt_tokens": 1, "answer_tokens": 1}}
        file.write_text("\n".join([lines[0], json.dumps(strange), lines[2], lines[3][:40]]))
        texts, _ = write(settings, PROMPTS[:3])
        assert texts == [f"re: {prompt}" for prompt in PROMPTS[:3]]
        assert len(seen.posts) == 3 + 2
        write(settings, PROMPTS[:3])
        assert len(seen.posts) == 3 + 2


def test_the_cache_holds_neither_the_address_nor_a_prompt_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    with serving(echo_of) as (url, _):
        settings = settings_of(f"{url}?api-version=hidden", tmp_path)
        write(settings, ["a prompt of a customer"])
    file = cache.path(tmp_path, settings.endpoint, FACTS)
    text = file.read_text()
    assert "hidden" not in text + file.name
    assert text.count("a prompt of a customer") == 1  # the answer repeats it
    assert file.stat().st_mode & 0o077 == 0


def test_tokens_and_costs_are_those_of_all_answers_also_after_an_interruption(tmp_path: Path) -> None:
    replies = iter([spoil("500", chat("")), *[chat("x")] * 9, reply({"model": "m", "choices": [
        {"message": {"content": "x"}, "finish_reason": "stop"}]})])  # fmt: skip
    with serving(lambda *_: next(replies)) as (url, _):
        settings = settings_of(url, tmp_path, price=(2.0, 10.0), parallel=1)
        write(settings, PROMPTS[:4])
        _, connection = write(settings, PROMPTS[:10])
    usage = connection.usage()
    assert (usage.requests, usage.retries, usage.reused, usage.uncounted) == (6, 0, 4, 1)
    assert (usage.prompt_tokens, usage.answer_tokens) == (90, 18)
    assert usage.usd == pytest.approx((90 * 2 + 18 * 10) / 1e6)


def test_the_date_of_a_row_is_that_of_the_first_answer(tmp_path: Path) -> None:
    with serving(echo_of) as (url, _):
        settings = settings_of(url, tmp_path)
        file = cache.path(tmp_path, settings.endpoint, FACTS)
        assert cache.with_date(FACTS, file, "2026-05-05").date == "2026-05-05"
        write(settings, PROMPTS[:1])
        assert cache.with_date(FACTS, file, "2026-05-05").date == "2026-01-02"


def words(_: str, body: Any) -> Response:
    """Echo the words of a prompt, each with a log-probability of its length, and a further word."""
    text = body["prompt"]
    tokens = re.findall(r" ?[^ ]+", text)
    offsets = [sum(map(len, tokens[:number])) for number in range(len(tokens))]
    table = {"tokens": [*tokens, " on"], "text_offset": [*offsets, len(text)],
             "token_logprobs": [None, *[-float(len(t)) for t in tokens[1:]], -100.0]}  # fmt: skip
    return reply({"model": "m", "choices": [{"text": f"{text} on", "logprobs": table, "finish_reason": "length"}]})


def test_the_log_likelihood_of_an_option_is_that_of_its_own_tokens(tmp_path: Path) -> None:
    with serving(words) as (url, seen):
        settings = settings_of(url, tmp_path, replace(FACTS, options="loglik", api="completions"))
        with Connection(settings) as connection:
            assert connection.scores_options
            assert connection.score([("A question?", " it rises"), ("A question?", " no")]) == [-9.0, -3.0]
    assert all(body["echo"] is True for body in seen.posts)

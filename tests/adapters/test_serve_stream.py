"""Streamed answers: the parts joined are the answer that comes whole, and a client that leaves stops its own answer only."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.adapters.serve.model import SharedBase
from harness.adapters.serve.stream import TextStream
from harness.errors import HarnessError
from tests.support.http_client import (
    EXAMPLES,
    JSON,
    PATIENCE,
    TASK,
    Bench,
    Client,
    Gate,
    Stream,
    eventually,
    serving,
)

PROMPT, OTHER = TASK.prompt(EXAMPLES[0]), TASK.prompt(EXAMPLES[1])
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
ADAPTER = "toy-lora-r4-s0"


# --- streams


def test_the_parts_of_a_stream_joined_are_the_answer_that_comes_whole(client: Client) -> None:
    asked: dict[str, Any] = {"prompt": [PROMPT, OTHER], "stop": ["\n", "zz"]}
    whole = client.complete(ADAPTER, **asked, max_tokens=20)
    stream = Stream(client, **asked, stream_options={"include_usage": True})
    assert stream.response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    *parts, usage = stream
    assert stream.done
    assert {part["id"] for part in parts} == {usage["id"]}
    assert {part["object"] for part in parts} == {"text_completion"}
    assert {part["model"] for part in parts} == {whole["model"]}
    choices = [part["choices"][0] for part in parts]
    for index, expected in enumerate(whole["choices"]):
        own = [choice for choice in choices if choice["index"] == index]
        assert "".join(choice["text"] for choice in own) == expected["text"]
        assert [choice["finish_reason"] for choice in own[-2:]] == [None, expected["finish_reason"]]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])


def test_a_streamed_chat_begins_with_the_role_and_ends_with_the_reason(client: Client) -> None:
    messages = [{"role": "user", "content": PROMPT}]
    _, whole, _ = client.ask("POST", CHAT, {"model": "toy", "messages": messages, "max_tokens": 20})
    parts = list(Stream(client, CHAT, model="toy", messages=messages))
    assert {part["object"] for part in parts} == {"chat.completion.chunk"}
    deltas = [part["choices"][0]["delta"] for part in parts]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert deltas[-1] == {}
    assert parts[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


def test_parts_are_sent_while_the_answer_is_being_written(
    client: Client, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(base, monkeypatch)
    parts = iter(Stream(client))
    assert next(parts)["choices"][0]["finish_reason"] is None
    gate.open.set()
    assert len(list(parts)) > 1
    assert gate.reached.is_set()


def test_a_model_outside_the_harness_s_loop_streams_its_answer_in_one_part(
    client: Client, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = client.complete(ADAPTER, PROMPT, max_tokens=20)["choices"][0]["text"]
    monkeypatch.setattr(base, "_lean", False)
    text, end = [part["choices"][0] for part in Stream(client, stop="\n")]
    assert (text["text"], end["text"]) == (whole, "")


def test_an_adapter_that_cannot_be_loaded_is_an_error_and_no_stream(bench: Bench, base: SharedBase) -> None:
    def load(key: str) -> Any:
        raise HarnessError("gone")

    with serving(bench, base, load=load) as client:
        status, found, _ = client.ask("POST", COMPLETIONS, {"model": ADAPTER, "prompt": PROMPT, "stream": True})
    assert (status, found["error"]["message"]) == (409, "gone")


def test_a_stream_that_fails_in_the_middle_ends_with_the_error(
    client: Client, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("out of luck")

    Gate(base, monkeypatch, fail).open.set()
    stream = Stream(client)
    assert list(stream)[-1]["error"]["code"] == "model_failed"
    assert not stream.done
    monkeypatch.undo()
    assert client.complete(ADAPTER, PROMPT)["choices"], "the next request is answered"


@pytest.mark.parametrize("options", [3, {"include_usage": 1}])
def test_options_of_a_stream_that_are_none_are_refused(client: Client, options: Any) -> None:
    asked = {"model": "toy", "prompt": PROMPT, "stream": True, "stream_options": options}
    assert client.ask("POST", COMPLETIONS, asked)[1]["error"]["param"] == "stream_options"


def test_parts_never_hold_more_than_the_answer_and_joined_are_all_of_it() -> None:
    chance = random.Random(0)
    for _ in range(2_000):
        stops = ["".join(chance.choices("ab ", k=chance.randint(1, 3))) for _ in range(chance.randint(0, 2))]
        stream, parts, text = TextStream(stops), list[str](), ""
        for _ in range(chance.randint(0, 8)):
            piece = "".join(chance.choices("ab \ufffd", k=chance.randint(0, 3)))
            text = text.rstrip("\ufffd") + piece  # half a character may become another one
            if any(stop in text for stop in stops):
                break
            parts.append(stream.part(text))
        end = min([text.find(stop) for stop in stops if stop in text], default=len(text))
        parts.append(stream.rest(text[:end]))
        assert "".join(parts) == text[:end], (stops, parts)


# --- clients that leave


def test_an_answer_ends_early_if_its_reader_leaves_a_stream(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    gate = Gate(base, monkeypatch)
    with serving(bench, base, log=lines.append) as client:
        stream = Stream(client, max_tokens=60)
        assert gate.reached.wait()
        stream.leave()
        eventually(lambda: len(lines) == 1)
        gate.open.set()
        eventually(lambda: client.engine.state().answered == 1)
        assert gate.tokens == 3
    assert lines[0].startswith(f"POST {COMPLETIONS} 200 ")


def test_a_request_that_waits_is_dropped_if_its_client_leaves(bench: Bench, base: SharedBase) -> None:
    go, begun, lines = threading.Event(), threading.Event(), list[str]()

    def load(key: str) -> Any:
        begun.set()
        assert go.wait(PATIENCE)
        return {}

    asked = {"model": ADAPTER, "prompt": PROMPT, "max_tokens": 1}
    with (
        serving(bench, base, load=load, log=lines.append, max_batch=1, max_queue=1) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.ask, "POST", COMPLETIONS, asked)
        assert begun.wait()
        waiting = http.client.HTTPConnection("127.0.0.1", client.server.port)
        waiting.request("POST", COMPLETIONS, json.dumps(asked), JSON)
        eventually(lambda: client.engine.state().waiting == 1)
        waiting.close()
        eventually(lambda: len(lines) == 1)
        assert " 499 " in lines[0]
        with ThreadPoolExecutor(1) as other:  # its seat in the queue is free
            third = other.submit(client.ask, "POST", COMPLETIONS, asked)
            eventually(lambda: any(" 503 " in line for line in lines) or client.engine.state().waiting == 1)
            go.set()
            assert (first.result()[0], third.result()[0]) == (200, 200)
        assert client.engine.state().answered == 2

"""The first contact with a server: its faults are named before anything of a task is sent."""

from __future__ import annotations

from typing import Any

import pytest

from harness.endpoint import contact as contacting
from harness.endpoint import settings
from harness.endpoint.contact import contact
from harness.endpoint.forms import ServerFacts
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from tests.endpoint.test_connection import words
from tests.support.http_server import Respond, Response, chat, refusal, reply, serving

MODELS = reply({"data": [{"id": "m"}, {"id": "qwen3-8b"}]})


def server(**paths: Response) -> Respond:
    """Answer by the last word of the path; anything else is not found."""

    def respond(path: str, body: Any) -> Response:
        found: Response = paths.get(path.rpartition("/")[2], refusal(404, f"no {path}"))
        return found

    return respond


def facts(respond: Respond, model: str = "m", *, has_options: bool = False, **changes: Any) -> ServerFacts:
    with serving(respond) as (url, seen):
        result = contact(Endpoint(url, model, pause=0.001, **changes), has_options=has_options)
    assert len(seen.requests) <= contacting.REQUESTS
    return result


def test_a_chat_server_is_asked_for_texts_with_the_name_and_version_that_it_reports() -> None:
    named = reply(
        {"model": "m-2026", "choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}, Server="llama/1"
    )
    got = facts(server(models=MODELS, completions=named, version=reply({"version": "0.9"})))
    assert (got.model, got.requested, got.api, got.options, got.version) == ("m-2026", "m", "chat", "", "0.9")
    assert got.server.endswith("llama/1")
    assert ServerFacts.of(got.settings()) == got


@pytest.mark.parametrize(
    ("paths", "version"),
    [({"version": "0.11"}, "0.11"), ({"api/version": "0.12"}, "0.12"), ({"props": "b6543-1a2b3c"}, "b6543-1a2b3c")],
)
def test_the_version_is_read_where_vllm_ollama_and_llama_cpp_report_it(paths: dict[str, str], version: str) -> None:
    def respond(path: str, body: Any) -> Response:
        name = "build_info" if path == "/props" else "version"
        return chat("4") if body else reply({name: paths[path[1:]]}) if path[1:] in paths else refusal(404, "no")

    assert facts(respond).version == version


@pytest.mark.parametrize(
    ("name", "shown"),
    [("/home/ann/models/x.Q4_1.gguf", "x.Q4_1.gguf"), ("C:\\Users\\ann\\x.gguf", "x.gguf"), ("org/model", "org/model")],
)
def test_a_model_that_is_named_by_a_path_is_recorded_without_its_folders(name: str, shown: str) -> None:
    got = facts(lambda path, body: chat("4", model=name), "alias")
    assert (got.model, got.requested) == (shown, "alias")
    assert not any("ann" in setting for setting in got.settings())


def test_a_server_without_chats_is_asked_for_completions() -> None:
    def respond(path: str, body: Any) -> Response:
        if "chat" in path:
            return refusal(400, "the model has no chat template")
        return reply({"model": "m", "choices": [{"text": "4", "finish_reason": "length"}]})

    assert facts(respond).api == "completions"


def test_options_are_scored_if_the_server_echoes_and_named_in_writing_otherwise() -> None:
    def respond(path: str, body: Any) -> Response:
        return chat("4") if "chat" in path else words(path, body) if body else MODELS

    assert facts(respond, has_options=True).options == "loglik"
    assert facts(respond, has_options=True, api="chat").options == "written"
    assert facts(respond).options == ""

    def shifted(path: str, body: Any) -> Response:
        if body is None or "chat" in path:
            return chat("4")
        response = words(path, body)
        return Response(200, response.body.replace(b'"The"', b'"<s>The"'))

    assert facts(shifted, has_options=True).options == "written"


def test_fields_that_a_model_refuses_are_renamed_or_left_out() -> None:
    def respond(path: str, body: Any) -> Response:
        if body and "max_tokens" in body:
            return refusal(400, "Unsupported parameter: max_tokens; use max_completion_tokens")
        if body and "temperature" in body:
            return refusal(400, "temperature does not support 0")
        return chat("4")

    got = facts(respond)
    assert (got.limit, got.temperature) == ("max_completion_tokens", "")


def test_an_unknown_model_is_an_error_with_a_near_name() -> None:
    with pytest.raises(HarnessError, match="does not serve the model 'qwen3-8'") as caught:
        facts(server(models=MODELS, completions=refusal(404, "model not found")), "qwen3-8")
    assert "qwen3-8b" in caught.value.fix
    assert caught.value.where == "--endpoint-model qwen3-8"


def test_a_missing_key_is_an_error_at_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.KEY, raising=False)
    with serving(lambda *_: refusal(401, "no")) as (url, seen), pytest.raises(HarnessError, match="needs a key"):
        contact(Endpoint(url, "m"), has_options=True)
    assert len(seen.requests) == 1


def test_nobody_at_the_address_is_an_error_with_the_host() -> None:
    with serving(lambda *_: MODELS) as (url, _):
        pass
    with pytest.raises(HarnessError, match=r"127.0.0.1:\d+ gave no answer") as caught:
        contact(Endpoint(url, "m", pause=0.001), has_options=True)
    assert "check the address" in caught.value.fix


def test_a_page_of_the_web_is_no_server_of_models() -> None:
    page = Response(200, b"<html>welcome</html>", {"Content-Type": "text/html"})
    with pytest.raises(HarnessError, match="not JSON"):
        facts(lambda *_: page)

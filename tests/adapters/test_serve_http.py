"""What the server refuses, and how: OpenAI's error shape, the right status, and a message that says what to do."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.serve.http import MAX_READ
from harness.adapters.serve.model import SharedBase
from harness.cli.app import main
from harness.model.tokenize import chat_ids, encode_pair
from harness.store import records
from tests.support.http_client import EXAMPLES, PATIENCE, TASK, Bench, Client, eventually, serving

Capture = pytest.CaptureFixture[str]
PROMPT = TASK.prompt(EXAMPLES[0])
CHAT = "/v1/chat/completions"


def refused(found: tuple[int, Any, dict[str, str]], status: int) -> dict[str, Any]:
    """Check the shape of an error and return what it says."""
    assert found[0] == status, found
    assert set(found[1]) == {"error"}
    error: dict[str, Any] = found[1]["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert found[2]["Content-Type"] == "application/json"
    return error


def test_models_lists_the_base_model_and_the_adapters_that_were_made_for_it(client: Client, bench: Bench) -> None:
    status, found, _ = client.ask("GET", "/v1/models")
    assert status == 200
    served = [bench.run("lora"), bench.run("lora", 1), bench.run("rslora")]
    assert {row["id"] for row in found["data"]} == {"toy", *(run.record.spec.id for run in served)}
    assert {row.get("name") for row in found["data"]} == {None, "toy-lora-r4-s0", "toy-lora-r4-s1", "toy-rslora-r2-s0"}
    assert client.ask("GET", "/v1/models/toy-lora-r4-s0")[1]["id"] == bench.run("lora").record.spec.id
    assert client.ask("GET", "/health")[1]["status"] == "ok"


def test_a_completion_has_the_shape_of_openais(client: Client, bench: Bench) -> None:
    found = client.complete("toy-lora-r4-s0", PROMPT, stop=None, max_tokens=3, user="me", seed=7, top_p=0.5)
    assert found["object"] == "text_completion"
    assert found["model"] == bench.run("lora").record.spec.id
    assert found["choices"][0]["finish_reason"] == "length"
    assert found["usage"]["completion_tokens"] == 3
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + 3
    two = client.complete("toy", [PROMPT, TASK.prompt(EXAMPLES[1])])
    assert [one["index"] for one in two["choices"]] == [0, 1]


def test_text_token_ids_and_a_chat_of_one_message_are_the_same_prompt(client: Client, base: SharedBase) -> None:
    ids, _ = encode_pair(base.tokenizer, PROMPT, "x")
    texts = [client.complete("toy", prompt)["choices"][0]["text"] for prompt in (PROMPT, ids, [ids])]
    asked = {"model": "toy", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8, "stop": ["\n"]}
    status, found, _ = client.ask("POST", CHAT, asked)
    assert status == 200
    assert found["object"] == "chat.completion"
    assert found["choices"][0]["message"] == {"role": "assistant", "content": texts[0]}
    assert len(set(texts)) == 1
    asked["messages"] = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    assert client.ask("POST", CHAT, asked)[1]["choices"] == found["choices"]


def test_a_chat_of_one_message_has_the_token_ids_of_a_test_prompt_with_a_template_too(base: SharedBase) -> None:
    import copy

    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
    ids, _ = encode_pair(tokenizer, PROMPT, "x")
    assert chat_ids(tokenizer, [{"role": "user", "content": PROMPT}]) == ids
    assert ids != chat_ids(base.tokenizer, [{"role": "user", "content": PROMPT}])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "0"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 2}, "min_p"),
        ({"seed": 0.5}, "seed"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 100, "prompt": ["a", "b", "c"]}, "n"),
        ({"n": 2, "best_of": 3}, "best_of"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options"),
        ({"stream": "yes"}, "stream"),
        ({"echo": True}, "echo"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"guided_json": {}}, "guided_json"),
        ({"guided_regex": "a+"}, "guided_regex"),
        ({"structured_outputs": {"choice": ["a"]}}, "structured_outputs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"lora_request": "x"}, "lora_request"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"temprature": 0.5}, "temprature"),
        ({"store": True}, "store"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "8"}, "max_tokens"),
        ({"max_tokens": 256}, "max_tokens"),
        ({"stop": [""]}, "stop"),
        ({"stop": list("abcde")}, "stop"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [100_000]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": ["a"] * 257}, "prompt"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"prompt": PROMPT * 9}, "prompt"),
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
    ],
)
def test_a_field_that_cannot_be_served_is_named(client: Client, fields: dict[str, Any], param: str) -> None:
    asked = {"model": "toy", "prompt": PROMPT} | fields
    assert refused(client.ask("POST", "/v1/completions", asked), 400)["param"] == param


@pytest.mark.parametrize("messages", [None, [], "hi", [{"role": "user"}], [{"content": "x"}], [7], [{"role": "user", "content": [{"type": "image_url"}]}], [{"role": "tool", "content": "x"}], [{"role": "user", "content": "x", "name": "me"}], [{"role": "assistant", "content": "x", "tool_calls": [{}]}]])  # fmt: skip
def test_messages_that_are_none_are_refused(client: Client, messages: Any) -> None:
    assert refused(client.ask("POST", CHAT, {"model": "toy", "messages": messages}), 400)["param"] == "messages"


def test_an_unknown_field_is_refused_with_the_nearest_known_one(client: Client) -> None:
    asked = {"model": "toy", "prompt": PROMPT, "max_token": 8}
    error = refused(client.ask("POST", "/v1/completions", asked), 400)
    assert (error["code"], error["param"]) == ("unsupported_parameter", "max_token")
    assert "did you mean 'max_tokens'?" in error["message"]
    assert client.complete("toy", PROMPT, max_token=None, user="me", tools=[], metadata={"a": "b"})["choices"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 9000, b'{"model": "toy", "model": "other"}', b'{"model": "toy", "temperature": NaN}'])  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    refused(client.ask("POST", "/v1/completions", body), 400)


def test_an_unknown_model_is_answered_with_the_nearest_known_one(client: Client) -> None:
    error = refused(client.ask("POST", "/v1/completions", {"model": "toy-lora-r4-s7", "prompt": PROMPT}), 404)
    assert "did you mean 'toy-lora-r4-s" in error["message"]
    assert error["code"] == "model_not_found"
    refused(client.ask("GET", "/v1/models/nothing"), 404)


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("lora-fa", "toy @ 0123456789ab"),
        ("qlora", "--bits 4"),
        ("dora", "use_dora"),
        ("ia3", "IA3"),
    ],
)
def test_an_adapter_that_does_not_go_with_the_base_model_is_refused_and_says_why(
    client: Client, bench: Bench, method: str, why: str
) -> None:
    asked = {"model": bench.run(method).record.spec.id, "prompt": PROMPT}
    error = refused(client.ask("POST", "/v1/completions", asked), 409)
    assert why in error["message"]
    assert error["code"] == "adapter_not_served"


def test_paths_methods_and_kinds_of_bodies_that_are_not_there_are_refused(client: Client) -> None:
    refused(client.ask("GET", "/v1/nothing"), 404)
    refused(client.ask("POST", "/v1/nothing", {}), 404)
    refused(client.ask("GET", "/v1/completions"), 405)
    refused(client.ask("POST", "/health", {}), 405)
    refused(client.ask("PUT", "/v1/completions", {}), 405)
    refused(client.ask("POST", "/v1/completions", b"{}", {"Content-Type": "text/plain"}), 415)


def test_a_body_above_the_limit_is_refused_and_one_of_a_wrong_length_too(client: Client) -> None:
    refused(client.ask("POST", "/v1/completions", b" " * 10_001), 413)
    refused(client.ask("POST", "/v1/completions", b" " * (MAX_READ // 4)), 413)
    refused(client.ask("POST", "/v1/completions", b"{}", {"Content-Length": "-1"}), 400)


def test_what_is_no_http_is_answered_in_the_same_shape(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.server.port)) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert json.loads(answer[answer.index(b"{") :])["error"]["type"] == "invalid_request_error"


def test_a_full_queue_is_refused_with_the_time_to_wait(bench: Bench, base: SharedBase) -> None:
    go, begun = threading.Event(), threading.Event()

    def load(key: str) -> Any:
        begun.set()
        go.wait(PATIENCE)
        return {}

    asked = {"model": "toy-lora-r4-s0", "prompt": PROMPT, "max_tokens": 1}
    with serving(bench, base, load=load, max_queue=1, max_batch=1) as client:
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(client.ask("POST", "/v1/completions", asked)))]
        threads[0].start()
        assert begun.wait()  # one is in hand; now one more may wait
        threads.append(threading.Thread(target=lambda: found.append(client.ask("POST", "/v1/completions", asked))))
        threads[1].start()
        eventually(lambda: client.engine.state().waiting == 1)
        error = client.ask("POST", "/v1/completions", asked)
        go.set()
        for thread in threads:
            thread.join()
    assert refused(error, 503)["code"] == "queue_full"
    assert int(error[2]["Retry-After"]) > 0
    assert [status for status, _, _ in found] == [200, 200]


# --- the command


def serve(bench: Bench, *words: str) -> int:
    return main(["serve", "--model", str(bench.model), "--results", str(bench.results), *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "99999"], "is not a whole number from 0 to 65535"),
        (["--bits", "5"], "--bits 5"),
        (["--max-batch", "0"], "not a whole number"),
        (["--adapter", "mine"], "NAME=RUN"),
        (["--adapter", "toy=rslora-r2"], "the name 'toy' is taken"),
        (["--adapter", "a=rslora-r2", "--adapter", "a=rslora-r2"], "the name 'a' is taken"),
        (["--adapter", "a=rslora-r3"], "did you mean 'rslora-r2'"),
        (["--adapter", "a=lora-fa-r4"], "toy @ 0123456789ab"),
        (["--adapter", "a=."], "no adapter_config.json"),
    ],
)
def test_a_wrong_flag_ends_before_anything_is_loaded(
    bench: Bench, words: list[str], said: str, capsys: Capture
) -> None:
    assert serve(bench, *words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "help: " in err


def test_a_port_that_is_taken_is_an_error_before_the_model_is_loaded(bench: Bench, capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert serve(bench, "--port", str(other.getsockname()[1])) == 2
    assert "cannot listen" in capsys.readouterr().err


def test_a_folder_that_names_another_base_model_is_refused(bench: Bench, tmp_path: Path, capsys: Capture) -> None:
    import shutil

    folder = Path(shutil.copytree(bench.run("lora").folder / records.ADAPTER, tmp_path / "one"))
    (folder / "merge.json").write_text('{"model_revision": "ffff"}')
    assert serve(bench, "--adapter", f"mine={folder}") == 2
    assert "ffff" in capsys.readouterr().err

"""The server's figures in Prometheus' form, as Prometheus' own parser reads them."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.adapters.serve.model import SharedBase
from tests.support.http_client import EXAMPLES, TASK, Bench, Client, Gate, Stream, eventually, serving

PROMPT = TASK.prompt(EXAMPLES[0])
ADAPTER = "toy-lora-r4-s0"


def figures(client: Client) -> dict[tuple[str, ...], float]:
    """Return the value of each sample by its name and its labels' values."""
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 200
    assert str(response.getheader("Content-Type")).startswith("text/plain; version=")
    return {
        (sample.name, *(value for name, value in sample.labels.items() if name != "le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_requests_answers_tokens_and_times_are_counted(bench: Bench, base: SharedBase) -> None:
    with serving(bench, base) as client:
        id = bench.run("lora").record.spec.id
        first = client.complete(ADAPTER, PROMPT, max_tokens=5, stop=None)["usage"]
        two = client.complete(ADAPTER, PROMPT, n=2, max_tokens=1, stop=None)["usage"]
        client.ask("POST", "/v1/completions", {"model": "nobody", "prompt": PROMPT})
        client.ask("GET", "/an/unknown/path?with=words")
        found = figures(client)
    assert found["adaptbench_answers_total", id, "length"] == 3
    assert found["adaptbench_answer_tokens_total", id] == 5 + 2 == first["completion_tokens"] + two["completion_tokens"]
    assert found["adaptbench_prompt_tokens_total", id] == 3 * first["prompt_tokens"]
    assert found["adaptbench_first_token_seconds_count", id] == 3
    assert found["adaptbench_http_requests_total", "/v1/completions", "200"] == 2
    assert found["adaptbench_http_requests_total", "/v1/completions", "404"] == 1
    assert found["adaptbench_http_requests_total", "other", "404"] == 1
    assert found["adaptbench_http_request_seconds_count", "/v1/completions"] == 3
    assert found["adaptbench_requests_waiting",] == found["adaptbench_requests_running",] == 0
    assert found["adaptbench_adapters_loaded",] == 1
    assert not any("nobody" in word or "unknown" in word for key in found for word in key), (
        "labels are the server's own"
    )


def test_an_abandoned_answer_is_counted_with_the_tokens_that_it_took(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(base, monkeypatch)
    lines: list[Any] = []
    with serving(bench, base, log=lines.append) as client:
        stream = Stream(client, max_tokens=60)
        assert gate.reached.wait()
        assert figures(client)["adaptbench_requests_running",] == 1
        stream.leave()
        eventually(lambda: any("completions" in line for line in lines))
        gate.open.set()
        eventually(lambda: client.engine.state().running == 0)
        id = bench.run("lora").record.spec.id
        eventually(lambda: ("adaptbench_answers_total", id, "abandoned") in figures(client))
        assert 3 <= figures(client)["adaptbench_answer_tokens_total", id] < 60

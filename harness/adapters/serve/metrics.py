"""The server's figures in Prometheus' form: requests, answers, tokens, times, and what waits and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from harness.adapters.serve.engine import State

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
STOP, LENGTH, ABANDONED, ERROR = "stop", "length", "abandoned", "error"  # why an answer ended

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counters and histograms of one server; labels have values of the server's own only, never of requests."""

    def __init__(self, state: Callable[[], State]) -> None:
        """Start at zero; `state` returns that of the engine."""
        self._registry = prometheus_client.CollectorRegistry()
        self._registry.register(_StateCollector(state))
        self._requests = self._counter("http_requests", "Requests by path and status.", "path", "status")
        self._request_seconds = self._histogram("http_request_seconds", "Seconds from head to end.", "path")
        self._answers = self._counter("answers", "Answers by model and by the reason of their end.", "model", "reason")
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts that were answered.", "model")
        self._answer_tokens = self._counter("answer_tokens", "Tokens that were generated.", "model")
        self._first_token_seconds = self._histogram(
            "first_token_seconds", "Seconds to an answer's first token.", "model"
        )

    def _counter(self, name: str, text: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(f"adaptbench_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(f"adaptbench_{name}", text, labels, registry=self._registry, buckets=SECONDS)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def answer(self, model: str, reason: str, prompt_tokens: int, tokens: int) -> None:
        """Count an answer; `tokens` are those of the answer, also if it was abandoned."""
        self._answers.labels(model, reason).inc()
        self._prompt_tokens.labels(model).inc(prompt_tokens)
        self._answer_tokens.labels(model).inc(tokens)

    def first_token(self, model: str, seconds: float) -> None:
        """Count the time to the first token of an answer."""
        self._first_token_seconds.labels(model).observe(seconds)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all figures and their content type, in a form that a request accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _StateCollector(Collector):
    """Gauges that are read from an engine when they are asked for."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = self._state()
        for name, text, value in (
            ("requests_waiting", "Prompts in the queue.", state.waiting),
            ("requests_running", "Prompts in the model.", state.running),
            ("adapters_loaded", "Adapters in memory.", len(state.loaded)),
        ):
            yield GaugeMetricFamily(f"adaptbench_{name}", text, value=value)

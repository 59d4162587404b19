"""The batch in generation: requests join between tokens, and a failure harms nothing but its own rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.adapters.serve.engine import Engine, Limits
from harness.adapters.serve.generation import Generation, GenerationRequest
from harness.adapters.serve.model import SharedBase
from harness.errors import HarnessError
from harness.model import row_cache
from harness.model.tokenize import encode_test
from harness.store import records
from tests.support.http_client import EXAMPLES, PATIENCE, TASK, Bench, eventually, serving

PROMPTS = [TASK.prompt(example) for example in EXAMPLES]
TOKENS = 24


def adapters(bench: Bench, base: SharedBase) -> dict[str, Any]:
    runs = {"a": bench.run("lora"), "b": bench.run("lora", 1), "c": bench.run("rslora")}
    return {key: base.read(run.folder / records.ADAPTER) for key, run in runs.items()}


def requests(base: SharedBase, keys: Sequence[str], tokens: int = TOKENS) -> list[GenerationRequest]:
    items = encode_test(base.tokenizer, EXAMPLES, TASK, 256, tokens)
    return [GenerationRequest(item.prompt, key, tokens) for item in items for key in keys]


def alone(base: SharedBase, asked: Sequence[GenerationRequest], loaded: dict[str, Any]) -> list[Generation]:
    return [base.write([request], loaded, lambda: None)[0] for request in asked]


def failing(base: SharedBase, monkeypatch: pytest.MonkeyPatch, fails: Callable[[Any, int], bool]) -> None:
    """Let calls of the model fail by the layers of their rows and the length of their input."""
    assign, rows, forward = base.assign, list[Any](), base.model.forward

    def noted(layers: Any) -> None:
        rows[:] = list(layers)
        assign(rows)

    def call(*args: Any, **inputs: Any) -> Any:
        if any(fails(layers, inputs["input_ids"].shape[1]) for layers in rows):
            raise RuntimeError("out of luck")
        return forward(*args, **inputs)

    monkeypatch.setattr(base, "assign", noted)
    monkeypatch.setattr(base.model, "forward", call)


def test_requests_join_a_batch_between_tokens_and_a_later_short_one_is_answered_first(
    bench: Bench, base: SharedBase
) -> None:
    loaded, begun, go, ends = adapters(bench, base), threading.Event(), threading.Event(), list[str]()

    def hold(tokens: Sequence[int], logprobs: Any) -> bool:
        if len(tokens) == 3:
            begun.set()
            assert go.wait(PATIENCE)
        return True

    first = requests(base, ["a", "b", "c"], 60)
    long = replace(first[0], progress=hold)
    later = [replace(request, max_tokens=4) for request in first[1:8]]
    expected = alone(base, [first[0], *later], loaded)
    with Engine(base, loaded.__getitem__) as engine:
        (future,) = engine.submit([long])
        future.add_done_callback(lambda _: ends.append("long"))
        assert begun.wait()
        others = engine.submit(later)
        for other in others:
            other.add_done_callback(lambda _: ends.append("later"))
        go.set()
        assert [one.result() for one in [future, *others]] == expected
    assert len(expected[0].tokens) > 20
    assert ends == ["later"] * 7 + ["long"]


def test_an_adapter_that_fails_in_every_call_harms_only_its_own_requests(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = adapters(bench, base)
    asked = requests(base, ["", "a", "b", "c"])
    good = [request for request in asked if request.adapter != "b"]
    expected = alone(base, good, loaded)
    failing(base, monkeypatch, lambda layers, _: layers is loaded["b"])
    with Engine(base, loaded.__getitem__) as engine:
        futures = engine.submit(asked)
        for request, future in zip(asked, futures, strict=True):
            if request.adapter == "b":
                with pytest.raises(RuntimeError, match="out of luck"):
                    future.result()
        answers = [f.result() for request, f in zip(asked, futures, strict=True) if request.adapter != "b"]
    assert answers == expected


@pytest.mark.parametrize("only", [True, False], ids=["of one adapter", "of all"])
def test_after_a_failure_between_tokens_the_text_is_read_again_and_nothing_is_lost(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch, only: bool
) -> None:
    loaded = adapters(bench, base)
    asked = requests(base, ["a", "b", "c"], 8)
    expected = alone(base, asked, loaded)
    calls: list[int] = []

    def fails(layers: Any, length: int) -> bool:
        if length == 1 and (not only or layers is loaded["b"]):
            calls.append(1)
            return len(calls) % 3 == 1
        return False

    failing(base, monkeypatch, fails)
    with Engine(base, loaded.__getitem__) as engine:
        assert [future.result() for future in engine.submit(asked)] == expected
    assert calls


def test_an_adapter_whose_numbers_overflow_is_an_error_of_its_own_requests(bench: Bench, base: SharedBase) -> None:
    loaded = adapters(bench, base)
    loaded["b"] = {name: replace(layer, scale=1e38) for name, layer in loaded["b"].items()}
    asked = requests(base, ["a", "b", "c"])
    expected = alone(base, [request for request in asked if request.adapter != "b"], loaded)
    with Engine(base, loaded.__getitem__) as engine:
        futures = dict(zip(asked, engine.submit(asked), strict=True))
        assert [future.result() for request, future in futures.items() if request.adapter != "b"] == expected
        for request, future in futures.items():
            if request.adapter == "b":
                with pytest.raises(HarnessError, match="not a number"):
                    future.result()


def test_a_large_request_is_not_passed_over_by_smaller_ones_for_ever(bench: Bench, base: SharedBase) -> None:
    small, ends = requests(base, [""], 8), list[int]()
    large = [replace(request, max_tokens=40) for request in small[:2]]
    order = [small[0], large[0], *small, large[1], *small]
    with Engine(base, lambda key: {}, Limits(max_batch=2)) as engine:
        futures = engine.submit(order)
        for request, future in zip(order, futures, strict=True):
            future.add_done_callback(lambda _, size=request.max_tokens: ends.append(size))  # type: ignore[misc]
        for future in futures:
            future.result()
    assert ends.index(40) < 7


def test_clients_that_leave_free_their_rows_at_the_next_token(bench: Bench, base: SharedBase) -> None:
    loaded, gone = adapters(bench, base), threading.Event()
    asked = requests(base, ["a", "b"], 100)
    leaving = [replace(request, progress=lambda tokens, _: not gone.is_set()) for request in asked[:6]]
    (expected,) = alone(base, asked[7:8], loaded)
    with Engine(base, loaded.__getitem__, Limits(max_batch=6)) as engine:
        futures = engine.submit([*leaving, asked[7]])
        eventually(lambda: engine.state().running == 6)
        gone.set()
        assert futures[-1].result() == expected
        assert all(len(future.result().tokens) < 100 for future in futures[:-1])


def test_of_48_requests_to_good_adapters_48_are_answered_beside_one_that_breaks_the_batch(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    bad = bench.run("lora", 1).record.spec.id
    folders = {one.id: one.folder for one in bench.catalog().served}
    layers = {id: base.read(folder) for id, folder in folders.items()}
    names = ["toy", "toy-lora-r4-s0", "toy-rslora-r2-s0"]
    with serving(bench, base, load=layers.__getitem__) as client:
        expected = {(name, text): client.complete(name, text)["choices"] for name in names for text in PROMPTS}
        failing(base, monkeypatch, lambda rows, _: rows is layers[bad])
        pairs = [(name, text) for name in [*names, bad] for text in PROMPTS for _ in range(3)][: 48 + 18]
        pairs = [pairs[turn * 29 % len(pairs)] for turn in range(len(pairs))]

        def answered(pair: tuple[str, str]) -> int:
            asked = {"model": pair[0], "prompt": pair[1], "max_tokens": 8, "stop": "\n"}
            status, found, _ = client.ask("POST", "/v1/completions", asked)
            if pair[0] == bad:
                return 0 if (status, found["error"]["code"]) == (500, "model_failed") else -100
            return int(status == 200 and found["choices"] == expected[pair])

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(answered, pairs)) == sum(pair[0] != bad for pair in pairs)


def test_if_rows_cannot_join_a_cache_batches_are_whole_and_a_failure_loses_nothing_either(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = adapters(bench, base)
    asked = requests(base, ["a", "b", "c"], 8)
    expected = alone(base, asked, loaded)
    monkeypatch.setattr(row_cache, "joinable", lambda cache: False)
    monkeypatch.setattr(base, "_joinable", False)
    calls: list[int] = []

    def fails(layers: Any, length: int) -> bool:
        calls.append(length)
        return length == 1 and calls.count(1) == 2

    failing(base, monkeypatch, fails)
    with Engine(base, loaded.__getitem__) as engine:
        assert [future.result() for future in engine.submit(asked)] == expected
    assert calls.count(1) >= 2

"""Serving: what is said over HTTP is what the harness writes itself, whoever else is in the batch."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from harness.adapters.serve.engine import Engine, Limits
from harness.adapters.serve.generation import GenerationRequest
from harness.adapters.serve.model import SharedBase, adapter_bytes
from harness.data import registry
from harness.store import records
from tests.support.background import background
from tests.support.http_client import EXAMPLES, TASK, TOKENS, Bench, Client, make, serving


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def base(bench: Bench) -> SharedBase:
    return SharedBase(bench.model, bench.spec("lora"), registry.method("lora"))


@pytest.fixture(scope="module")
def client(bench: Bench, base: SharedBase) -> Iterator[Client]:
    with serving(bench, base) as found:
        yield found


def names(bench: Bench) -> dict[str, records.Run | None]:
    """What can be asked, with the run that it is."""
    runs = [bench.run("lora"), bench.run("lora", 1), bench.run("rslora")]
    return {bench.base.name: None} | {run.record.spec.id: run for run in runs}


@pytest.fixture(scope="module")
def expected(bench: Bench) -> dict[str, list[str]]:
    """What the harness writes itself, by name."""
    return {name: bench.direct(run) for name, run in names(bench).items()}


def asks(base: SharedBase, adapters: list[str]) -> list[GenerationRequest]:
    """Every example for each adapter, the adapters in turn."""
    from harness.model.tokenize import encode_test

    items = encode_test(base.tokenizer, EXAMPLES, TASK, 256, TOKENS)
    return [GenerationRequest(item.prompt, adapter, TOKENS, ("\n",)) for item in items for adapter in adapters]


def batches_of(base: SharedBase, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The adapters of each call of the model from here on, by the address of their layers; "" is the base model."""
    batches: list[set[str]] = []
    assign = base.assign

    def noted(adapters: Any) -> None:
        adapters = list(adapters)
        batches.append({str(id(layers)) if layers is not None else "" for layers in adapters})
        assign(adapters)

    monkeypatch.setattr(base, "assign", noted)
    return batches


def test_answers_over_http_are_those_of_the_harness_item_by_item_in_mixed_batches(
    client: Client, expected: dict[str, list[str]], base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len({tuple(texts) for texts in expected.values()}) == 4, "the adapters have to differ to be told apart"
    batches = batches_of(base, monkeypatch)
    pairs = [(name, number) for number in range(len(EXAMPLES)) for name in expected]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: client.text(*pair), pairs))
    assert found == [expected[name][number] for name, number in pairs]
    assert max(map(len, batches)) > 1, "no batch was mixed"


def test_under_load_no_answer_is_lost_and_none_is_of_another_adapter(
    bench: Bench, base: SharedBase, expected: dict[str, list[str]]
) -> None:
    adapters = [name for name, run in names(bench).items() if run]
    pairs = [(adapters[turn % 3], turn // 3 % len(EXAMPLES)) for turn in range(24)]
    with serving(bench, base, max_adapters=2, max_batch=4) as client, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: client.complete(pair[0], TASK.prompt(EXAMPLES[pair[1]])), pairs))
        assert client.engine.state().answered == 24
        assert len(client.engine.state().loaded) <= 2
    assert [one["model"] for one in found] == [name for name, _ in pairs]
    assert [one["choices"][0]["text"].strip() for one in found] == [expected[name][number] for name, number in pairs]
    assert len({one["id"] for one in found}) == 24


@pytest.mark.parametrize("lean", [True, False])
def test_a_mixed_batch_writes_what_batches_of_one_adapter_write(
    bench: Bench, base: SharedBase, expected: dict[str, list[str]], lean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_lean", lean)
    runs = {name: run for name, run in names(bench).items() if run}
    loaded = {name: base.read(run.folder / records.ADAPTER) for name, run in runs.items()}
    mixed = asks(base, ["", *loaded])
    said = base.write(mixed, loaded, lambda: None)
    for adapter in ("", *loaded):
        texts = [one.text.strip() for ask, one in zip(mixed, said, strict=True) if ask.adapter == adapter]
        assert texts == expected[adapter or bench.base.name]
        alone = base.write(asks(base, [adapter]), loaded, lambda: None)
        assert [one.text.strip() for one in alone] == texts


def test_the_embedded_model_answers_in_mixed_batches_as_the_harness_does(tmp_path: Path) -> None:
    from harness.model import checkpoint
    from tests.support.stored_adapters import write_run

    tiny = checkpoint.read("tiny")
    bench = Bench(tiny.folder, tiny, tmp_path)
    runs = [write_run(tmp_path, tiny.folder, bench.spec("lora", seed=n, rank=2), start=n) for n in range(2)]
    base = SharedBase(tiny.folder, bench.spec("lora"), registry.method("lora"))
    loaded = {run.record.spec.id: base.read(run.folder / records.ADAPTER) for run in runs}
    said = [one.text.strip() for one in base.write(asks(base, ["", *loaded]), loaded, lambda: None)]
    wanted = [bench.direct(run) for run in (None, *runs)]
    assert [said[place::3] for place in range(3)] == wanted
    assert len(set(map(tuple, wanted))) == 3


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_batch_of_one_adapter_is_computed_bit_for_bit_as_in_the_run_s_own_test(bench: Bench, dtype: str) -> None:
    import torch
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from harness.model.loading import precision

    method, adapter = registry.method("rslora"), bench.run("rslora").folder / records.ADAPTER
    spec = bench.spec("rslora", rank=2, dtype=dtype)
    own = method.adapt(method.load(str(bench.model), spec), spec).eval()
    set_peft_model_state_dict(own, load_file(adapter / "adapter_model.safetensors"))
    base = SharedBase(bench.model, spec, registry.method("lora"))
    layers, ids = base.read(adapter), torch.arange(40).view(2, 20)
    with torch.inference_mode(), precision(spec):
        expected = own(ids).logits
        base.assign([layers, layers])
        assert torch.equal(base.model(ids).logits, expected)
        base.assign([None, layers])
        mixed = base.model(ids).logits
    assert torch.allclose(mixed[1], expected[1], atol=1e-5 if dtype == "fp32" else 0.1)
    assert not torch.allclose(mixed[0], expected[0], atol=0.5)


def test_each_row_has_its_own_most_tokens_and_its_own_ends(bench: Bench, base: SharedBase) -> None:
    first = asks(base, [""])[0]
    (whole,) = base.write([GenerationRequest(first.prompt, "", 20)], {}, lambda: None)
    assert len(whole.tokens) > 6
    stop = whole.text[3:5]
    short, cut, same = base.write(
        [
            GenerationRequest(first.prompt, "", 3),
            GenerationRequest(first.prompt, "", 20, (stop,)),
            GenerationRequest(first.prompt, "", 20),
        ],
        {},
        lambda: None,
    )
    assert (short.tokens, short.stopped) == (whole.tokens[:3], False)
    assert (cut.text, cut.stopped) == (whole.text[: whole.text.find(stop)], True)
    assert len(cut.tokens) < len(whole.tokens)
    assert same == whole


def test_an_adapter_of_a_model_in_4_bits_is_served_on_one(bench: Bench) -> None:
    run = bench.run("qlora")
    catalog = bench.catalog(4.0)
    assert [one.id for one in catalog.served] == [run.record.spec.id]
    base = SharedBase(bench.model, run.record.spec, registry.method("qlora"))
    loaded = {"q": base.read(run.folder / records.ADAPTER)}
    mixed = asks(base, ["", "q"])
    said = base.write(mixed, loaded, lambda: None)
    assert [one.text.strip() for one in said[1::2]] == bench.direct(run)


def test_the_adapter_that_was_not_used_for_longest_leaves_memory(bench: Bench, base: SharedBase) -> None:
    folder = bench.run("lora").folder / records.ADAPTER
    layers, loads = base.read(folder), []

    def load(key: str) -> Any:
        loads.append(key)
        return layers

    first = asks(base, [""])[0]
    with Engine(base, load, Limits(max_adapters=2)) as engine:
        for key in "abacab":
            engine.submit([GenerationRequest(first.prompt, key, 1)])[0].result()
            assert len(engine.state().loaded) <= 2
        assert loads == ["a", "b", "c", "b"]
        assert engine.state().loaded == ("a", "b")
        for future in engine.submit(
            [GenerationRequest(first.prompt, key, 1) for key in "abcd"]
        ):  # more than memory may hold at once
            future.result()
    assert adapter_bytes(layers) == sum(8 * 4 * (one.a.shape[1] + one.b.shape[0]) // 2 for one in layers.values())


def test_where_an_architecture_does_not_keep_rows_together_batches_are_of_one_adapter(
    bench: Bench, base: SharedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert base.mixes
    monkeypatch.setattr(base, "mixes", False)
    batches = batches_of(base, monkeypatch)
    layers = base.read(bench.run("lora").folder / records.ADAPTER)
    with Engine(base, lambda key: layers) as engine:
        for future in engine.submit(asks(base, ["", "a"])):
            future.result()
    assert set(map(frozenset, batches)) == {frozenset({""}), frozenset({str(id(layers))})}


def test_an_adapter_that_cannot_be_loaded_stops_no_other_request(bench: Bench, base: SharedBase) -> None:
    from harness.errors import HarnessError

    def load(key: str) -> Any:
        raise HarnessError("gone")

    first = asks(base, [""])[0]
    with Engine(base, load) as engine:
        bad, good = engine.submit([GenerationRequest(first.prompt, "a", 2), GenerationRequest(first.prompt, "", 2)])
        assert len(good.result().tokens) == 2
        with pytest.raises(HarnessError, match="gone"):
            bad.result()


def test_closing_refuses_what_waits_and_ends_what_is_written(bench: Bench, base: SharedBase) -> None:
    from harness.adapters.serve.batch import Closed

    begun = threading.Event()

    def load(key: str) -> Any:
        begun.set()
        with contextlib.suppress(Closed):
            while engine.submit([]) == []:  # until it is being closed
                time.sleep(0.001)
        return {}

    first = asks(base, [""])[0]
    engine = Engine(base, load, Limits(max_batch=1))
    with engine:
        futures = engine.submit([GenerationRequest(first.prompt, "a", 2), GenerationRequest(first.prompt, "", 2)])
        begun.wait()
    for future in futures:
        with pytest.raises(Closed):
            future.result()
    with pytest.raises(Closed):
        engine.submit([first])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_command_answers_until_it_is_stopped_and_exits_with_0(bench: Bench, number: signal.Signals) -> None:
    words = ["serve", "--model", str(bench.model), "--results", str(bench.results), "--port", "0", "--dtype", "fp32"]
    command = [sys.executable, "run_all.py", *words]
    with background(command, environment={"PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout
        line, *listed = [process.stdout.readline() for _ in range(4)]
        assert "and 3 adapters" in line
        assert b'"ok"' in urlopen(f"{line.split()[0]}/health").read()
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert sorted(row.split()[0] for row in listed) == sorted(set(names(bench)) - {bench.base.name})
    assert "not served: " in err
    assert err.splitlines()[-1] == "stopped"


def test_without_its_packages_the_command_says_what_to_install(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    from harness.cli import main

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    assert main(["serve", "--model", str(bench.model), "--results", str(bench.results), "--port", "0"]) == 2
    err = capsys.readouterr().err
    assert "serving needs uvicorn, not installed here" in err
    assert "pip install 'adaptbench[serve]'" in err

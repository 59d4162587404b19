"""llama.cpp computes what transformers computes: the same toy model and adapter, as files of its own format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engines import catalog, gguf_export
from harness.engines.engine import EngineFault
from harness.errors import HarnessError
from harness.record import Scoring
from harness.store import records
from tests.engines.conftest import Both, assert_equal
from tests.support.stored_adapters import adapted_spec, write_run

pytest.importorskip("xllamacpp")

from harness.engines.llamacpp import LlamaCppEngine


@pytest.fixture(scope="module", params=["base", "lora"])
def pair(request: pytest.FixtureRequest, both: Both) -> Iterator[tuple[LlamaCppEngine, str]]:
    engine = LlamaCppEngine(both.model, both.spec(request.param), both.adapter(request.param), 1)
    yield engine, request.param
    engine.close()


@pytest.mark.parametrize("scoring", ["choices", "generate", "perplexity"])
def test_answers_are_those_of_transformers(scoring: Scoring, pair: tuple[LlamaCppEngine, str], both: Both) -> None:
    engine, method = pair
    assert_equal(both.by_engine(engine, method, scoring), both.by_transformers(method, scoring))


def test_quantised_forms_are_near_the_model_and_fewer_bits_are_farther(both: Both) -> None:
    whole = [nats for answer in both.by_transformers("lora", "choices") for nats in answer.loglik]
    gaps = []
    for form in catalog.FORMS:
        engine = LlamaCppEngine(both.model, both.spec("lora"), both.adapter("lora"), 1, form=form)
        nats = [nats for answer in both.by_engine(engine, "lora", "choices") for nats in answer.loglik]
        engine.close()
        gaps.append(max(abs(a - b) for a, b in zip(whole, nats, strict=True)))
    eight, four = gaps
    assert 0 < eight < four


def test_an_adapter_changes_the_answers(both: Both) -> None:
    assert both.by_transformers("base", "choices") != both.by_transformers("lora", "choices")


def test_an_answer_stops_at_a_token_of_the_stop_and_at_the_limit(pair: tuple[LlamaCppEngine, str]) -> None:
    engine, _ = pair
    ((tokens, loglik),) = engine.write([[5, 6, 7, 8]], (), 40)
    assert len(tokens) <= 40
    assert loglik < 0
    ((short, _),) = engine.write([[5, 6, 7, 8]], (tokens[3],), 40)
    assert short == tokens[: tokens.index(tokens[3]) + 1]
    ((three, _),) = engine.write([[5, 6, 7, 8]], (), 3)
    assert three == tokens[:3]


def test_a_text_that_does_not_fit_is_a_fault_and_no_answer(pair: tuple[LlamaCppEngine, str]) -> None:
    engine, _ = pair
    with pytest.raises((EngineFault, RuntimeError, ValueError)):
        engine.write([[5] * 4000], (), 5)


@pytest.mark.parametrize(("method", "names"), [("dora", "use_dora"), ("ia3", "IA3")])
def test_another_adapter_than_plain_lora_is_refused(method: str, names: str, both: Both, tmp_path: Path) -> None:
    rank = {} if method == "dora" else {"rank": 0, "alpha": 0.0}
    run = write_run(tmp_path, both.model, adapted_spec(method, **rank))
    with pytest.raises(HarnessError, match=names):
        gguf_export.refuse_other_adapters(run.folder / records.ADAPTER)


def test_a_weight_without_a_place_is_refused(both: Both, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    (tmp_path / "config.json").write_text(json.dumps(json.loads((both.model / "config.json").read_text())))
    save_file({"model.layers.0.mlp.router.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(HarnessError, match="router has no place"):
        gguf_export.write_model(tmp_path, tmp_path / "m.gguf", "fp32")

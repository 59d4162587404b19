"""Weights in 4 or 8 bits: how many really are, and models whose folder stores them so already."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.methods.parts import packing
from harness.model import checkpoint, meter
from harness.record import Cost, RunSpec
from harness.runs.forecast import peak_memory
from harness.store import codec
from tests.support import architectures
from tests.support.records import make_cost, make_spec
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_folder, toy_spec
from tests.support.trained_models import adapted, answers, assert_alike, trained

PACKED = {"qlora": 4, "lora8": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def four_bits(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_bits(folder, tmp_path_factory.mktemp("four"), load_in_4bit=True, bnb_4bit_quant_type="nf4")


def in_bits(folder: Path, where: Path, **settings: Any) -> Path:
    """Write the model of a folder as bitsandbytes saves it, and return where."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    packed = AutoModelForCausalLM.from_pretrained(folder, quantization_config=BitsAndBytesConfig(**settings))
    packed.save_pretrained(where)
    AutoTokenizer.from_pretrained(folder).save_pretrained(where)
    return where


def run_case(name: str, *arguments: str) -> None:
    before, sys.argv = sys.argv, ["build.py", *arguments]
    try:
        runpy.run_path(str(case(name) / "build.py"))
    finally:
        sys.argv = before


def spec_of(name: str) -> RunSpec:
    return toy_spec(method=name, rank=4, alpha=32.0)


def refused(name: str, folder: Path, words: str) -> None:
    """Assert that a method is refused when it is planned without examples, and when it is loaded."""
    method, spec = registry.method(name), spec_of(name)
    with pytest.raises(HarnessError, match=words):
        peak_memory.training_peak(folder, spec, method, [])
    with pytest.raises(HarnessError, match=words):
        method.adapt(method.load(str(folder), spec), spec)


def test_the_case_of_qlora_without_4_bits(folder: Path, tmp_path: Path) -> None:
    run_case("qlora-without-4-bit", str(folder), str(tmp_path))
    refused("qlora", tmp_path, r"only 0 % of the weights in the layers of FalconForCausalLM would be in 4 bits, 75 %")
    adapted(registry.method("lora"), tmp_path)


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("model", ["falcon", "mixtral", "qwen3-moe"])
def test_a_model_that_is_hardly_packed_is_refused_with_the_layers_that_stay(
    model: str, name: str, tmp_path: Path
) -> None:
    layers = "query_key_value" if model == "falcon" else "gate_up_proj, down_proj"
    refused(name, architectures.folder(model, tmp_path), rf"{PACKED[name]} bits, 75 % .*{layers}")


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("model", ["llama", "gpt2", "gemma3", "mamba", "opt"])
def test_a_plan_packs_the_layers_that_a_run_packs(model: str, name: str, tmp_path: Path) -> None:
    from harness.model.loading import load_config

    architectures.folder(model, tmp_path)
    method, spec, bits = registry.method(name), spec_of(name), PACKED[name]
    loaded = method.load(str(tmp_path), spec)
    skeleton = peak_memory.adapted_skeleton(load_config(tmp_path), spec, replace(method, adapt=lambda model, _: model))
    assert packing.packed_weights(skeleton) == packing.packed_weights(loaded) > 0
    assert packing.share(skeleton, bits) == pytest.approx(packing.share(loaded, bits))
    assert packing.share(loaded, 12 - bits) == 0


def test_the_counts_of_a_packed_model_are_those_of_the_plain_one(folder: Path) -> None:
    plain, packed = (
        packing.count(registry.method(name).load(str(folder), spec_of(name))) for name in ("lora", "qlora")
    )
    assert packed.weights == plain.weights
    assert (plain.packed, plain.idle, packed.idle) == (0, 0, 0)
    assert packed.packed == 2 * (32 * (32 + 16 + 16 + 32) + 3 * 32 * 64), "seven layers in each of two blocks"


def test_the_case_of_weights_that_are_in_4_bits_already(folder: Path, tmp_path: Path) -> None:
    run_case("weights-that-are-4-bit-already", str(folder), str(tmp_path))
    assert checkpoint.read(str(tmp_path)).quantised == ("bitsandbytes", 4)
    refused("full", tmp_path, r"full trains every weight, and the folder holds them in 4 bits \(bitsandbytes\)")


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_lora_on_a_folder_in_4_bits_computes_as_qlora_and_in_the_precision_of_the_run(
    dtype: str, four_bits: Path
) -> None:
    runs = [trained(registry.method(name), four_bits, dtype=dtype) for name in ("lora", "qlora")]
    assert runs[0].result.losses == runs[1].result.losses
    assert_alike(answers(runs[0].model, runs[0].spec, "choices"), answers(runs[1].model, runs[1].spec, "choices"))
    wanted = torch.bfloat16 if dtype == "bf16" else torch.float32
    assert {w.dtype for key, w in runs[0].model.named_parameters() if "lora_" not in key} == {torch.uint8, wanted}
    assert meter.trained_weights(runs[0].model) == meter.trained_weights(runs[1].model)


@pytest.mark.parametrize(
    ("stored", "method", "words"),
    [
        (4, "lora8", "lora8 packs weights in 8 bits, and the folder holds them in 4 bits"),
        (8, "qlora", "qlora packs weights in 4 bits, and the folder holds them in 8 bits"),
        (8, "full", "full trains every weight, and the folder holds them in 8 bits"),
        (4, "full-bf16", "full-bf16 trains every weight"),
    ],
)
def test_a_method_that_does_not_go_with_the_stored_bits_is_refused(
    stored: int, method: str, words: str, folder: Path, tmp_path: Path
) -> None:
    refused(method, in_bits(folder, tmp_path, **{f"load_in_{stored}bit": True}), words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"quant_method": "gptq", "bits": 4}, "in 4 bits (gptq)"),
        ({"quant_method": "awq", "bits": 4}, "in 4 bits (awq)"),
        ({"quant_method": "fp8"}, "in 8 bits (fp8)"),
        ({"quant_method": "mxfp4"}, "in 4 bits (mxfp4)"),
        ({"quant_method": "compressed-tensors"}, "quantised (compressed-tensors)"),
        ({"load_in_8bit": True, "quant_method": "bitsandbytes"}, "in 8 bits (bitsandbytes)"),
    ],
)
def test_the_form_in_which_a_folder_stores_its_weights_is_read_from_its_config(
    settings: dict[str, Any], words: str, folder: Path, tmp_path: Path
) -> None:
    copy = toy_folder(tmp_path)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))
    present = checkpoint.read(str(copy)).quantised
    assert present is not None
    assert packing.words(present) == words
    assert checkpoint.read(str(folder)).quantised is None


def test_the_row_of_a_base_in_4_bits_says_so_and_other_specs_keep_their_ids() -> None:
    from harness.format import spoken

    plain, packed = make_spec(), make_spec(base_bits=4)
    assert "base_bits" not in plain.fields()
    assert plain.id != packed.id
    assert (spoken(plain), spoken(packed)) == ("lora r8 s0", "lora on 4-bit r8 s0")


def test_counts_that_came_later_are_stored_only_if_there_are_any() -> None:
    plain = codec.encode(make_cost())
    assert "packed_weights" not in plain
    cost = replace(make_cost(), packed_weights=1_000, idle_weights=7)
    assert codec.encode(cost)["packed_weights"] == 1_000
    assert codec.decode(Cost, codec.encode(cost)) == cost
    assert codec.decode(Cost, plain) == make_cost()

"""Adapters from outside with a fault each: refused with the reason on loading, and the others answer as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.adapters.serve.model import SharedBase
from harness.errors import HarnessError
from harness.store import records
from tests.support.http_client import EXAMPLES, TASK, Bench, serving

Weights = dict[str, torch.Tensor]
Change = Callable[[Weights, dict[str, Any]], None]
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
GOOD = ("toy", "toy-lora-r4-s1", "toy-rslora-r2-s0")


def half(weights: Weights, letter: str = "B") -> str:
    return next(name for name in weights if f"lora_{letter}" in name)


def entry(value: float) -> Change:
    def change(weights: Weights, config: dict[str, Any]) -> None:
        weights[half(weights)][0, 0] = value

    return change


def settings(**values: Any) -> Change:
    return lambda weights, config: config.update(values)


def other_rank(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights)] = weights[half(weights)][:, :3].contiguous()


def other_width(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights, "A")] = weights[half(weights, "A")][:, :-1].contiguous()


def too_large(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights)] = torch.zeros(4000, 4000)


def whole_numbers(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights)] = weights[half(weights)].to(torch.int32)


def layer_of_another_model(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights).replace("layers.0", "layers.7")] = weights.pop(half(weights))


def twice(weights: Weights, config: dict[str, Any]) -> None:
    weights[half(weights).removeprefix("base_model.model.")] = weights[half(weights)].clone()


FAULTS: dict[str, tuple[Change, str]] = {
    "NaN": (entry(float("nan")), "not finite"),
    "infinite": (entry(float("inf")), "not finite"),
    "scale": (settings(lora_alpha=float("nan")), "finite number"),
    "scale of a layer": (settings(alpha_pattern={"q_proj": float("inf")}), "finite number"),
    "endless pattern": (settings(alpha_pattern={r"(.*a)*(.*a)*b": 1.0}), "regular expressions"),
    "expression": (settings(target_modules=r".*\.(q|v)_proj"), "regular expressions"),
    "ranks": (other_rank, "have the ranks"),
    "rank of the config": (settings(r=8), "its config says 8"),
    "width": (other_width, "fits another model"),
    "entries": (too_large, "16,000,000 entries"),
    "whole numbers": (whole_numbers, "not finite numbers"),
    "layer": (layer_of_another_model, "lacks A or B"),
    "twice": (twice, "two matrices"),
    "untargeted": (settings(target_modules=["q_proj"]), "target_modules"),
    "later variant": (settings(use_something_later=True), "not known here"),
}


def broken(bench: Bench, folder: Path, change: Change) -> Path:
    """Return a copy of the first adapter, in `folder`, with a fault."""
    copy = Path(shutil.copytree(bench.run("lora").folder / records.ADAPTER, folder))
    weights, config = load_file(copy / WEIGHTS), json.loads((copy / CONFIG).read_text())
    change(weights, config)
    save_file(weights, copy / WEIGHTS)
    (copy / CONFIG).write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize("fault", FAULTS)
def test_an_adapter_with_a_fault_is_refused_on_loading(
    bench: Bench, base: SharedBase, fault: str, tmp_path: Path
) -> None:
    change, part = FAULTS[fault]
    with pytest.raises(HarnessError, match=part) as error:
        base.read(broken(bench, tmp_path / "adapter", change))
    assert error.value.where


def test_all_requests_to_good_adapters_are_answered_beside_broken_ones(
    bench: Bench, base: SharedBase, tmp_path: Path
) -> None:
    """48 requests to three good models, and 16 to an adapter whose file is broken, all at once."""
    bad = bench.run("lora").record.spec.id
    folder = broken(bench, tmp_path / "adapter", other_rank)
    folders = {one.id: one.folder for one in bench.catalog().served} | {bad: folder}
    names = [*GOOD * 16, *[bad] * 16]
    names = [names[turn * 37 % 64] for turn in range(64)]
    prompts = [TASK.prompt(EXAMPLES[turn % len(EXAMPLES)]) for turn in range(64)]
    with serving(bench, base, load=lambda id: base.read(folders[id])) as client, ThreadPoolExecutor(16) as pool:
        expected = {(name, text): client.complete(name, text)["choices"] for name in GOOD for text in prompts[:6]}

        def answered(name: str, text: str) -> bool:
            asked = {"model": name, "prompt": text, "max_tokens": 8, "stop": "\n"}
            status, found, _ = client.ask("POST", "/v1/completions", asked)
            if name == bad:
                return (status, found["error"]["code"]) == (409, "adapter_not_served")
            return status == 200 and bool(found["choices"] == expected[name, text])

        assert sum(pool.map(answered, names, prompts)) == 64

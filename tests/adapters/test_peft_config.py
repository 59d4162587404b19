"""PEFT's config of an adapter from outside: what cannot be applied as it stands is refused, and no pattern of it is run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from harness.adapters import peft_config

PLAIN: dict[str, Any] = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
ENDLESS = r"(.*a)+(.*a)+$"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"target_modules": "all-linear"},
        {"alpha_pattern": {"q_proj": 2, "^model.layers.0.self_attn.v_proj": 0.5}, "rank_pattern": {"o_proj$": 2}},
        {"use_rslora": True, "qalora_group_size": 16, "megatron_core": "megatron.core", "a_later_setting": None},
        {"exclude_modules": ["lm_head"], "layers_to_transform": [0, 1], "layers_pattern": "layers"},
    ],
)
def test_a_plain_adapter_has_no_problem(fields: dict[str, Any]) -> None:
    assert peft_config.problem(PLAIN | fields) == ""


@pytest.mark.parametrize(
    "field", ["target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern"]
)
@pytest.mark.parametrize("pattern", [ENDLESS, r".*\.(q|v)_proj", "q_proj|v_proj", "[qv]_proj", "q proj\n"])
def test_a_regular_expression_from_outside_is_refused_wherever_it_stands(field: str, pattern: str) -> None:
    values = (
        [{pattern: 4}] if field.endswith("k_pattern") or field == "alpha_pattern" else [pattern, ["q_proj", pattern]]
    )
    for value in values:
        reason = peft_config.problem(PLAIN | {field: value})
        assert field in reason
        assert "regular expressions" in reason


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"lora_alpha": float("nan")}, "'nan', a finite number"),
        ({"lora_alpha": float("inf")}, "'inf', a finite number"),
        ({"lora_alpha": 1e300}, "a finite number"),
        ({"lora_alpha": "8"}, "a finite number"),
        ({"lora_alpha": True}, "a finite number"),
        ({"alpha_pattern": {"q_proj": float("-inf")}}, "'q_proj' is '-inf'"),
        ({"alpha_pattern": [8]}, "an object of numbers by name"),
        ({"r": 0}, "'r' is '0', a whole number"),
        ({"r": 4.5}, "a whole number"),
        ({"r": 10**9}, "a whole number"),
        ({"rank_pattern": {"v_proj": -1}}, "'v_proj' is '-1'"),
        ({"target_modules": [3]}, "names of modules"),
        ({"target_modules": {"q_proj": 1} | {7: 1}}, "names of modules"),
        ({"use_dora": True}, "use_dora"),
        ({"peft_type": "IA3"}, "LORA is needed"),
        ({"use_a_later_variant": True}, "'use_a_later_variant' is not known here"),
    ],
)
def test_a_setting_that_cannot_be_applied_is_named(fields: dict[str, Any], part: str) -> None:
    assert part in peft_config.problem(PLAIN | fields)


def test_every_setting_of_the_installed_peft_is_known() -> None:
    from peft import LoraConfig

    names = {field.name for field in dataclasses.fields(LoraConfig)}
    assert names <= peft_config.PLAIN_SETTINGS.union(peft_config.EXTRA_SETTINGS)

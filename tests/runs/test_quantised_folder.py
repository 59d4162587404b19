"""Plans for a model whose folder stores its weights in 4 bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.runs import plan
from harness.runs.options import Options
from tests.support.sample_inputs import toy_options, write_model

FOUR_BITS = {"quantization_config": {"load_in_4bit": True, "quant_method": "bitsandbytes"}}


def options(folder: Path, *methods: str) -> Options:
    chosen = toy_options(folder)
    write_model(folder / "model", **FOUR_BITS)
    return replace(chosen, methods=methods)


def test_the_specs_of_its_runs_hold_the_bits(tmp_path: Path) -> None:
    (made,) = plan.make(options(tmp_path, "base", "lora", "qlora"))
    assert {spec.base_bits for spec in made.specs} == {4}


def test_full_fine_tuning_of_it_is_refused_before_a_model_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"full trains every weight, and the folder holds them in 4 bits") as refusal:
        plan.make(options(tmp_path, "base", "full"))
    assert "--method base,lora" in refusal.value.fix


def test_a_plain_folder_has_specs_as_before(tmp_path: Path) -> None:
    (made,) = plan.make(replace(toy_options(tmp_path), methods=("base", "full")))
    assert {spec.base_bits for spec in made.specs} == {0}

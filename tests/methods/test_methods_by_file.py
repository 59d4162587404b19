"""Methods by a PEFT config as a file, and DoRA on layers with rows that are all zero, by name and by file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.model import meter, tokenize
from harness.runs.forecast import peak_memory
from tests.support.tiny_models import toy_folder, toy_spec
from tests.support.trained_models import RANK, adapted, answers, assert_alike, config_file, hollow, trained, values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


def test_a_lora_config_as_a_file_trains_what_the_built_in_lora_does(folder: Path, tmp_path: Path) -> None:
    path = config_file(tmp_path, peft_type="LORA", r=RANK, lora_alpha=32, target_modules="all-linear")
    mine, (built_in, spec) = registry.method(str(path)), adapted(registry.method("lora"), folder)
    model = mine.adapt(mine.load(str(folder), spec), spec)
    assert meter.trained_weights(model) == meter.trained_weights(built_in)
    for (key, weight), (_, other) in zip(model.named_parameters(), built_in.named_parameters(), strict=True):
        assert torch.equal(weight, other), key


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "VERA", "r": 8},
        {"peft_type": "LOHA", "r": 4, "target_modules": ["q_proj", "v_proj"]},
        {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 5},
    ],
    ids=lambda settings: str(settings["peft_type"]),
)
def test_other_kinds_train_by_their_file(folder: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    method = registry.method(str(config_file(tmp_path, **settings)))
    run = trained(method, folder)
    moved = [key for key, weight in run.model.named_parameters() if not torch.equal(weight, run.before[key])]
    assert moved
    assert moved == [key for key, weight in run.model.named_parameters() if weight.requires_grad]
    assert len(answers(run.model, run.spec, "choices")) == 6


def test_the_name_of_a_file_says_its_settings_and_not_where_it_was_used(tmp_path: Path) -> None:
    def name(**settings: Any) -> str:
        return registry.method(str(config_file(tmp_path, **settings))).name

    first = name(peft_type="LORA", r=4)
    assert re.fullmatch(r"lora-[0-9a-f]{8}", first)
    assert name(r=4, peft_type="LORA", base_model_name_or_path="elsewhere", inference_mode=True) == first
    assert name(peft_type="LORA", r=5) != first


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot be read"),
        ("[]", "has no valid peft_type"),
        ('{"r": 4}', "has no valid peft_type"),
        ('{"peft_type": "../up"}', "has no valid peft_type"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "adapter_config.json"
    path.write_text(text)
    with pytest.raises(HarnessError, match=problem):
        registry.method(str(path))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"peft_type": "LORRA"}, "PEFT has no method 'LORRA'"),
        ({"peft_type": "LORA", "rnk": 4}, "PEFT cannot read the config"),
        ({"peft_type": "LORA", "target_modules": ["nowhere"]}, "PEFT cannot adapt this model"),
    ],
)
def test_settings_that_peft_refuses_are_told_before_anything_trains(
    folder: Path, tmp_path: Path, settings: dict[str, Any], problem: str
) -> None:
    method = registry.method(str(config_file(tmp_path, **settings)))
    spec = toy_spec(method=method.name)
    with pytest.raises(HarnessError, match=problem):
        peak_memory.training_peak(folder, spec, method, [tokenize.Pair((1, 2), (3,))])


@pytest.mark.parametrize("by_file", [False, True])
def test_dora_starts_from_the_base_model_and_rows_that_are_all_zero_learn(
    by_file: bool, folder: Path, tmp_path: Path
) -> None:
    method, zeroed = registry.method("dora"), hollow(folder, tmp_path / "hollow")
    if by_file:
        settings = {"peft_type": "LORA", "use_dora": True, "r": RANK, "target_modules": "all-linear"}
        method = registry.method(str(config_file(tmp_path, **settings)))
    plain, spec = adapted(registry.method("base"), zeroed)
    untrained, _ = adapted(method, zeroed)
    assert_alike(answers(plain, spec, "choices"), answers(untrained, spec, "choices"), tolerance=1e-4)
    run = trained(method, zeroed, epochs=4.0)
    lengths = {key: weight for key, weight in values(run.model).items() if "magnitude" in key}
    zero = [run.before[key] < 1e-5 for key in lengths]
    assert all(rows.sum() == len(rows) // 4 for rows in zero)
    grown = [bool((weight[rows].abs() > 1e-5).any()) for weight, rows in zip(lengths.values(), zero, strict=True)]
    assert all(grown)

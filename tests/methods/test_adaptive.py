"""Methods of PEFT that change while they train, by their config: AdaLoRA's budget and its loss."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.data import registry
from harness.errors import HarnessError
from harness.methods.parts import adaptive
from harness.model import tokenize
from harness.record import RunSpec
from harness.runs.forecast import peak_memory
from harness.schema import Method
from harness.training import loop
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer
from tests.support.trained_models import config_file

SETTINGS: dict[str, Any] = {
    "peft_type": "ADALORA",
    "init_r": 6,
    "target_r": 2,
    "tinit": 1,
    "tfinal": 3,
    "target_modules": ["q_proj", "up_proj"],
    "lora_alpha": 8,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


def spec_of(method: Method, **changes: Any) -> RunSpec:
    """Return a spec of twelve steps of eight examples."""
    values = {"train_examples": 24, "batch_size": 8, "micro_batch": 4, "epochs": 4.0, "learning_rate": 5e-3}
    return toy_spec(method=method.name, **(values | changes))


def fitted(method: Method, folder: Path, **changes: Any) -> Any:
    spec = spec_of(method, **changes)
    model = method.adapt(method.load(str(folder), spec), spec)
    rows = tokenize.encode_train(toy_tokenizer(), toy_examples(24), toy_task(), 256, 0)
    loop.fit(model, toy_tokenizer(), rows, spec, penalty=method.penalty, after_step=method.after_step)
    return model


def directions(model: Any) -> int:
    """Return the number of directions whose singular value is not zero."""
    return sum(int((weight != 0).sum()) for name, weight in model.named_parameters() if "lora_E" in name)


def disorder(model: Any) -> float:
    with torch.no_grad():
        return float(adaptive.orthogonality(model) / model.peft_config["default"].orth_reg_weight)


def test_the_case_of_adalora(folder: Path, tmp_path: Path) -> None:
    path = shutil.copy(case("adalora-is-not-adalora") / "adalora.json", tmp_path)
    model = fitted(registry.method(str(path)), folder)
    assert directions(model) == 2 * 4, "q_proj and v_proj of two layers, two directions each on average"
    pattern = model.peft_config["default"].rank_pattern
    assert sum(map(sum, pattern.values())) == 2 * 4


@pytest.mark.parametrize(("tinit", "tfinal"), [(1, 3), (0, 0), (3, 1)])
def test_the_budget_is_reached_and_stays_whatever_the_schedule(
    tinit: int, tfinal: int, folder: Path, tmp_path: Path
) -> None:
    method = registry.method(str(config_file(tmp_path, **(SETTINGS | {"tinit": tinit, "tfinal": tfinal}))))
    assert directions(fitted(method, folder)) == 2 * 4
    assert directions(fitted(method, folder, epochs=2.0)) == 2 * 4, "six steps: the schedule is that of the run"


def test_the_loss_keeps_the_directions_orthogonal(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "free").mkdir()
    bound = registry.method(str(config_file(tmp_path, **(SETTINGS | {"orth_reg_weight": 0.5}))))
    free = registry.method(str(config_file(tmp_path / "free", **(SETTINGS | {"orth_reg_weight": 1e-9}))))
    rate = 5e-2
    assert disorder(fitted(bound, folder, learning_rate=rate)) < 0.9 * disorder(
        fitted(free, folder, learning_rate=rate)
    )


def test_the_penalty_is_that_of_peft(folder: Path, tmp_path: Path) -> None:
    method = registry.method(str(config_file(tmp_path, **SETTINGS)))
    model = method.adapt(method.load(str(folder), spec_of(method)), spec_of(method))
    ids = torch.arange(1, 41).view(2, 20)
    with torch.no_grad():
        whole = model(input_ids=ids, labels=ids).loss
        plain = model.get_base_model()(input_ids=ids, labels=ids).loss
        assert float(adaptive.orthogonality(model)) == pytest.approx(float(whole - plain), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"total_step": 100}, "total_step 100, and this run takes 12 steps"),
        ({"target_r": 6}, "init_r to target_r, and these are 6 and 6"),
        ({"tinit": 9, "tfinal": 3}, "no steps to drop directions in: tinit 9 and tfinal 3 of 12 steps"),
        ({"target_modules": ["nowhere"]}, "nowhere"),
    ],
)
def test_a_schedule_that_does_not_fit_the_run_is_refused_before_it(
    changes: dict[str, Any], words: str, folder: Path, tmp_path: Path
) -> None:
    method = registry.method(str(config_file(tmp_path, **(SETTINGS | changes))))
    with pytest.raises(HarnessError, match=words):
        peak_memory.training_peak(folder, spec_of(method), method, [])


@pytest.mark.parametrize("start", ["eva", "corda", "lora_ga"])
def test_a_start_that_is_computed_from_examples_is_refused(start: str, folder: Path, tmp_path: Path) -> None:
    method = registry.method(str(config_file(tmp_path, peft_type="LORA", init_lora_weights=start)))
    with pytest.raises(HarnessError, match=f"init_lora_weights '{start}' is computed from examples"):
        peak_memory.training_peak(folder, spec_of(method), method, [])


def test_the_adapter_is_saved_with_its_pattern_and_the_steps_of_the_run(folder: Path, tmp_path: Path) -> None:
    method = registry.method(str(config_file(tmp_path, **SETTINGS)))
    model = fitted(method, folder)
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    stored = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert stored["total_step"] == 12
    assert sum(map(sum, stored["rank_pattern"].values())) == 8


def test_memory_is_not_predicted_because_the_work_between_the_steps_reads_values(folder: Path, tmp_path: Path) -> None:
    method = registry.method(str(config_file(tmp_path, **SETTINGS)))
    rows = tokenize.encode_train(toy_tokenizer(), toy_examples(4), toy_task(), 256, 0)
    assert peak_memory.training_peak(folder, spec_of(method), method, rows) == 0
    assert peak_memory.training_peak(folder, spec_of(method), replace(method, after_step=None), rows) > 0

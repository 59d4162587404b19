"""Code that lies in a model folder runs where the user asked for it, and nowhere else; transformers itself is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.methods import base
from harness.model import loading
from tests.support.tiny_models import toy_folder, toy_spec

pytest.importorskip("torch")

CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM

Path({mark!r}).touch()


class PlantedConfig(LlamaConfig):
    model_type = {kind!r}


class PlantedForCausalLM(LlamaForCausalLM):
    config_class = PlantedConfig
"""


def plant(folder: Path, kind: str) -> tuple[Path, Path]:
    """A model folder with code of its own, and the file that appears when the code runs."""
    model, mark = toy_folder(folder / "toy"), folder / "code ran"
    path = model / "config.json"
    names = {"AutoConfig": "planted.PlantedConfig", "AutoModelForCausalLM": "planted.PlantedForCausalLM"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": kind, "auto_map": names}))
    (model / "planted.py").write_text(CODE.format(mark=str(mark), kind=kind))
    return model, mark


def test_code_beside_a_known_architecture_is_left_alone(tmp_path: Path) -> None:
    model, mark = plant(tmp_path, "llama")
    assert loading.shape(str(model)).weights > 0
    loading.load_tokenizer(model)
    assert type(base.METHOD.load(str(model), toy_spec())).__name__ == "LlamaForCausalLM"
    assert not mark.exists()


def test_an_architecture_that_only_its_own_code_knows_is_refused_and_the_flag_is_named(tmp_path: Path) -> None:
    model, mark = plant(tmp_path, "planted")
    with pytest.raises(HarnessError, match="does not know the architecture 'planted'") as caught:
        loading.shape(str(model))
    assert "--trust-remote-code" in caught.value.fix
    with pytest.raises(HarnessError, match="weights cannot be loaded"):
        base.METHOD.load(str(model), toy_spec())
    assert not mark.exists()


def test_code_that_was_asked_for_runs_from_shape_to_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache"))
    model, mark = plant(tmp_path, "planted")
    shape = loading.shape(str(model), remote_code=True)
    assert mark.exists()
    loaded = base.METHOD.load(str(model), replace(toy_spec(), remote_code=True))
    assert type(loaded).__name__ == "PlantedForCausalLM"
    assert sum(weight.numel() for weight in loaded.parameters()) == shape.weights

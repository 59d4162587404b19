"""The shipped architectures: each builds as many weights as its model has, and stands in only where the model is not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.model import architectures, checkpoint, loading
from tests.support.tiny_models import toy_folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


SHAPES = {id(one.config): one for one in architectures.catalog().values()}  # variants share a config


@pytest.mark.parametrize("one", SHAPES.values(), ids=lambda one: str(one.id))
def test_transformers_builds_the_published_number_of_weights(one: architectures.Architecture) -> None:
    layers = int(one.config["num_hidden_layers"])
    # Every layer has as many weights as the next, so that two small models tell the size of the large one.
    first, second = (
        loading.config_shape(loading.config_from({**one.config, "num_hidden_layers": count})).weights
        for count in (1, 2)
    )
    assert first + (layers - 1) * (second - first) == one.weights


def test_the_common_families_are_there() -> None:
    owners = {name.split("/")[0] for name in architectures.catalog()}
    assert owners == {"meta-llama", "Qwen", "mistralai", "google", "microsoft", "HuggingFaceTB"}
    for name in ("Llama-3.2-1B", "Llama-3.2-3B", "Llama-3.1-8B", "Llama-3.1-70B"):
        assert f"meta-llama/{name}" in architectures.catalog()


def test_a_shipped_id_needs_no_network(offline: None) -> None:
    model, found = architectures.read("meta-llama/Llama-3.1-8B")
    assert found is not None
    assert (model.name, model.hidden, model.revision) == ("meta-llama/Llama-3.1-8B", 4096, "")
    assert model.window == 131072


def test_a_model_that_is_here_is_read_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = toy_folder(tmp_path / "meta-llama" / "Llama-3.1-8B")
    monkeypatch.chdir(tmp_path)
    model, found = architectures.read("meta-llama/Llama-3.1-8B")
    assert found is None
    assert model.folder == folder.resolve()
    assert checkpoint.is_local("tiny")


def test_an_id_much_like_a_shipped_one_is_told_the_other(offline: None) -> None:
    with pytest.raises(HarnessError) as caught:
        architectures.read("meta-llama/Llama-3.1-8")
    assert "did you mean 'meta-llama/Llama-3.1-8B'?" in caught.value.fix

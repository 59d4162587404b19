"""The window of a model whose config leaves it out is that of transformers, as are other settings of its class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.model import checkpoint, loading
from tests.support import architectures
from tests.support.shared_cases import case

WITHOUT_WINDOW = ("mamba", "bloom")


def without(folder: Path, *keys: str) -> Path:
    """Remove entries from the config of a folder, of its text part if it has one."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in keys:
        config.get("text_config", config).pop(key, None)
    path.write_text(json.dumps(config))
    return folder


def right(folder: Path) -> int:
    return int(loading.load_config(folder).get_text_config().max_position_embeddings)


@pytest.mark.parametrize("name", [name for name in architectures.SETTINGS if name not in WITHOUT_WINDOW])
def test_a_window_left_out_of_the_config_is_that_of_transformers(name: str, tmp_path: Path) -> None:
    folder = architectures.folder(name, tmp_path)
    assert checkpoint.read(str(folder)).window == 256
    without(folder, *checkpoint.WINDOW)
    assert checkpoint.read(str(folder)).window == right(folder) > 256


@pytest.mark.parametrize("name", WITHOUT_WINDOW)
def test_an_architecture_without_a_window_has_the_usual_limit(name: str, tmp_path: Path) -> None:
    folder = without(architectures.folder(name, tmp_path), *checkpoint.WINDOW)
    assert checkpoint.read(str(folder)).window == checkpoint.DEFAULT_WINDOW


def test_the_case_of_a_window_left_out_of_the_config(tmp_path: Path) -> None:
    assert "131,072" in (case("window-left-out-of-the-config") / "README").read_text()
    folder = without(architectures.folder("gemma3", tmp_path), "max_position_embeddings")
    assert checkpoint.read(str(folder)).window == right(folder) == 131_072


def test_a_width_left_out_is_that_of_transformers_if_the_weights_have_it_and_a_broken_config_has_none(
    tmp_path: Path,
) -> None:
    folder = without(architectures.folder("llama", tmp_path), "hidden_size")
    assert checkpoint.read(str(folder)).hidden == 0
    save_file({"model.norm.weight": np.ones(4096, np.float32)}, folder / checkpoint.WEIGHTS)
    assert checkpoint.read(str(folder)).hidden == 4096
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "unheard-of"}))
    assert checkpoint.read(str(folder)).hidden == 0


def test_headers_of_weights_are_read_once_for_a_config_without_a_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = without(architectures.folder("llama", tmp_path), "hidden_size")
    reads: list[Path] = []
    read_shapes = checkpoint.read_shapes

    def count(path: Path) -> Any:
        reads.append(path)
        return read_shapes(path)

    monkeypatch.setattr(checkpoint, "read_shapes", count)
    checkpoint.read(str(folder))
    assert reads == [folder.resolve() / checkpoint.WEIGHTS]

"""A config that names far more layers than the weights have is refused before a model of that size is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.model import checkpoint
from tests.support.tiny_models import toy_folder


def with_config(folder: Path, **values: Any) -> Path:
    path = toy_folder(folder) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize(
    "values",
    [
        {"num_hidden_layers": 200_000},
        {"num_local_experts": 10_000_000},
        {"text_config": {"num_hidden_layers": 5_000}},
        {"vision_config": {"depth": 999_999}},
    ],
)
def test_more_layers_than_the_headers_hold_are_refused_at_once(tmp_path: Path, values: dict[str, Any]) -> None:
    folder = with_config(tmp_path / "toy", **values)
    with pytest.raises(HarnessError, match=r"the weights have no more than 2") as caught:
        checkpoint.resolve(str(folder))
    assert caught.value.where.endswith("config.json")


@pytest.mark.parametrize("values", [{"num_hidden_layers": 2}, {"max_window_layers": 70}, {"num_experts": 300}])
def test_counts_that_occur_are_left_to_the_comparison_of_shapes(tmp_path: Path, values: dict[str, Any]) -> None:
    assert checkpoint.resolve(str(with_config(tmp_path / "toy", **values)))


def test_a_header_of_impossible_length_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((2**33).to_bytes(8, "little"))
        file.truncate(2**34)
    with pytest.raises(HarnessError, match="corrupt checkpoint"):
        checkpoint.read_shapes(path)

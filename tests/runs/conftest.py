"""Options that several tests of runs start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runs.options import Options
from tests.support.sample_inputs import toy_options


@pytest.fixture
def asked(tmp_path: Path) -> Options:
    """Options for a toy task and a toy model."""
    return toy_options(tmp_path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy model, for all tests of a module."""
    from tests.support.tiny_models import toy_folder

    return toy_folder(tmp_path_factory.mktemp("models") / "toymodel")

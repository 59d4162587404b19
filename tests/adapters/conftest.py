"""A toy base model with the adapters of finished runs, and a server over them, for the tests of `serve`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.adapters.serve.model import SharedBase
    from tests.support.http_client import Bench, Client


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return the model and the results folder with its runs."""
    from tests.support.http_client import make

    return make(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def base(bench: Bench) -> SharedBase:
    """Return the base model, loaded as LoRA's runs load it."""
    from harness.adapters.serve.model import SharedBase
    from harness.data import registry

    return SharedBase(bench.model, bench.spec("lora"), registry.method("lora"))


@pytest.fixture(scope="module")
def client(bench: Bench, base: SharedBase) -> Iterator[Client]:
    """Yield a client of a running server."""
    from tests.support.http_client import serving

    with serving(bench, base) as connected:
        yield connected

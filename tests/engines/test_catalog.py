"""The engines by name: refused before anything starts if they would answer otherwise than a row was trained."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.flags_places import ENGINES
from harness.engines import catalog
from harness.errors import HarnessError
from tests.support.tiny_models import toy_spec

LLAMA = {"model_type": "llama"}


def test_the_flag_names_every_engine() -> None:
    assert catalog.NAMES == ENGINES
    assert {id(catalog.package_of(name)) for name in ENGINES} == set(map(id, catalog.PACKAGES.values()))


def test_the_identity_is_the_name_with_the_version_of_whichever_package_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        if name == "vllm":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert catalog.identity("vllm") == "vllm 1.2"
    assert catalog.identity("llamacpp") == "llamacpp 1.2"
    assert catalog.identity("llamacpp-q4_0") == "llamacpp-q4_0 1.2"


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(HarnessError) as caught:
        catalog.identity("vllm")
    assert caught.value.fix == "pip install 'adaptbench[vllm]'"


def test_methods_that_an_engine_cannot_load_are_refused_by_name() -> None:
    catalog.refuse("vllm", ["base", "lora"], LLAMA, quantised=False)
    with pytest.raises(HarnessError, match="qlora, full"):
        catalog.refuse("vllm", ["base", "qlora", "full"], LLAMA, quantised=False)
    with pytest.raises(HarnessError, match="quantised weights"):
        catalog.refuse("vllm", ["base"], LLAMA, quantised=True)


@pytest.mark.parametrize(
    "config", [{"model_type": "qwen2"}, {}, {"model_type": "llama", "rope_parameters": {"rope_type": "llama3"}}]
)
def test_architectures_that_no_file_can_be_written_of_are_refused(config: dict[str, object]) -> None:
    catalog.refuse("vllm", ["base"], config, quantised=False)
    with pytest.raises(HarnessError, match="cannot write as a GGUF file"):
        catalog.refuse("llamacpp", ["base"], config, quantised=False)


def test_a_run_of_another_version_is_not_answered_by_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.0")
    with pytest.raises(HarnessError, match="and vllm 2\\.0 is installed"):
        catalog.start(Path("nowhere"), replace(toy_spec(), engine="vllm 1.0"), None, 1)


def test_an_engine_that_does_not_start_is_an_error_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.0")
    with pytest.raises(HarnessError, match="the engine did not start"):
        catalog.start(Path("nowhere"), replace(toy_spec(), engine="llamacpp 2.0"), None, 1)

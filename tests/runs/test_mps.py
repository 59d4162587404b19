"""GPUs of Macs and of AMD: refused if they are not there, and planned in fp32. No test computes on one."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import environment
from harness.errors import HarnessError
from harness.methods import COMPARED
from harness.model import meter
from harness.runs import plan
from tests.support.sample_inputs import toy_options


@pytest.fixture
def _mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")


def test_another_machine_has_no_such_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(HarnessError, match="this machine is Linux") as caught:
        plan.make(replace(toy_options(tmp_path), device="mps", methods=("base",)))
    assert caught.value.where == "--device mps"


@pytest.mark.usefixtures("_mac")
def test_runs_are_planned_in_fp32_without_methods_that_bitsandbytes_packs(tmp_path: Path) -> None:
    (made,) = plan.make(replace(toy_options(tmp_path), device="mps", methods=COMPARED))
    methods = {spec.method for spec in made.specs if not spec.challenger}
    assert methods == {"base", "calibrated", "fewshot", "lora", "full"}
    assert {(spec.device, spec.dtype) for spec in made.specs if not spec.challenger} == {("mps", "fp32")}


@pytest.mark.usefixtures("_mac")
@pytest.mark.parametrize("method", ["qlora", "lora8", "full8"])
def test_a_method_that_needs_bitsandbytes_is_refused_by_name_with_the_reason(method: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=f"{method} needs bitsandbytes, which computes on CUDA") as caught:
        plan.make(replace(toy_options(tmp_path), device="mps", methods=("base", method)))
    assert "--device cpu" in caught.value.fix


def test_its_machine_is_another_than_that_of_the_processor_and_its_allocator_is_torchs() -> None:
    described, on_cpu = (environment.describe(device, threads=2) for device in ("mps", "cpu"))
    assert described.machine == f"{on_cpu.machine}, its GPU"
    assert (described.allocator, described.driver) == ("torch", "")


def test_a_phase_waits_for_the_device_and_has_no_peaks_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    waits: list[str] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waits.append("waited"))
    assert meter.cuda_peaks("mps") == (0, 0)
    assert waits == ["waited"]


@pytest.mark.parametrize(
    ("build", "driver", "present"), [("hip", True, True), ("hip", False, False), ("cuda", True, False)]
)
def test_rocm_is_a_device_of_cudas_name_if_driver_and_torch_are_for_it(
    build: str, driver: bool, present: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"cuda: str | None = None\nhip: str | None = None\n{build}: str = '6.4'\n")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    monkeypatch.setattr(environment, "KFD", tmp_path if driver else tmp_path / "none")
    monkeypatch.setattr(Path, "exists", lambda path: path == tmp_path or path.name == "version.py")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    environment._torch_has.cache_clear()
    assert environment.cuda_present() is present
    environment._torch_has.cache_clear()

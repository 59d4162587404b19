"""Settings that flags contradict, and those that a flag implies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.cli import settings
from harness.cli.commands import run as command
from harness.errors import HarnessError
from harness.runs.options import Options
from harness.store import records
from tests.support.records import make_record, make_spec


def test_flags_that_contradict_a_cluster_are_refused() -> None:
    with pytest.raises(HarnessError, match="cards are named"):
        settings._on_cluster(Options(("cfa",), cluster="ray", devices=("0",)))
    with pytest.raises(HarnessError, match="keys do not leave it"):
        settings._on_cluster(Options(("cfa",), cluster="ray", endpoint="http://localhost:1/v1"))


def test_a_gpu_of_a_cluster_is_one_of_its_nodes() -> None:
    planned = settings._on_cluster(Options(("cfa",), cluster="ray", device="cuda"))
    assert planned.imagined
    assert planned.dtype == "bf16"


def test_an_earlier_run_of_the_base_model_stands_beside_runs_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    earlier = SimpleNamespace(record=make_record(spec=make_spec(method="base", rank=None)))
    monkeypatch.setattr(records, "read_all", lambda *_, **__: [earlier])
    planned: Any = SimpleNamespace(default_specs=[make_spec(method="lora")], options=SimpleNamespace(results=None))
    assert [run.record.spec.method for run in command._earlier_base(cast(Any, planned))] == ["base"]

"""A plan that several tests of the terminal show."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runs.options import Options
from harness.runs.plan import Plan
from tests.support.sample_inputs import write_model, write_task


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    """The plan of a base row and a LoRA row on a toy task."""
    from harness.runs import plan

    options = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl")),),
        model=str(write_model(tmp_path / "model")),
        results=tmp_path / "results",
        methods=("base", "lora"),
        ranks=(2,),
        memory=False,
    )
    return plan.make(options)[0]

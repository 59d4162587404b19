"""A plan that several tests of the terminal show, and finished runs that may be published."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.support.publication as publication
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


@pytest.fixture(scope="session")
def publishable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tasks and finished runs, from which each test has a copy."""
    folder = tmp_path_factory.mktemp("publishable")
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        publication.write_runs(folder / "results", publication.write_tasks(folder / "tasks"))
    return folder

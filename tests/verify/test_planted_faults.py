"""Every kind of fault that files at hand contradict is reported, and an honest publication raises no alarm."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.verify.checks import catalogue
from tests.support import planted_adapters, planting, publication
from tests.support.planted import failures
from tests.support.planted_faults import FAULTS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A publication and the folder of its tasks, made once."""
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        root, tasks_dir = publication.publish(tmp_path_factory.mktemp("made"))
        planting.TASKS_DIR[:] = [tasks_dir]
        yield root, tasks_dir


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_reported(name: str, made: tuple[Path, Path], tmp_path: Path) -> None:
    root = tmp_path / "published"
    shutil.copytree(made[0], root)
    plant, expected = FAULTS[name]
    plant(root)
    assert expected in failures(root, made[1])
    assert expected in catalogue.NAMES


def test_the_honest_publication_raises_no_alarm(made: tuple[Path, Path], tmp_path: Path) -> None:
    root = tmp_path / "published"
    shutil.copytree(made[0], root)
    assert failures(root, made[1]) == set()


def test_honest_steps_raise_no_alarm(made: tuple[Path, Path], tmp_path: Path) -> None:
    root = tmp_path / "published"
    shutil.copytree(made[0], root)
    planting.with_steps(lambda lines: None)(root)
    assert failures(root, made[1]) == set()


def test_honest_adapters_raise_no_alarm(made: tuple[Path, Path], tmp_path: Path) -> None:
    root = tmp_path / "published"
    shutil.copytree(made[0], root)
    planted_adapters.write_all(root)
    assert failures(root, made[1]) == set()

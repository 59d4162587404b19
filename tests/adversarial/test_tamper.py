"""Tampering is found: each fault planted in a copy of a publication is reported by the check that is there for it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tests.support.publication as publication
from harness.cli.app import main
from harness.verify.checks import catalogue
from harness.verify.checks.answers import arithmetic, data
from harness.verify.checks.publication import files, views
from harness.verify.checks.record import provenance
from tests.support.planted_faults import FAULTS
from tests.support.tampering import CAREFUL, CARELESS, record


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        return publication.publish(tmp_path_factory.mktemp("made"), challengers=("nearest",))


@pytest.fixture
def published(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A publication without figures, which take longest to make, and the folder of its tasks."""
    publication.without_figures(monkeypatch)
    return made


def copied(published: tuple[Path, Path], folder: Path) -> Path:
    return Path(shutil.copytree(published[0], folder / "published"))


def found(root: Path, tasks_dir: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the names of the checks that `verify` reports; its exit code says whether there are any."""
    capsys.readouterr()
    code = main(["verify", str(root), "--tasks-dir", str(tasks_dir)])
    lines = re.findall(r"^    differs: (.+)$", capsys.readouterr().out, re.MULTILINE)
    names = {name for name in catalogue.NAMES for line in lines if line == name or line.startswith(f"{name}: ")}
    assert code == (1 if lines else 0)
    return names


def test_what_was_published_holds(
    published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(copied(published, tmp_path), published[1], capsys) == set()


@pytest.mark.parametrize("name", CARELESS)
def test_a_careless_fault_is_found_by_its_checksum(
    name: str, published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, (plant, check) = copied(published, tmp_path), CARELESS[name]
    plant(root)
    assert check in found(root, published[1], capsys)


@pytest.mark.parametrize("name", CAREFUL)
def test_a_careful_fault_is_found_by_the_check_that_is_there_for_it(
    name: str, published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, (plant, check) = copied(published, tmp_path), CAREFUL[name]
    plant(root)
    (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    names = found(root, published[1], capsys)
    assert check in names
    assert not names & {files.CHECKSUMS, files.FILES_PRESENT, files.FILES_LISTED, files.LIST_FORM}


@pytest.mark.slow
def test_a_figure_of_other_data_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publication.committed(monkeypatch)
    root, tasks_dir = publication.publish(tmp_path)
    assert found(root, tasks_dir, capsys) == set()
    shutil.copy(root / "figures/total/accuracy.svg", root / "figures/pick/accuracy.svg")
    (root / "figures/pick/memory.png").unlink()
    (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    assert found(root, tasks_dir, capsys) == {views.FIGURES}
    path = root / "figures/pick/accuracy.svg"
    assert main(["verify", str(path), "--tasks-dir", str(tasks_dir)]) == 1
    assert main(["verify", str(root / "figures/total"), "--tasks-dir", str(tasks_dir)]) == 0


def test_data_that_changed_or_is_gone_is_found(
    published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tasks_dir = copied(published, tmp_path), Path(shutil.copytree(published[1], tmp_path / "tasks"))
    path = tasks_dir / "data" / "pick" / "test.jsonl"
    path.write_text(path.read_text().replace("it rises", "it soars"))
    assert found(root, tasks_dir, capsys) == {data.AVAILABLE}
    task = tasks_dir / "pick.py"
    task.write_text(re.sub(r'sha256="\w+"', 'sha256=""', task.read_text()))
    assert found(root, tasks_dir, capsys) >= {data.FINGERPRINT, arithmetic.GOLD, provenance.DATA}


def test_history_that_was_rewritten_is_found(
    published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copied(published, tmp_path)

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=root.parent, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "published")
    assert found(root, published[1], capsys) == set()
    record(lambda content: content.update(seconds=content["seconds"] + 1))(root)
    (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    assert found(root, published[1], capsys) == {provenance.HISTORY}
    git("commit", "-qam", "nothing to see")
    assert found(root, published[1], capsys) == {provenance.HISTORY}


def test_every_check_of_the_catalogue_is_reported_for_some_fault() -> None:
    planted = {check for _, check in (CARELESS | CAREFUL).values()} | {check for _, check in FAULTS.values()}
    elsewhere = {views.FIGURES, data.AVAILABLE, provenance.DATA, provenance.HISTORY, catalogue.WAIVERS}
    assert planted | elsewhere == set(catalogue.NAMES)
    assert len(CARELESS) + len(CAREFUL) >= 30

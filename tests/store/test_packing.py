"""Packing the runs of before: nothing but names and schema changes, a publication still holds, git still proves it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import tests.support.publication as publication
from harness.cli.app import main
from harness.errors import HarnessError
from harness.store import answer_files, packing, records
from harness.verify.checks import files, provenance
from results import pack as script
from tests.support.answer_rows import as_schema_1, rows, write_rows
from tests.support.tampering import run as run_folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A publication as an older version of the program left it, and the folder of its tasks."""
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        root, tasks_dir = publication.publish(tmp_path_factory.mktemp("made"))
        as_schema_1(root)
        page = root / "report.html"
        page.write_text(page.read_text().replace("answers.jsonl.gz", "answers.jsonl"))
        (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    return root, tasks_dir


@pytest.fixture
def old(made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A copy of it."""
    publication.without_figures(monkeypatch)
    (tmp_path / "results").mkdir()
    return Path(shutil.copytree(made[0], tmp_path / "results" / "published")), made[1]


def verified(root: Path, tasks_dir: Path) -> bool:
    return main(["verify", str(root), "--tasks-dir", str(tasks_dir)]) == 0


def lines(root: Path) -> dict[Path, bytes]:
    """Return the lines of all answers by the place of their file, however they are packed."""
    return {
        path.relative_to(root).with_suffix("") if path.suffix == ".gz" else path.relative_to(root): (
            answer_files.read_bytes(path.parent, path.name)
        )
        for folder in {path.parent for path in root.rglob(records.RECORD)}
        for path in answer_files.all_files(folder)
    }


def test_a_publication_of_schema_1_verifies_before_and_after_it_is_packed(
    old: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root, tasks_dir = old
    assert not list(root.rglob("*.gz"))
    assert verified(root, tasks_dir)
    before, originals = lines(root), {run.folder: run.record for run in records.find(root)}
    assert script.main(root) == 0
    assert f"{len(originals)} runs packed" in capsys.readouterr().out
    assert lines(root) == before
    assert not list(root.rglob("answers.jsonl"))
    for run in records.find(root):
        text = (run.folder / records.RECORD).read_text()
        assert records.record_text(run.record) == text
        assert records.record_text(originals[run.folder]) == records.with_schema(text, 1)
    assert all(check.ok for check in files.publication_checks(root))
    assert main(["publish", "--results", str(root.parent), "--tasks-dir", str(tasks_dir)]) == 0
    assert "<code>answers.jsonl.gz</code>" in (root / "report.html").read_text()
    assert verified(root, tasks_dir)
    assert script.main(root) == 0
    assert "0 runs packed" in capsys.readouterr().out


def test_packing_is_no_change_to_what_git_knows_and_any_other_change_is_one(old: tuple[Path, Path]) -> None:
    root = old[0]

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=root.parent, check=True, capture_output=True)

    def changed() -> list[str]:
        return [check.path for check in provenance.history_checks(root) if not check.ok]

    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "published")):
        git(*words)
    assert script.main(root) == 0
    assert changed() == [], "before it is committed"
    git("add", "-A")
    git("commit", "-qm", "packed")
    assert changed() == []
    folder = run_folder(root)
    name, place = folder / records.ANSWERS, folder.relative_to(root).as_posix()
    kept, record = name.read_bytes(), (folder / records.RECORD).read_text()
    write_rows(name, rows(name)[::-1])
    assert changed() == [f"{place}/answers.jsonl", f"{place}/answers.jsonl.gz"]
    name.write_bytes(kept)
    (folder / records.RECORD).write_text(record.replace('"seconds": ', '"seconds": 1'))
    assert changed() == [f"{place}/record.json"]
    (folder / records.RECORD).write_text(records.with_schema(record, 1))
    assert changed() == [f"{place}/record.json"], "nothing goes back to an older schema"
    (folder / records.RECORD).write_text(record)
    name.unlink()
    assert changed() == [f"{place}/answers.jsonl", f"{place}/answers.jsonl.gz"]


def test_packing_that_was_interrupted_goes_on(old: tuple[Path, Path]) -> None:
    root, folder = old[0], run_folder(old[0])
    before = lines(root)
    loose = folder / "answers.jsonl"
    (folder / records.ANSWERS).write_bytes(answer_files.pack(loose.read_bytes()))  # killed before the loose file went
    assert len(packing.pack(root)) == len(records.find(root))
    assert lines(root) == before
    path = folder / records.RECORD
    path.write_text(records.with_schema(path.read_text(), 1))  # killed before the record was written
    assert packing.pack(root) == [folder]
    assert packing.pack(root) == []


@pytest.mark.parametrize("content", [answer_files.pack(b"{}\n"), b"{}\n", b""])
def test_a_run_with_two_files_of_answers_that_differ_is_not_packed(old: tuple[Path, Path], content: bytes) -> None:
    folder = run_folder(old[0])
    (folder / records.ANSWERS).write_bytes(content)
    with pytest.raises(HarnessError, match="different answers"):
        packing.pack(old[0])
    assert (folder / "answers.jsonl").exists()


def test_a_publication_that_was_changed_is_not_packed(
    old: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_folder(old[0]) / records.RECORD
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"seconds": 1.0}))
    assert script.main(old[0]) == 2
    assert files.CHECKSUMS in capsys.readouterr().err
    assert not list(old[0].rglob("*.gz"))

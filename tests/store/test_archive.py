"""Archived results: `verify` recomputes none of them and names the commit that does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import tests.support.publication as publication
from harness import environment
from harness.cli.app import main
from harness.errors import HarnessError
from harness.store import archive
from harness.verify.checks.publication import files
from harness.verify.checks.record import provenance

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "c0ffee" * 6 + "c0ff"
MARKER = {"version": "0.1", "commit": COMMIT, "fault": "Sums were compared.", "folders": ["results/published"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        return publication.publish(tmp_path_factory.mktemp("made"))


@pytest.fixture
def old(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """An archive of a publication whose scores no code recomputes, in a results folder without other runs."""
    folder = tmp_path / "results" / "archive" / "0.1"
    shutil.copytree(made[0], folder / "published")
    for record in folder.rglob("record.json"):
        record.write_text(record.read_text().replace('"parse_rate": 1.0', '"parse_rate": 0.5'))
    (folder / archive.MARKER).write_text(json.dumps(MARKER))
    return folder


@pytest.mark.parametrize("below", [".", "published", "published/pick", "published/leaderboard/pick.csv"])
def test_verifying_an_archive_or_a_part_of_it_names_its_commit_and_succeeds(
    old: Path, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(old / below)]) == 0
    text = capsys.readouterr().out
    assert f"git switch --detach {COMMIT} && " in text
    assert "verify results/published" in text
    assert "Sums were compared." in " ".join(text.split())
    assert "checks" not in text


def test_a_part_that_is_not_there_is_no_success(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(old / "published" / "nothing")]) == 2
    assert "there are no results to verify" in capsys.readouterr().err


def test_a_results_folder_names_its_archives_and_verifies_its_other_runs(
    old: Path, made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    results = old.parents[1]
    assert main(["verify", str(results)]) == 0
    assert COMMIT in capsys.readouterr().out
    shutil.copytree(made[0].parent / "runs", results / "runs")
    assert main(["verify", str(results), "--tasks-dir", str(made[1])]) == 0
    text = capsys.readouterr().out
    assert COMMIT in text
    assert "20 runs verified" in text
    assert "archive/0.1/published" not in text


@pytest.mark.parametrize("words", [("--report", "review"), ("--rerun", "lora-r8")])
def test_a_review_or_a_rerun_of_an_archive_is_refused_with_its_commit(
    old: Path, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(old), *words]) == 2
    assert COMMIT in capsys.readouterr().err
    assert main(["verify", str(old.parents[1]), *words]) == 2
    assert not Path("review").exists()


def test_a_marker_elsewhere_excuses_nothing(
    old: Path, made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.without_figures(monkeypatch)
    results = old.parents[1]
    shutil.move(old / "published", results / "published")
    (results / "published" / archive.MARKER).write_text(json.dumps(MARKER))
    assert main(["verify", str(results / "published"), "--tasks-dir", str(made[1])]) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", json.dumps(MARKER | {"commit": "HEAD"}), json.dumps(MARKER | {"more": 1})]
)
def test_a_malformed_marker_is_an_error(old: Path, text: str) -> None:
    (old / archive.MARKER).write_text(text)
    with pytest.raises(HarnessError, match=r"archive|commit"):
        archive.read(old)
    assert main(["verify", str(old)]) == 2


def test_runs_that_moved_to_an_archive_count_as_unchanged_and_others_as_removed(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    shutil.copytree(made[0], results / "published")

    def git(*words: str) -> None:
        author = ("-c", "user.name=n", "-c", "user.email=e@x")
        subprocess.run(["git", *author, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "published")
    folder = results / "archive" / "0.1"
    folder.mkdir(parents=True)
    (folder / archive.MARKER).write_text(json.dumps(MARKER))
    git("mv", "results/published", "results/archive/0.1/published")
    git("add", ".")
    git("commit", "-qm", "archived")
    (results / "published").mkdir()
    assert [check.ok for check in provenance.history_checks(results / "published")] == [True]
    record = next((folder / "published").rglob("record.json"))
    record.write_text(record.read_text() + " ")
    (check,) = provenance.history_checks(results / "published")
    assert (check.ok, check.path) == (False, record.relative_to(folder / "published").as_posix())


def test_the_archives_of_this_repository_hold_what_was_published_and_name_a_commit_that_can_be_checked_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = archive.archives(ROOT / "results")
    assert [folder.name for folder in found] == ["0.1"]
    for folder in found:
        commit = archive.read(folder).commit
        assert main(["verify", str(folder)]) == 0
        assert commit in capsys.readouterr().out
        assert environment.knows_commit(commit) or not (ROOT / ".git").exists()
        assert commit in (folder / "README.md").read_text(encoding="utf-8")
        checks = files.publication_checks(folder / "published")
        assert [check for check in checks if not check.ok] == []


def test_what_an_archive_had_before_its_commit_is_of_that_commit_and_what_it_lacks_counts_as_removed(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    published = results / "published"
    shutil.copytree(made[0], published)

    def git(*words: str) -> str:
        author = ("-c", "user.name=n", "-c", "user.email=e@x")
        done = subprocess.run(["git", *author, *words], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(message: str) -> str:
        git("add", ".")
        git("commit", "-qm", message)
        return git("rev-parse", "HEAD")

    git("init", "-q")
    commit("published")
    first, second = sorted(published.rglob("record.json"))[:2]
    for record in (first, second):
        record.write_text(record.read_text() + "\n")  # a rewrite that the archive's commit verified
    verified = commit("rewritten")
    second.unlink()
    commit("one removed")
    folder = results / "archive" / "0.1"
    folder.mkdir(parents=True)
    (folder / archive.MARKER).write_text(json.dumps(MARKER | {"commit": verified}))
    git("mv", "results/published", "results/archive/0.1/published")
    commit("archived")
    published.mkdir()
    lost = {check.path for check in provenance.history_checks(published) if not check.ok}
    assert lost == {second.relative_to(published).as_posix()}

"""What `verify` looks at: a path that names nothing, or data that is not here, is never a pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tests.support.publication as publication
from harness.cli.app import main
from harness.verify.checks.answers import data


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        return publication.publish(tmp_path_factory.mktemp("made"))


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    publication.without_figures(monkeypatch)


def verify(path: Path, tasks: Path, *further: str) -> int:
    return main(["verify", str(path), "--tasks-dir", str(tasks), *further])


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("pikc", "did you mean 'pick'?"),
        ("nowhere", "pick, report.html"),
        ("pick/zero", "check the path; in '"),
        ("pick/zero/lora/s0", "check the path; in '"),
        ("leaderboard/pikc.csv", "did you mean 'pick.csv'?"),
        ("figures", ""),
    ],
)
def test_a_path_with_a_slip_is_an_error_and_no_pass(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str], path: str, fix: str
) -> None:
    assert verify(published[0] / path, published[1]) == 2
    out, err = capsys.readouterr()
    assert "PASS" not in out
    assert "there are no results to verify: no file or folder" in err
    assert fix in err


def test_a_file_of_a_run_is_an_error_that_names_the_run(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    record = next((published[0] / "pick").rglob("record.json"))
    assert verify(record, published[1]) == 2
    assert f"verify {record.parent}" in capsys.readouterr().err


def test_a_table_counts_the_runs_of_its_task_and_fails_without_their_data_as_the_whole_does(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    runs = len(list((published[0] / "pick").rglob("record.json")))
    table = published[0] / "leaderboard" / "pick.csv"
    assert verify(table, published[1]) == 0
    assert f"PASS: {runs} runs verified" in capsys.readouterr().out
    elsewhere = Path(shutil.copytree(published[1], tmp_path / "tasks"))
    for path in elsewhere.rglob("*.jsonl"):
        path.unlink()
    for target in (table, published[0] / "pick"):
        assert verify(target, elsewhere, "--json") == 1
        (folder,) = json.loads(capsys.readouterr().out)["folders"]
        assert data.AVAILABLE in [check["check"] for check in folder["runs"][""] if not check["ok"]]
        assert folder["tasks_without_data"] == ["pick"]

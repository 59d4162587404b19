"""The terminal output of `verify`: the result first, causes before consequences, pass or fail at last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.cli.terminal import verification
from harness.cli.terminal.verification import Gaps
from harness.verify import review
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files, views
from harness.verify.run import Check


def verified(capsys: pytest.CaptureFixture[str], **checks: Sequence[Check]) -> list[str]:
    """What `verify` prints of these checks, by run; `together` are those of all runs."""
    by_run = {"" if name == "together" else f"toy/{name}": of_run for name, of_run in checks.items()}
    verification.show(review.judge(Path("results"), by_run), by_run, Gaps())
    return capsys.readouterr().out.splitlines()


SCORES = Check(arithmetic.SCORES, False, "accuracy is 0.9, recorded 0.1")
VIEWS = [Check(views.CSV, False, "first in line 3", f"leaderboard/{name}.csv") for name in "abcde"]


def test_verify_begins_with_the_result_and_ends_with_pass_or_fail(capsys: pytest.CaptureFixture[str]) -> None:
    good = verified(capsys, a=[Check(arithmetic.SCORES, True)])
    assert good == ["results  1 run, 1 check: all hold", "PASS: 1 run verified"]
    bad = verified(capsys, a=[SCORES], b=[Check(arithmetic.SCORES, True)], together=VIEWS)
    assert bad[0] == "results  2 runs, 7 checks: 1 cause and 1 consequence"
    assert bad[-1] == "FAIL: 1 cause and 1 consequence; 1 of 2 runs without a fault of its own"


def test_verify_names_causes_before_consequences_and_each_item_once(capsys: pytest.CaptureFixture[str]) -> None:
    changed = Check(files.CHECKSUMS, False, "the file has another checksum", "toy/a/record.json")
    lines = verified(capsys, a=[SCORES], together=[changed, *VIEWS])
    assert lines[1:] == [
        "causes",
        "  ✗ toy/a",
        f"    differs: {files.CHECKSUMS}: record.json: the file has another checksum",
        f"    differs: {arithmetic.SCORES}: accuracy is 0.9, recorded 0.1",
        "consequences, of these causes",
        f"    differs: {views.CSV}: leaderboard/a.csv, leaderboard/b.csv, leaderboard/c.csv and 2 more",
        lines[-1],
    ]


def test_a_view_that_was_changed_itself_is_a_cause(capsys: pytest.CaptureFixture[str]) -> None:
    alone = verified(capsys, a=[Check(arithmetic.SCORES, True)], together=VIEWS[:1])
    assert alone[0].endswith("1 cause")
    own = Check(files.CHECKSUMS, False, "the file has another checksum", VIEWS[0].path)
    lines = verified(capsys, a=[SCORES], together=[own, *VIEWS[:2]])
    assert lines[0].endswith("2 causes and 1 consequence")
    assert lines.count("  ✗ leaderboard/a.csv") == 1


def test_runs_that_could_not_be_verified_are_told_in_the_last_line_and_alone_never_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = {"toy/a": [Check(arithmetic.SCORES, True)]}
    verdict = review.judge(Path("results"), checks)
    verification.show(verdict, checks, Gaps(["mine", "mine"], absent={"mine": "../mine.csv"}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(
        "2 not verified: the data file of 'mine' is gone or has changed since the run: ../mine.csv"
    )
    assert lines[-1] == "PASS: 1 run verified, 2 NOT verified, see above"
    verification.show(review.judge(Path("results"), {}), {}, Gaps(["mine"]))
    assert "PASS" not in capsys.readouterr().out


def test_runs_whose_data_is_not_here_are_counted_with_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    checks = {"toy/a": [Check(arithmetic.SCORES, True)]}
    verification.show(review.judge(Path("results"), checks), checks, Gaps(blind=["mine", "mine"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "questions and right answers of 2 runs not compared: the data of 'mine' is not here; --data DIR"


def test_tables_that_were_not_compared_are_told_with_the_command_before_the_last_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = {"toy/a": [Check(arithmetic.SCORES, True)]}
    verdict = review.judge(Path("results"), checks)
    verification.show(verdict, checks, Gaps(), tables=[Path("results/leaderboard/toy.csv")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("this does: python run_all.py verify results/leaderboard/toy.csv")
    assert lines[-1] == "PASS: 1 run verified"


def test_a_changed_cell_is_named_with_its_column_and_a_changed_word_with_both_readings(tmp_path: Path) -> None:
    def rebuild(folder: Path, runs: object) -> None:
        (folder / "leaderboard").mkdir()
        (folder / "leaderboard" / "toy.csv").write_text("run,value,n\nlora,0.4,30\n")
        (folder / "leaderboard" / "toy.md").write_text("| lora | 40.0 | 30 |\n")

    rebuild(tmp_path, [])
    (tmp_path / "leaderboard" / "toy.csv").write_text("run,value,n\nlora,0.5,30\n")
    (tmp_path / "leaderboard" / "toy.md").write_text("| lora | 50.0 | 30 |\n")
    faults = {check.name: check.detail for check in views.publication_checks(tmp_path, [], rebuild) if not check.ok}
    assert faults[views.CSV].endswith("first in line 2, value: '0.5', by the runs '0.4'")
    assert faults[views.MARKDOWN].endswith("first in line 1: '50.0 | 30 |', by the runs '40.0 | 30 |'")


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "no file or folder"), ("tables", "here are tables and no runs")]
)
def test_a_path_without_runs_says_what_is_missing(
    tmp_path: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tables" / "leaderboard").mkdir(parents=True)
    (tmp_path / "tables" / "leaderboard" / "toy.csv").write_text("a,b\n")
    for path in (tmp_path / name, tmp_path / name / "leaderboard" / "toy.csv"):
        assert main(["verify", str(path)]) == 2
        assert words in capsys.readouterr().err

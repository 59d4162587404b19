"""The terminal output of `verify`: the result first, causes before consequences, pass or fail at last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.terminal import verification
from harness.verify import review
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files, views
from harness.verify.run import Check


def verified(capsys: pytest.CaptureFixture[str], **checks: Sequence[Check]) -> list[str]:
    """What `verify` prints of these checks, by run; `together` are those of all runs."""
    by_run = {"" if name == "together" else f"toy/{name}": of_run for name, of_run in checks.items()}
    verification.show(review.judge(Path("results"), by_run), by_run, [], [])
    return capsys.readouterr().out.splitlines()


SCORES = Check(arithmetic.SCORES, False, "accuracy is 0.9, recorded 0.1")
VIEWS = [Check(views.CSV, False, "first in line 3", f"leaderboard/{name}.csv") for name in "abcde"]


def test_verify_begins_with_the_result_and_ends_with_pass_or_fail(capsys: pytest.CaptureFixture[str]) -> None:
    good = verified(capsys, a=[Check(arithmetic.SCORES, True)])
    assert good == ["results  1 run, 1 checks: all hold", "PASS: 1 run verified"]
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

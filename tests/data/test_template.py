"""The task that `new` writes is a good example: it passes every check, and nothing in it gives answers away."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.app import main


def test_a_new_task_passes_check_without_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "my_tasks")
    assert main(["new", "premium", "--tasks-dir", folder]) == 0
    assert main(["check", "premium", "--tasks-dir", folder]) == 0
    printed = capsys.readouterr().out
    assert "9 of 9 hold" in printed
    assert "near-duplicates in train of 0 of 12 test examples" in printed
    assert "shortcut" not in printed
    assert "\n  ✗" not in printed

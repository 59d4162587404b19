"""Durations: from a clock that nobody can set, and true where the other clock was reset meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.data.source import TaskSource
from harness.runs import runner
from harness.runs.job import Job
from harness.store import records
from tests.support.records import make_spec

ROOT = Path(__file__).resolve().parents[2]


def test_durations_come_from_a_clock_that_cannot_be_set() -> None:
    wall = re.compile(r"\btime\.time(_ns)?\(|datetime\.now\(\)|utcnow|fromtimestamp|date\.today")
    files = [path for path in (ROOT / "harness").rglob("*.py") if "tiny" not in path.parts]
    assert [path.name for path in files if wall.search(path.read_text())] == []
    used = {path.name for path in files if "datetime.now(UTC)" in path.read_text()}
    stamps = {"worker.py", "runner.py", "protocol.py", "server.py"}  # dates of records: nothing is computed from them
    assert used == stamps | {"pace.py"}  # which refuses a start in the future


def test_a_run_that_died_while_the_clock_was_reset_has_its_true_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    class Reset(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Reset:
            return cls(1970, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(runner, "datetime", Reset)
    job = Job(make_spec(), tmp_path, TaskSource("toy"), tmp_path)
    record = runner.failure_record(job, "failed", "why", 90.0)
    assert (record.seconds, record.started) == (90.0, "1969-12-31T23:58:30+00:00")
    records.write_record(tmp_path, record)
    assert records.read_record(tmp_path) == record

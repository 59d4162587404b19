"""The runs that a command reads: own ones, else published ones, else those of the folder; never those of an archive."""

from __future__ import annotations

from pathlib import Path

from harness.store import archive, records
from harness.store.find import own_or_published
from tests.support.records import make_record


def test_a_results_folder_that_has_archives_only_has_no_runs(tmp_path: Path) -> None:
    old = tmp_path / archive.FOLDER / "0.1"
    record = make_record()
    records.write_record(old / "published" / record.spec.id, record)
    assert [run.record for run in own_or_published(tmp_path)[0]] == [record]
    (old / archive.MARKER).write_text("{}")
    assert own_or_published(tmp_path)[0] == []
    assert [run.record for run in own_or_published(old / "published")[0]] == [record]

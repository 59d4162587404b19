"""A record remembers its data file: the path from the results folder, its hash, and how it was read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.cli.lookup import Lookup
from harness.data.source import TaskSource
from harness.record import DataFile
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records
from tests.challengers.test_runs import Ear
from tests.support import messy_claims
from tests.support.sample_inputs import write_model

COLUMNS = (("note", "context"), ("decision", "target"), ("policy_no", "group"))
RELABEL = (("PAY", "pay"), ("Pay", "pay"), ("Refer", "refer"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(
        tasks=(str(messy_claims.messy_claims(tmp_path)),),
        methods=("base",),
        challengers=("commonest",),
        model=str(write_model(tmp_path / "model")),
        results=tmp_path / "results",
        memory=False,
        columns=COLUMNS,
        relabel=RELABEL,
        drop_bad=True,
    )


@pytest.fixture
def folder(options: Options) -> Path:
    (made,) = plan.make(options)
    (job,) = [job for job in made.jobs() if job.spec.challenger]
    worker.run(job, Ear())
    return job.folder


def test_the_record_names_file_hash_and_reading(folder: Path, tmp_path: Path) -> None:
    file = records.read_record(folder).data_file
    assert file is not None
    assert file.path == "../claims_raw.csv"
    assert len(file.sha256) == 64
    assert (file.columns, file.drop_bad) == (tuple(map("=".join, COLUMNS)), True)
    stored = json.loads((folder / records.RECORD).read_text())["data_file"]
    assert set(stored) == {"path", "sha256", "columns", "relabel", "drop_bad"}


def test_verify_finds_the_file_without_a_flag_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for path in (tmp_path / "results", folder):
        assert main(["verify", str(path)]) == 0
        assert "1 run verified" in capsys.readouterr().out


def test_a_file_that_changed_or_is_gone_is_not_taken(folder: Path, options: Options, tmp_path: Path) -> None:
    record = records.read_record(folder)
    known = Lookup(Options(tasks=(), results=options.results)).task(record)
    assert known is not None
    assert known.name == "claims_raw"
    with (tmp_path / "claims_raw.csv").open("a") as file:
        file.write("C-9;P-9;2026-05-01;1;late;pay\r\n")
    assert Lookup(Options(tasks=(), results=options.results)).task(record) is None


def test_a_record_can_name_no_other_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    file = DataFile("secret.txt", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    assert TaskSource("").recorded(file, [tmp_path]) is None


def test_tasks_of_the_project_have_no_data_file(tmp_path: Path) -> None:
    assert TaskSource("cfa").data_file(tmp_path) is None


def test_verify_reads_a_file_in_the_encoding_of_its_run(
    options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "claims_raw.csv"
    text = path.read_text(encoding="utf-8-sig")
    path.write_bytes(text.replace("kitchen", "Küche").encode("cp1252"))
    (made,) = plan.make(replace(options, encoding="cp1252"))
    (job,) = [job for job in made.jobs() if job.spec.challenger]
    worker.run(job, Ear())
    file = records.read_record(job.folder).data_file
    assert file is not None
    assert file.encoding == "cp1252"
    assert main(["verify", str(options.results)]) == 0
    assert "1 run verified" in capsys.readouterr().out


def test_verify_finds_a_test_in_a_file_of_its_own_and_misses_it_if_it_changed(
    options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (tmp_path / "claims_raw.csv").read_text(encoding="utf-8-sig").splitlines()
    (tmp_path / "late.csv").write_text("\n".join([lines[0], *lines[-60:]]), encoding="utf-8")
    (tmp_path / "claims_raw.csv").write_text("\n".join(lines[:-60]), encoding="utf-8")
    (made,) = plan.make(replace(options, test_data=tmp_path / "late.csv"))
    (job,) = [job for job in made.jobs() if job.spec.challenger]
    worker.run(job, Ear())
    file = records.read_record(job.folder).data_file
    assert file is not None
    assert file.further == ("test=../late.csv",)
    assert main(["verify", str(options.results)]) == 0
    assert "1 run verified" in capsys.readouterr().out
    with (tmp_path / "late.csv").open("a") as late:
        late.write("\n")
    assert main(["verify", str(options.results)]) == 2
    out, err = capsys.readouterr()
    assert "PASS" not in out
    assert "the data file of 'claims_raw' is gone or has changed since the run: ../claims_raw.csv or ../late.csv" in err

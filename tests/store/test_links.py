"""Writing never leaves the results folder through a symbolic link, and overwrites nothing but regular files."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.cli import app
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.report.write import write_outputs
from harness.runs import runner
from harness.runs.job import Job, Note, Reporter
from harness.runs.local import LocalProcesses
from harness.store import files, links, records, training_files
from tests.support.cli_runner import Desk, without_torch
from tests.support.finished_runs import make_run
from tests.support.records import make_record, make_spec

SECRET = "not to be changed"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Folders that other tests protect play no role here."""
    before = set(links._roots)
    yield
    links._roots.intersection_update(before)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else, with a file."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    return folder


def untouched(outside: Path) -> bool:
    return [path.name for path in outside.iterdir()] == ["secret"] and (outside / "secret").read_text() == SECRET


class Silent:
    def on_start(self, job: Job) -> None: ...

    def on_progress(self, job: Job, progress: object) -> None: ...

    def on_end(self, outcome: object) -> None: ...

    def on_note(self, job: Job, note: Note) -> None: ...

    def on_stop(self) -> None: ...


def finish(job: Job, reporter: Reporter) -> None:
    print("hello")
    with records.open_steps(job.folder) as steps:
        records.append_step(steps, {"step": 1})
    records.write_answers(job.folder, [])
    records.write_record(job.folder, make_record(job.spec))


def go(results: Path) -> tuple[Job, Any]:
    spec = make_spec()
    job = Job(spec, records.run_dir(results, spec), TaskSource("toy"), Path("model"))
    return job, lambda: runner.run([job], LocalProcesses(finish), Silent()).outcomes[0]


@pytest.mark.parametrize("depth", range(5))
def test_a_run_whose_folder_or_one_above_it_leads_out_is_refused_and_nothing_is_written(
    depth: int, tmp_path: Path, outside: Path
) -> None:
    job, run = go(tmp_path / "results")
    link = (job.folder, *job.folder.parents)[depth]
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    outcome = run()
    assert outcome.status == "failed"
    assert f"a symbolic link leads out of the results folder, to {outside}" in outcome.reason
    assert untouched(outside)


@pytest.mark.parametrize("name", [records.LOCK, records.WORKING, records.LOG, records.STEPS, records.RECORD])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_a_file_of_a_run_that_is_none_is_replaced_or_refused_and_never_followed(
    name: str, kind: str, tmp_path: Path, outside: Path
) -> None:
    job, run = go(tmp_path / "results")
    job.folder.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(job.folder / name)
    else:
        (job.folder / name).symlink_to(outside / ("secret" if kind == "link" else "new"))
    outcome = run()
    assert outcome.status in ("ok", "failed")
    assert outcome.status == "ok" or "a file is needed" in outcome.reason
    assert untouched(outside)


@pytest.mark.parametrize("name", [records.ADAPTER, records.MODEL])
def test_weights_replace_a_link_and_leave_what_it_leads_to(name: str, tmp_path: Path, outside: Path) -> None:
    job, run = go(tmp_path / "results")
    job.folder.mkdir(parents=True)
    (job.folder / name).symlink_to(outside)
    assert run().status == "ok"
    (job.folder / name).symlink_to(outside)  # a neighbour is faster
    with files.new_folder(job.folder / name) as folder:
        (folder / "weights").write_text("w")
    assert (job.folder / name / "weights").read_text() == "w"
    assert not (job.folder / name).is_symlink()
    assert untouched(outside)
    assert [path.name for path in job.folder.iterdir() if path.name.startswith(f".{name}")] == []


def test_folders_that_a_killed_run_left_unfinished_go_with_the_next_attempt(tmp_path: Path, outside: Path) -> None:
    job, run = go(tmp_path / "results")
    (job.folder / ".adapter.0123abcd").mkdir(parents=True)
    (job.folder / ".model.0123abcd").symlink_to(outside)
    assert run().status == "ok"
    assert [path.name for path in job.folder.glob(".*.0123abcd")] == []
    assert untouched(outside)


@pytest.mark.parametrize("name", ["leaderboard", "figures", "figures/cfa", ".drawn"])
def test_views_in_a_folder_that_leads_out_are_refused(name: str, tmp_path: Path, outside: Path) -> None:
    results = tmp_path / "results"
    _store_runs(results)
    (results / name).parent.mkdir(exist_ok=True)
    (results / name).symlink_to(outside)
    with pytest.raises(HarnessError, match="leads out of the results folder") as caught:
        write_outputs(results, records.read_all(results))
    assert caught.value.where == str(results / name)
    assert untouched(outside)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_view_is_written_over_a_regular_file_only(kind: str, tmp_path: Path, outside: Path) -> None:
    results = tmp_path / "results"
    _store_runs(results)
    page = results / "report.html"
    if kind == "link":
        page.symlink_to(outside / "secret")
    elif kind == "pipe":
        os.mkfifo(page)
    else:
        page.mkdir()
    with pytest.raises(HarnessError, match="a file is needed"):
        write_outputs(results, records.read_all(results))
    assert untouched(outside)


def _store_runs(results: Path) -> None:
    for method, rank in (("base", 0), ("lora", 2), ("lora", 8)):
        record, answers = make_run(method, rank, n=12, metric=metrics.acc_norm)
        folder = records.run_dir(results, record.spec)
        folder.mkdir(parents=True)
        records.write_answers(folder, answers or [])
        records.write_record(folder, record)


def test_a_results_folder_that_is_a_link_itself_is_its_owner_s_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    _job, run = go(tmp_path / "results")
    assert run().status == "ok"
    assert list((tmp_path / "disk").rglob(records.RECORD))
    inside = tmp_path / "results" / "tables"
    inside.symlink_to(tmp_path / "results" / "runs")
    records.write_text(inside / "x.txt", "within")


@pytest.mark.parametrize("place", ["results", "results/runs", "above/results"])
def test_a_link_to_nothing_is_called_one_before_anything_runs(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch)
    desk = Desk(tmp_path, capsys)
    link = tmp_path / ("above" if place.startswith("above") else place)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "gone")
    desk.results = tmp_path / place.removesuffix("/runs")
    assert desk.train() == 2
    assert "File exists" not in desk.err
    assert str(link) in desk.err
    assert "symbolic link" in desk.err
    assert "which does not exist" in desk.err or "leads out" in desk.err
    assert app.main(["report", "--results", str(desk.results)]) == 2
    assert "File exists" not in capsys.readouterr().err


def test_a_command_whose_output_folder_is_a_link_to_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "gone")
    monkeypatch.setattr("harness.cli.commands.list.main", lambda _: link.mkdir(exist_ok=True))
    assert app.main(["list"]) == 2
    err = capsys.readouterr().err
    assert "File exists" not in err
    assert f"a symbolic link to {tmp_path / 'gone'}, which does not exist" in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="umask of a fork")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_files_have_the_permissions_of_the_umask(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        job, _run = go(tmp_path / "results")
        with files.new_folder(tmp_path / "adapter") as folder:
            (folder / "weights").touch(mode=0o600)
        files.write(tmp_path / "table.csv", b"1")
        records.prepare(job.folder)
        with records.lock(job.folder), records.work_lock(job.folder), records.open_steps(job.folder):
            records.open_log(job.folder).close()
            written = [tmp_path / "adapter" / "weights", tmp_path / "table.csv", *job.folder.iterdir()]
            modes = {stat.S_IMODE(path.stat().st_mode) for path in written}
    finally:
        os.umask(before)
    assert len(written) == 6
    assert modes == {0o666 & ~mask}


def test_the_config_of_an_adapter_is_the_same_under_every_hash_seed(tmp_path: Path) -> None:
    fields = {"r": 2, "target_modules": ["b", "c", "a"], "ranks": [3, 1], "revision": None}
    (tmp_path / training_files.ADAPTER_CONFIG).write_text(json.dumps(fields))
    training_files.settle(tmp_path, {"target_modules": {"a", "b", "c"}, "ranks": [3, 1]})
    text = (tmp_path / training_files.ADAPTER_CONFIG).read_text()
    assert text.index('"a"') < text.index('"b"') < text.index('"c"')
    assert text.index("3") < text.index("1")

"""The store's promises: atomic, strict, locked, append-only where it says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import processes
from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION, Answer, Record
from harness.store import records, withhold
from harness.store.codec import decode, encode
from tests.support.records import make_answers, make_record, make_spec


def written(root: Path, **changes: Any) -> Path:
    record = make_record(**changes)
    folder = records.run_dir(root, record.spec)
    answers = make_answers(9, 3)
    records.write_record(folder, replace(record, answers_sha256=records.write_answers(folder, answers)))
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / records.RECORD
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_run_s_folder_holds_words_for_people_and_the_id_for_programs(tmp_path: Path) -> None:
    spec = make_spec(model="owner/name", seed=3)
    assert records.run_dir(tmp_path, spec) == tmp_path / f"runs/toy/owner--name/lora-r8/s3-{spec.id}"


@pytest.mark.parametrize("name", ["../../etc", "a b", "", "..", "x/../y", "ü"])
def test_no_name_leaves_the_results_folder(name: str, tmp_path: Path) -> None:
    folder = records.run_dir(tmp_path, make_spec(task=name, model=name))
    assert folder.resolve().is_relative_to((tmp_path / "runs").resolve())
    assert len(folder.relative_to(tmp_path / "runs").parts) == 4


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    record = make_record()
    records.write_record(tmp_path, record)
    assert records.read_record(tmp_path) == record


def test_a_record_is_replaced_whole_and_leaves_no_other_file(tmp_path: Path) -> None:
    records.write_record(tmp_path, make_record(status="interrupted"))
    records.write_record(tmp_path, make_record())
    assert [path.name for path in tmp_path.iterdir()] == [records.RECORD]
    assert records.read_record(tmp_path).status == "ok"


def test_a_write_that_fails_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.write_record(tmp_path, make_record())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.store.files.os.fsync", full)
    with pytest.raises(HarnessError, match="No space left on device"):
        records.write_record(tmp_path, make_record(status="failed"))
    assert records.read_record(tmp_path).status == "ok"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    edit(folder, lambda data: data.update(schema=SCHEMA_VERSION + 1, something_new=1))
    with pytest.raises(HarnessError, match="newer version") as caught:
        records.read_all(tmp_path)
    assert str(folder) in caught.value.where
    assert "update" in caught.value.fix


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(extra=1), "unknown field 'extra'"),
        (lambda data: data["spec"].update(extra=1), "unknown field 'extra'"),
        (lambda data: data.pop("spec"), "no field 'spec'"),
        (lambda data: data.update(status="fine"), "'fine'"),
        (lambda data: data.update(seconds="long"), "not a number"),
        (lambda data: data["spec"].update(rank=True), "not int"),
    ],
)
def test_a_damaged_record_is_refused_with_the_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    folder = written(tmp_path)
    edit(folder, change)
    with pytest.raises(HarnessError, match="damaged") as caught:
        records.read_record(folder)
    assert words in caught.value.problem


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 1', "\x00\xff"])
def test_a_corrupt_record_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path)
    (folder / records.RECORD).write_text(text)
    with pytest.raises(HarnessError) as caught:
        records.read_record(folder)
    assert caught.value.where == str(folder / records.RECORD)


def test_answers_come_back_and_their_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    answers = make_answers(3, 2)
    digest = records.write_answers(tmp_path, answers)
    assert list(records.read_answers(tmp_path)) == answers
    assert digest == records.answers_sha256(tmp_path)


def test_a_record_that_goes_while_the_folder_is_read_is_no_error(tmp_path: Path) -> None:
    kept, goes = (written(tmp_path, spec=make_spec(seed=seed)) for seed in (0, 1))
    (goes / records.RECORD).unlink()
    (goes / records.RECORD).symlink_to("nowhere")  # listed, and not there when it is opened
    assert [run.folder for run in records.read_all(tmp_path)] == [kept]


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=50)
@given(st.builds(Answer, id=TEXT, group=TEXT, target=TEXT, text=TEXT, parsed=st.none() | TEXT, slices=st.just({})))
def test_any_text_survives_the_way_to_json_and_back(answer: Answer) -> None:
    line = json.dumps(encode(answer), ensure_ascii=False, allow_nan=False)
    assert decode(Answer, json.loads(line)) == answer
    assert "\n" not in line


@settings(max_examples=50)
@given(st.floats())
def test_any_number_survives_the_way_to_json_and_back(number: float) -> None:
    record = make_record(seconds=number)
    back = decode(Record, json.loads(json.dumps(encode(record), allow_nan=False)))
    assert back.seconds == number or (back.seconds != back.seconds and number != number)


def test_answers_with_line_separators_inside_stay_one_line_each(tmp_path: Path) -> None:
    answers = [replace(make_answers(1, 0)[0], text="a\u2028b\x85c\nd")]
    records.write_answers(tmp_path, answers)
    assert list(records.read_answers(tmp_path)) == answers


def test_only_a_finished_run_of_the_same_spec_is_reused(tmp_path: Path) -> None:
    written(tmp_path)
    assert records.finished_run(tmp_path, make_spec()) is not None
    assert records.finished_run(tmp_path, make_spec(learning_rate=0.02)) is None


@pytest.mark.parametrize("status", ["oom", "failed", "interrupted"])
def test_what_did_not_end_well_runs_again(tmp_path: Path, status: str) -> None:
    written(tmp_path, status=status)
    assert records.finished_run(tmp_path, make_spec()) is None


def test_preparing_a_folder_clears_what_an_unfinished_attempt_left(tmp_path: Path) -> None:
    folder = written(tmp_path, status="interrupted")
    (folder / records.ADAPTER).mkdir()
    (folder / records.STEPS).write_text("{}\n")
    records.prepare(folder)
    assert list(folder.iterdir()) == []


def test_steps_are_there_as_they_are_written_and_a_cut_line_is_left_out(tmp_path: Path) -> None:
    with records.open_steps(tmp_path) as steps:
        records.append_step(steps, {"step": 1, "loss": 0.5})
        assert records.read_steps(tmp_path) == [{"step": 1, "loss": 0.5}]
        steps.write('{"step": 2, "lo')
    assert len(records.read_steps(tmp_path)) == 1


def test_runs_are_found_by_task(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, spec=make_spec(task="other"))
    assert {run.record.spec.task for run in records.read_all(tmp_path)} == {"toy", "other"}
    assert [run.record.spec.task for run in records.read_all(tmp_path, "other")] == ["other"]
    assert records.read_all(tmp_path / "nothing") == []


def test_results_merge_by_copying(tmp_path: Path) -> None:
    written(tmp_path / "a")
    written(tmp_path / "b", spec=make_spec(seed=1))
    shutil.copytree(tmp_path / "b", tmp_path / "a", dirs_exist_ok=True)
    assert len(records.read_all(tmp_path / "a")) == 2


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with records.lock(tmp_path / "run") as first, records.lock(tmp_path / "run") as second:
        assert (first, second) == (True, False)
    with records.lock(tmp_path / "run") as again:
        assert again


def test_a_folder_has_no_files_of_locks_when_its_run_is_over(tmp_path: Path) -> None:
    with records.lock(tmp_path / "run"), records.work_lock(tmp_path / "run") as ours:
        assert ours
        assert {path.name for path in (tmp_path / "run").iterdir()} == {records.LOCK, records.WORKING}
    (tmp_path / "run" / records.WORKING).touch()  # of a worker that was killed
    with records.lock(tmp_path / "run") as again:
        assert again
    assert list((tmp_path / "run").iterdir()) == []


def test_of_many_processes_that_lock_and_remove_one_has_the_folder_at_a_time(tmp_path: Path) -> None:
    def hold(_: int) -> bool:
        mine = tmp_path / "mine"
        for _ in range(40):
            with records.lock(tmp_path / "run") as acquired:
                if acquired:
                    try:
                        mine.touch(exist_ok=False)
                    except FileExistsError:
                        return False
                    mine.unlink()
        return True

    assert all(processes.parallel_map(hold, range(4)))


def test_publishing_copies_record_and_answers_and_nothing_else(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / records.LOG).write_text("words of this machine")
    (new,) = records.publish(tmp_path, records.read_all(tmp_path))
    assert sorted(path.name for path in new.iterdir()) == [records.ANSWERS, records.RECORD]
    assert (new / records.RECORD).read_bytes() == (folder / records.RECORD).read_bytes()
    assert records.publish(tmp_path, records.read_all(tmp_path)) == []


def test_a_published_run_is_never_overwritten(tmp_path: Path) -> None:
    folder = written(tmp_path)
    records.publish(tmp_path, records.read_all(tmp_path))
    edit(folder, lambda data: data.update(seconds=1.0))
    with pytest.raises(HarnessError, match="never overwritten"):
        records.publish(tmp_path, records.read_all(tmp_path))


def test_runs_that_were_cut_short_are_not_published(tmp_path: Path) -> None:
    written(tmp_path, status="failed")
    written(tmp_path, spec=make_spec(seed=1), status="interrupted")
    assert records.publish(tmp_path, records.read_all(tmp_path)) == []


def test_that_a_run_did_not_fit_into_memory_is_published_without_answers(tmp_path: Path) -> None:
    record = make_record(status="oom", scores={}, cost=None)
    records.write_record(records.run_dir(tmp_path, record.spec), record)
    (new,) = records.publish(tmp_path, records.read_all(tmp_path))
    assert [path.name for path in new.iterdir()] == [records.RECORD]
    assert records.publish(tmp_path, records.read_all(tmp_path)) == []


def test_answers_given_to_publish_take_the_place_of_the_runs_own(tmp_path: Path) -> None:
    record = records.read_record(written(tmp_path))
    runs, hidden = records.read_all(tmp_path), withhold.stand_in_answers(make_answers(9, 3))
    (new,) = records.publish(tmp_path, runs, {record.spec.id: hidden})
    assert records.read_answers(new) == hidden
    assert records.read_record(new) == replace(record, answers_sha256=records.answers_sha256(new))
    assert records.publish(tmp_path, runs, {record.spec.id: hidden}) == []
    with pytest.raises(HarnessError, match="never overwritten"):
        records.publish(tmp_path, runs)


def test_too_little_disk_space_is_said_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.store.files.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(HarnessError, match="not enough disk space"):
        records.require_space(tmp_path / "not" / "yet" / "there", 2**20)
    records.require_space(tmp_path, 5)


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HarnessError, match="cannot write results"):
        records.require_writable(tmp_path / "file" / "results")
    records.require_writable(tmp_path / "fine")
    assert not (tmp_path / "fine").exists()
    monkeypatch.setattr("harness.store.files.os.access", lambda *_: False)
    with pytest.raises(HarnessError, match="no permission") as caught:
        records.require_writable(tmp_path / "fine")
    assert caught.value.where == str(tmp_path)

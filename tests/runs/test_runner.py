"""The runner's promises, kept with real processes and a worker that does nothing but what the test needs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import processes
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.lifetime import describe_exit
from harness.record import Record
from harness.runs import local
from harness.runs.job import Job, Note, Outcome, Progress, Reporter, RunEnd
from harness.runs.local import LocalProcesses
from harness.runs.runner import Result, failure_record, run
from harness.store import records
from tests.support.records import make_record, make_spec


class Notes:
    """A watcher that writes down what it is told, and can act on it."""

    def __init__(
        self, on_progress: Callable[[Job], None] | None = None, on_stopping: Callable[[], None] | None = None
    ) -> None:
        self.lines: list[str] = []
        self.act, self.act_on_stop = on_progress, on_stopping

    def on_start(self, job: Job) -> None:
        self.lines.append(f"started {job.spec.seed}")

    def on_progress(self, job: Job, progress: Progress) -> None:
        self.lines.append(f"progress {progress.done}/{progress.total}")
        if self.act:
            self.act(job)

    def on_note(self, job: Job, note: Note) -> None:
        self.lines.append(note.text)

    def on_end(self, outcome: Outcome) -> None:
        self.lines.append(f"{outcome.status} {outcome.job.spec.seed}")

    def on_stop(self) -> None:
        self.lines.append("stopping")
        if self.act_on_stop:
            self.act_on_stop()


def finish(job: Job, reporter: Reporter) -> None:
    print("hello from the run")
    reporter.tell(Progress("train", 1, 1))
    records.write_record(job.folder, make_record(job.spec))


def fail_on_seed_one(job: Job, reporter: Reporter) -> None:
    if job.spec.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    finish(job, reporter)


def leave_early(job: Job, reporter: Reporter) -> None:
    os._exit(3)


def cannot_write(job: Job, reporter: Reporter) -> None:
    reporter.tell(RunEnd("failed", "no space left on device"))


def wait_for_stop(job: Job, reporter: Reporter) -> None:
    while not reporter.should_stop():
        reporter.tell(Progress("train", 1, 100))
        time.sleep(0.05)
    records.write_record(job.folder, make_record(job.spec, status="interrupted"))


def deaf(job: Job, reporter: Reporter) -> None:
    reporter.tell(Progress("train", 1, 100))
    time.sleep(3600)


def talk_until_nobody_listens(job: Job, reporter: Reporter) -> None:
    (job.folder / "pid").write_text(str(os.getpid()))
    while True:
        reporter.tell(Progress("train", 1, 100))
        time.sleep(0.02)


def jobs(root: Path, seeds: int) -> list[Job]:
    specs = [make_spec(seed=seed) for seed in range(seeds)]
    return [Job(spec, records.run_dir(root, spec), TaskSource("toy"), Path("model")) for spec in specs]


def go(target: Callable[[Job, Reporter], None], work: list[Job], notes: Notes | None = None, slots: int = 1) -> Result:
    return run(work, LocalProcesses(target, slots=slots), notes or Notes())


def test_a_run_ends_with_its_record_and_its_output_in_the_log(tmp_path: Path) -> None:
    notes = Notes()
    (job,) = jobs(tmp_path, 1)
    result = go(finish, [job], notes)
    assert [o.status for o in result.outcomes] == ["ok"]
    assert notes.lines == ["started 0", "progress 1/1", "ok 0"]
    assert "hello from the run" in (job.folder / records.LOG).read_text()
    assert records.finished_run(tmp_path, job.spec) is not None


def test_a_killed_run_becomes_a_row_with_a_reason_and_the_others_go_on(tmp_path: Path) -> None:
    result = go(fail_on_seed_one, jobs(tmp_path, 3))
    assert [o.status for o in result.outcomes] == ["ok", "failed", "ok"]
    assert result.outcomes[1].reason == "killed by signal 9 (often out of memory)"
    assert [run.record.status for run in records.read_all(tmp_path)].count("failed") == 1


def test_a_run_that_leaves_without_a_record_is_failed_with_its_exit_code(tmp_path: Path) -> None:
    (outcome,) = go(leave_early, jobs(tmp_path, 1)).outcomes
    assert outcome.status == "failed"
    assert "exit code 3" in outcome.reason


def test_a_run_that_cannot_write_its_record_still_says_why(tmp_path: Path) -> None:
    (outcome,) = go(cannot_write, jobs(tmp_path, 1)).outcomes
    assert (outcome.status, outcome.reason) == ("failed", "no space left on device")


def test_a_folder_that_cannot_be_made_fails_that_run_only(tmp_path: Path) -> None:
    bad, good = jobs(tmp_path, 2)
    bad.folder.parent.mkdir(parents=True)
    bad.folder.write_text("a file is in the way")
    result = go(finish, [bad, good])
    assert [o.status for o in result.outcomes] == ["failed", "ok"]


def test_a_run_that_another_process_is_doing_is_left_to_it(tmp_path: Path) -> None:
    mine, theirs = jobs(tmp_path, 2)
    with records.lock(theirs.folder) as free:
        assert free
        result = go(finish, [theirs, mine])
    assert [o.status for o in result.outcomes] == ["busy", "ok"]
    assert not (theirs.folder / records.RECORD).exists()


def test_ctrl_c_finishes_the_step_writes_interrupted_and_starts_no_more(tmp_path: Path) -> None:
    work = jobs(tmp_path, 2)
    pressed = threading.Event()

    def press_once(job: Job) -> None:
        if not pressed.is_set():
            pressed.set()
            os.kill(os.getpid(), signal.SIGINT)

    notes = Notes(press_once)
    result = go(wait_for_stop, work, notes)
    assert result.interrupted
    assert [o.status for o in result.outcomes] == ["interrupted"]
    assert "stopping" in notes.lines
    assert records.read_record(work[0].folder).status == "interrupted"
    assert not work[1].folder.exists()


def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path: Path) -> None:
    pressed: list[str] = []

    def press(*_: Job) -> None:
        if len(pressed) < 2:
            pressed.append("Ctrl-C")
            os.kill(os.getpid(), signal.SIGINT)

    notes = Notes(on_progress=press, on_stopping=press)
    (outcome,) = go(deaf, jobs(tmp_path, 1), notes).outcomes
    assert notes.lines == ["started 0", "progress 1/100", "stopping", "interrupted 0"]
    assert (outcome.status, outcome.reason) == ("interrupted", "stopped at once by a second Ctrl-C")


def test_an_interrupted_run_runs_again_and_a_finished_one_is_kept(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    records.write_record(job.folder, make_record(job.spec, status="interrupted"))
    assert records.finished_run(tmp_path, job.spec) is None
    go(finish, [job])
    assert records.finished_run(tmp_path, job.spec) is not None


def test_a_run_that_another_process_has_finished_meanwhile_is_taken_as_it_is(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    records.write_record(job.folder, make_record(job.spec, seconds=123.0))
    (outcome,) = go(fail_on_seed_one, [job]).outcomes
    assert (outcome.status, outcome.record) == ("ok", make_record(job.spec, seconds=123.0))
    assert not (job.folder / records.LOG).exists()
    with records.lock(job.folder) as free:
        assert free


def test_two_slots_run_two_at_a_time(tmp_path: Path) -> None:
    notes = Notes()
    go(finish, jobs(tmp_path, 2), notes, slots=2)
    assert notes.lines[:2] == ["started 0", "started 1"]


def test_a_run_whose_starter_died_ends_by_itself(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    records.prepare(job.folder)
    process = LocalProcesses(talk_until_nobody_listens).start(job)
    while not process.events():
        time.sleep(0.05)
    process.connection.close()
    while process.exit_reason() is None:
        time.sleep(0.05)
    assert process.exit_reason()


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, ""), (2, "exit code 2"), (-11, "SIGSEGV"), (-9, "often out of memory"), (-250, "signal 250")],
)
def test_exit_codes_are_told_in_words(code: int, words: str) -> None:
    assert words in describe_exit(code)
    assert bool(describe_exit(code)) == bool(code)


def test_the_record_of_a_dead_run_can_be_read_back(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    record = failure_record(job, "oom", "no memory", 2.5)
    records.write_record(job.folder, record)
    assert records.read_record(job.folder) == record


def test_a_record_of_another_version_raises(tmp_path: Path) -> None:
    (job,) = jobs(tmp_path, 1)
    newer = Record(**{**vars(make_record(job.spec)), "schema": 99})
    records.write_record(job.folder, newer)
    with pytest.raises(HarnessError, match="newer version"):
        records.read_record(job.folder)


def test_with_a_cuda_device_no_process_is_forked_since_bitsandbytes_opens_the_device_on_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.cuda_present", lambda: True)
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", lambda: pytest.fail("a fork server"))
    local.warm_up()
    assert local.context().get_start_method() == "spawn"
    assert [outcome.status for outcome in go(finish, jobs(tmp_path, 1)).outcomes] == ["ok"]


def test_what_is_imported_beforehand_starts_no_thread_and_no_device() -> None:
    pytest.importorskip("torch")
    code = (
        "import harness.runs.preload, gc, torch, threading; from pathlib import Path; "
        "assert gc.get_freeze_count() > 10 * len(gc.get_objects()); "  # a run does not look through the libraries
        "assert not torch.cuda.is_initialized(); assert threading.active_count() == 1; "
        "tasks = Path('/proc/self/task'); assert not tasks.exists() or len(list(tasks.iterdir())) == 1"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_libraries_are_kept_off_the_terminal_where_a_command_loads_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", dict(os.environ))
    with warnings.catch_warnings(record=True) as told:
        processes.quieten()
        warnings.warn("a library's", FutureWarning, stacklevel=1)
    assert not told
    assert os.environ["TQDM_DISABLE"] == "1"
    assert not logging.getLogger("bitsandbytes.backends").isEnabledFor(logging.WARNING)


def train_for_a_while(job: Job, reporter: Reporter) -> None:
    for step in range(40):
        reporter.tell(Progress("train", step, 40))
        time.sleep(0.05)
    records.write_record(job.folder, make_record(job.spec))


def test_a_record_has_the_number_of_runs_beside_its_training(tmp_path: Path) -> None:
    pair = run(jobs(tmp_path / "two", 2), LocalProcesses(train_for_a_while, slots=2), Notes())
    assert all(outcome.record and outcome.record.neighbours for outcome in pair.outcomes)
    for outcome in pair.outcomes:
        assert records.read_record(outcome.job.folder) == outcome.record
    alone = run(jobs(tmp_path / "one", 1), LocalProcesses(train_for_a_while), Notes())
    assert [outcome.record and outcome.record.neighbours for outcome in alone.outcomes] == [0.0]

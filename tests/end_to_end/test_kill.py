"""No work is lost: a grid that is killed, meets a full disk, another process or a damaged record is completed by itself.

Kills are real SIGKILLs. Most hit a fork that does the whole grid in one process, at one of the points where it touches
the results folder: there a kill can do harm, and so are a hundred of them cheap. Some hit runners and workers anywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import app
from harness.store import files as atomic
from harness.store import records
from tests.support.answer_rows import with_schema
from tests.support.fault_injection import (
    CHANGES,
    WRITES,
    Breaking,
    forked,
    full_disk,
    killed,
    never,
    read_only,
    snapshot,
    warm_up,
    write_inputs,
)

ROOT = Path(__file__).resolve().parents[2]
KILLS = 100
FOREVER = 3600.0  # seconds that a run sleeps which has to be killed

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks and /proc")


class Grid:
    """The same command again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = write_inputs(folder)
        warm_up(self.command[1])

    def go(self, results: Path, at: int = 10**9, how: Callable[[], None] = never, kinds: set[str] = CHANGES) -> int:
        """Run the command; at the point `at` something happens. Returns the exit code, or minus the signal."""

        def work() -> int:
            breaking = Breaking(results, at, how, kinds)
            breaking.install()
            code = app.main([*self.command, "--results", str(results)])
            (self.folder / "seen.json").write_text(json.dumps(breaking.seen))
            return code

        return forked(work, self.folder / "said.txt")

    def also(self, *words: str, how: Callable[[], None] = never, below: Path) -> int:
        """Another command, with whatever it writes below a folder meeting `how`."""

        def work() -> int:
            Breaking(below, 0 if how is not never else 10**9, how, WRITES).install()
            return app.main(list(words))

        return forked(work, self.folder / "said.txt")

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(name, file) for name, file in json.loads((self.folder / "seen.json").read_text())]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    return Grid(tmp_path_factory.mktemp("grid"))


@pytest.fixture(scope="module")
def undisturbed(grid: Grid) -> dict[str, bytes]:
    """What a run of the grid leaves that nothing happens to."""
    assert grid.go(grid.folder / "undisturbed") == 0, grid.said
    found = snapshot(grid.folder / "undisturbed")
    assert len([name for name in found if name.endswith(records.RECORD)]) == 4
    assert {"leaderboard/toy.csv", "leaderboard/toy.md", "report.html"} <= found.keys()
    return found


@pytest.fixture(scope="module")
def moments(grid: Grid, undisturbed: dict[str, bytes]) -> list[tuple[str, str]]:
    """What a run of the grid does to files, in order, with the file."""
    assert grid.go(grid.folder / "counted") == 0
    return grid.seen


@pytest.mark.parametrize("moment", [("os.rename", "record.json"), ("os.rename", "toy.csv")], ids=["record", "table"])
def test_a_grid_killed_as_a_record_or_a_table_comes_to_its_place_is_completed_by_the_same_command(
    grid: Grid,
    undisturbed: dict[str, bytes],
    moments: list[tuple[str, str]],
    tmp_path: Path,
    moment: tuple[str, str],
) -> None:
    assert grid.go(tmp_path / "results", moments.index(moment), killed) == -signal.SIGKILL
    assert grid.go(tmp_path / "results") == 0, grid.said
    assert snapshot(tmp_path / "results") == undisturbed


@pytest.mark.slow
def test_a_grid_killed_at_a_hundred_moments_is_completed_by_the_same_command(
    grid: Grid, undisturbed: dict[str, bytes], moments: list[tuple[str, str]], tmp_path: Path
) -> None:
    points, chance, kills, chains = len(moments), random.Random(20), 0, 0
    kinds = {kind: moments.index(kind) for kind in moments}
    assert {("os.rename", "record.json"), ("os.rename", "answers.jsonl.gz"), ("os.rename", "toy.csv")} <= kinds.keys()
    next_ones = sorted(kinds.values(), reverse=True)  # each kind of write once, then any moments
    while kills < KILLS:
        results = tmp_path / f"chain{(chains := chains + 1)}"
        while True:
            at = next_ones.pop() if next_ones else chance.randrange(points // 2)
            if (code := grid.go(results, at, killed)) != -signal.SIGKILL:
                break
            kills += 1
        assert code == 0, grid.said
        assert snapshot(results) == undisturbed
    assert chains >= 5


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_kind_of_write_is_said_and_costs_no_work(
    grid: Grid, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    assert grid.go(tmp_path / "counted", kinds=WRITES) == 0
    first = {kind: at for at, kind in reversed(list(enumerate(grid.seen)))}
    assert len(first) > 12
    for (name, file), at in first.items():
        results = tmp_path / f"full{at}"
        assert grid.go(results, at, full_disk, WRITES) in (1, 2), (name, file, grid.said)
        assert "No space left" in grid.said, (name, file, grid.said)
        assert "Traceback" not in grid.said
        finished = {path: path.read_bytes() for path in results.rglob(records.RECORD)}
        assert grid.go(results) == 0, (name, file, grid.said)
        assert snapshot(results) == undisturbed
        assert all(path.read_bytes() == before for path, before in finished.items() if b'"ok"' in before)


def test_a_read_only_results_folder_can_be_read_and_is_refused_in_one_sentence(grid: Grid, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert grid.go(results) == 0
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    task = grid.command[1]
    assert grid.also("verify", str(results), "--task", task, how=read_only, below=results) == 0, grid.said
    shown = grid.also("compare", "base", "full", "--results", str(results), how=read_only, below=results)
    assert shown == 0, grid.said
    for words in (["report"], [*grid.command, "--seeds", "0,1"]):
        assert grid.also(*words, "--results", str(results), how=read_only, below=results) in (1, 2)
        assert "Read-only file system" in grid.said
        assert "Traceback" not in grid.said
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


@pytest.mark.parametrize("keep", [0, 1, 0.5, -2], ids=["empty", "one byte", "half", "without its end"])
def test_a_record_cut_in_half_is_a_run_that_is_done_again(
    grid: Grid, undisturbed: dict[str, bytes], tmp_path: Path, keep: float
) -> None:
    results = tmp_path / "results"
    assert grid.go(results) == 0
    path = next(results.rglob(f"lora-r2/*/{records.RECORD}"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert grid.also("report", "--results", str(results), below=results) == 2  # a table without it would be another
    assert str(path) in grid.said
    assert grid.go(results) == 0, grid.said
    assert snapshot(results) == undisturbed


def test_a_record_of_a_newer_version_is_not_taken_for_a_damaged_one(grid: Grid, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert grid.go(results) == 0
    path = next(results.rglob(f"full/*/{records.RECORD}"))
    path.write_text(newer := with_schema(path.read_text(), 99))
    assert grid.go(results) == 2
    assert "newer version" in grid.said
    assert path.read_text() == newer


def test_two_processes_on_one_results_folder_do_each_run_once_and_agree(
    grid: Grid, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    others = []
    for n in range(3):
        if not (child := os.fork()):
            os._exit(forked(lambda: app.main([*grid.command, "--results", str(results)]), tmp_path / f"said{n}"))
        others.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in others]
    said = "".join((tmp_path / f"said{n}").read_text() for n in range(3))
    assert set(codes) <= {0, 1}, said  # 1: a run that another process was doing is not there yet
    assert "Traceback" not in said
    assert grid.go(results) == 0, grid.said
    assert snapshot(results) == undisturbed


def test_writers_of_one_file_leave_it_whole_at_any_moment_and_nothing_beside_it(tmp_path: Path) -> None:
    path, texts = tmp_path / "table.csv", [bytes([65 + n]) * (50_000 + n) for n in range(3)]
    children = []
    for text in texts:
        if not (child := os.fork()):
            code = 1
            with contextlib.suppress(BaseException):
                for _ in range(40):
                    atomic.write(path, text)
                code = 0
            os._exit(code)
        children.append(child)
    while not path.exists():
        time.sleep(0.001)
    found = {path.read_bytes() for _ in range(200)}
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    assert found <= set(texts)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    dead, near = tmp_path / ".table.csv.0123abcd", tmp_path / ".table.csv.mine"
    dead.write_text("half")
    near.write_text("no file of ours")
    part, out = atomic._open_part(tmp_path / "table.csv")
    with out:
        atomic.write(tmp_path / "table.csv", b"whole")
        assert part.exists()
    assert not dead.exists()
    assert near.exists()


def test_a_file_system_without_locks_is_not_taken_for_a_run_in_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with atomic.lock(tmp_path / "run") as ours:
        assert ours
    (tmp_path / ".x.0123abcd").write_text("another's, for all we know")
    atomic.write(tmp_path / "x", b"1")
    assert (tmp_path / ".x.0123abcd").exists()


def test_a_folder_is_free_when_its_worker_has_gone_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "WAIT_SECONDS", 0.1)
    with atomic.lock(tmp_path), atomic.work_lock(tmp_path) as ours:
        assert ours
    with atomic.work_lock(tmp_path), atomic.lock(tmp_path) as free:
        assert not free
    with atomic.lock(tmp_path) as free:
        assert free


def test_a_clock_that_jumps_changes_no_duration_and_no_table(
    grid: Grid, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    assert grid.go(results) == 0
    for n, path in enumerate(sorted(results.rglob("*"))):
        os.utime(path, (day := (0, 4_000_000_000)[n % 2], day))  # 1970 and 2096
    assert grid.go(results) == 0
    assert "finished before" in grid.said
    assert snapshot(results) == undisturbed


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_runners_and_workers_killed_at_any_time_leave_a_grid_that_is_completed(
    grid: Grid, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    results, chance = tmp_path / "results", random.Random(5)
    program = f"import sys; sys.path[:0] = [{str(ROOT)!r}]\nfrom tests.support import fault_injection as grid\n"
    script = tmp_path / "program.py"
    script.write_text(program + "if __name__ == '__main__':\n    sys.exit(grid.command_line())\n")
    command = [sys.executable, str(script), *grid.command, "--results", str(results)]
    said: list[str] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        place = os.environ | {"RUN_SECONDS": str(seconds)}
        return subprocess.Popen(command, env=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def worker_of(process: subprocess.Popen[str], known: set[int]) -> int:
        while process.poll() is None:
            for path in results.rglob("pid"):
                if (text := path.read_text()) and int(text) not in known and alive(int(text)):
                    return int(text)
            time.sleep(0.02)
        raise AssertionError(f"no worker: {process.communicate()[0]}")

    for whom in ("runner", "worker", "runner"):
        process = start(FOREVER)  # each worker sleeps for longer than it may live
        worker = worker_of(process, set())
        time.sleep(chance.random() / 10)
        if whom == "worker":
            os.kill(worker, signal.SIGKILL)
            worker = worker_of(process, {worker})  # the runner goes on with the next run
        process.kill()
        process.communicate()
        while alive(worker):  # for ever, if a worker outlived its runner
            time.sleep(0.02)
    process = start(0.0)
    said.append(process.communicate()[0])
    assert process.returncode == 0, said
    for path in results.rglob("pid"):
        path.unlink()
    assert snapshot(results) == undisturbed

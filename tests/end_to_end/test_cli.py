"""The program as a user runs it: exit codes, what a run leaves behind, and what each command does with it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import app
from harness.cli.app import COMMANDS, main
from harness.cli.commands import adapters
from harness.store import records
from tests.support import answer_rows
from tests.support.cli_runner import Desk, guess, guess_but_lora_is_killed, without_torch
from tests.support.startup import HEAVY, MAX_MODULES_HELP, MAX_MODULES_TABLE, libraries, modules_of


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


def test_a_run_trains_tests_and_leaves_tables(desk: Desk) -> None:
    assert desk.train() == 0
    assert "✓ lora  r2   s0" in desk.err
    assert "◀ best" in desk.out
    assert (desk.results / "leaderboard" / "toy.csv").exists()
    assert len(list(desk.results.rglob(records.RECORD))) == 3


def test_ranks_may_be_given_one_by_one(desk: Desk) -> None:
    assert desk.train("--method", "lora", "--rank", "2", "--rank", "4") == 0
    assert [f"✓ lora  r{rank}" in desk.err for rank in (2, 4)] == [True, True]


def test_running_again_keeps_what_is_finished(desk: Desk) -> None:
    desk.train()
    before = {path: path.stat().st_mtime_ns for path in desk.results.rglob(records.RECORD)}
    assert desk.train() == 0
    assert desk.err.count("finished before") == 3
    assert before == {path: path.stat().st_mtime_ns for path in desk.results.rglob(records.RECORD)}


def test_a_run_that_dies_is_a_row_and_the_exit_code_is_one(desk: Desk) -> None:
    desk.work = guess_but_lora_is_killed
    assert desk.train() == 1
    assert "killed by signal 9 (often out of memory)" in desk.out
    assert "✓ full" in desk.err
    assert "killed by signal 9" not in (desk.results / "leaderboard" / "toy.csv").read_text()
    assert ",failed," in (desk.results / "leaderboard" / "toy.csv").read_text()
    desk.work = guess
    assert desk.train() == 0
    assert desk.err.count("finished before") == 2


def test_runs_without_base_are_set_against_the_base_run_of_before(desk: Desk) -> None:
    desk.train("--method", "base")
    desk.train("--method", "full")
    row = next(line for line in desk.out.splitlines() if line.startswith("full"))
    assert "+" in row


def test_the_report_command_writes_the_same_bytes_twice(desk: Desk) -> None:
    desk.train()
    table = desk.results / "leaderboard" / "toy.csv"
    first = table.read_bytes()
    table.unlink()
    assert desk.run("report") == 0
    assert table.read_bytes() == first


def test_two_runs_can_be_compared_by_name(desk: Desk) -> None:
    desk.train()
    assert desk.run("compare", "base", "full") == 0
    assert "acc %" in desk.out
    assert "learning_rate" in desk.out
    assert desk.run("compare", "base", "ful") == 2
    assert "did you mean 'full'" in desk.err


def test_verify_recomputes_and_finds_a_changed_answer(desk: Desk) -> None:
    desk.train()
    command = ["verify", str(desk.results), "--task", str(desk.task)]
    assert main(command) == 0
    path = next(desk.results.glob(f"runs/toy/model/full/*/{records.ANSWERS}"))
    rows = answer_rows.rows(path)
    rows[0]["text"] = rows[0]["parsed"] = next(c for c in rows[0]["choices"] if c != rows[0]["target"])
    answer_rows.write_rows(path, rows)
    assert main(command) == 1


def test_verify_that_can_verify_nothing_is_no_success(desk: Desk) -> None:
    desk.train()
    assert main(["verify", str(desk.results)]) == 2
    assert main(["verify", str(desk.folder / "nothing")]) == 2


def test_publishing_copies_finished_runs_once(desk: Desk) -> None:
    desk.train("--seeds", "3")
    assert desk.run("publish", "--task", str(desk.task)) == 0
    published = desk.results / "published"
    assert len(list(published.rglob(records.RECORD))) == 7
    assert (published / "leaderboard" / "toy.csv").exists()
    assert desk.run("publish", "--task", str(desk.task)) == 0
    assert "0 new, 7 published before" in desk.out


def test_a_run_that_does_not_verify_is_not_published(desk: Desk) -> None:
    desk.train()
    path = next(desk.results.glob(f"runs/toy/model/full/*/{records.ANSWERS}"))
    answer_rows.replace_text(path, "it rises", "it falls a little", 1)
    assert desk.run("publish", "--task", str(desk.task)) == 2
    assert "does not verify" in desk.err


def test_list_names_tasks_methods_and_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.py").write_text("TASK = 1 / 0\n")
    assert main(["list", "--tasks-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "claims" in out
    assert "qlora" in out
    assert "broken: ZeroDivisionError" in out


def test_check_shows_a_data_file_as_a_run_would_see_it(desk: Desk) -> None:
    assert main(["check", str(desk.task)]) == 0
    out, _ = desk.capsys.readouterr()
    assert "60 rows" in out
    assert "Answer: it" in out
    assert "toy: 9 of 9 hold" in out


def test_check_lists_the_options_where_the_prompt_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.commands.check.shortcuts.notes", lambda *_, **__: [])  # see tests/challengers
    monkeypatch.setattr("harness.cli.commands.check.HASH_SEEDS", ())  # see tests/verify/test_task.py
    assert main(["check", "cfa", "--data", str(tmp_path)]) == 0  # as in a loop over all tasks: cfa's own data is used
    out = capsys.readouterr().out
    assert "each of these options is scored" in out
    assert "--data      not used for cfa: its data comes with the project" in out
    assert main(["check", "cfa_listed"]) == 0
    assert "each of these options is scored" not in capsys.readouterr().out


def test_a_run_of_a_task_that_ships_its_data_takes_a_data_folder_for_other_tasks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "plan",
        "--task",
        "cfa",
        "--method",
        "base",
        "--challengers",
        "none",
        "--no-memory",
        "--results",
        str(tmp_path / "results"),
    ]
    assert main(words) == 0
    (run,) = re.findall(r" ([0-9a-f]{10})\n", capsys.readouterr().out)
    assert main([*words, "--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "--data     not used for cfa: its data comes with the project" in out
    assert run in out  # the same examples, so the same run


def test_a_copy_of_published_data_is_listed_with_its_sizes_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, numbers in (("sent_train.csv", range(21)), ("sent_valid.csv", range(20, 30))):
        lines = [f"tweet {n},{n % 3}\n" for n in numbers]
        (tmp_path / name).write_text("text,label\n" + "".join(lines))
    assert main(["list", "--data", str(tmp_path)]) == 0
    assert "train 17 · validation 3 · test 10" in capsys.readouterr().out
    assert main(["check", "tfns", "--data", str(tmp_path)]) == 0
    assert "left out    repeated 1" in capsys.readouterr().out


def test_a_new_task_can_be_checked_at_once_and_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "motor_claims", "--tasks-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "check motor_claims" in out
    assert main(["check", "motor_claims", "--tasks-dir", str(tmp_path)]) == 0
    assert main(["new", "motor_claims", "--tasks-dir", str(tmp_path)]) == 2
    assert main(["new", "Motor Claims", "--tasks-dir", str(tmp_path)]) == 2


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help_with_examples_that_can_be_typed(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage:" in out
    shown = [line.strip() for line in out.split("examples:\n")[1].splitlines()]
    assert shown
    (tmp_path / "data_sets").mkdir()  # which an example names
    monkeypatch.chdir(tmp_path)
    for line in shown:
        program, script, *words = shlex.split(line)
        assert (program, script) == ("python", "run_all.py")
        name = words[0] if words[0] in COMMANDS else "run"
        assert name == (command or "run")
        arguments = app.read(name, words[1:] if words[0] == name else words)
        if name == "adapters":
            adapters.read(arguments.action, arguments.rest)


def test_no_flag_goes_without_a_word_of_help() -> None:
    tables = {name: app.module(name).FLAGS for name in COMMANDS}
    for rows in [*tables.values(), *(action.flags for action in adapters.ACTIONS.values())]:
        assert [row.name for row in rows if not row.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_help_loads_few_modules_and_no_heavy_library(name: str) -> None:
    modules = modules_of(name, "--help")
    assert libraries(modules) & (HEAVY | {"rich"}) == set()
    assert len(modules) <= MAX_MODULES_HELP


def test_list_loads_few_modules_and_no_heavy_library() -> None:
    modules = modules_of("list")
    assert libraries(modules) & HEAVY == set()
    assert len(modules) <= MAX_MODULES_TABLE

"""Every command on every page works as written: those that train nothing run here, the others are read and listed with a reason."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import app, settings
from harness.data import registry
from harness.runs import plan
from harness.runs.options import Options
from harness.store.find import find_run, own_or_published
from tests.challengers.test_runs import Ear
from tests.end_to_end import test_documentation as documentation
from tests.end_to_end.test_documentation import csv_rows, csv_text, jsonl_rows, jsonl_text, many_rows, only
from tests.support.cli_runner import guess, without_torch
from tests.support.sample_inputs import write_model

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "flags.md"),
    *sorted((ROOT / "results").glob("*/README.md")),
    *sorted((ROOT / "results").glob("README.md")),
]
TYPED = re.compile(r"(?:python run_all\.py|^adaptbench) +((?:[^\n`\\;}]|\\\|)+)", re.MULTILINE)
MENTIONS = {
    "adapters merge",
    "new renewals",
    "check NAME",
    "plan --task cfa --method NAME",
}  # of a form, with a place for a name
NEEDS_TRAINING = "it trains"
REASONS = {
    "run": NEEDS_TRAINING,
    "sequence": NEEDS_TRAINING,
    "serve": "it serves until it is stopped",
    "publish": "it needs committed code and three seeds",
    "intruders": "it needs trained weights",
    "new": "it writes into a folder, as tests/data/test_template.py does",
    "verify": "it judges what real runs leave, as tests/end_to_end/test_cli.py does",
}
RUNS = ("lora-r8", "full", "base")


def claims_text() -> str:
    """The export of a claims department with the columns that the README names."""
    decisions = ("pay", "refer", "reject")
    return csv_text(
        [
            {"policy_no": f"P{i // 2}", "note": f"claim {i}: a pipe burst in the kitchen", "decision": decisions[i % 3]}
            for i in range(60)
        ]
    )


def commands() -> dict[str, str]:
    """The commands of all pages, with the page of the first."""
    found: dict[str, str] = {}
    for page in PAGES:
        for match in TYPED.finditer(page.read_text(encoding="utf-8")):
            command = re.split(r"\s#", match[1])[0].strip().rstrip(".,")
            if command not in MENTIONS:
                found.setdefault(command, str(page.relative_to(ROOT)))
    return found


COMMANDS = commands()


def reason(command: str) -> str:
    """Why a command is read here and not run; empty if it is run."""
    words = shlex.split(command)
    name = words[0] if words[0] in app.COMMANDS else "run"
    if command == "--help":
        return ""
    if name == "plan" and "--no-memory" not in words:
        return "it predicts memory for minutes, as tests/runs/test_forecast.py does"
    if name == "adapters" and words[1] != "list":
        return "it needs trained weights"
    if "my_tasks" in words or "renewals" in words:
        return "tests/end_to_end/test_documentation.py runs it with its task"
    return REASONS.get(name, "")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that pages name and the finished runs that `--task cfa` leaves."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "questions.jsonl").write_text(jsonl_text(many_rows(jsonl_rows())))
    (folder / "tweets.csv").write_text(csv_text(many_rows(csv_rows())))
    (folder / "claims.csv").write_text(claims_text())
    (folder / "study.yaml").write_text(only("yaml"))
    (folder / "my_tasks").mkdir()
    options = Options(tasks=("cfa",), methods=("base", "lora", "full"), ranks=(8,), memory=False)
    options = replace(options, model=str(write_model(folder / "model")), results=folder / "results", test_examples=60)
    for job in plan.make(options)[0].jobs():
        guess(job, Ear())
    return folder


def test_the_commands_of_all_pages_are_collected_and_those_that_only_are_read_are_listed() -> None:
    assert len(COMMANDS) > 40
    only_read = {command: reason(command) for command in COMMANDS if reason(command)}
    print("\n".join(f"{why}: {command} ({COMMANDS[command]})" for command, why in sorted(only_read.items())))
    run = sorted(set(COMMANDS) - set(only_read))
    assert {"calibration", "report", "check cfa", "list"} <= set(run)
    of_readme = [c for c in documentation.COMMANDS if documentation.cheap(c) and not documentation.has_its_task(c)]
    assert [c for c in of_readme if c not in list(map(shlex.split, run))] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_read_with_tasks_methods_and_runs_that_exist(
    command: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    words = shlex.split(command)
    if words == ["--help"]:
        return
    name = words[0] if words[0] in app.COMMANDS else "run"
    if name in ("adapters", "intruders"):  # which have commands of their own
        return
    arguments = app.read(name, words[1:] if words[0] == name else words)
    if name in ("run", "plan"):
        options = settings.options(arguments)
        for method in options.methods:
            assert method == "all" or registry.method(method)
        for task in registry.expanded(options.tasks):
            assert task in registry.tasks() or Path(task).exists() or task == "renewals"
        if arguments.continue_from:
            assert find_run(arguments.continue_from, own_or_published(clone / "results")[0])


@pytest.mark.parametrize(
    "run", sorted({word for c in COMMANDS for word in shlex.split(c) if re.search(r"(lora|full)-?r?\d*$", word)})
)
def test_runs_that_pages_name_are_found_by_their_names(run: str, clone: Path) -> None:
    name = run.split("=")[-1]
    runs, _ = own_or_published(clone / "results")
    if name.rpartition("/")[0] in ("", "cfa") and name.rpartition("/")[2] in RUNS:
        assert find_run(name, runs).record.spec.name == name.rpartition("/")[2]


@pytest.mark.parametrize("command", [command for command in COMMANDS if not reason(command)])
def test_every_command_that_trains_nothing_works_as_written(
    command: str, clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_torch(monkeypatch)
    monkeypatch.chdir(clone)
    assert app.main(shlex.split(command)) == 0, capsys.readouterr().err
    assert capsys.readouterr().out

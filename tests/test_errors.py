"""Hints are commands that work when they are typed: from the checkout, and where the program was installed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness import errors
from harness.cli import next_command
from harness.cli.app import COMMANDS, main
from harness.store import records

ROOT = Path(__file__).resolve().parent.parent


def test_the_installed_command_is_the_one_that_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {errors.INSTALLED: "harness.cli:main"}


@pytest.mark.parametrize(
    ("started", "said"),
    [
        ("run_all.py", "python run_all.py list"),
        ("/somewhere/main/run_all.py", "python run_all.py list"),
        ("/somewhere/bin/pytest", "python run_all.py list"),
        ("", "python run_all.py list"),
        ("adaptbench", "adaptbench list"),
        ("/somewhere/bin/adaptbench", "adaptbench list"),
        ("/somewhere/Scripts/adaptbench.exe", "adaptbench list"),
        ("/somewhere/Scripts/adaptbench-script.py", "adaptbench list"),
    ],
)
def test_a_hint_starts_the_program_the_way_it_was_started(
    started: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [started, "--task", "cfa"])
    assert errors.command("list") == said


def test_a_hint_can_be_pasted_into_a_shell() -> None:
    assert errors.command() == "python run_all.py"
    assert errors.command("--task", "my file.jsonl") == "python run_all.py --task 'my file.jsonl'"
    assert (
        next_command.command("verify", results=Path("my results")) == "python run_all.py verify --results 'my results'"
    )
    assert next_command.command("verify", results=records.DEFAULT_ROOT) == "python run_all.py verify"


@pytest.mark.parametrize(
    "words", ["--task cfaa", "", "report --results nowhere", "cfa", "plan --rnak 8", "list --rank", "verify nowhere"]
)
def test_every_hint_of_the_installed_program_names_it(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/adaptbench", *words.split()])
    assert main() == 2
    err = capsys.readouterr().err
    assert "adaptbench" in err
    assert "run_all" not in err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_of_the_installed_program_names_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/adaptbench", *command.split(), "--help"])
    assert main() == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: adaptbench {command if command != 'run' else ''}".rstrip())
    assert "run_all" not in out


def test_what_is_next_after_a_new_task_works_where_the_program_is_installed(tmp_path: Path) -> None:
    script = tmp_path / "adaptbench"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom harness.cli import main\nsys.exit(main())\n"
    )
    command = [sys.executable, str(script), "new", "motor", "--tasks-dir", "mine"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "next         adaptbench check motor --tasks-dir mine"


def test_only_one_module_knows_how_the_program_is_started() -> None:
    found = [path.name for path in (ROOT / "harness").rglob("*.py") if "run_all" in path.read_text(encoding="utf-8")]
    assert found == ["errors.py"]


def test_every_error_says_where_and_how_to_fix_it() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*(ROOT / "harness").rglob("*.py"), *(ROOT / "tasks").glob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("HarnessError", "TrainingFailed")
        if not {"where", "fix"} <= {keyword.arg for keyword in node.keywords}
    ]
    assert bare == []


def test_the_reason_of_a_failed_download_is_in_plain_words() -> None:
    class ConnectError(Exception):
        pass

    class RepositoryNotFoundError(Exception):
        pass

    class GatedRepoError(RepositoryNotFoundError):
        pass

    hidden = OSError("Got: ConnectError: [Errno -2] Name or service not known\nadvice for another program")
    hidden.__cause__ = ConnectError("[Errno -2]")
    assert "cannot be reached from this machine" in errors.why_not_fetched(hidden)
    assert "Errno" not in errors.why_not_fetched(hidden)
    assert "HF_TOKEN" in errors.why_not_fetched(RepositoryNotFoundError("404"))
    assert "terms accepted" in errors.why_not_fetched(GatedRepoError("403"))
    assert errors.why_not_fetched(ValueError("one line\nanother")) == "one line"
    assert errors.why_not_fetched(ValueError()) == "ValueError"

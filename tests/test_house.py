"""The rules of the house that import-linter and ruff cannot state: see `[tool.importlinter]` in pyproject.toml."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"


def folders() -> list[Path]:
    return sorted({path.parent for path in HARNESS.rglob("*.py")})


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_folder_has_more_than_23_files(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 23


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_every_room_states_its_purpose_and_its_law(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert text
    assert text.count(".") >= 2


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.py")), ids=lambda path: path.name)
def test_tasks_import_the_public_names_and_nothing_deeper(path: Path) -> None:
    deeper = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.")
    }
    assert not deeper


def test_files_are_short() -> None:
    files = [*HARNESS.rglob("*.py"), *(ROOT / "tasks").glob("*.py"), ROOT / "run_all.py"]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in files}
    assert statistics.median(lengths.values()) <= 150
    longest = [*lengths.items()] + [
        (path.relative_to(ROOT), len(path.read_text().splitlines())) for path in (ROOT / "tests").rglob("*.py")
    ]
    assert not [(path, count) for path, count in longest if count > 350]
    assert lengths[Path("run_all.py")] <= 10


HEAVY = {"intruders_count", "intruders_scale"}  # they decompose weights; `intruders` imports them when it is called
COMMANDS = sorted(path.stem for path in (HARNESS / "cli" / "commands").glob("[a-z]*.py"))
LIGHT = ["harness", "harness.cli", *(f"harness.cli.commands.{name}" for name in COMMANDS if name not in HEAVY)]


@pytest.mark.parametrize("module", LIGHT)
def test_the_program_starts_without_heavy_libraries(module: str) -> None:
    heavy = "{'torch', 'transformers', 'pandas', 'matplotlib', 'scipy', 'rich', 'datasets'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

"""The architecture as a test: who may import whom, what may be imported at the top, how long a file may be."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "harness"

# From the bottom up: a module imports from its own layer and from those before it.
LAYERS: tuple[tuple[str, ...], ...] = tuple(
    tuple(layer.split())
    for layer in (
        "measured schema errors program redact",
        "prompts stats power memory metrics methods counter low_rank format environment checkpoint families formula speed "
        "parallel",
        "rows xbrl statements layouts partition clients file_task hub sources published gold data registry "
        "score likeness",
        "attention encode logits caches trees likelihood prefill generation models train federated flower evaluate predict tuned "
        "intruders scaling merging",
        "codec withhold atomic store",
        "jobs options reordered general probing starting probe estimate defaults local warm tune specs plan "
        "forecast runner worker",
        "evidence selective calibration costs hindsight cells compare forgetting robustness forgotten "
        "findings checks oracle verify rerun leaderboard sections markdown breakdowns calibration_tables "
        "tables exports adapters adapter_card merge_card cross retention transfer sequence causal "
        "causal_tables place palette panels figures serve "
        "calibration_figure learning_forgetting causal_figure matrix_figure cross_file plots drawn flips report side_by_side "
        "waivers review "
        "skeleton",
        "ui ui_tables ui_tasks ui_progress ui_forecast",
        "commands cli",
    )
)
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
APART = {"tiny"}  # the scripts that made the embedded model; only its questions are imported

TORCH_AT_TOP = set(LAYERS[3]) | {"counter", "low_rank", "serve"}
NEVER_AT_TOP = {
    "transformers",
    "peft",
    "bitsandbytes",
    "pandas",
    "matplotlib",
    "scipy",
    "datasets",
    "evaluate",
    "rouge_score",
    "sklearn",
}


def modules() -> dict[str, list[Path]]:
    """Each module of the harness, a package taken as one, with its files."""
    found: dict[str, list[Path]] = {}
    for path in sorted(HARNESS.rglob("*.py")):
        first = path.relative_to(HARNESS).parts[0].removesuffix(".py")
        if first not in APART | {"__init__"}:
            found.setdefault(first, []).append(path)
    return found


def imports(tree: ast.AST, *, top_only: bool) -> Iterator[str]:
    """Full names imported, those for type checkers left out; `top_only` leaves out imports inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imports(node, top_only=top_only)


def imported_modules(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(ast.parse(path.read_text()), top_only=False))
    return {parts[1] for parts in names if parts[0] == "harness" and len(parts) > 1 and parts[1] in LEVEL}


def test_every_module_has_its_place() -> None:
    assert set(modules()) <= set(LEVEL), "give each new module a layer in tests/test_layers.py"


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_go_one_way(name: str) -> None:
    for path in modules()[name]:
        upward = {other for other in imported_modules(path) if LEVEL[other] > LEVEL.get(name, 0)}
        assert not upward, f"{path.relative_to(ROOT)} imports {sorted(upward)} from above it"


@pytest.mark.parametrize("name", sorted(modules()))
def test_heavy_libraries_are_imported_where_they_are_needed(name: str) -> None:
    banned = NEVER_AT_TOP | (set() if name in TORCH_AT_TOP else {"torch"})
    if name == "evaluate":
        banned -= {"evaluate"}
    for path in modules()[name]:
        tops = {full.split(".")[0] for full in imports(ast.parse(path.read_text()), top_only=True)}
        assert not tops & banned, f"{path.relative_to(ROOT)} imports {sorted(tops & banned)} at the top"


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.py")), ids=lambda path: path.name)
def test_tasks_import_the_public_names_and_nothing_deeper(path: Path) -> None:
    deeper = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.")
    }
    assert not deeper


def test_only_ui_prints() -> None:
    for name, paths in modules().items():
        for path in paths:
            calls = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert name == "ui" or "print" not in calls, f"{path.relative_to(ROOT)} prints"


def test_files_are_short() -> None:
    files = [*HARNESS.rglob("*.py"), *(ROOT / "tasks").glob("*.py"), ROOT / "run_all.py"]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in files}
    assert statistics.median(lengths.values()) <= 150
    longest = [*lengths.items()] + [
        (path.relative_to(ROOT), len(path.read_text().splitlines())) for path in (ROOT / "tests").rglob("*.py")
    ]
    assert not [(path, count) for path, count in longest if count > 350]
    assert lengths[Path("run_all.py")] <= 10


LIGHT = ["harness", "harness.cli", "harness.commands.run", "harness.commands.results", "harness.commands.tasks"]
LIGHT += [
    "harness.commands.publishing",
    "harness.commands.verifying",
    "harness.commands.rerunning",
    "harness.commands.planning",
    "harness.commands.adapters",
    "harness.commands.calibrating",
    "harness.commands.serving",
]


@pytest.mark.parametrize("module", LIGHT)
def test_the_program_starts_without_heavy_libraries(module: str) -> None:
    heavy = "{'torch', 'transformers', 'pandas', 'matplotlib', 'scipy', 'rich', 'datasets'}"
    code = f"import sys, {module}; found = {heavy} & set(sys.modules); assert not found, found"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

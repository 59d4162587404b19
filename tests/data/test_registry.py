"""Plugins are found wherever they are; a broken one stops only who asks for it; two of one name are an error."""

from __future__ import annotations

import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.data import registry
from harness.data.loading import load_splits
from harness.errors import HarnessError
from tests.support.startup import HEAVY, MAX_MODULES_HELP, libraries, modules_after

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "plugin_package"
TASK_FILE = '''
"""A toy."""
from harness import Example, Source, Task, metrics, prompts

def load(folder, split):
    yield Example(split, f"Is it {split}?", "yes", ("yes", "no"))

TASK = Task("NAME", 1, "A toy", Source(""), load, prompts.multiple_choice, (metrics.accuracy,))
'''


def put(folder: Path, file: str, text: str = TASK_FILE, *, name: str = "toy") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text.replace("NAME", name))
    return folder


def refusal(call: Callable[[], object]) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        call()
    assert caught.value.fix
    return caught.value


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Lay the plugin package out as pip would, with the entry points of its own pyproject."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE / "ratings_task", site / "ratings_task")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in named.items())
        for group, named in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("ratings_task", None)


def test_a_file_in_a_tasks_dir_is_a_task_with_its_folder_as_source(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    entry = registry.tasks([folder])["toy"]
    assert entry.origin == str(folder / "toy.py")
    assert entry.error == ""
    task = registry.task("toy", [folder])
    assert task.source.uri == str(folder)
    assert load_splits(task).test[0].question == "Is it test?"
    assert "toy" not in registry.tasks()


def test_the_tasks_own_name_counts_and_not_the_files(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "some_file.py", name="credit-risk.v2")
    assert registry.task("credit-risk.v2", [folder]).title == "A toy"
    assert "some_file" not in registry.tasks([folder])


def test_an_installed_package_brings_a_task_with_its_data(installed: Path) -> None:
    entry = registry.tasks()["ratings"]
    assert entry.origin == "ratings-task 0.1.0 (ratings_task:TASK)"
    splits = load_splits(registry.task("ratings"))
    assert [len(part) for _, part in splits.items()] == [12, 4, 6]
    assert splits.train[0].target in splits.train[0].choices


def test_entry_points_are_read_again_only_after_an_installation(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [point.name for point in registry.entry_points("harness.tasks")] == ["ratings"]
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.entry_points", lambda: pytest.fail("read again"))
        assert registry.entry_points("harness.metrics") == registry.entry_points("harness.metrics")
    info = installed / "later-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.tasks]\nlater = ratings_task:TASK\n")
    assert [point.name for point in registry.entry_points("harness.tasks")] == ["later", "ratings"]


def test_a_package_that_fails_to_import_is_listed_with_its_error(installed: Path) -> None:
    (installed / "ratings_task" / "__init__.py").write_text("import module_that_is_not_there\n")
    entry = registry.tasks()["ratings"]
    assert entry.value is None
    assert "module_that_is_not_there" in entry.error
    assert entry.error.endswith("(__init__.py:1)")


BROKEN = [
    ("import nothing_of_this_name\nTASK = 1", "ModuleNotFoundError: No module named 'nothing_of_this_name' (bad.py:1)"),
    ("\nTASK = (", "SyntaxError: '(' was never closed (bad.py:2)"),
    ("TASK = 1 / 0", "ZeroDivisionError: division by zero (bad.py:1)"),
    ("TASK = 3", "its value is a int, not a Task"),
    ("import sys\nTASK = 1\nsys.exit(3)", "SystemExit: 3 (bad.py:3)"),
    (
        TASK_FILE.replace("NAME", "a/b"),
        "the name 'a/b' cannot be a folder's name: use letters, digits, '-', '_', '+' and '.'",
    ),
    (TASK_FILE.replace("(metrics.accuracy,)", "()"), "the task has no metric"),
]


@pytest.mark.parametrize(("text", "error"), BROKEN)
def test_a_broken_file_is_listed_with_its_error_and_stops_only_who_asks_for_it(
    tmp_path: Path, text: str, error: str
) -> None:
    folder = put(put(tmp_path / "mine", "toy.py"), "bad.py", text)
    found = registry.tasks([folder])
    assert found["bad"] == registry.Entry("bad", None, str(folder / "bad.py"), error)
    assert registry.task("toy", [folder]).name == "toy"
    refused = refusal(lambda: registry.task("bad", [folder]))
    assert refused.problem == f"task 'bad' is broken: {error}"
    assert refused.where == str(folder / "bad.py")


def test_two_tasks_of_one_name_are_an_error_that_names_both_places(tmp_path: Path) -> None:
    one, two = put(tmp_path / "one", "toy.py"), put(tmp_path / "two", "other.py")
    error = refusal(lambda: registry.tasks([one, two]))
    assert error.problem == "two tasks are named 'toy'"
    assert error.where == f"{one / 'toy.py'} and {two / 'other.py'}"


def test_a_package_cannot_take_the_name_of_another_task(tmp_path: Path, installed: Path) -> None:
    folder = put(tmp_path / "mine", "mine.py", name="ratings")
    assert str(folder / "mine.py") in refusal(lambda: registry.tasks([folder])).where


def test_a_folder_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    assert "toy" in registry.tasks([folder, str(folder), folder / ".." / "mine"])
    assert set(registry.tasks([ROOT / "tasks"])) == set(registry.tasks())


def test_files_that_set_no_task_are_not_even_run(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "script.py", f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    put(folder, "_private.py", "TASK = 1\n")
    assert set(registry.tasks([folder])) == set(registry.tasks())
    assert not (tmp_path / "ran").exists()


def test_a_missing_tasks_dir_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: registry.tasks([tmp_path / "none"])).where == str(tmp_path / "none")


def test_an_edited_task_file_is_read_again(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    assert registry.task("toy", [folder]).version == 1
    put(folder, "toy.py", TASK_FILE.replace('"NAME", 1', '"NAME", 2'))
    os.utime(folder / "toy.py", (time.time() + 5, time.time() + 5))
    assert registry.task("toy", [folder]).version == 2


def test_an_unknown_name_suggests_the_nearest_and_tells_how_many_are_known(tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", "toy.py")
    error = refusal(lambda: registry.task("toyy", [folder]))
    assert error.problem == "no task named 'toyy'"
    assert error.where.startswith(f"{len(registry.tasks([folder]))} task")
    assert error.fix == "did you mean 'toy'?   python run_all.py list"
    assert refusal(lambda: registry.method("lorra")).fix.startswith("did you mean 'lora'?")
    assert refusal(lambda: registry.metric("acuracy")).fix.startswith("did you mean 'accuracy'?")


def test_the_methods_are_found_in_their_order_and_the_metrics_by_name() -> None:
    assert list(registry.methods())[:7] == ["base", "calibrated", "pmi", "fewshot", "lora", "qlora", "full"]
    assert {"full", "dora"} <= set(registry.methods())
    assert all(entry.value and not entry.error for entry in registry.methods().values())
    assert registry.method("qlora").name == "qlora"
    assert {"accuracy", "macro_f1", "exact_match"} <= set(registry.metrics())
    assert registry.metric("accuracy").name == "accuracy"


def test_listing_everything_loads_few_modules_and_no_heavy_library() -> None:
    modules = modules_after(
        "from harness.data import registry\n"
        "found = [*registry.tasks().values(), *registry.methods().values(), *registry.metrics().values()]\n"
        "assert len(found) >= 8"
    )
    assert libraries(modules) & HEAVY == set()
    assert len(modules) <= MAX_MODULES_HELP

"""Views of tasks without a change: used again, and in every case the bytes that a folder without a cache gets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness.analysis.items import Run
from harness.analysis.results import TaskResults
from harness.data import registry
from harness.report import view_cache
from harness.report.figures import cache, write
from harness.report.write import write_outputs
from harness.store import records
from harness.verify.checks.publication import views
from tests.support.finished_runs import make_run, make_runs

OTHERS = [make_run("lora", rank, n=20, spec={"task": "other"}) for rank in (2, 8)]


def keep(root: Path, runs: Sequence[Run]) -> None:
    for record, answers in runs:
        folder = records.run_dir(root, record.spec)
        records.write_answers(folder, answers or ())
        records.write_record(folder, record)


def plain(root: Path, results: TaskResults, kinds: Sequence[str] = write.KINDS) -> list[Path]:
    path = root / "figures" / results.task / "accuracy.svg"
    return [records.write_text(path, f"<svg>{[cell.value for cell in results.cells]}</svg>")]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.figures.write.write", plain)
    monkeypatch.setattr("harness.environment.cores", lambda: 1)


@pytest.fixture
def analyzed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks whose answers were read."""
    names: list[str] = []
    from harness.report import write as module

    original = module.analyze_stored

    def analyze(task: str, *rest: object) -> TaskResults:
        names.append(task)
        return original(task, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "analyze_stored", analyze)
    return names


@pytest.fixture
def results(tmp_path: Path) -> Path:
    root = tmp_path / "results"
    keep(root, [*make_runs(n=20), *OTHERS])
    write_outputs(root, records.read_all(root))
    return root


def report(root: Path) -> dict[str, bytes]:
    write_outputs(root, records.read_all(root))
    return views.read(root)


def without_cache(root: Path) -> dict[str, bytes]:
    clean = root.parent / "clean"
    shutil.rmtree(clean, ignore_errors=True)
    shutil.copytree(root / "runs", clean / "runs")
    return report(clean)


def test_without_a_change_no_answer_is_read(results: Path, analyzed: list[str]) -> None:
    before = views.read(results)
    assert report(results) == before == without_cache(results)
    assert analyzed == ["cfa", "other"]  # of the folder without a cache


def another_seed(root: Path) -> None:
    keep(root, [make_run("lora", 8, n=20, seed=3, spec={"task": "other"})])


def another_task(root: Path) -> None:
    keep(root, [make_run("lora", 8, n=20, spec={"task": "beta"})])


def one_run_less(root: Path) -> None:
    shutil.rmtree(next(iter(sorted((root / "runs" / "other").rglob(records.RECORD)))).parent)


def another_record(root: Path) -> None:
    (run, *_) = records.read_all(root, "other")
    environment = replace(run.record.environment, commit="0" * 40)
    records.write_record(run.folder, replace(run.record, environment=environment))


def other_steps(root: Path) -> None:
    (run, *_) = records.read_all(root, "other")
    (run.folder / records.STEPS).write_text(json.dumps({"step": 1, "loss": 2.0}) + "\n")


def no_answers(root: Path) -> None:
    (run, *_) = records.read_all(root, "other")
    (run.folder / records.ANSWERS).unlink()


def other_table(root: Path) -> None:
    (root / "leaderboard/other.md").write_text("better")


def no_figure(root: Path) -> None:
    (root / "figures/other/accuracy.svg").unlink()


CHANGES = (another_seed, another_task, one_run_less, another_record, other_steps, no_answers, other_table, no_figure)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_after_any_change_the_views_are_those_of_a_folder_without_a_cache(
    results: Path, change: Callable[[Path], None], analyzed: list[str]
) -> None:
    change(results)
    found = report(results)
    read = list(analyzed)
    assert found == without_cache(results)
    assert "cfa" not in read or change is another_task  # which moves every number on the page
    assert read


def test_other_code_another_start_and_other_data_of_tasks_make_every_view_anew(
    results: Path, analyzed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def read_again() -> bool:
        analyzed.clear()
        report(results)
        return set(analyzed) == {"cfa", "other"}

    tasks = tmp_path / "tasks"
    tasks.mkdir()
    assert not read_again()
    monkeypatch.setattr("sys.argv", ["adaptbench"])
    assert read_again()
    monkeypatch.setattr("harness.data.loading.tasks_folder", lambda: tasks)
    assert read_again()
    (tasks / "data.jsonl").write_text("{}")
    assert read_again()
    monkeypatch.setattr(cache, "code", lambda: "other")
    assert read_again()
    assert not read_again()


def test_a_task_of_another_place_and_one_of_a_package_have_no_view(
    results: Path, analyzed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = registry.recorded()["cfa"]
    for given in (installed, replace(installed, title="mine")):
        write_outputs(results, records.read_all(results), {"cfa": given})
    assert analyzed == ["cfa"]
    assert b"mine" in views.read(results)["report.html"]
    assert b"mine" not in report(results)["report.html"]
    plugin = EntryPoint("mine", "mine:TASK", "harness.tasks")
    monkeypatch.setattr("harness.data.registry.entry_points", lambda group: [plugin] if group == plugin.group else [])
    assert view_cache.code() is None


def planted(root: Path) -> None:
    """Write another sentence into the stored part of a task, with its right hash."""
    note = cache.note_file(root, "other")
    content = json.loads(note.read_text())
    view = content["view"]
    view["part"]["body"] += "<p>a sentence of nobody</p>"
    view["sha256"] = view_cache._digest(view)
    note.write_text(json.dumps(content))


def test_a_publication_and_verify_never_read_a_view(results: Path) -> None:
    planted(results)
    assert b"a sentence of nobody" in report(results)["report.html"]  # so it is read by a report
    runs = records.read_all(results)
    checks = views.publication_checks(results, runs, write_outputs)
    assert [check.name for check in checks if not check.ok] == [views.PAGE_BYTES]
    rebuild = partial(write_outputs, publication=True)
    rebuild(results, runs)
    assert b"a sentence of nobody" not in views.read(results)["report.html"]


@pytest.mark.parametrize("spoil", ["part", "sha256", "files", "made_from"])
def test_a_damaged_view_is_not_used(results: Path, spoil: str) -> None:
    before = views.read(results)
    note = cache.note_file(results, "other")
    content = json.loads(note.read_text())
    content["view"][spoil] = {"body": "<p>nothing</p>"}
    note.write_text(json.dumps(content))
    assert report(results) == before


def test_a_report_writes_no_picture_and_removes_an_old_one(
    results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    root = tmp_path / "drawn"
    keep(root, OTHERS)
    old = root / "figures/other/accuracy.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of other runs")
    written = write_outputs(root, records.read_all(root))
    assert {path.suffix for path in written if path.parent == old.parent} == {".svg"}
    assert not old.exists()

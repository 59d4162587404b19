"""From records to what people read: side by side, without drawing twice what has not changed, the same bytes every way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import processes
from harness.analysis.items import Run
from harness.analysis.results import TaskResults, analyze
from harness.data import registry
from harness.errors import HarnessError
from harness.report.figures import cache, write
from harness.report.write import write_outputs
from harness.store import records
from tests.support.finished_runs import make_run, make_runs

ROOT = Path(__file__).resolve().parents[2]
RUNS = make_runs(n=30)
FIGURE = "figures/cfa/accuracy.svg"


def keep(root: Path, runs: list[Run]) -> None:
    for record, answers in runs:
        folder = records.run_dir(root, record.spec)
        records.write_answers(folder, answers or ())
        records.write_record(folder, record)


def views(root: Path) -> dict[str, bytes]:
    paths = [*(root / "leaderboard").rglob("*"), *(root / "figures").rglob("*"), root / "report.html"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def written_at(root: Path) -> int:
    return (root / FIGURE).stat().st_mtime_ns


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose runs were reported, by drawings that are as quick as they are plain."""
    monkeypatch.setattr("harness.report.figures.write.write", plain)
    keep(tmp_path, RUNS)
    write_outputs(tmp_path, records.read_all(tmp_path))
    return tmp_path


def plain(root: Path, results: TaskResults, kinds: Sequence[str] = write.KINDS) -> list[Path]:
    path = root / "figures" / results.task / "accuracy.svg"
    return [records.write_text(path, f"<svg>{len(results.cells)}</svg>")]


def test_figures_of_what_has_not_changed_are_not_drawn_again(results: Path) -> None:
    before, made = written_at(results), views(results)
    write_outputs(results, records.read_all(results))
    assert written_at(results) == before
    assert views(results) == made


def test_figures_are_drawn_again_where_a_run_was_added_or_a_file_changed_or_is_gone(results: Path) -> None:
    made = views(results)
    for spoil in (lambda path: path.write_text("<svg></svg>"), Path.unlink):
        spoil(results / FIGURE)
        write_outputs(results, records.read_all(results))
        assert views(results) == made
    before = written_at(results)
    keep(results, make_runs(seeds=2, n=30))
    write_outputs(results, records.read_all(results))
    assert written_at(results) > before


@pytest.mark.parametrize("note", ["", "[]", '{"made_from": 1}', "null"])
def test_figures_are_drawn_again_where_the_note_about_them_is_damaged(results: Path, note: str) -> None:
    before, made = written_at(results), views(results)
    (results / cache.FOLDER / "cfa.json").write_text(note)
    write_outputs(results, records.read_all(results))
    assert written_at(results) > before
    assert views(results) == made


def test_figures_are_drawn_again_by_other_code(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written_at(results)
    monkeypatch.setattr(cache, "code", lambda: "another")
    write_outputs(results, records.read_all(results))
    assert written_at(results) > before


def test_a_publication_draws_anew_whatever_lies_there_and_leaves_no_note(results: Path) -> None:
    (results / cache.FOLDER / "cfa.json").unlink()
    before = written_at(results)
    write_outputs(results, records.read_all(results), publication=True)
    assert written_at(results) > before
    assert not list((results / cache.FOLDER).iterdir())


def test_tasks_done_side_by_side_give_the_bytes_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.report.figures.write.write", plain)
    others = [make_run("lora", rank, n=30, spec={"task": name}) for name in ("other", "third") for rank in (2, 8)]
    for cores in (1, 3):
        monkeypatch.setattr("harness.environment.cores", lambda cores=cores: cores)
        folder = tmp_path / str(cores)
        keep(folder, RUNS + others)
        write_outputs(folder, records.read_all(folder))
    alone, beside = views(tmp_path / "1"), views(tmp_path / "3")
    assert {"leaderboard/cfa.csv", "leaderboard/other.csv", "leaderboard/third.csv", "report.html"} <= alone.keys()
    assert alone == beside


@pytest.mark.skipif(sys.platform != "linux", reason="only there are processes forked")
def test_a_single_task_with_another_run_has_all_processes_for_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.environment.cores", lambda: 2)
    monkeypatch.setattr("harness.report.figures.write.write", drawn_by)
    keep(tmp_path, [*RUNS, make_run("lora", 8, n=30, spec={"task": "other"})])
    write_outputs(tmp_path, records.read_all(tmp_path))
    assert drawer(tmp_path, "cfa") != os.getpid() != drawer(tmp_path, "other")  # tasks side by side
    before = drawer(tmp_path, "cfa")
    keep(tmp_path, [make_run("lora", 2, n=30, spec={"task": "other"})])
    write_outputs(tmp_path, records.read_all(tmp_path))
    assert drawer(tmp_path, "other") == os.getpid()
    assert drawer(tmp_path, "cfa") == before


def drawn_by(root: Path, results: TaskResults, kinds: Sequence[str] = write.KINDS) -> list[Path]:
    path = root / "figures" / results.task / "accuracy.svg"
    return [records.write_text(path, f"<svg>{os.getpid()}</svg>")]


def drawer(root: Path, task: str) -> int:
    return int((root / "figures" / task / "accuracy.svg").read_text()[5:-6])


@pytest.mark.skipif(sys.platform != "linux", reason="only there are processes forked")
def test_what_is_done_in_processes_comes_back_in_order_and_fails_as_it_would_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.environment.cores", lambda: 2)
    found = processes.parallel_map(lambda n: (n * n, os.getpid()), range(5))
    assert [square for square, _ in found] == [0, 1, 4, 9, 16]
    assert os.getpid() not in {process for _, process in found}
    nested = processes.parallel_map(
        lambda n: {os.getpid(), *processes.parallel_map(lambda _: os.getpid(), [1, 2])}, [1, 2]
    )
    assert [len(numbers) for numbers in nested] == [1, 1]  # the cores are busy: no fork forks

    def fail(n: int) -> None:
        raise HarnessError("no good", where=f"thing {n}", fix="another")

    with pytest.raises(HarnessError) as caught:
        processes.parallel_map(fail, [7, 8])
    assert (caught.value.problem, caught.value.where, caught.value.fix) == ("no good", "thing 7", "another")
    with pytest.raises(HarnessError, match="memory"):
        processes.parallel_map(lambda n: os._exit(9), [1, 2])


def test_an_analysis_at_hand_is_shown_and_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.figures.write.write", plain)
    keep(tmp_path, RUNS)
    stored = records.read_all(tmp_path)
    write_outputs(tmp_path, stored)
    expected = views(tmp_path)
    metrics = {"cfa": registry.recorded()["cfa"].metrics}
    known = analyze("cfa", [(run.record, run.answers()) for run in stored], metrics)
    monkeypatch.setattr("harness.report.write.results.analyze", None)  # would raise
    shutil.rmtree(tmp_path / cache.FOLDER)
    write_outputs(tmp_path, stored, analyses={"cfa": known})
    assert views(tmp_path) == expected


def test_an_analysis_of_other_runs_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.figures.write.write", plain)
    keep(tmp_path, RUNS)
    write_outputs(tmp_path, records.read_all(tmp_path))
    expected = views(tmp_path)
    some = analyze("cfa", RUNS[:3], {"cfa": registry.recorded()["cfa"].metrics})
    shutil.rmtree(tmp_path / cache.FOLDER)
    write_outputs(tmp_path, records.read_all(tmp_path), analyses={"cfa": some})
    assert views(tmp_path) == expected


def test_views_are_made_without_torch(tmp_path: Path) -> None:
    keep(tmp_path, [make_run("lora", 8, n=20)])
    code = (
        "import sys; from pathlib import Path; from harness.store import records as store;"
        "from harness.report.write import write_outputs;"
        f"root = Path({str(tmp_path)!r}); write_outputs(root, store.read_all(root));"
        "assert 'matplotlib' in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_forms_for_papers_are_written_when_asked_for_and_never_left_outdated(results: Path) -> None:
    runs = records.read_all(results)
    assert not list(results.rglob("*.tex"))
    write_outputs(results, runs, forms=True)
    before = (results / "leaderboard" / "all.csv").read_bytes()
    assert {path.name for path in (results / "leaderboard").iterdir()} >= {
        "cfa.tex",
        "cfa.card.md",
        "cfa.model-index.json",
    }
    write_outputs(results, [run for run in runs if run.record.spec.method != "full"])
    assert (results / "leaderboard" / "all.csv").read_bytes() != before

"""The parts of the README that are made: they say what the tables say, and what the measurements say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness import metrics
from harness.report import write
from harness.store import records
from results import make_readme
from results.beyond import make as beyond
from results.public_tasks import make as public_tasks
from tests.benchmarks.timing import TITLES
from tests.support.finished_runs import make_runs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_results_block_says_what_the_tables_say(tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert make_readme.block(results) == make_readme.NOTHING
    runs = []
    for record, answers in make_runs(2, n=90, metric=metrics.acc_norm):
        folder = records.run_dir(results, record.spec)
        digest = records.write_answers(folder, answers or ())
        made = replace(record, answers_sha256=digest)
        records.write_record(folder, made)
        runs.append(records.Run(folder, made))
    records.publish(results, runs)
    write.write_outputs(results / "published", records.read_published(results), publication=True)
    text = make_readme.block(results)
    table = (results / "published" / "leaderboard" / "cfa.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n\n")[2].splitlines()[2:]]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert len(rows) == 8
    assert shown[2:] == [[row[0], " ".join(part for part in (row[2], row[3], row[6]) if part)] for row in rows]
    assert "(results/published/figures/cfa/accuracy.png)" in text
    assert "2 seeds" in text
    fresh = make_readme.replaced(README, text)
    assert make_readme.current(fresh) == text
    assert make_readme.replaced(fresh, make_readme.current(README)) == README


def test_the_table_of_speed_is_the_one_that_the_measurements_make() -> None:
    text = make_readme.speed(ROOT / "results")
    assert make_readme.current(README, make_readme.SPEED) == text
    found = json.loads((ROOT / "results" / "benchmarks" / "grid.json").read_text(encoding="utf-8"))
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    ratio = found["ratios"]["TRL and lm-eval"]
    assert [TITLES["grid"], "TRL and lm-eval", f"{ratio['ratio']:.1f}"] in shown


def test_the_page_of_public_tasks_is_what_its_leaderboards_make_each_value_in_its_metrics_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = public_tasks.PLACE / "README.md"
    if page.is_file():
        assert page.read_text(encoding="utf-8") == public_tasks.HEAD + public_tasks.table(public_tasks.PLACE) + "\n"
    (tmp_path / "page").mkdir()
    monkeypatch.setattr(public_tasks, "PLACE", tmp_path / "page")
    head = "task,metric,method,status,n,chance,value,low,high\n"
    rows = "fiqa,accuracy,base,ok,70,0.5,0.25,0.2,0.3\nfiqa,macro_f1,base,ok,70,0.5,0.1,0.1,0.1\nfiqa,accuracy,full,oom,70,0.5,,,\n"
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "fiqa.csv").write_text(head + rows)
    (tmp_path / "leaderboard" / "fiqa.forgetting.csv").write_text("probe\n")
    public_tasks.main(tmp_path)
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == ["README.md", "fiqa.csv"]
    made = (tmp_path / "page" / "README.md").read_text(encoding="utf-8").splitlines()[-1]
    cells = [cell.strip() for cell in made.strip("|").split("|")]
    assert cells == ["fiqa", "accuracy", "70", "50.0", "25.0 [20.0, 30.0]", "", "", "oom"]
    row = {"status": "ok", "value": "0.5", "low": "0.25", "high": "0.75"}
    assert public_tasks.cell(row, "share") == "50.0 [25.0, 75.0]"
    assert public_tasks.cell(row, "") == "0.500 [0.250, 0.750]"
    assert public_tasks.cell(row | {"status": "oom"}, "share") == "oom"


def test_the_table_of_what_was_found_beyond_accuracy_is_that_of_its_leaderboards() -> None:
    text = (beyond.BEYOND / "README.md").read_text(encoding="utf-8")
    assert beyond.page(text) == text
    assert len(text.splitlines()) <= 80


def test_the_table_beyond_accuracy_has_a_row_a_run_of_each_task_and_leaves_parts_of_a_test_set_out(
    tmp_path: Path,
) -> None:
    assert beyond.table(tmp_path) == beyond.NOTHING
    folder = tmp_path / "leaderboard"
    folder.mkdir()
    (folder / "sec_qa.forgetting.csv").write_text("probe,method,rank,value,part\ntiny_skills,base,,0.825,\n")
    head = "method,rank,seeds,usual,value,drop,drop_low,drop_high,change,change_low,change_high,part\n"
    rows = ("base,,1,0.1,0.02,0.08,0.047,0.108,,,,\n", "lora,8,3,0.3,0.1,0.2,0.1,0.3,0.08,0.01,0.15,\n")
    (folder / "sec_qa.robustness.csv").write_text(head + "".join(rows) + "lora,8,3,0.5,0.5,0,0,0,0,0,0,level I\n")
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in beyond.table(tmp_path).splitlines()[2:]]
    assert shown == [
        ["sec\\_qa", "base", "1", "10.0", "82.5", "2.0", "8.0 [4.7, 10.8]", ""],
        ["sec\\_qa", "lora r8", "3", "30.0", "", "10.0", "20.0 [10.0, 30.0]", "8.0 [1.0, 15.0]"],
    ]

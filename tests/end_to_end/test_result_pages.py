"""The parts of the README that are made: they say what the tables say, and what the measurements say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

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
    assert make_readme.block(results) == ""
    runs = []
    for record, answers in make_runs(2, n=90):
        folder = records.run_dir(results, record.spec)
        digest = records.write_answers(folder, answers or ())
        made = replace(record, answers_sha256=digest)
        records.write_record(folder, made)
        runs.append(records.Run(folder, made))
    records.publish(results, runs)
    write.write_outputs(results / "published", records.read_published(results))
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
    assert [TITLES["grid"], "TRL and lm-eval", f"{ratio['ratio']:.1f}", f"{ratio['target']:g}"] in shown


def test_the_page_of_public_tasks_is_what_its_leaderboards_make_each_value_in_its_metrics_unit() -> None:
    page = (public_tasks.PLACE / "README.md").read_text(encoding="utf-8")
    assert page == public_tasks.HEAD + public_tasks.table(public_tasks.PLACE) + "\n"
    row = {"status": "ok", "value": "0.5", "low": "0.25", "high": "0.75"}
    assert public_tasks.cell(row, "share") == "50.0 [25.0, 75.0]"
    assert public_tasks.cell(row, "") == "0.500 [0.250, 0.750]"
    assert public_tasks.cell(row | {"status": "oom"}, "share") == "oom"


def test_the_table_of_what_was_found_beyond_accuracy_is_that_of_its_leaderboards() -> None:
    text = (beyond.BEYOND / "README.md").read_text(encoding="utf-8")
    assert beyond.page(text) == text
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in beyond.table().replace("\\_", "_").splitlines()[2:]
    ]
    assert {task for task, _ in rows} == set(beyond.TASKS)
    assert [run for task, run in rows if task == "claims"] == ["base", "lora r8"]
    assert len(text.splitlines()) <= 80

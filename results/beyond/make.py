"""Write the table of results/beyond/README.md from the leaderboards beside it:   python results/beyond/make.py

A row a run: its score on the task, on the skills that the model had before training, and on the task's questions in other
words; a sentence if there are no leaderboards. tests/end_to_end/test_result_pages.py compares the page with the leaderboards.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

BEYOND = Path(__file__).resolve().parent
ROOT = BEYOND.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.format import Table, markdown
from results import make_readme

PART = "learned"
TASKS = ("cfa", "sec_qa", "claims")
HEADS = ("task", "run", "seeds", "usual", "own skills", "shifted", "drop", "gain, shifted")
NOTHING = "No runs of this version are here yet.\n"

Row = dict[str, str]


def table(folder: Path = BEYOND) -> str:
    """Return the table of every run of the three tasks, in %, intervals at 95 %; a sentence if there is none."""
    rows = [row for task in TASKS for row in _task_rows(folder, task)]
    if not rows:
        return NOTHING
    return markdown(Table("Learned", HEADS, tuple(rows), left=frozenset({0, 1}))) + "\n"


def _task_rows(folder: Path, task: str) -> Iterator[tuple[str, ...]]:
    skills = {_run(row): row["value"] for row in _rows(folder, task, "forgetting") if row["probe"] == "tiny_skills"}
    for row in _rows(folder, task, "robustness"):
        scores = map(_percent, (row["usual"], skills.get(_run(row), ""), row["value"]))
        yield (task, _run(row), row["seeds"], *scores, _between(row, "drop"), _between(row, "change"))


def _rows(folder: Path, task: str, kind: str) -> Iterator[Row]:
    """Yield the rows over all questions, without those of a part of them."""
    path = folder / "leaderboard" / f"{task}.{kind}.csv"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row for row in csv.DictReader(file) if not row.get("part"))


def _run(row: Row) -> str:
    return " ".join([row["method"], *(f"r{row['rank']}" for _ in range(bool(row["rank"])))])


def _percent(text: str) -> str:
    return f"{100 * float(text):.1f}" if text else ""


def _between(row: Row, name: str) -> str:
    value, low, high = (_percent(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} [{low}, {high}]" if low else value


def page(text: str) -> str:
    """Return the page with its table made anew."""
    return make_readme.replaced(text, table(), PART)


def main() -> None:
    """Write the table into results/beyond/README.md."""
    path = BEYOND / "README.md"
    path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

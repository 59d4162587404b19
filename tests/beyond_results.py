"""The tables of results/beyond/README.md that are made: `python tests/beyond_results.py` writes them anew.

From the leaderboards beside it: what each run learned on its task, what it kept of the skills that it had, and how it does in
other words. tests/end_to_end/test_readme_results.py holds the page to them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(folder) for folder in (ROOT, ROOT / "tests") if str(folder) not in sys.path]

import tests.readme_results as readme_results
from harness.format import (
    Table,
    markdown,
)

BEYOND = ROOT / "results" / "beyond"
PARTS = {task: (BEYOND, task) for task in ("cfa", "sec_qa", "claims")} | {"further": (BEYOND / "further", "cfa")}
HEADS = ("run", "seeds", "usual", "own skills", "shifted", "drop", "shifted, from base")

Row = dict[str, str]


def learned(folder: Path, task: str) -> str:
    """Return the table of one task's runs, %, intervals at 95 %."""
    kept = {_run(row): row for row in _rows(folder, task, "forgetting") if row["probe"] == "tiny_skills"}
    rows = []
    for row in _rows(folder, task, "robustness"):
        skills = kept[_run(row)]["value"] if _run(row) in kept else ""
        cells = (row["usual"], skills, row["value"])
        rows.append((_run(row), row["seeds"], *map(_percent, cells), _between(row, "drop"), _between(row, "change")))
    return markdown(Table(task, HEADS, tuple(rows))) + "\n"


def _rows(folder: Path, task: str, kind: str) -> Iterator[Row]:
    """Yield the rows over all questions, without those of a part of them."""
    with (folder / "leaderboard" / f"{task}.{kind}.csv").open(encoding="utf-8", newline="") as file:
        yield from (row for row in csv.DictReader(file) if not row.get("part"))


def _run(row: Row) -> str:
    return " ".join([row["method"], *(f"r{row['rank']}" for _ in range(bool(row["rank"])))])


def _percent(text: str) -> str:
    return f"{100 * float(text):.1f}" if text else ""


def _between(row: Row, name: str) -> str:
    value, low, high = (_percent(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} [{low}, {high}]" if low else value


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    for part, (folder, task) in PARTS.items():
        text = readme_results.replaced(text, learned(folder, task), part)
    return text


def main() -> None:
    """Write what is made into results/beyond/README.md."""
    path = BEYOND / "README.md"
    path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Write what `run.sh` got on published data as one table:   python results/public_tasks/make.py RESULTS

Copies the leaderboards of RESULTS to `results/public_tasks/` and makes its README from them. The data itself is its
owners' and is not copied, nor are the answers, which quote it.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.data import registry
from harness.format import (
    Table,
    interval,
    markdown,
    number,
)
from harness.store import records

COLUMNS = ("base", "lora", "qlora", "full")
HEAD = """# The main job on published data

`bash results/public_tasks/run.sh DATA RESULTS`, then `python results/public_tasks/make.py RESULTS`: the embedded model on data that
others published, read from local copies. These runs show that the program does its work on real data. They do not show
what a method can reach: at most 200 examples to train on and 100 to test, one pass, LoRA of rank 8, one seed, and a model of
4 million weights that has read no English but its own exercises. Headline metric of each task with its 95 % interval,
clustered by group; guessing is what the task says guessing scores. With so few questions hardly any two cells of a row can
be told apart.

"""


def rows(path: Path) -> dict[str, dict[str, str]]:
    """Return a leaderboard's rows of its headline metric, which comes first, by method."""
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return {row["method"]: row for row in found if row["metric"] == found[0]["metric"]}


def cell(row: dict[str, str], unit: str) -> str:
    """Return a value with its interval as every table shows it, or why there is none."""
    if row["status"] != "ok":
        return row["status"]
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    return f"{number(value, unit)} {interval(low, high, unit)}"


def table(folder: Path) -> str:
    """Return the table of every leaderboard in a folder."""
    lines = []
    for path in sorted(folder.glob("*.csv")):
        found = rows(path)
        first = next(iter(found.values()))
        # A metric of an earlier version, which the task has no longer, was a share.
        unit = next((m.unit for m in registry.task(first["task"]).metrics if m.name == first["metric"]), "share")
        guessing = number(float(first["chance"]), unit) if first["chance"] else ""
        cells = [cell(found[method], unit) if method in found else "" for method in COLUMNS]
        lines.append((first["task"], first["metric"], first["n"], guessing, *cells))
    heads = ("task", "metric", "questions", "guessing", "base", "LoRA r8", "QLoRA r8", "full")
    return markdown(Table("Public tasks", heads, tuple(lines), left=frozenset({0, 1})))


def main(results: Path) -> None:
    """Copy the leaderboards and write the page."""
    for path in sorted((results / "leaderboard").glob("*.csv")):
        if "." not in path.stem:
            records.write_text(PLACE / path.name, path.read_text(encoding="utf-8"))
    records.write_text(PLACE / "README.md", HEAD + table(PLACE) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Write the tables of docs/finlora.md:   python results/finlora/make.py

`published.json` has the figures that FinLoRA reports. Our rows come from published boards of real models.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.format import NONE, Table, markdown
from results import boards, make_readme

PAGE = ROOT / "docs" / "finlora.md"
ROWS = {"base": "base", "shots": "base, 3 examples", "lora": "LoRA r8", "qlora": "QLoRA r4", "dora": "DoRA r8"}
ROWS |= {"rslora": "rsLoRA r8"}
EXAMS = ("cfa",)  # in the style of the exams that are not published


def published() -> dict[str, Any]:
    """Return the figures of FinLoRA: rows by data set, their mean, and the source."""
    found: dict[str, Any] = json.loads((FOLDER / "published.json").read_text(encoding="utf-8"))
    return found


def reported_table() -> str:
    """Return the reported scores by data set, their mean last, with the task here that reads the same data."""
    found = published()
    rows = [
        (
            row["name"],
            row["ours"] or NONE,
            row["train"] or NONE,
            row["test"],
            *_scores(row),
            f"{row['lora'] - row['base']:+.2f}",
        )
        for row in found["rows"]
    ]
    mean = found["average"]
    rows.append((f"mean of {len(rows)}", "", "", "", *_scores(mean), f"{mean['lora'] - mean['base']:+.2f}"))
    heads = ("data set", "task here", "train", "test", *ROWS.values(), "LoRA less base")
    return markdown(Table("Reported", heads, tuple(rows), left=frozenset({0, 1}))) + "\n"


def _scores(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:.2f}" for key in ROWS]


def answer() -> str:
    """Return how much of the reported mean gain three examples bring, and where they bring more than training."""
    found = published()
    mean = found["average"]
    ahead = [row["name"] for row in found["rows"] if row["shots"] > row["lora"]]
    whole, form = mean["lora"] - mean["base"], mean["shots"] - mean["base"]
    return (
        f"Three examples in the prompt bring {form:.1f} of the {whole:.1f} points. They bring more than LoRA on {len(ahead)} of "
        f"{len(found['rows'])} sets:\n{'; '.join(ahead)}.\n"
    )


def tasks() -> list[str]:
    """Return the tasks that read FinLoRA's data, with and without audited gold."""
    named = [row["ours"] for row in published()["rows"] if row["ours"]]
    return [name for task in (*named, *EXAMS) for name in (task, f"{task}-audited")]


def parts(results: Path) -> dict[str, Callable[[], str]]:
    """Return the maker of each part of the page by its markers' name."""
    return {
        "reported": reported_table,
        "answer": answer,
        "rows": lambda: boards.table(boards.boards(results, tasks())),
    }


def page(text: str, results: Path = ROOT / "results") -> str:
    """Return the page with its tables made anew."""
    return make_readme.with_parts(text, ((part, make()) for part, make in parts(results).items()))


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

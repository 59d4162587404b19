"""The reserving task: its data's promises, a second route to every answer, and what needs no triangle."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import SPLITS
from tasks.data.reserving import make
from tasks.data.reserving.wording import ASKS, PREMIUMS, TAIL, TITLES
from tasks.reserving import TASK
from tests.support import shipped_data
from tests.support.shallow import by_numbers_alone, by_words

ROWS = shipped_data.rows(TASK.name)
EVERY = [row for rows in ROWS.values() for row in rows]
EXAMPLES = shipped_data.examples(TASK)


def test_the_maker_writes_the_shipped_files_again_byte_for_byte(tmp_path: Path) -> None:
    shipped_data.require_same_bytes(make, TASK, tmp_path)


def test_sizes_groups_and_kinds_are_as_promised() -> None:
    assert {split: len(rows) for split, rows in ROWS.items()} == make.SIZES
    for rows in ROWS.values():
        assert set(Counter(row["file"] for row in rows).values()) == {2}
        assert len(set(Counter(row["kind"] for row in rows).values())) == 1
    assert all(len(set(row["options"])) == 4 and row["answer"] in row["options"] for row in EVERY)


def test_no_triangle_and_no_sentence_is_in_two_splits() -> None:
    triangles = [{re.sub(r".*?\nyear", "year", row["context"], flags=re.DOTALL) for row in ROWS[s]} for s in SPLITS]
    assert not any(a & b for a, b in itertools.combinations(triangles, 2))
    for wording in (TITLES, PREMIUMS, TAIL, *ASKS.values()):
        texts = [text for split in SPLITS for text in wording[split]]
        assert len(set(texts)) == len(texts)


# --- a second route, from the text alone


def read_file(text: str) -> tuple[list[int], np.ndarray, dict[int, float], float]:
    """Return the years, the triangle with NaN below the diagonal, premiums by year and the expected loss ratio."""
    table = [line.split(" | ") for line in text.splitlines() if re.match(r"\d{4} \|", line)]
    years = [int(cells[0]) for cells in table]
    losses = np.full((4, 4), np.nan)
    for i, cells in enumerate(table):
        losses[i, : len(cells) - 1] = [float(cell.replace(",", "")) for cell in cells[1:]]
    premiums = {int(y): float(p.replace(",", "")) for p, y in re.findall(r"([\d,]+) \((\d{4})\)", text)}
    (ratio,) = re.findall(r"(\d\d) %", text)
    return years, losses, premiums, float(ratio) / 100


def second_route(row: dict[str, Any]) -> float:
    """Return the answer of a row from its text, by floats and arrays."""
    years, losses, premiums, ratio = read_file(row["context"])
    known = ~np.isnan(losses[:, 1:])
    factors = np.round((losses[:, 1:] * known).sum(0, where=known) / (losses[:, :-1]).sum(0, where=known), 3)
    if row["kind"] == "factor":
        start = int(re.findall(r"\b(12|24)\b", row["question"])[0])
        return float(factors[start // 12 - 1])
    (year,) = (int(y) for y in re.findall(r"\b(20\d\d)\b", row["question"]))
    age = int((~np.isnan(losses[years.index(year)])).sum())
    latest, cdf = losses[years.index(year), age - 1], np.round(np.prod(factors[age - 1 :]), 3)
    ultimate = {
        "chain ladder": latest * cdf,
        "expected loss ratio": premiums[year] * ratio,
        "Bornhuetter-Ferguson": latest + premiums[year] * ratio * (1 - 1 / cdf),
    }[row["method"]]
    if row["kind"] == "factor to ultimate":
        return float(cdf)
    return float(ultimate - latest if row["kind"].startswith("unreported") else ultimate)


@pytest.mark.parametrize("split", SPLITS)
def test_every_answer_follows_from_the_text_and_no_other_option_does(split: str) -> None:
    for row in ROWS[split]:
        result = second_route(row)
        values = {option: float(option.replace(",", "")) for option in row["options"]}
        assert min(values, key=lambda option: abs(values[option] - result)) == row["answer"], row["id"]
        assert abs(values[row["answer"]] - result) <= max(0.0011, 0.004 * abs(result), 0.51), row["id"]


# --- what needs no triangle


def test_words_and_the_sizes_of_options_do_not_answer_it() -> None:
    assert by_words(EXAMPLES["train"], EXAMPLES["test"]) <= 0.35
    assert by_numbers_alone(EXAMPLES["train"], EXAMPLES["test"], kind="kind") <= 0.40

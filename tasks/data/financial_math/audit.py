"""An audit of the gold of Financial Math: a script that recomputes problems and writes audit.csv beside this file.

    python -m tasks.data.financial_math.audit --data DIR [--out FILE]

DIR is the folder of the source's two files, or its parent. The table has a row for each row of the source: id, split,
formula, label, recomputed, verdict, reason; none of the source's wording. The verdict is one of

    agrees           the label is the recomputed value rounded to two decimals: at most half a cent away, inclusive
    near             not so, but within 1 % of the recomputed value
    differs          further away
    not recomputed   the problem could not be read with certainty, for the reason given

A problem is read by `reader` in one of the readings in `formulas_*` for its formula; readings with different values make it
unreadable. Values are those of the formula as the problem states it, with the conventions of `formulas_time`.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from harness import data, published
from harness.data import registry
from tasks.data.financial_math.formulas_accounts import ACCOUNTS
from tasks.data.financial_math.formulas_economy import ECONOMY
from tasks.data.financial_math.formulas_options import OPTIONS
from tasks.data.financial_math.formulas_risk import RISK
from tasks.data.financial_math.formulas_shares import SHARES
from tasks.data.financial_math.formulas_time import TIME
from tasks.data.financial_math.reader import Reading, UnreadableProblem, read

FILE = Path(__file__).with_name("audit.csv")
COLUMNS = ("id", "split", "formula", "label", "recomputed", "verdict", "reason")
FORMULAS: Mapping[str, tuple[Reading, ...]] = {**TIME, **ACCOUNTS, **SHARES, **ECONOMY, **RISK, **OPTIONS}
HALF_CENT, ONE_PER_CENT = Fraction(1, 200), Fraction(1, 100)
FLOAT_ERROR = Fraction(1, 10**9)  # the relative error of floats, for options only
Verdict = Literal["agrees", "near", "differs", "not recomputed"]


@dataclass(frozen=True)
class Finding:
    """One row of the table; `recomputed` is empty if the problem was not read, `reason` is empty if it was."""

    id: str
    split: str
    formula: str
    label: str
    recomputed: str
    verdict: Verdict
    reason: str = ""


def recompute(formula: str, question: str) -> Fraction:
    """Return the value of the formula for a worded problem.

    Raises:
        UnreadableProblem: it cannot be read with certainty, for the reason in the message.
    """
    values: list[Fraction] = []
    reasons: list[str] = []
    for reading in FORMULAS.get(formula, ()):
        try:
            values.append(Fraction(read(question, reading)))
        except UnreadableProblem as why:
            reasons.append(str(why))
    if not values:
        raise UnreadableProblem(reasons[0] if reasons else "the formula is not known here")
    if any(abs(value - values[0]) > FLOAT_ERROR * abs(values[0]) for value in values):
        raise UnreadableProblem("two ways to read it give different values")
    return values[0]


def two_decimals(value: Fraction) -> str:
    """Return a number with two decimals as text, halves rounded away from zero: 0.625 is 0.63."""
    cents = math.floor(abs(value) * 100 + Fraction(1, 2))
    return f"{'-' if value < 0 and cents else ''}{cents // 100}.{cents % 100:02d}"


def judge(label: str, value: Fraction) -> Verdict:
    """Return the verdict on a label by its distance from the recomputed value."""
    distance = abs(Fraction(label) - value)
    if distance <= HALF_CENT + FLOAT_ERROR * abs(value):
        return "agrees"
    return "near" if distance <= ONE_PER_CENT * abs(value) else "differs"


def finding(id: str, split: str, formula: str, question: str, label: str) -> Finding:
    """Return the finding on one row."""
    try:
        value = recompute(formula, question)
    except UnreadableProblem as why:
        return Finding(id, split, formula, label, "", "not recomputed", str(why))
    return Finding(id, split, formula, label, two_decimals(value), judge(label, value))


def findings(data_dir: Path) -> Iterator[Finding]:
    """Yield the finding on every row of the source, training before test, in the order of the files.

    Raises:
        HarnessError: the files are missing or damaged.
    """
    task = registry.task("financial_math")
    folder = data.resolve(task.source, data_dir)
    load = task.load
    assert isinstance(load, published.Load)
    for split in ("train", "test"):
        for name in load.files[split]:
            path = folder / Path(name).name
            for number, cells in enumerate(load.read(path), start=1):
                example = load.example(cells, f"{path.stem}-{number}")
                assert not isinstance(example, str)
                question = example.question.rpartition("\n")[0]
                yield finding(example.id, split, example.slices["formula"], question, example.target)


def table(rows: list[Finding]) -> str:
    """Return the findings as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    return text.getvalue()


def main(arguments: list[str]) -> None:
    """Write the table and print the counts of verdicts by split."""
    parser = argparse.ArgumentParser(description="audit the gold of Financial Math")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    rows = list(findings(options.data))
    options.out.write_text(table(rows), encoding="utf-8")
    for split in ("train", "test"):
        counts = Counter(row.verdict for row in rows if row.split == split)
        print(f"{split:<6} {' · '.join(f'{verdict} {counts[verdict]}' for verdict in sorted(counts))}")


if __name__ == "__main__":
    main(sys.argv[1:])

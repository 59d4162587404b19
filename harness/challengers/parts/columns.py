"""The columns of a table in the text of examples: lines such as `age: 54`, or several on a line, divided by semicolons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.challengers.parts import texts
from harness.metrics.number import parse_number
from harness.schema import Example

FIELD = re.compile(r"^\W{0,3}([A-Za-z][^:=|\n]{0,40}?)\s*(?::|=|\|)\s*(\S.{0,60}?)[.,]?$")
MIN_SHARE = 0.9  # of the examples that have a column
MIN_COLUMNS = 2
MAX_WORDS = 50  # different values of a column of words that get a number of their own
MISSING = float("nan")


def fields(example: Example) -> dict[str, str]:
    """Return the named values in an example's text; of a name that occurs twice, the first."""
    parts = re.split(r"[\n;]|,\s+(?=[A-Za-z][\w ]{0,30}[:=])", texts.question(example))
    matches = (FIELD.match(part.strip()) for part in parts)
    values: dict[str, str] = {}
    for match in filter(None, matches):
        values.setdefault(match[1].casefold(), match[2])
    return values


@dataclass(frozen=True)
class Columns:
    """The names of columns; for one of words, its values by number."""

    names: tuple[str, ...]
    words: Mapping[str, Mapping[str, int]]

    def rows(self, examples: Sequence[Example]) -> np.ndarray:
        """Return a number for each column of each example; not a number if the value is missing or new."""
        return np.array([[self._number(name, row.get(name)) for name in self.names] for row in map(fields, examples)])

    def _number(self, name: str, text: str | None) -> float:
        if text is None:
            return MISSING
        if name in self.words:
            return float(self.words[name].get(text.casefold(), MISSING))
        number = parse_number(text)
        return MISSING if number is None else float(number)


def find(examples: Sequence[Example]) -> Columns:
    """Return the columns that nearly all examples have and that are not the same in all."""
    rows = [fields(example) for example in examples]
    counts = Counter(name for row in rows for name in row)
    names, words = [], {}
    for name, count in counts.items():
        values = [row[name].casefold() for row in rows if name in row]
        if count < MIN_SHARE * len(rows) or len(set(values)) < 2:
            continue
        if sum(parse_number(value) is not None for value in values) < MIN_SHARE * len(values):
            common = [value for value, _ in Counter(values).most_common(MAX_WORDS)]
            words[name] = {value: number for number, value in enumerate(common)}
        names.append(name)
    return Columns(tuple(names), words)

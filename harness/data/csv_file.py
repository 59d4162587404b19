"""Rows of a CSV file, each with its line.

It is read here line by line, because an error has to name the line, and because every cell must keep the text of the
file (a type-guessing reader turns "007" into 7). Three habits of spreadsheets are known: a first line `sep=;` that names
the separator, columns without a name and without a value at the right, and rows of nothing but empty cells. A header with
semicolons, tabs or bars and no comma is read as divided by them.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.data import bounds
from harness.data.intake.faults import Refuse, at_once
from harness.data.raw import Row, cut_off, open_text, refuse_encoding
from harness.errors import HarnessError
from harness.metrics.text import canonical

_SEPARATOR = re.compile(r'\ufeff?"?sep=([^"\r\n])"?[,;\t|]*\s*', re.IGNORECASE)  # Excel's first line


def csv_rows(path: Path, refuse: Refuse = at_once, encoding: str = "") -> list[Row]:
    """Return all rows of a CSV file.

    Args:
        path: the file.
        refuse: takes the error of a row that cannot be read, and its line; the next row follows.
        encoding: of the text; empty for that of its mark, or UTF-8.

    Raises:
        HarnessError: empty, in another encoding, not CSV, cut off, fields that do not fit the header, or too large; with the line.
    """
    limit = csv.field_size_limit(bounds.MAX_CELL)  # the default of 128 KiB is less than a filing
    try:
        with open_text(path, encoding, newline="") as text:
            rows = _Reader(path, text, refuse).rows()
    except UnicodeDecodeError:
        refuse_encoding(path, encoding)
        raise
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise HarnessError("the data file is empty: a header and no rows", where=str(path), fix="add rows")
    return rows


def _separator_in(header: str) -> str:
    """Return the comma, or what stands in its place in a header without commas: exports have semicolons where it is decimal."""
    fields = next(csv.reader([header]), [])
    marks = [mark for mark in ";\t|" if mark in header]
    return max(marks, key=header.count) if marks and len(fields) == 1 else ","


class _Reader:
    """A CSV file in the course of being read."""

    def __init__(self, path: Path, text: io.TextIOWrapper, refuse: Refuse) -> None:
        self._path, self._text, self._refuse = path, text, refuse
        self._separator, self._skipped = ",", 0  # lines before the header
        self._last = ""  # the line that was read last

    def rows(self) -> list[Row]:
        """Return the rows below the header."""
        records, tally = self._records(), bounds.Tally(self._path)
        first = next(records, None)
        if first is None:
            raise HarnessError("the data file is empty", where=str(self._path), fix="give it a header and rows")
        line, header = first[0], [canonical(name).strip() for name in first[1]]
        columns = self._columns(header, f"{self._path}:{line}")
        unnamed = [column for column in range(len(header)) if column not in columns]
        rows, short = [], (0, 0)  # the line and the fields of a row with too few, until another follows
        for line, fields in records:
            if short[0]:
                self._refuse(self._unfit(*short, len(header)), short[0])
            short, where = (0, 0), f"{self._path}:{line}"
            tally.add(where, sum(map(len, fields)))
            if len(fields) < len(header):
                short = (line, len(fields))
            elif any(field.strip() for field in fields[len(header) :]):
                self._refuse(self._unfit(line, len(fields), len(header)), line)
            elif filled := [column for column in unnamed if fields[column].strip()]:
                self._refuse(self._unnamed(fields[filled[0]], filled[0], where), line)
            else:
                rows.append(Row(line, where, {name: fields[column] for column, name in columns.items()}))
        if short[0] and not self._last.endswith(("\n", "\r")):
            raise cut_off(f"{self._path}:{short[0]}")
        if short[0]:
            self._refuse(self._unfit(*short, len(header)), short[0])
        return rows

    def _columns(self, header: list[str], where: str) -> dict[int, str]:
        """Return the columns that count, by position: all but those without a name at the right.

        One column without a name further left is an index that another program wrote, and no error.
        """
        width = max((column + 1 for column, name in enumerate(header) if name), default=0)
        unnamed = [column for column in range(width) if not header[column]]
        names = {column: header[column] for column in range(width) if header[column] or len(unnamed) == 1}
        duplicate = next((name for name, count in Counter(header).items() if count > 1 and name), None)
        if duplicate is not None:
            raise HarnessError(f"two columns are named {duplicate!r}", where=where, fix="rename one of them")
        return names

    def _unfit(self, line: int, fields: int, header: int) -> HarnessError:
        """Return the error of a row with more or fewer fields than the header; empty ones at its end do not count."""
        problem = f"this row has {fields} fields, the header has {header}"
        return HarnessError(problem, where=f"{self._path}:{line}", fix=self._quoting())

    def _unnamed(self, field: str, column: int, where: str) -> HarnessError:
        """Return the error of a value in a column without a name."""
        problem = f"the field {field[:40]!r} stands in column {column + 1}, which has no name"
        return HarnessError(problem, where=where, fix=f"name the column in the first line, or {self._quoting()}")

    def _quoting(self) -> str:
        if self._separator == ",":
            return 'put fields that hold a comma into double quotes, e.g. "1,200"'
        return f"put fields that hold the separator {self._separator!r} into double quotes"

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (first line, fields) of each record that has a value."""
        lines = self._lines()
        start, header = self._skipped + 1, True
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # the reader goes on with the next line
                self._refuse_record(error, start, self._skipped + reader.line_num, header=header)
            else:
                if any(field.strip() for field in fields):
                    header = False
                    yield start, fields
            start = self._skipped + reader.line_num + 1

    def _refuse_record(self, error: csv.Error, start: int, end: int, *, header: bool) -> None:
        """Refuse a record that is no CSV; one that does not end is the end of the file.

        Raises:
            HarnessError: the file ends within quotes, or the record is the header or too large.
        """
        where = f"{self._path}:{start}"
        if "unexpected end of data" in str(error):
            problem = "a quote opens in this line and does not close: it is one too many, or the file was cut off"
            fix = "close it, or copy the file again; inside quotes a quote is written twice"
            raise HarnessError(problem, where=where, fix=fix) from error
        if "field limit" in str(error):
            problem = f"a cell of this row holds more than {bounds.MAX_CELL:,} characters, the most that are read"
            fix = "divide the text into several rows; or close a quote that is open"
            raise HarnessError(problem, where=where, fix=fix) from error
        lines = f" (a quote is open up to line {end})" * (end > start)
        fix = 'inside quotes, write a quote twice: ""'
        fault = HarnessError(f"this line is not CSV: {error}{lines}", where=where, fix=fix)
        if header:
            raise fault
        self._refuse(fault, start)

    def _lines(self) -> Iterator[str]:
        """Return the lines of the table; a line that names the separator is taken off."""
        first = self._line().removeprefix("\ufeff")
        if first.lstrip().startswith(("[{", '{"')):
            fix = "write one object a line into a .jsonl file"
            raise HarnessError("this is JSON and not CSV", where=f"{self._path}:1", fix=fix)
        if match := _SEPARATOR.fullmatch(first):
            self._separator, self._skipped = match[1], 1
            first = self._line()
        else:
            self._separator = _separator_in(first)
        return self._following(first)

    def _following(self, line: str) -> Iterator[str]:
        while line:
            yield line
            line = self._line()

    def _line(self) -> str:
        line = self._text.readline(bounds.MAX_LINE)
        if len(line) == bounds.MAX_LINE and not line.endswith(("\n", "\r")):
            problem = f"a line is longer than {bounds.MAX_LINE:,} characters, the most that are read"
            raise HarnessError(problem, where=str(self._path), fix="check that this is a CSV file")
        self._last = line or self._last
        return line

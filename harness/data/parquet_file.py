"""Rows of a Parquet file, read in batches, so that its size is known before it is in memory.

Values become the cells that the same table has in JSONL: class numbers get the names in the metadata of `datasets`,
dictionary columns (a category of pandas) their values, and a narrow float becomes its shortest number (0.2, and not
0.20000000298).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.data import bounds
from harness.data.raw import ClassName, Row, open_file
from harness.errors import HarnessError, one_line

BATCH, FEW = 1024, 32  # rows at once; of texts that cannot be read as a dictionary, and may be long
_DICTIONARY = frozenset(("PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"))
MAGIC = b"PAR1"
METADATA = b"huggingface"  # the key under which `datasets` describes the columns
Convert = Callable[[Any], Any]


def parquet_rows(path: Path, *, class_names: bool = True) -> list[Row]:
    """Return all rows of a Parquet file.

    Args:
        path: the file.
        class_names: whether class numbers become their names.

    Raises:
        HarnessError: empty, damaged, cut off, two columns of one name, a class number without a name, or too large.
    """
    _refuse_other_files(path)
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            _refuse_size(path, file)
            texts = _texts(file)
        # Equal texts stay one text: a file of 3 MB may repeat a text of 20 MB a million times.
        with parquet.ParquetFile(
            path, read_dictionary=[name for name, dictionary in texts.items() if dictionary]
        ) as file:
            rows = _rows(path, file, BATCH if all(texts.values()) else FEW, class_names=class_names)
    except HarnessError:
        raise
    except (ArrowException, OSError, ValueError, TypeError, LookupError, NotImplementedError) as error:
        problem = f"the Parquet file is damaged: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix="write it again") from error
    if not rows:
        raise HarnessError("the data file is empty: columns and no rows", where=str(path), fix="add rows")
    return rows


def _refuse_other_files(path: Path) -> None:
    with open_file(path) as file:
        first = file.read(bounds.MAX_LINE if path.stat().st_size < BATCH else len(MAGIC))
        file.seek(-min(len(MAGIC), size := path.stat().st_size), 2)
        last = file.read()
    if not first.strip():
        raise HarnessError("the data file is empty", where=str(path), fix="give it columns and rows")
    if not first.startswith(MAGIC):
        raise HarnessError("this is not a Parquet file", where=str(path), fix="check the extension")
    if size < 3 * len(MAGIC) or last != MAGIC:
        raise HarnessError("the Parquet file is cut off", where=str(path), fix="copy or download it again")


def _refuse_size(path: Path, file: Any) -> None:
    """Refuse too many rows or bytes by the file's own figures, before anything is read."""
    bounds.refuse_rows(path, file.metadata.num_rows)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    size = sum(group.column(i).total_uncompressed_size for group in groups for i in range(group.num_columns))
    if size > (most := bounds.max_text()):
        problem = f"the Parquet file holds {size:,} bytes once unpacked, and at most {most:,} are read"
        raise HarnessError(problem, where=str(path), fix="keep the columns and the rows that you need")


def _texts(file: Any) -> dict[str, bool]:
    """Return the columns of texts, and whether the library can read each as a dictionary; it cannot if texts share beginnings."""
    leaves = [file.schema.column(index) for index in range(len(file.schema.names))]
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    return {
        leaf.path: all(_DICTIONARY.issuperset(group.column(index).encodings) for group in groups)
        for index, leaf in enumerate(leaves)
        if leaf.physical_type == "BYTE_ARRAY"
    }


def _rows(path: Path, file: Any, batch_size: int, *, class_names: bool) -> list[Row]:
    schema, tally, rows = file.schema_arrow, bounds.Tally(path), list[Row]()
    names = list(schema.names)
    if duplicate := next((name for name, count in Counter(names).items() if count > 1), None):
        raise HarnessError(f"two columns are named {duplicate!r}", where=str(path), fix="rename one of them")
    features = _features(path, schema.metadata or {}) if class_names else {}
    converts = [(_of_type(field.type), _of_feature(features.get(field.name))) for field in schema]
    for batch in file.iter_batches(batch_size=batch_size):
        where = f"{path}, row {len(rows) + 1}"
        tally.add(where, sum(_size(column, name, where) for name, column in zip(names, batch.columns, strict=True)))
        columns = [
            _cells(column, name, *convert, path, len(rows))
            for name, column, convert in zip(names, batch.columns, converts, strict=True)
        ]
        for values in zip(*columns, strict=True):
            number = len(rows) + 1
            rows.append(Row(number, f"{path}, row {number}", dict(zip(names, values, strict=True))))
        tally.add(f"{path}, row {len(rows)}", 0, rows=batch.num_rows - 1)
    return rows


def _size(array: Any, name: str, where: str) -> int:
    """Return the characters (bytes in UTF-8) of an array, before any is made a Python text.

    Raises:
        HarnessError: a cell that is longer than the limit.
    """
    import pyarrow as pa
    from pyarrow import compute

    kind = array.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return 0
        lengths = compute.binary_length(array.dictionary).take(array.indices)
    elif _is_text(kind):
        lengths = compute.binary_length(array)
    elif pa.types.is_struct(kind):
        return sum(_size(field, name, where) for field in array.flatten())
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        longest = compute.max(compute.list_value_length(array)).as_py() or 0
        if longest > bounds.MAX_ITEMS:
            problem = (
                f"a cell of the column {name!r} lists {longest:,} items, and at most {bounds.MAX_ITEMS:,} are read"
            )
            raise HarnessError(problem, where=where, fix="leave the column out")
        values = array.flatten()
        return len(values) + _size(values, name, where)
    else:
        return 0
    bounds.refuse_cell(compute.max(lengths).as_py() or 0, name, where)
    return compute.sum(lengths).as_py() or 0


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary))


def _cells(array: Any, name: str, of_type: Convert | None, of_feature: Convert | None, path: Path, before: int) -> Any:
    """Return the cells of a column of a batch; `before` rows stand above it."""
    from pyarrow import types

    if types.is_dictionary(array.type):
        values, indices = array.dictionary.to_pylist(), array.indices.to_pylist()
        cells = [None if index is None else values[index] for index in indices]
    else:
        cells = array.to_pylist()
    if of_type:
        cells = [of_type(cell) for cell in cells]
    if not of_feature:
        return cells
    for position, cell in enumerate(cells):
        try:
            cells[position] = of_feature(cell)
        except LookupError as error:
            where, fix = f"{path}, row {before + position + 1}", "correct the class numbers, or write the names"
            raise HarnessError(
                f"the class number {error.args[0]} of {name!r} has no name", where=where, fix=fix
            ) from None
    return cells


def _of_type(kind: Any) -> Convert | None:
    """Return the function that turns a value of this Arrow type into a cell; None if it is one already."""
    from pyarrow import types

    if types.is_float16(kind) or types.is_float32(kind):
        return partial(_shortest, width=kind.bit_width)
    if types.is_dictionary(kind):
        return _of_type(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list_conversion(_of_type(kind.value_type))
    if types.is_struct(kind):
        fields = {field.name: _of_type(field.type) for field in kind}
        return _struct_conversion({name: convert for name, convert in fields.items() if convert})
    return None


def _shortest(value: Any, *, width: int) -> Any:
    """Return the number with the fewest digits that is this float of so many bits."""
    import numpy

    if value is None:
        return None
    return float(numpy.format_float_scientific((numpy.float16 if width == 16 else numpy.float32)(value)))


def _list_conversion(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda cell: None if cell is None else [convert(item) for item in cell]


def _struct_conversion(converts: Mapping[str, Convert]) -> Convert | None:
    if not converts:
        return None
    return lambda cell: (
        None if cell is None else {name: converts.get(name, lambda v: v)(value) for name, value in cell.items()}
    )


def _features(path: Path, metadata: Mapping[bytes, bytes]) -> Mapping[str, Any]:
    """Return the columns' description by `datasets`; empty if the file has none."""
    if METADATA not in metadata:
        return {}
    try:
        features = json.loads(metadata[METADATA])["info"]["features"]
        return dict(features or {})
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        fix = "write the file again, without the metadata `huggingface` in its schema"
        problem = f"the description of the columns by `datasets` cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix=fix) from error


def _of_feature(feature: Any) -> Convert | None:
    """Return the function that turns class numbers of this feature into names; None without classes."""
    if isinstance(feature, list):  # an old way to write a list
        return _list_conversion(_of_feature(feature[0])) if len(feature) == 1 else None
    if not isinstance(feature, dict):
        return None
    kind = feature.get("_type")
    if kind == "ClassLabel":
        names = feature.get("names")
        return _class_conversion([ClassName(name) for name in names]) if isinstance(names, list) and names else None
    if kind in ("List", "LargeList", "Sequence"):
        inner = feature.get("feature")
        if kind == "Sequence" and isinstance(inner, dict) and "_type" not in inner:  # stored as a struct of lists
            return _of_feature({name: {"_type": "List", "feature": part} for name, part in inner.items()})
        return _list_conversion(_of_feature(inner))
    if kind is None:
        converts = {name: _of_feature(part) for name, part in feature.items()}
        return _struct_conversion({name: convert for name, convert in converts.items() if convert})
    return None


def _class_conversion(names: list[ClassName]) -> Convert:
    def name_of(cell: Any) -> Any:
        if not isinstance(cell, int) or isinstance(cell, bool):
            return cell  # empty, or a name already
        if cell == -1:  # without a label, as `datasets` writes it
            return None
        if not 0 <= cell < len(names):
            raise LookupError(f"{cell} (the names are {', '.join(names)})")
        return names[cell]

    return name_of

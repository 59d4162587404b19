"""A task without code: one JSONL, CSV or Parquet file, in a layout that `harness.data.columns` describes.

Rows with choices are scored by log-likelihood over them. For `context, target` rows the targets decide:

    labels     given by `labels` or by class names of a Parquet file, or at most 20 different ones of at most 40
               characters, on average 5 rows for each: log-likelihood over all labels; acc, macro-F1, acc_norm
    numbers    every target is a number (tried before labels) and none a code with a leading zero (`007`): generated,
               compared as numbers
    free text  anything else: generated, compared character by character

Without a `split` column, rows are dealt 60/10/30 into training, validation and test by the hash of their group; rows
with the same text stay together. Labels are used unchanged: only `relabel` repairs them, and the title gives the number of
changes. Two Unicode forms of one label are joined, which the title says as well. The prompt of a context states the labels,
unless every context names them or an `instruction` stands there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from string import ascii_uppercase

from harness.data import labels as labelling
from harness.data import prompts
from harness.data.columns import IGNORE, Layout, cell_text, example_of, option_columns, split_of
from harness.data.intake import guess, mapping
from harness.data.intake.faults import EveryFault, Faults
from harness.data.kinds import Kind, description, kind_of
from harness.data.raw import Row, digest_of
from harness.data.readers import read_rows
from harness.data.split import SHARES, partition, shared, with_duplicates_grouped
from harness.errors import HarnessError
from harness.metrics import acc, acc_norm, default_parse, exact_match, fold, macro_f1, numeric, parse_number
from harness.record import Split
from harness.schema import Example, Source, Task

MIN_ROWS = 10
DECIMAL_COMMA = "-decimal-comma"  # the end of the name of a task whose numbers have one: it is another task
LABELS_STATED = 2  # the version of tasks of labels since their prompts state them
BARE = "none"  # the instruction of a prompt without a question
VALIDATION_OF_TRAIN: Mapping[Split, float] = {"train": 6 / 7, "validation": 1 / 7}


@dataclass(frozen=True)
class FileRows:
    """The examples of a data file by split, to be called as the `load` of a task.

    Attributes:
        splits: the examples.
        notes: what was not used of the file, as heading and text, for people.
    """

    splits: Mapping[Split, Sequence[Example]]
    notes: tuple[tuple[str, str], ...] = ()

    def __call__(self, folder: Path, split: Split) -> Iterable[Example]:
        """Return the examples of a split."""
        return self.splits[split]


def file_task(
    path: Path | str,
    *,
    labels: Sequence[str] = (),
    relabel: Mapping[str, str] | None = None,
    name: str = "",
    decimal_comma: bool = False,
    columns: Mapping[str, str] | None = None,
    drop_bad: bool = False,
    instruction: str = "",
    encoding: str = "",
    further: Mapping[Split, Path] | None = None,
) -> Task:
    """Return a task made of a data file; its title says which kind of answers was assumed.

    Args:
        path: a `.jsonl`, `.csv` or `.parquet` file.
        labels: the classes of a `context, target` file; without, all targets in it.
        relabel: old label to new, all at once (so that two can be exchanged), for `context, target` files.
        name: the task's name; without, the file's name without extension.
        decimal_comma: the targets are numbers such as 1.234,5. The task is another one than without: its name ends in
            `DECIMAL_COMMA`, so that its runs have ids of their own and are checked by the same reading.
        columns: columns of the file by their use, see `harness.data.intake.mapping`.
        drop_bad: leave out rows that have a fault.
        instruction: the question below each context; without, the labels, and `BARE` for none.
        encoding: of the text of a JSONL or CSV file; empty for that of its mark, or UTF-8.
        further: the files of the test and of validation, if `path` is that of training.

    Raises:
        HarnessError: all faults of the file, with their rows.
    """
    path = Path(path)
    files: dict[Split, Path] = {"train": path, **(further or {})}
    faults = Faults(path, drop_bad=drop_bad, further=[file.name for file in (further or {}).values()])
    layout, rows, examples, notes = _examples(files, columns or {}, faults, encoding)
    if layout == "choices" and (labels or relabel):
        fix = "leave --labels and --relabel out, or give the columns context, target"
        raise HarnessError("labels belong to files with the columns context, target", where=str(path), fix=fix)
    try:
        examples, joined = labelling.join_forms(examples, labels)
        examples, renamed = labelling.relabel(path, examples, relabel or {})
        kind, classes, more = kind_of(path, rows, layout, examples, labels, decimal_comma=decimal_comma, faults=faults)
    except HarnessError as error:
        faults.whole_file(error)
    faults.refuse()
    pairs = [(row, e) for row, e in zip(rows, examples, strict=True) if row.key not in faults.keys]
    rows, examples = [row for row, _ in pairs], [e for _, e in pairs]
    notes += [*joined, *renamed, *more]
    if kind == "labels":
        examples = [replace(e, choices=classes) for e in examples]
    splits, how = _split(path, rows, with_duplicates_grouped(examples))
    if classes and len({e.target for e in splits["train"]}) < 2:
        raise HarnessError("one class only among the training rows", where=str(path), fix="add rows of the others")
    dropped = len(faults.keys)
    notes += [f"{dropped:,} row{'s' * (dropped != 1)} left out"] * bool(dropped)
    counts = Counter(row.file for row in rows)
    of_files = ", ".join(f"{file or path.name}: {count:,} rows" for file, count in counts.items())
    title = "; ".join([of_files, description(kind, classes, examples), *notes, how])
    name = (name or file_name(path)) + DECIMAL_COMMA * decimal_comma
    load = FileRows(splits, _unused(rows, layout, faults))
    question = _question(kind, classes, examples, instruction)
    task = _task(path, kind, classes, load, title=title, name=name, question=question)
    return replace(task, metrics=(numeric(decimal_comma=True),), parse=first_decimal_comma) if decimal_comma else task


def _examples(
    files: Mapping[Split, Path], columns: Mapping[str, str], faults: Faults, encoding: str
) -> tuple[Layout, list[Row], list[Example], list[str]]:
    """Return the layout of the files, their rows without a fault, their examples, and notes; faults are gathered.

    Raises:
        HarnessError: a fault that leaves nothing to read.
    """
    if len({path.resolve() for path in files.values()}) < len(files):
        where = " and ".join(map(str, files.values()))
        raise HarnessError("one file is named for two splits", where=where, fix="name a file of other rows")
    read = {split: _rows(path, columns, faults, encoding, further=split != "train") for split, path in files.items()}
    layout, path = read["train"][0], files["train"]
    if any(other != layout for other, _ in read.values()):
        fix = "give all files the same columns, as by --columns"
        names = " and ".join(file.name for file in files.values())
        faults.whole_file(HarnessError(f"{names} have different layouts", where=str(path), fix=fix))
    if layout is None or any(other != layout for other, _ in read.values()):
        faults.refuse()
        raise AssertionError("a file without a layout has a fault")
    rows = [(split if len(files) > 1 else None, row) for split, (_, part) in read.items() for row in part]
    letters, notes = option_columns([row for _, row in rows]) if layout == "choices" else ((), [])
    good, examples, first = [], [], dict[tuple[str, str], Row]()
    named = any("split" in row.cells and cell_text(row, "split", row.cells["split"]) for _, row in rows)
    for split, row in rows:
        try:
            placed = _in_split(row, split)
            example = example_of(layout, placed, letters)
            _refuse_empty_split(placed, named=named)
            _refuse_duplicate(example, placed, first)
        except HarnessError as error:
            faults.row(error, *row.key[::-1])
            continue
        good.append(placed)
        examples.append(example)
    if not good:
        faults.refuse_every_row()
    _gather_shared(good, examples, faults)
    return layout, good, examples, notes


def _rows(
    path: Path, columns: Mapping[str, str], faults: Faults, encoding: str, *, further: bool
) -> tuple[Layout | None, list[Row]]:
    """Return the layout of a file and its rows, those of a further file with its name."""
    file = path.name if further else ""
    try:
        rows = read_rows(path, refuse=partial(faults.row, file=file), encoding=encoding)
        rows = [replace(row, file=file) for row in rows] if further else rows
        return mapping.recognised(path, mapping.renamed(path, rows, columns), faults)
    except HarnessError as error:
        if not isinstance(error, EveryFault):
            faults.whole_file(error)
            faults.refuse()
        raise


def _in_split(row: Row, split: Split | None) -> Row:
    """Return a row in the split of its file, if each split has one; the file of training may name rows for validation."""
    if split is None:
        return row
    named = split_of(row)
    if named and named != split and (split, named) != ("train", "validation"):
        problem = f"the split of this row is {named!r}, and its file is that of {split!r}"
        raise HarnessError(problem, where=row.location, fix=f"correct it, or --columns split={IGNORE}")
    return replace(row, cells={**row.cells, "split": named or split})


def _refuse_empty_split(row: Row, *, named: bool) -> None:
    if split_of(row) is None and named:
        fix = "name the split of every row, or drop the column"
        raise HarnessError("the split of this row is empty, and other rows name theirs", where=row.location, fix=fix)


def _refuse_duplicate(example: Example, row: Row, first: dict[tuple[str, str], Row]) -> None:
    other = first.setdefault((row.file, example.id), row)
    if other is not row:
        where = f"{other.location} and {row.location}"
        raise HarnessError(f"two rows have the id {example.id!r}", where=where, fix="give each row its own id")


def _gather_shared(rows: Sequence[Row], examples: Sequence[Example], faults: Faults) -> None:
    """Gather ids of two files, and the rows with a group or text of a later split: those of training, not of the test."""
    first: dict[str, Row] = {}
    both = [
        (e.id, other, row)
        for row, e in zip(rows, examples, strict=True)
        if (other := first.setdefault(e.id, row)) is not row
    ]
    if both:
        name, *places = both[0]
        problem = f"{len(both):,} ids are in more than one file, such as {name!r}"
        fix = f"--columns id={IGNORE} if they only number the rows; else the test has cases of training"
        faults.whole_file(HarnessError(problem, where=" and ".join(row.location for row in places), fix=fix))
    splits = [split_of(row) for row in rows]
    for position, later, kind in shared(examples, splits):
        row = rows[position]
        problem = f"{splits[position]} and {splits[later]} share a {kind}: the test would measure memory"
        where = f"{row.location} and {rows[later].location}"
        faults.row(HarnessError(problem, where=where, fix="put both into one split"), row.number, row.file)


def _unused(rows: Sequence[Row], layout: Layout, faults: Faults) -> tuple[tuple[str, str], ...]:
    """Return notes about the rows that are left out and the columns that are ignored, and the column that may be a group."""
    uses = mapping.CHOICE_USES if layout == "choices" else mapping.TARGET_USES
    names = mapping.names_of(rows)
    ignored = [name for name in names if name not in (*uses, "id") and name not in ascii_uppercase]
    text = ", ".join(name or "(without a name)" for name in ignored)
    if "group" not in names and (group := guess.group_of(guess.columns_of(rows, ignored))):
        text += f"; --columns {group}=group keeps the rows of a {group} in one split"
    elif layout == "target" and ignored:
        text += f"; --columns {ignored[0]}=context adds {ignored[0]} to the prompt"
    notes = [("left out" * (position == 0), line) for position, line in enumerate(faults.left_out())]
    return (*notes, *[("ignored", text)] * bool(ignored))


def _question(kind: Kind, classes: Sequence[str], examples: Sequence[Example], instruction: str) -> str:
    """Return the question below each context: the instruction, or else the labels unless every context names them."""
    if instruction:
        return "" if instruction == BARE else instruction
    if kind != "labels" or all(
        all(fold(label) in fold(f"{e.context}\n{e.question}") for label in classes) for e in examples
    ):
        return ""
    return f"Answer with one of: {', '.join(classes)}"


def _prompt(question: str, example: Example) -> str:
    """Return the prompt with a question below those of the example."""
    return prompts.question_answer(replace(example, question=f"{example.question}\n{question}".strip()))


def reading_notes(task: Task) -> list[tuple[str, str]]:
    """Return what was not used of a task's data file, as heading and text for people; nothing for other tasks."""
    return list(task.load.notes) if isinstance(task.load, FileRows) else []


def _task(
    path: Path, kind: Kind, classes: Sequence[str], load: FileRows, *, title: str, name: str, question: str
) -> Task:
    longest = max(len(e.target) for examples in load.splits.values() for e in examples)
    plain = prompts.multiple_choice if kind == "choices" else prompts.question_answer
    return Task(
        name=name,
        version=LABELS_STATED if kind == "labels" else 1,
        title=title,
        source=Source(uri=str(path.resolve()), sha256=digest_of(path), redistributable=False),
        load=load,
        prompt=partial(_prompt, question) if question and kind != "choices" else plain,
        metrics={
            "choices": (acc, macro_f1, acc_norm) if classes else (acc_norm, acc),
            "labels": (acc, macro_f1, acc_norm),
            "numbers": (numeric(),),
            "text": (exact_match,),
        }[kind],
        scoring="choices" if kind in ("choices", "labels") else "generate",
        parse={"numbers": first_number, "text": _parse_text}.get(kind),
        chance=commonest if classes else None,
        guess=f"always giving the commonest {'label' if kind == 'labels' else 'answer'}" if classes else "guessing",
        max_new_tokens=min(256, longest + 8),  # a token is at least a character but for rare ones, spelt in bytes
    )


def file_name(path: Path | str) -> str:
    """Return the name of the task that a data file is by default."""
    path = Path(path)
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-.") or "file"


def _split(path: Path, rows: Sequence[Row], examples: Sequence[Example]) -> tuple[dict[Split, list[Example]], str]:
    """Return the examples by split, and the way they were split, for the title."""
    column = [split_of(row) for row in rows]
    if not any(column):
        if len(rows) < MIN_ROWS:
            problem = f"too few rows to split: {len(rows)}, and at least {MIN_ROWS} are needed"
            raise HarnessError(problem, where=str(path), fix="add rows, or name each row's split in a 'split' column")
        return _partition(path, examples), "split 60/10/30 by hash of the group"
    splits: dict[Split, list[Example]] = {
        name: [e for e, split in zip(examples, column, strict=True) if split == name]
        for name in ("train", "validation", "test")
    }
    for needed in ("train", "test"):
        if not splits[needed]:
            raise HarnessError(f"no row has the split {needed!r}", where=str(path), fix="name it in the 'split' column")
    if splits["validation"]:
        return splits, "split as the file says"
    splits.update(_partition(path, splits["train"], VALIDATION_OF_TRAIN))
    return splits, "split as the file says, a seventh of train for validation"


def _partition(
    path: Path, examples: Sequence[Example], shares: Mapping[Split, float] = SHARES
) -> dict[Split, list[Example]]:
    try:
        return partition(examples, shares)
    except HarnessError as error:
        raise HarnessError(error.problem, where=str(path), fix=error.fix) from error


def commonest(examples: Sequence[Example]) -> float:
    """Return the score of always giving the most frequent answer."""
    return max(Counter(e.target for e in examples).values()) / len(examples)


def first_number(text: str, example: Example) -> str | None:
    """Return the first line of an output if it is a number, else None."""
    line = default_parse(text, example)
    return line if line is not None and parse_number(line) is not None else None


def first_decimal_comma(text: str, example: Example) -> str | None:
    """Return the first line of an output as a number with a decimal point if it is one with a decimal comma, else None."""
    line = default_parse(text, example)
    number = None if line is None else parse_number(line, decimal_comma=True)
    return None if number is None else f"{number:f}"


def _parse_text(text: str, example: Example) -> str | None:
    """Return the whole text, since targets may have several lines; None if it is empty."""
    return text.strip() or None

"""A task without code: one JSONL, CSV or Parquet file, in a layout that `harness.data.columns` describes.

Rows with choices are scored by log-likelihood over them. For `context, target` rows the targets decide:

    labels     given by `labels`, or at most 20 different ones of at most 40 characters, on average 5 rows for each:
               log-likelihood over all labels; acc, macro-F1, acc_norm
    numbers    every target is a number (tried before labels): generated, compared as numbers
    free text  anything else: generated, compared character by character

Without a `split` column, rows are dealt 60/10/30 into training, validation and test by the hash of their group; rows
with the same text stay together. Labels are used unchanged: only `relabel` repairs them, and the title gives the number of
changes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from harness.data import prompts
from harness.data.columns import Layout, example_of, layout_of, split_of
from harness.data.readers import Row, read_rows
from harness.data.split import SHARES, partition, question_key
from harness.errors import HarnessError, did_you_mean
from harness.metrics import acc, acc_norm, default_parse, exact_match, fold, macro_f1, numeric, parse_number
from harness.record import Split
from harness.schema import Example, Source, Task

MIN_ROWS = 10
MAX_LABELS, MAX_LABEL_LENGTH, MIN_ROWS_PER_LABEL = 20, 40, 5
MAX_LISTED = 8
VALIDATION_OF_TRAIN: Mapping[Split, float] = {"train": 6 / 7, "validation": 1 / 7}
Kind = Literal["choices", "labels", "numbers", "text"]


def file_task(
    path: Path | str, *, labels: Sequence[str] = (), relabel: Mapping[str, str] | None = None, name: str = ""
) -> Task:
    """Return a task made of a data file; its title says which kind of answers was assumed.

    Args:
        path: a `.jsonl`, `.csv` or `.parquet` file.
        labels: the classes of a `context, target` file; without, all targets in it.
        relabel: old label to new, all at once (so that two can be exchanged), for `context, target` files.
        name: the task's name; without, the file's name without extension.

    Raises:
        HarnessError: any fault of the file, with its row.
    """
    path = Path(path)
    rows = read_rows(path)
    layout = layout_of(path, rows[0])
    examples = [example_of(layout, row) for row in rows]
    _refuse_duplicate_ids(rows, examples)
    if layout == "choices" and (labels or relabel):
        fix = "leave --labels and --relabel out, or give the columns context, target"
        raise HarnessError("labels belong to files with the columns context, target", where=str(path), fix=fix)
    examples, notes = _relabel(path, examples, relabel or {})
    kind, classes = _kind(path, rows, layout, examples, labels)
    if kind == "labels":
        examples = [replace(e, choices=classes) for e in examples]
    splits, how = _split(path, rows, _duplicates_grouped(examples))
    if classes and len({e.target for e in splits["train"]}) < 2:
        raise HarnessError("one class only among the training rows", where=str(path), fix="add rows of the others")
    title = "; ".join([f"{path.name}: {len(rows):,} rows", _describe(kind, classes, examples), *notes, how])
    return _task(path, kind, classes, splits, title=title, name=name or _name_of(path))


def _task(
    path: Path, kind: Kind, classes: Sequence[str], splits: Mapping[Split, list[Example]], *, title: str, name: str
) -> Task:
    longest = max(len(e.target) for examples in splits.values() for e in examples)

    def load(folder: Path, split: Split) -> Iterable[Example]:
        return splits[split]

    return Task(
        name=name,
        version=1,
        title=title,
        source=Source(
            uri=str(path.resolve()), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), redistributable=False
        ),
        load=load,
        prompt=prompts.multiple_choice if kind == "choices" else prompts.question_answer,
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


def _name_of(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-.") or "file"


def _refuse_duplicate_ids(rows: Sequence[Row], examples: Sequence[Example]) -> None:
    first: dict[str, Row] = {}
    for row, example in zip(rows, examples, strict=True):
        if first.setdefault(example.id, row) is not row:
            where = f"{first[example.id].location} and {row.location}"
            raise HarnessError(f"two rows have the id {example.id!r}", where=where, fix="give each row its own id")


def _relabel(path: Path, examples: list[Example], relabel: Mapping[str, str]) -> tuple[list[Example], list[str]]:
    """Return the examples with their labels renamed, and notes about it for the title."""
    counts = Counter(e.target for e in examples)
    for old, new in relabel.items():
        if old not in counts:
            fix = did_you_mean(old, counts) or f"the most frequent are {', '.join(t for t, _ in counts.most_common(5))}"
            raise HarnessError(f"cannot rename the label {old!r}: no row has it", where=str(path), fix=fix)
        if not new.strip():
            raise HarnessError(f"the new name of label {old!r} is empty", where=str(path), fix="write old=new")
    notes = [f"relabelled {counts[old]:,} {old} as {new}" for old, new in relabel.items()]
    return [replace(e, target=relabel.get(e.target, e.target)) for e in examples], notes


def _kind(
    path: Path, rows: Sequence[Row], layout: Layout, examples: Sequence[Example], labels: Sequence[str]
) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of the answers, and the classes if they are the same for every row."""
    targets = Counter(e.target for e in examples)
    if layout == "choices":
        options = {frozenset(e.choices) for e in examples}
        classes = tuple(sorted(next(iter(options)))) if len(options) == 1 else ()
        if classes:
            _refuse_one_class(path, targets)
        return "choices", classes
    if labels:
        return "labels", _given_labels(path, rows, examples, labels)
    _refuse_one_class(path, targets)
    if all(parse_number(target) is not None for target in targets):
        return "numbers", ()
    short = all(len(target) <= MAX_LABEL_LENGTH and "\n" not in target for target in targets)
    if short and len(targets) <= MAX_LABELS and len(examples) >= MIN_ROWS_PER_LABEL * len(targets):
        return "labels", _distinct(path, sorted(targets))
    return "text", ()


def _refuse_one_class(path: Path, targets: Mapping[str, int]) -> None:
    if len(targets) == 1:
        problem = f"one class only: every row has the answer {next(iter(targets))!r}"
        raise HarnessError(problem, where=str(path), fix="add rows with other answers")


def _given_labels(
    path: Path, rows: Sequence[Row], examples: Sequence[Example], labels: Sequence[str]
) -> tuple[str, ...]:
    classes = _distinct(path, [label.strip() for label in labels])
    for row, target in zip(rows, (e.target for e in examples), strict=True):
        if target not in classes:
            fix = did_you_mean(target, classes) or f"the labels are {', '.join(classes)}"
            raise HarnessError(f"the target {target!r} is not among the labels", where=row.location, fix=fix)
    _refuse_one_class(path, Counter(e.target for e in examples))
    return classes


def _distinct(path: Path, labels: Sequence[str]) -> tuple[str, ...]:
    spellings: dict[str, str] = {}
    for label in labels:
        if not label or fold(label) in spellings:
            problem = f"labels {spellings[fold(label)]!r} and {label!r} are the same" if label else "a label is empty"
            fix = "case and spacing do not count; join two spellings with --relabel OLD=NEW"
            raise HarnessError(problem, where=str(path), fix=fix)
        spellings[fold(label)] = label
    if len(labels) < 2:
        raise HarnessError("fewer than two labels", where=str(path), fix="give at least two, --labels yes,no")
    return tuple(labels)


def _duplicates_grouped(examples: Sequence[Example]) -> list[Example]:
    """Give ungrouped rows with the same text a group: they are one observation, not several."""
    keys = [question_key(e) for e in examples]
    counts = Counter(key for key, e in zip(keys, examples, strict=True) if not e.group)
    digests = (hashlib.sha256("\0".join(key).encode()).hexdigest()[:10] for key in keys)
    return [
        replace(e, group=f"same-{digest}") if not e.group and counts[key] > 1 else e
        for e, key, digest in zip(examples, keys, digests, strict=True)
    ]


def _split(path: Path, rows: Sequence[Row], examples: Sequence[Example]) -> tuple[dict[Split, list[Example]], str]:
    """Return the examples by split, and the way they were split, for the title."""
    column = [split_of(row) for row in rows]
    if not any(column):
        if len(rows) < MIN_ROWS:
            problem = f"too few rows to split: {len(rows)}, and at least {MIN_ROWS} are needed"
            raise HarnessError(problem, where=str(path), fix="add rows, or name each row's split in a 'split' column")
        return _partition(path, examples), "split 60/10/30 by hash of the group"
    for row, split in zip(rows, column, strict=True):
        if split is None:
            fix = "name the split of every row, or drop the column"
            raise HarnessError(
                "the split of this row is empty, and other rows name theirs", where=row.location, fix=fix
            )
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


def _describe(kind: Kind, classes: Sequence[str], examples: Sequence[Example]) -> str:
    """Return, for the title, the kind of answers that was assumed."""
    counts = Counter(e.target for e in examples)
    rows_per_class = ", ".join(f"{label} {counts[label]:,}" for label in classes)
    if len(classes) > MAX_LISTED:
        rows_per_class = f"{len(classes)}, {min(counts.values()):,} to {max(counts.values()):,} rows each"
    if kind == "numbers" and len(counts) <= MAX_LISTED and len(examples) >= MIN_ROWS_PER_LABEL * len(counts):
        return f"every target is a number, compared as numbers (as classes with --labels {','.join(sorted(counts))})"
    return {
        "choices": f"choices {rows_per_class}" if classes else "multiple choice",
        "labels": f"labels {rows_per_class}",
        "numbers": "every target is a number, compared as numbers",
        "text": "free text, exact match",
    }[kind]


def commonest(examples: Sequence[Example]) -> float:
    """Return the score of always giving the most frequent answer."""
    return max(Counter(e.target for e in examples).values()) / len(examples)


def first_number(text: str, example: Example) -> str | None:
    """Return the first line of an output if it is a number, else None."""
    line = default_parse(text, example)
    return line if line is not None and parse_number(line) is not None else None


def _parse_text(text: str, example: Example) -> str | None:
    """Return the whole text, since targets may have several lines; None if it is empty."""
    return text.strip() or None

"""A task's examples: located, pinned by checksum, read, checked, limited, fingerprinted.

`load_splits` is the only way examples reach a model. It refuses data with an overlap of training and test, so later steps
need not trust a task file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import audit, published, sources
from harness.data.raw import CHUNK, digest_of, open_file
from harness.data.readers import read_jsonl as read_jsonl
from harness.data.split import question_key, sample
from harness.errors import HarnessError
from harness.metrics.text import fold
from harness.record import SPLITS, Split
from harness.schema import Example, Method, Source, Task


@dataclass(frozen=True)
class Splits:
    """The checked examples of a task, in the order in which the task yields them."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]

    def items(self) -> Iterator[tuple[Split, tuple[Example, ...]]]:
        """Yield each split's name and examples: train, validation, test."""
        yield "train", self.train
        yield "validation", self.validation
        yield "test", self.test


def hash_folder(folder: Path | str) -> str:
    """Return the SHA-256 (hex) of a folder's JSONL files: for each in name order, name, NUL, bytes, NUL.

    Raises:
        HarnessError: the folder is missing or holds no `*.jsonl`.
    """
    files = sorted(Path(folder).glob("*.jsonl"), key=lambda path: path.name)
    if not files:
        raise HarnessError("no .jsonl file to check in this folder", where=str(folder), fix="check the task's Source")
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0")
        with open_file(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        digest.update(b"\0")
    return digest.hexdigest()


def tasks_folder() -> Path:
    """Return the folder of the tasks that the project ships; it sits beside `harness`.

    Raises:
        HarnessError: it is missing, with the other module called `tasks` that hides it, if there is one.
    """
    folder = Path(__file__).resolve().parents[2] / "tasks"
    if (folder / "data").is_dir():
        return folder
    try:
        spec = importlib.util.find_spec("tasks")
    except (ImportError, ValueError):
        spec = None
    paths = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    hiding = next(filter(None, paths), "")
    raise HarnessError(
        "the tasks that belong to the harness are missing" + (f": {hiding} has their name" if hiding else ""),
        where=str(folder),
        fix="reinstall the project in an environment of its own",
    )


def resolve(source: Source, data_dir: Path | str | None = None) -> Path:
    """Return the folder (or file) of a source, with its checksum checked.

    Args:
        source: a folder relative to the tasks folder, an absolute path, or `hf:` or `github:` at a pinned revision.
        data_dir: the data set's folder, recognised by its name or its files, or a folder that holds it; see
            `sources.copy_in`. Ignored for absolute paths, and for data that comes with the project and has no copy in it.

    Raises:
        HarnessError: missing, cannot be fetched, or the checksum differs.
    """
    path = sources.fetch(source) if sources.is_remote(source) and data_dir is None else _location(source, data_dir)
    if not path.exists():
        fix = sources.by_hand(source) if sources.is_remote(source) else "check the path, or pass --data"
        raise HarnessError("the task's data is missing", where=str(path), fix=fix)
    if source.sha256:
        checksum = hash_folder(path) if path.is_dir() else digest_of(path)
        if checksum != source.sha256:
            raise HarnessError(
                f"the data has changed: expected checksum {source.sha256}, found {checksum}",
                where=str(path),
                fix="restore the data; if the change is meant, set the task's sha256 and raise its version",
            )
    return path


def _location(source: Source, data_dir: Path | str | None) -> Path:
    """Return the path of a source's data in the user's folder, a cache or the tasks folder, present or not."""
    shipped = tasks_folder() / source.uri  # an absolute uri replaces the tasks folder
    if data_dir is not None and Path(source.uri).name and not Path(source.uri).is_absolute():
        copy = sources.copy_in(source, Path(data_dir))
        return copy if copy.exists() or sources.is_remote(source) or not shipped.exists() else shipped
    return sources.cached(source) if sources.is_remote(source) else shipped


def passed_over(task: Task, data_dir: Path | None) -> str:
    """Return a note if `--data DIR` is ignored because the task ships its own data; otherwise an empty string."""
    source = task.source
    if data_dir is None or sources.is_remote(source) or Path(source.uri).is_absolute():
        return ""
    shipped = _location(source, data_dir) == tasks_folder() / source.uri
    return f"not used for {task.name}: its data comes with the project, and {data_dir} has no copy" if shipped else ""


def sizes(task: Task, data_dir: Path | str | None = None) -> dict[Split, int] | None:
    """Return the number of examples in each split, None if the data is not here; nothing is checked or fetched.

    For data with a file for each split, `<split>.jsonl`, it is the number of lines; a split without a file is left out.
    """
    folder = _location(task.source, data_dir)
    if isinstance(task.load, published.Load):
        return task.load.sizes(folder)
    if not folder.exists():
        return None
    files: dict[Split, Path] = {split: folder / f"{split}.jsonl" for split in SPLITS}
    return {split: _lines(path) for split, path in files.items() if path.is_file()}


def _lines(path: Path) -> int:
    with open_file(path) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(CHUNK), b""))


def load_splits(task: Task, *, data_dir: Path | str | None = None, train_limit: int = 0, test_limit: int = 0) -> Splits:
    """Return a task's examples, checked and limited.

    Args:
        task: the task.
        data_dir: see `resolve`.
        train_limit: at most so many training examples; 0 is all.
        test_limit: at most so many test examples, and as many validation examples; 0 is all.

    A limit keeps groups whole if possible; the same data and limit give the same examples everywhere.

    Raises:
        HarnessError: an unreadable file, a wrong checksum, or examples that `check` or `refuse_overlap` refuses.
    """
    if train_limit < 0 or test_limit < 0:
        raise HarnessError(
            "a limit is 0 (all) or more", where=f"limit {min(train_limit, test_limit)}", fix="give 1 or more"
        )
    folder = resolve(task.source, data_dir)
    splits = Splits(*(_read(task, folder, split) if split in task.splits else () for split in SPLITS))
    for split, examples in splits.items():
        if split in task.splits:
            check(task, split, examples)
    refuse_overlap(splits)
    return Splits(
        train=sample(splits.train, train_limit),
        validation=sample(splits.validation, test_limit),
        test=sample(splits.test, test_limit),
    )


def _read(task: Task, folder: Path, split: Split) -> tuple[Example, ...]:
    try:
        return audit.apply(task, task.load(folder, split))
    except HarnessError:
        raise
    except Exception as error:  # a plugin's own code, which its author has to correct
        raise HarnessError(
            f"task {task.name!r} failed to load its {split} split: {type(error).__name__}: {error}",
            where=f"{getattr(task.load, '__module__', '')}.{getattr(task.load, '__qualname__', 'load')}",
            fix="correct the task's load function",
        ) from error


def check(task: Task, split: Split, examples: Sequence[Example]) -> None:
    """Refuse an empty split and examples that cannot be asked or scored.

    Raises:
        HarnessError: no examples, values of a wrong type, no id, an empty target, or a prompt that fails; among options,
            fewer than two, equal ones (case and spacing apart), or none equal to the target.
    """
    if not examples:
        raise HarnessError(f"the {split} split is empty", where=f"task {task.name}", fix="give it at least one example")
    for number, example in enumerate(examples, start=1):
        if problem := _wrong_type(example):
            where = f"task {task.name}, {split} example number {number}"
            raise HarnessError(problem, where=where, fix="correct the task's load function")
        options = {fold(choice) for choice in example.choices}
        if not example.id:
            problem = "an example has no id"
        elif not example.target.strip():
            problem = "the target is empty"
        elif len(example.choices) < 2 and (example.choices or task.scoring == "choices"):
            problem = f"there are {len(example.choices)} choices; at least two are needed"
        elif len(options) < len(example.choices) or "" in options:
            problem = "the choices are not distinct, or one is empty"
        elif example.choices and example.target not in example.choices:
            problem = f"the target {example.target!r} is not among the choices"
        else:
            _refuse_failing_prompt(task, example)
            continue
        raise HarnessError(problem, where=f"task {task.name}, {split} example {example.id!r}", fix="correct the data")


def _wrong_type(example: Any) -> str:
    """Return the value of a plugin's example that has a wrong type or is no amount, in words; empty if all are right."""
    if not isinstance(example, Example):
        return f"load yields something of type {type(example).__name__}, not an Example"
    if not isinstance(example.choices, tuple | list):
        return f"the choices are of type {type(example.choices).__name__}, not a tuple"
    texts = {name: getattr(example, name) for name in ("id", "question", "target", "group", "context")}
    texts |= {f"choice {number}": choice for number, choice in enumerate(example.choices, start=1)}
    wrong = next((name for name, text in texts.items() if not isinstance(text, str)), None)
    if wrong:
        return f"the {wrong} is of type {type(texts[wrong]).__name__}, not text"
    number = isinstance(example.amount, int | float) and 0 <= example.amount < float("inf")
    return "" if number else f"the amount {example.amount!r} is not a number of 0 or more"


def _refuse_failing_prompt(task: Task, example: Example) -> None:
    where, fix = f"task {task.name}, example {example.id!r}", "correct the task's prompt function"
    try:
        text = task.prompt(example)
    except Exception as error:  # a plugin's own code, as in `_read`
        raise HarnessError(f"the prompt fails: {type(error).__name__}: {error}", where=where, fix=fix) from error
    if not isinstance(text, str) or not text.strip():
        raise HarnessError("the prompt is not text, or empty", where=where, fix=fix)


def refuse_overlap(splits: Splits) -> None:
    """Refuse duplicate ids, and groups or questions in more than one split.

    Raises:
        HarnessError: with the two examples.
    """
    ids: dict[str, Split] = {}
    first: dict[tuple[str, ...], tuple[Split, str]] = {}
    for split, examples in splits.items():
        for example in examples:
            if example.id in ids:
                where = f"{ids[example.id]} and {split}" if ids[example.id] != split else f"twice in {split}"
                raise HarnessError(
                    f"the id {example.id!r} is used twice", where=where, fix="give each example its own id"
                )
            ids[example.id] = split
            for kind, key in (("group", (example.group,)), ("question", question_key(example))):
                if key == ("",):
                    continue
                first_split, first_id = first.setdefault((kind, *key), (split, example.id))
                if first_split != split:
                    raise HarnessError(
                        f"{first_split} and {split} share a {kind}: the test would measure memory",
                        where=f"examples {first_id!r} and {example.id!r}",
                        fix="put both into one split",
                    )


def refuse_to_train(task: Task, methods: Sequence[Method]) -> None:
    """Refuse methods that need training examples if the task has none.

    Raises:
        HarnessError: with the methods, and the flags to use instead.
    """
    needing = [method.name for method in methods if method.trains or method.shots]
    if needing and "train" not in task.splits:
        raise HarnessError(
            "this task has no training split: it can be asked, not trained on",
            where=f"task {task.name}, --method {','.join(needing)}",
            fix=f"train on another task and ask this one as well: --probe {task.name}; or pass --method base",
        )


def fingerprint(task: Task, splits: Splits) -> str:
    """Return 16 hex digits that change with everything the model reads or is scored on.

    Covers the task's name and version, and of every example the id, rendered prompt, target, choices, group and amount.
    """
    digest = hashlib.sha256(json.dumps([task.name, task.version]).encode())
    for split, examples in splits.items():
        for e in examples:
            amount = [e.amount] if e.amount else []
            row = [split, e.id, task.prompt(e), e.target, list(e.choices), e.group, *amount]
            digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()[:16]

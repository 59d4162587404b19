"""Published data sets: the files of a repository or of a local copy, cleaned, in their own splits or dealt.

A task names the files of each split, as patterns, and a function from a row to an example. The first pattern with a
match counts. If a source has one file only, its rows are dealt 60/10/30 by their group's hash; without a validation file,
a seventh of the training rows becomes the validation split. Rows that cannot be asked or scored are left out, and counted:

    repeated           the same question and context as a row before it, the test rows coming first
    contradictory      the same question and context with two different answers: every one of them
    options the same   two options are equal, case and spacing apart
    answer missing     no answer, or not one of the options
    group in the test  a training row about the same group (filing, sentence) as a test row

and rows that the task itself leaves out, by the reason from its `example`.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from harness.data import bounds
from harness.data.file_task import VALIDATION_OF_TRAIN
from harness.data.raw import open_file
from harness.data.readers import load_json, read_rows
from harness.data.sources import matching
from harness.data.split import partition, question_key
from harness.errors import HarnessError
from harness.metrics.text import fold
from harness.record import SPLITS, Split
from harness.schema import Example

Cells = Mapping[str, Any]
Files = Mapping[Split, tuple[str, ...]]
INSIDE = "::"  # `data.zip::data/train.json` is a file inside an archive
_INSTRUCTION = re.compile(r"\s*Instruction: (.*?)\s*\nInput: (.*?)\s*\nAnswer:\s*", re.DOTALL)
PRIORITY: tuple[Split, ...] = ("test", "validation", "train")  # the first split with a question keeps it


def read_cells(path: Path) -> Iterator[Cells]:
    """Yield the rows of a JSONL, CSV or Parquet file, or of a `.json` file that holds one list of objects.

    Raises:
        HarnessError: the file is unreadable, with the row if it is one row's fault.
    """
    if path.suffix != ".json":
        yield from (row.cells for row in read_rows(path, class_names=False))
        return
    try:
        rows = load_json(_text(path))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or a name twice in an object
        raise HarnessError(f"this is not a JSON file: {error}", where=str(path), fix="download it again") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HarnessError("this JSON file is not a list of objects", where=str(path), fix="write [{...}, {...}]")
    yield from rows


def _text(path: Path) -> str:
    """Return the text of a file, or of one in an archive.

    Raises:
        HarnessError: no regular file, or more than the limit.
        ValueError: not UTF-8.
    """
    with open_file(path) if isinstance(path, Path) else path.open("rb") as file:
        raw = file.read(bounds.max_text() + 1)
    if len(raw) > bounds.max_text():
        problem = f"this file is longer than {bounds.max_text():,} bytes, the most that are read"
        raise HarnessError(problem, where=str(path), fix="use a file of the form in the task's docstring")
    return str(raw, "utf-8")


def patterns(files: Files) -> tuple[str, ...]:
    """Return every path of a task's files, once, for `Source.files`, so that no other file is fetched."""
    return tuple(dict.fromkeys(pattern.partition(INSIDE)[0] for split in files.values() for pattern in split))


@dataclass(frozen=True)
class Load:
    """The `load` of a task over a published data set.

    Attributes:
        files: paths as in `Source.files`, by split. The first that exists counts; `**/` searches below the data folder,
            and `a.zip::b.json` inside an archive.
        example: makes an example of a row's cells and an id, or returns the reason to leave the row out.
        read: yields the rows of a file, if `read_cells` cannot.
        folders: "many" if files of several folders belong together; else they are refused, as two copies of one data set.
    """

    files: Files
    example: Callable[[Cells, str], Example | str]
    read: Callable[[Path], Iterable[Cells]] = read_cells
    folders: Literal["one", "many"] = "one"

    def __call__(self, folder: Path, split: Split) -> list[Example]:
        """Return one split's examples; errors as `splits`."""
        return self.splits(folder)[0][split]

    def left_out(self, folder: Path) -> Counter[str]:
        """Count the omitted rows by reason; errors as `splits`."""
        return self.splits(folder)[1]

    def sizes(self, folder: Path) -> dict[Split, int] | None:
        """Return each split's number of examples, None without a file, and nothing if the files are unreadable.

        For Parquet files it is the number of rows in their footers: the library that reads rows is slow to start.
        """
        try:
            if not (paths := self._paths(folder)):
                return None
            if not any(path.suffix == ".parquet" for files in paths.values() for path in files):
                examples = self.splits(folder)[0]
                return {split: len(examples[split]) for split in SPLITS}
            from pyarrow import parquet

            rows = {
                split: sum(parquet.read_metadata(path).num_rows for path in files) for split, files in paths.items()
            }
            return {split: rows[split] for split in SPLITS if split in rows}
        except Exception:  # damaged or foreign files: `list` shows the rest, and `check` reports the error
            return {}

    def splits(self, folder: Path) -> tuple[dict[Split, list[Example]], Counter[str]]:
        """Return the examples by split, and the counts of omitted rows by reason.

        Raises:
            HarnessError: no file matches, files of several folders do, a file is unreadable, or too few rows to split.
        """
        paths = self._paths(folder)
        if "test" not in paths or paths.keys() == {"test", "validation"}:
            fix = f"it needs {' or '.join(self.files.get('test', ()))}; and all splits, if there are several"
            raise HarnessError("the data set's files are not in this folder", where=str(folder), fix=fix)
        splits, left_out = _clean({split: list(self._examples(files)) for split, files in paths.items()})
        if splits.keys() == {"test"}:
            self._refuse_too_few(splits["test"], folder)
            return partition(splits["test"]), left_out
        if "validation" not in splits:
            splits |= partition(splits["train"], VALIDATION_OF_TRAIN)
        return splits, left_out

    def _refuse_too_few(self, examples: Sequence[Example], folder: Path) -> None:
        """Refuse rows with fewer groups than splits, since no group may be cut."""
        groups = sorted({example.group or example.id for example in examples})
        if len(groups) < len(SPLITS):
            problem = f"the files here make questions about {len(groups)} of the {len(SPLITS)} groups needed"
            fix = "add files about others: training, validation and test each need one (filer, policy) of their own"
            raise HarnessError(problem, where=": ".join((str(folder), *groups)), fix=fix)

    def _paths(self, folder: Path) -> dict[Split, list[Path]]:
        """Return the files of each split by its first pattern with a match; a split without files is left out."""
        files: dict[Split, list[Path]] = {}
        for split in PRIORITY:
            matches = ((pattern, _files(folder, pattern)) for pattern in self.files.get(split, ()))
            pattern, paths = next((match for match in matches if match[1]), ("", []))
            if len(folders := sorted({str(path.parent) for path in paths})) > 1 and self.folders == "one":
                fix = f"name the one to use: {folders[0]} or {folders[1]}"
                raise HarnessError(f"several folders have files {pattern}", where=str(folder), fix=fix)
            if paths:
                files[split] = paths
        return files

    def _examples(self, paths: Sequence[Path]) -> Iterator[Example | str]:
        for path in paths:
            for number, cells in enumerate(self.read(path), start=1):
                try:
                    yield self.example(cells, f"{path.stem}-{number}")
                except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                    fix = "use a file of the form in the task's docstring"
                    problem = f"this row is not of the expected form: {type(error).__name__}: {error}"
                    raise HarnessError(problem, where=f"{path}, row {number}", fix=fix) from error


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match a pattern, in the folder or in an archive there."""
    path, mark, member = pattern.partition(INSIDE)
    paths = matching(folder, path)
    for file in paths:  # the functions of tasks open them in ways of their own, and a pipe would never end
        open_file(file).close()
    if not mark:
        return paths
    try:
        inside = [zipfile.Path(archive, member) for archive in paths]
    except zipfile.BadZipFile as error:
        raise HarnessError("this archive is damaged", where=str(paths[0]), fix="download it again") from error
    return [cast(Path, file) for file in inside if file.is_file()]


def _clean(splits: Mapping[Split, list[Example | str]]) -> tuple[dict[Split, list[Example]], Counter[str]]:
    """Return the usable examples by split, and the counts of omitted rows by reason."""
    answers: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in (row for rows in splits.values() for row in rows if isinstance(row, Example)):
        answers[question_key(row)].add(fold(row.target))
    earlier: set[tuple[str, ...]] = set()
    group_of: dict[str, Split] = {}
    clean: dict[Split, list[Example]] = {split: [] for split in splits}
    left_out: Counter[str] = Counter()
    for split in (split for split in PRIORITY if split in splits):
        for example in splits[split]:
            if isinstance(example, str):
                left_out[example] += 1
                continue
            key = question_key(example)
            if not (reason := _unfit(example)):
                contradictory = len(answers[key]) > 1
                reason = "contradictory" if contradictory else "repeated" if key in earlier else ""
            if not reason and example.group and group_of.setdefault(example.group, split) != split:
                reason = f"group in the {group_of[example.group]}"
            if reason:
                left_out[reason] += 1
                continue
            earlier.add(key)
            clean[split].append(example)
    return clean, left_out


def _unfit(example: Example) -> str:
    """Return the reason that an example cannot be scored; empty if it can."""
    if len({fold(choice) for choice in example.choices} - {""}) < len(example.choices):
        return "options the same"
    if not example.target.strip() or (example.choices and example.target not in example.choices):
        return "answer missing"
    return ""


def digest(text: str) -> str:
    """Return ten hex digits of a text's hash: a group for the rows about one sentence or headline."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()[:10]


def instruction(cells: Cells) -> tuple[str, str]:
    """Return instruction and input of a row in the form of FinGPT and FinLoRA.

    FinGPT has columns `instruction, input`; FinLoRA one `context`: "Instruction: …\\nInput: …\\nAnswer: ".

    Raises:
        ValueError: the row has neither form.
    """
    if "instruction" in cells and "input" in cells:
        return str(cells["instruction"]).strip(), str(cells["input"]).strip()
    match = _INSTRUCTION.fullmatch(str(cells.get("context", "")))
    if match is None:
        raise ValueError("neither columns `instruction, input` nor 'Instruction: … Input: … Answer:' in `context`")
    return match[1], match[2]


def output(cells: Cells) -> str:
    """Return the answer of a row in the form of FinGPT (`output`) or FinLoRA (`target`)."""
    return str(cells["output"] if "output" in cells else cells["target"]).strip()

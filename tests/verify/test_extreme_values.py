"""No value of a stored field makes `verify` fail: what is impossible is a failed check, never a traceback."""

from __future__ import annotations

import functools
import itertools
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import publication
from tests.support.planted import failures
from tests.support.planting import answers
from tests.support.tampering import run

NUMBERS = (2**62, math.inf)
MORE_NUMBERS = (0, -1, 10**400, math.nan, 1, -(10**12), 10**12, 1e300, -1e300, 5e-324, -math.inf)
FIELDS = ("loglik", "end_loglik", "prior", "option_lengths", "choices", "slices", "cut_tokens", "amount", "target")
TEXTS = ("", "x" * 300, "../../x", "\u0000", "choices")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A publication and the folder of its tasks, made once."""
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        root, tasks_dir = publication.publish(tmp_path_factory.mktemp("made"))
        yield root, tasks_dir


def paths(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of every number and text of a record."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from paths(value, (*path, name))
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            yield (*path, name), value


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [(NUMBERS, TEXTS[:1]), pytest.param(MORE_NUMBERS, TEXTS[1:], marks=pytest.mark.slow)],
    ids=["some", "more"],
)
def test_every_extreme_value_is_a_failed_check(
    numbers: tuple[float, ...], texts: tuple[str, ...], made: tuple[Path, Path], tmp_path: Path
) -> None:
    root = tmp_path / "published"
    shutil.copytree(made[0], root)
    shutil.rmtree(root / "total")
    record = run(root) / "record.json"
    original = record.read_text(encoding="utf-8")
    for path, value in paths(json.loads(original)):
        for extreme in texts if isinstance(value, str) else numbers:
            content = json.loads(original)
            put(content, path, extreme)
            record.write_text(json.dumps(content), encoding="utf-8")
            assert isinstance(failures(root, made[1]), set), (path, extreme)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["pick", "total"])
def test_every_extreme_value_of_an_answer_is_a_failed_check(task: str, made: tuple[Path, Path], tmp_path: Path) -> None:
    root = tmp_path / "published"
    values: list[Any] = [*NUMBERS, *MORE_NUMBERS, *TEXTS, [], {}, None]
    for value, name in itertools.product(values, FIELDS):
        for new in (value, [value], [value] * 3, {"topic": value}):
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(made[0], root)
            answers(functools.partial(put_first, name, new), task=task)(root)
            assert isinstance(failures(root, made[1]), set), (name, new)


def put_first(name: str, value: object, rows: list[dict[str, Any]]) -> None:
    rows[0][name] = value


def put(content: Any, path: tuple[str, ...], value: object) -> None:
    *folders, name = path
    for folder in folders:
        content = content[folder]
    content[name] = value

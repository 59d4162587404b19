"""Pure functions that are computed once for the same content, for tests that judge a publication many times.

A planted fault changes few files; the answers of all other runs are read and scored as before. What is remembered is keyed
by content, so a changed file is read and scored anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.metrics import scoring
from harness.record import Answer, Score
from harness.schema import Metric
from harness.store import answer_files, records

_read: dict[bytes, tuple[Answer, ...]] = {}
_numbers: set[int] = set()  # of what `_read` holds, so no other object has them
_scored: dict[tuple[int, Metric], Score] = {}
_read_anew, _score_anew = answer_files.read, scoring.score_one


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """A context in which answers of the same bytes are decoded once, and scored once on each metric."""
    with pytest.MonkeyPatch.context() as patch:
        remember(patch)
        yield


def remember(patch: pytest.MonkeyPatch) -> None:
    """As `remembering`, until the patches are undone."""
    patch.setattr(records, "read_answers", _answers)
    patch.setattr(scoring, "score_one", _score)


def _answers(folder: Path, name: str = records.ANSWERS) -> tuple[Answer, ...]:
    content = answer_files.read_bytes(folder, name)
    if content not in _read:
        _read[content] = _read_anew(folder, name)
        _numbers.add(id(_read[content]))
    return _read[content]


def _score(answers: Any, metric: Metric) -> Score:
    if id(answers) not in _numbers:  # a part of a run, or answers that were read elsewhere
        return _score_anew(answers, metric)
    key = (id(answers), metric)
    if key not in _scored:
        _scored[key] = _score_anew(answers, metric)
    return _scored[key]

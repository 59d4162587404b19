"""Texts of a data set whose licence does not let them be handed on, replaced by stand-ins before a run is published.

An answer holds no question and no context, but it holds the options and the gold answer, which are the data set's too.
A stand-in is a hash of the text without differences of case and spacing, so that what was equal stays equal and what
was told apart stays apart: right and wrong, macro-F1 and parsing come out the same, and `verify` can hold the stand-ins
against a copy of the data set. Numbers, tags and labels are no text in this sense and stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Example

MARK = "sha256:"
SHORT = 60  # characters; a number, a tag or a label is no longer


def stand_in(text: str) -> str:
    """Return what stands for a text: the same for texts that differ in case and spacing only; nothing for nothing."""
    if not text.strip():
        return ""
    return MARK + hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def withheld(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers with stand-ins for options, gold, what was said and what was made of it."""
    return tuple(
        replace(
            a,
            target=stand_in(a.target),
            text=stand_in(a.text if a.parsed is None else a.parsed),
            parsed=None if a.parsed is None else stand_in(a.parsed),
            choices=tuple(map(stand_in, a.choices)),
        )
        for a in answers
    )


def without_text(answers: Sequence[Answer]) -> bool:
    """Tell whether the answers hold no text of the data set: no options, and gold as short as a number or a label."""
    return all(not a.choices and len(a.target) <= SHORT for a in answers)


def is_withheld(answer: Answer) -> bool:
    """Tell whether an answer's texts are stand-ins."""
    return answer.target.startswith(MARK)


def as_withheld(example: Example) -> Example:
    """Return an example with the stand-ins that a withheld answer to it has."""
    return replace(example, target=stand_in(example.target), choices=tuple(map(stand_in, example.choices)))

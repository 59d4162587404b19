"""Replaces texts of a data set by stand-ins before publication if its licence forbids redistribution.

An answer contains no question and no context, but options and gold answer belong to the data set. A stand-in is a hash of
the text without differences of case and spacing, so equal texts stay equal and different texts stay different. Scores,
macro-F1 and parsing do not change, and `verify` can compare the stand-ins with a copy of the data set. Numbers, tags and
labels are not replaced. The length of an option's text stays, since `acc_norm` divides by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Example

MARK = "sha256:"
MAX_LABEL = 60  # characters; numbers, tags and labels are at most as long


def stand_in(text: str) -> str:
    """Return the stand-in of a text, equal for texts that differ in case and spacing only; empty for an empty text."""
    if not text.strip():
        return ""
    return MARK + hashlib.sha256(fold(text).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def stand_in_answers(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers with stand-ins for options, gold answer, raw text and parsed text."""
    return tuple(
        replace(
            a,
            target=stand_in(a.target),
            text=stand_in(a.text if a.parsed is None else a.parsed),
            parsed=None if a.parsed is None else stand_in(a.parsed),
            choices=tuple(map(stand_in, a.choices)),
            option_lengths=tuple(len(choice) for choice in a.choices),
        )
        for a in answers
    )


def has_no_text(answers: Sequence[Answer]) -> bool:
    """Return whether the answers contain no text of the data set: no options, and gold as short as a label."""
    return all(not a.choices and len(a.target) <= MAX_LABEL for a in answers)


def is_withheld(answer: Answer) -> bool:
    """Return whether an answer's texts are stand-ins."""
    return answer.target.startswith(MARK)


def stand_in_example(example: Example) -> Example:
    """Return an example with the stand-ins of a withheld answer to it."""
    return replace(example, target=stand_in(example.target), choices=tuple(map(stand_in, example.choices)))

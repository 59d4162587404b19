"""Replaces texts of a data set by stand-ins before publication if its licence forbids redistribution.

An answer contains no question and no context, but options and gold answer belong to the data set. A stand-in is a hash of
the text without differences of case and spacing, so equal texts stay equal and different texts stay different. Scores,
macro-F1 and parsing do not change, and `verify` can compare the stand-ins with a copy of the data set. Numbers, tags and
labels are not replaced. The length of an option's text stays, since `acc_norm` divides by it, and the bytes of a text whose
tokens are scored, since bits per byte do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from harness.metrics.text import byte_count, fold
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
    return tuple(map(_stand_in_answer, answers))


def _stand_in_answer(answer: Answer) -> Answer:
    text = stand_in(answer.text if answer.parsed is None else answer.parsed)
    return replace(
        answer,
        target=stand_in(answer.target),
        text=text,
        parsed=None if answer.parsed is None else stand_in(answer.parsed),
        choices=tuple(map(stand_in, answer.choices)),
        option_lengths=lengths(answer.choices, answer.target, text),
    )


def lengths(choices: Sequence[str], target: str, text: str) -> tuple[int, ...]:
    """Return the lengths that scores need without the texts: characters of each option, or bytes of a target to which
    nothing was answered, as in perplexity."""
    return tuple(map(len, choices)) if choices or text else (byte_count(target),)


def has_no_text(answers: Sequence[Answer]) -> bool:
    """Return whether the answers contain no text of the data set: no options, and gold as short as a label."""
    return all(not a.choices and len(a.target) <= MAX_LABEL for a in answers)


def is_withheld(answer: Answer) -> bool:
    """Return whether an answer's texts are stand-ins."""
    return answer.target.startswith(MARK)


def stand_in_example(example: Example) -> Example:
    """Return an example with the stand-ins of a withheld answer to it."""
    return replace(example, target=stand_in(example.target), choices=tuple(map(stand_in, example.choices)))

"""Text for metrics: folding, and the parser of tasks without their own."""

from __future__ import annotations

from functools import lru_cache

from harness.schema import Example


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return the text without differences of case and spacing, which are never part of a question."""
    return " ".join(text.casefold().split())


def default_parse(text: str, example: Example) -> str | None:
    """Return the answer in raw output, for tasks with `parse=None`.

    Only the first line counts. With options, it must equal exactly one of them (ignoring case and spacing): an option
    mentioned in a sentence is not an answer. Without options, the line is the answer.

    Returns:
        The option in the example's spelling, or the stripped line; None if there is no answer.
    """
    lines = text.strip().splitlines()
    if not lines:
        return None
    line = lines[0].strip()
    if not example.choices:
        return line or None
    matching = [option for option in example.choices if fold(option) == fold(line)]
    return matching[0] if len(matching) == 1 else None

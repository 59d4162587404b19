"""Text as metrics see it: folding, and the parser of tasks that bring none."""

from __future__ import annotations

from functools import lru_cache

from harness.schema import Example


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return the text without differences of case and spacing, which no question of ours is about."""
    return " ".join(text.casefold().split())


def default_parse(text: str, example: Example) -> str | None:
    """Read an answer from raw output, for tasks with `parse=None`.

    Only the first line counts. With options, it must be one of them (case and spacing apart) and of one only: an
    option that is merely mentioned in a sentence is not an answer. Without options, it is the answer itself.

    Returns:
        The option as the example writes it, or the stripped line; None where there is no answer.
    """
    lines = text.strip().splitlines()
    if not lines:
        return None
    line = lines[0].strip()
    if not example.choices:
        return line or None
    matching = [option for option in example.choices if fold(option) == fold(line)]
    return matching[0] if len(matching) == 1 else None

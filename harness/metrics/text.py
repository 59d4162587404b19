"""Text for metrics: folding, and the parser of tasks without their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from harness.schema import Example

# Characters that no reader sees: `Default_Ignorable_Code_Point` of Unicode, such as a blank of no width.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def canonical(text: str) -> str:
    """Return the text in one Unicode form (NFC), without invisible characters: equal texts look equal on paper."""
    return text if text.isascii() else unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """Return the text without differences of case, spacing and Unicode form, which are never part of a question."""
    return " ".join(canonical(text).casefold().split())


def byte_count(text: str) -> int:
    """Return the size of a text in bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


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


_LABEL = re.compile(r"^(?:the )?(?:correct |right |final )?(?:answer|option)(?: is)?\s*:\s*", re.I)
_MARKUP = re.compile(r"[*_`\"“”'‘’]+")


def named_option(text: str, options: Sequence[str]) -> str | None:
    """Return the option that a written reply names, None if it names none or several.

    The first line of the reply, else its last, must be an option word for word. Case, spacing, quotation marks, marks of
    Markdown, a bullet, a label such as "Answer:" and a full stop do not count. An option inside a sentence is no answer.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    for line in (*lines[:1], *lines[-1:]):
        matching = [option for option in options if _bare(option) == _bare(line)]
        if len(matching) == 1:
            return matching[0]
    return None


def _bare(line: str) -> str:
    plain = _LABEL.sub("", _MARKUP.sub("", fold(line)).strip().removeprefix("- ")).strip()
    return " ".join(plain.removesuffix(".").split())

"""The text of each surface that people read, kept in `tests/snapshots/`, one file a surface.

    pytest tests/end_to_end/test_snapshots.py --update-snapshots

writes the files anew; `git diff tests/snapshots` then shows how the words changed.
"""

from __future__ import annotations

import difflib
import html
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "snapshots"
_UNREAD = re.compile(r"<(style|script|svg)\b.*?</\1>", re.DOTALL)
_BLOCK = re.compile(
    r"</?(p|li|ul|h\d|tr|table|section|details|summary|nav|figure|figcaption|caption|dt|dd|div)\b[^>]*>"
)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Snapshots:
    """Compares texts with the stored ones, or stores them."""

    update: bool

    def check(self, surface: str, text: str, *folders: Path) -> None:
        """Fail with a diff if the text differs from `<surface>.txt`; paths of test folders are left out of it."""
        for folder in folders:
            text = text.replace(str(folder), "FOLDER")
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        path = FOLDER / f"{surface}.txt"
        if self.update:
            path.write_text(text, encoding="utf-8")
            return
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        difference = "\n".join(
            difflib.unified_diff(stored.splitlines(), text.splitlines(), "stored", "new", lineterm="")
        )
        assert text == stored, f"{path.name} is another text now (--update-snapshots stores it):\n{difference}"


def page_text(page: str) -> str:
    """Return what a reader of a page sees, a line for each row and paragraph, without figures."""
    text = _TAG.sub(" ", _BLOCK.sub("\n", _UNREAD.sub("", page)))
    lines = (" ".join(html.unescape(line).split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)

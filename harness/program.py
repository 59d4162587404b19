"""How this program was started, so that a hint is a command that works when it is typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

INSTALLED = "adaptbench"  # of [project.scripts] in pyproject.toml
FROM_SOURCE = "python run_all.py"


def command(*words: str) -> str:
    """Return the command line that runs this program with these words, the way the program itself was started."""
    started = Path(sys.argv[0]).name
    name = INSTALLED if started.split(".")[0].removesuffix("-script") == INSTALLED else FROM_SOURCE
    return f"{name} {shlex.join(words)}".strip()

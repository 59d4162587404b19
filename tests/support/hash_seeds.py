"""What a program says under several of Python's hash seeds, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def said(code: str, *arguments: str, seeds: tuple[str, ...] = ("1", "2")) -> set[str]:
    """Run Python code, which finds `harness` and the tests' modules; return what it prints: one text where seeds do not matter."""
    path = str(ROOT)
    return {
        subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in seeds
    }

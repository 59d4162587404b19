"""What the program imports before it can work. Unlike seconds, modules are the same on a slow and a busy machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAVY = frozenset(
    [
        "accelerate",
        "bitsandbytes",
        "datasets",
        "evaluate",
        "matplotlib",
        "pandas",
        "peft",
        "pyarrow",
        "rouge_score",
        "scipy",
        "sklearn",
        "tokenizers",
        "torch",
        "transformers",
    ]
)

# Help loads 340 to 400 modules and a short table 440 to 480, Python's own and numpy's among them. Each library of HEAVY brings
# 400 or more (matplotlib 400, transformers 520, torch 1,100), so none goes unnoticed, and a few files more may come.
MAX_MODULES_HELP, MAX_MODULES_TABLE = 480, 560

_MODULES = "import json, sys; print(); print(json.dumps(sorted(sys.modules)))"
_PROGRAM = f"import sys; from harness.cli import main; code = main(sys.argv[1:]); {_MODULES}; sys.exit(code)"


def modules_after(statement: str) -> frozenset[str]:
    """Return the modules that a new process has imported after this statement; it has to succeed."""
    return _modules([sys.executable, "-c", f"{statement}\n{_MODULES}"])


def modules_of(*arguments: str) -> frozenset[str]:
    """Return the modules that a command of the program has imported when it is done; it has to succeed.

    The files of tasks are left out, of which there may be any number.
    """
    found = _modules([sys.executable, "-c", _PROGRAM, *arguments])
    return frozenset(name for name in found if not name.startswith("harness_plugin_"))


def libraries(modules: Set[str]) -> set[str]:
    """Return the packages that these modules belong to."""
    return {name.partition(".")[0] for name in modules}


def _modules(command: list[str]) -> frozenset[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout.splitlines()[-1]))

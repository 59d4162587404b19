"""Store studies of `run_all.py intruders` beside the findings:   python results/findings/intruders.py STUDY.json ...

A study loses its list of matrices and is a line of intruders.jsonl; one of a run that is there already replaces it. With the
run's published adapter anyone can make it again: `run_all.py intruders results/published/TASK/MODEL/METHOD/RUN`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STUDIES = Path(__file__).with_name("intruders.jsonl")
MATRICES = "matrices"
ORDER = ("task", "model", "method", "rank", "seed")


def read(path: Path = STUDIES) -> list[dict[str, Any]]:
    """Return the stored studies in the order of task, model, method, rank and seed; none without the file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def store(studies: Iterable[Path], path: Path = STUDIES) -> None:
    """Add studies to the file."""
    by_run = {study["run"]: study for study in read(path)}
    for file in studies:
        study = json.loads(file.read_text(encoding="utf-8"))
        by_run[study["run"]] = {name: value for name, value in study.items() if name != MATRICES}
    rows = sorted(by_run.values(), key=lambda study: [study[name] for name in ORDER])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    store(map(Path, sys.argv[1:]))

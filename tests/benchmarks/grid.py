"""The whole grid of `cfa`: this program's one command against TRL and lm-eval, one process a cell (`cell.py`).

Base, LoRA and QLoRA at ranks 2, 8 and 32, full; on fewer examples than the real grid and in one pass, in fp32. Both start
from nothing, imports and tokenising included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.data import loading
from harness.store import records
from tests.benchmarks import subjects
from tests.benchmarks.timing import ROOT, Comparison, in_turn, keep

CELLS = (("base", 0), *((method, rank) for method in ("lora", "qlora") for rank in (2, 8, 32)), ("full", 0))
CELL = ROOT / "tests" / "benchmarks" / "cell.py"
Cell = tuple[float, int]  # accuracy, and the most bytes resident


def run(*command: str) -> str:
    """Run a command in the project's folder and return what it printed.

    Raises:
        RuntimeError: it failed, with the end of what it said.
    """
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def ours(root: Path, sizes: tuple[str, ...]) -> dict[str, Cell]:
    """Run the main command into an empty folder; accuracy and memory by cell."""
    results = tempfile.mkdtemp(dir=root)
    run("run_all.py", "--task", "cfa", "--dtype", "fp32", "--epochs", "1", "--results", results, "--no-memory", *sizes)
    return {
        f"{one.record.spec.method} r{one.record.spec.rank}": (
            one.record.scores["accuracy"].value,
            max(phase.resident_bytes for phase in one.record.cost.phases.values()) if one.record.cost else 0,
        )
        for one in records.read_all(Path(results), "cfa")
    }


def theirs(train: Path, test: Path) -> dict[str, Cell]:
    """Run a process for each cell, one after the other."""
    found = {}
    for method, rank in CELLS:
        told = json.loads(run(str(CELL), method, str(rank), str(train), str(test)).splitlines()[-1])
        found[f"{method} r{rank}"] = (told["accuracy"], told["resident_bytes"])
    return found


def write(root: Path, train_examples: int, test_examples: int) -> tuple[Path, Path]:
    """Write the same examples and settings for the other side: prompt and completion, options and target."""
    from harness.data import registry
    from harness.model.checkpoint import read
    from harness.runs import plan, specs
    from harness.runs.inputs import Inputs
    from harness.runs.options import Options

    asked = Options(
        tasks=("cfa",),
        device="cpu",
        dtype="fp32",
        epochs=1.0,
        train_examples=train_examples,
        test_examples=test_examples,
    )
    task = plan.load_task("cfa", asked)
    splits = loading.load_splits(task, train_limit=train_examples, test_limit=test_examples)
    methods = tuple(registry.method(name) for name in ("lora", "qlora", "full"))
    made = specs.make(Inputs(task, splits), methods, read("tiny"), asked)
    settings = {spec.method: vars(spec) for spec in made}
    end = subjects.tiny()[1].eos_token
    rows = [{"prompt": task.prompt(e), "completion": f" {e.target}{end}"} for e in splits.train]
    asked_rows = [{"prompt": task.prompt(e), "options": e.choices, "target": e.target} for e in splits.test]
    files = (root / "train.json", root / "test.json")
    files[0].write_text(json.dumps({"rows": rows, "settings": settings}, default=str), encoding="utf-8")
    files[1].write_text(json.dumps(asked_rows), encoding="utf-8")
    return files


def compare(train_examples: int, test_examples: int, rounds: int) -> Comparison:
    """Measure grids of this size in turn."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    sizes = ("--train-examples", str(train_examples), "--test-examples", str(test_examples))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = write(root, train_examples, test_examples)
        ways: dict[str, Any] = {"ours": lambda: ours(root, sizes), "TRL and lm-eval": lambda: theirs(*files)}
        seconds, found = in_turn(ways, rounds=rounds)
    mine, others = found["ours"], found["TRL and lm-eval"]
    cells = ", ".join(f"{name} {mine[name][0]:.1%} and {others[name][0]:.1%}" for name in others)
    memory = ", ".join(f"{name} {mine[name][1] / 2**20:.0f} and {others[name][1] / 2**20:.0f} MiB" for name in others)
    return Comparison(
        "grid",
        f"the grid of `cfa`: 8 runs, {train_examples} to train on, one pass, {test_examples} questions, fp32",
        seconds,
        {"TRL and lm-eval": 5.0},
        f"accuracy, ours and theirs: {cells}",
        notes=(f"resident peak of a run's process, ours and theirs: {memory}",),
        packages=subjects.versions(),
    )


def main(train_examples: int = 240, test_examples: int = 100, rounds: int = 2) -> None:
    """Measure."""
    keep(compare(train_examples, test_examples, rounds))

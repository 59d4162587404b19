"""8B shapes with random weights on a GPU, each cell in a process of its own: `bash tests/gpu/run.sh`.

Predicted peak against what allocator and device say, tokens per second as a share of the measured matrix rate, TRL on the
same rows, gradients with and without PEFT's casts, fused against foreach AdamW. Without a GPU, or with `--dry-run`, the
same path runs on the CPU with a toy shape and the live-tensor counter. `--only WORD` takes the cells with that word.

Files are written as the cells end: `shapes.csv`, `shapes.jsonl`, `shapes.md` (a section for a README) and `shapes.log`, in
$OUT where that is set, else in `results/gpu`; a dry run without $OUT leaves nothing.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import environment, lifetime, processes
from harness.runs import local
from harness.store import records as store
from tests.gpu.cells import Cell, cells, toy
from tests.gpu.summary import section

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 530.0  # for all cells together; what remains of ten minutes is the script's own start
LEAST = 25.0  # seconds below which no cell is started
COLUMNS = (
    *("name", "kind", "method", "rank", "layers", "rows", "length", "target", "device", "status", "reason", "weights"),
    *("trained_weights", "predicted_bytes", "allocated_bytes", "reserved_bytes", "device_bytes", "device_bytes_before"),
    *("flops_per_token", "tokens_per_second", "step_seconds", "slowest_step_seconds", "rate", "loss", "difference"),
    *("difference_without_casts", "rounding", "rounding_ours", "kept_peft", "kept_without_casts", "kept_ours"),
    *("kept_by_formula", "build_seconds", "seconds"),
)
Record = dict[str, Any]
Work = Callable[[Cell], Record]


def in_own_process(cell: Cell, limit: float, log: Path, work: str = "tests.gpu.measure:measure") -> Record:
    """Return what a cell found; a process that dies or takes longer than `limit` seconds is a status, not an error."""
    context = local.context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(cell, theirs, str(log), work), daemon=True)
    process.start()
    theirs.close()
    try:
        if ours.poll(limit):
            found: Record = ours.recv()
            process.join(20)
            return found
        return {"status": "timed out", "reason": f"not done after {limit:.0f} s"}
    except (EOFError, OSError):
        process.join(20)
        return {
            "status": "failed",
            "reason": lifetime.describe_exit(process.exitcode or 0) or "it ended without an answer",
        }
    finally:
        if process.is_alive():
            process.kill()
        process.join(20)


def child(cell: Cell, connection: Any, log: str, work: str) -> None:
    """Do the work in this process, what it prints going into the log, and send what it found."""
    import importlib

    with Path(log).open("ab", buffering=0) as kept:
        kept.write(f"--- {cell.name}\n".encode())
        os.dup2(kept.fileno(), 1)
        os.dup2(kept.fileno(), 2)
    processes.set_environment(processes.QUIET)
    module, name = work.split(":")
    found = getattr(importlib.import_module(module), name)(cell)
    connection.send(found)


def run(asked: Sequence[Cell], out: Path, *, seconds: float = SECONDS) -> list[Record]:
    """Measure the cells one after the other; what is known is written after each."""
    ends = time.monotonic() + seconds
    records: list[Record] = []
    (out / "shapes.log").unlink(missing_ok=True)  # of another run
    for cell in asked:
        left = ends - time.monotonic()
        before = device_bytes(cell.device)
        if left < min(LEAST, cell.limit):
            found: Record = {"status": "no time left", "reason": f"the {seconds:.0f} s for all cells were over"}
        else:
            found = in_own_process(cell, min(cell.limit, left), out / "shapes.log")
        shape = {key: value for key, value in asdict(cell).items() if key in COLUMNS}
        layers = cell.config.get("num_hidden_layers", "")
        records.append(shape | {"layers": layers, "device_bytes_before": before} | found)
        write(records, out)
        print(f"{cell.name}: {found['status']} {found['reason']}".rstrip(), file=sys.stderr, flush=True)
    return records


def device_bytes(device: str) -> int:
    """Return what is in use on the first CUDA device before a cell starts, by the driver's own tool; 0 where unknown."""
    if device != "cuda":
        return 0
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return int(said.split()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


def write(records: Sequence[Record], out: Path) -> None:
    """Write the records as CSV and JSON lines, and the section that tells them."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(records)
    store.write_text(out / "shapes.csv", text.getvalue())
    store.write_text(out / "shapes.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    store.write_text(out / "shapes.md", section(records, here(records)))


def here(records: Sequence[Record]) -> str:
    """Return the machine and the packages in words."""
    device = "cuda" if any(record["device"] == "cuda" for record in records) else "cpu"
    seen = environment.describe(device, threads=environment.threads_per_run(1))  # type: ignore[arg-type]
    names = ("torch", "transformers", "peft", "bitsandbytes")
    packages = ", ".join(f"{name} {seen.packages[name]}" for name in names if name in seen.packages)
    driver = f" (driver {seen.driver})" if seen.driver else ""
    return f"{seen.device_name or seen.machine}{driver}, Python {seen.python}, {packages}, commit {seen.commit}"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, write and print; 1 where a cell failed, ran out of memory or of time."""
    parser = argparse.ArgumentParser(prog="run.sh", description="Measure 8B shapes with random weights.")
    parser.add_argument("--dry-run", action="store_true", help="a toy shape on the CPU, although there is a GPU")
    parser.add_argument("--only", default="", help="cells with this word in their name")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all cells together")
    options = parser.parse_args(words)
    if options.dry_run:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    dry = not environment.cuda_present()
    asked = [toy(cell) if dry else cell for cell in cells() if options.only in cell.name]
    local.warm_up()
    with tempfile.TemporaryDirectory() as nowhere:
        place = os.environ.get("OUT") or (nowhere if dry else str(ROOT / "results" / "gpu"))
        Path(place).mkdir(parents=True, exist_ok=True)
        records = run(asked, Path(place), seconds=options.seconds)
        print(section(records, here(records)))
    fine = {"ok", "does not fit", "not installed"}
    return int(any(record["status"] not in fine for record in records))


if __name__ == "__main__":
    raise SystemExit(main())

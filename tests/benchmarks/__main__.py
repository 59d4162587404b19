"""Measure all comparisons, or those named:   python tests/benchmarks [choices|writing|training|views|serving|start ...]

Needs lm-eval and TRL (`make bench` sets up an environment of its own with them). Each writes
`results/benchmarks/<name>.json`, and the table `results/benchmarks/README.md` is made of what is there.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]

from harness.format import (
    Table,
    markdown,
)
from harness.store import records
from tests.benchmarks.timing import OURS, RESULTS, TITLES, WAYS

NAMES = ("choices", "writing", "training", "grid", "workers", "views", "serving", "start")
MIB = 2**20
HEAD = """# Measured beside other programs

`make bench` (or `python tests/benchmarks NAME` for one of {names}): all ways in one
process, in turn, after a round that is thrown away. "Times as long" is the median over rounds of the other's seconds over
ours, short where it is below its target. Peaks are bytes of live tensors in MiB, ours first, counted in a pass of their
own, the model's weights among them.

"""
TAIL = """

The work of each row, and whether both sides gave the same:

{works}

All of this is on a CPU. If Triton is installed, TRL's loss takes the positions that have a label; here it takes every
position of a batch, twice, over the whole vocabulary. That is most of its ratio, as the note on **training** splits it, and
no setting of TRL's turns it off; on a GPU it is otherwise, which `tests/gpu/run.sh` measures. The row "loss at labels" is TRL
with its GPU's positions: the one to cite about loops. lm-eval is given token ids: its tokenising is not in its time, ours is
in ours. Examples, passes and questions are fewer than in real
work, so that the start of the program weighs more.

The whole grid of `cfa`, `make cfa` in a fresh clone: 276 s with the installation and about 225 s without on two idle cores with
fast bf16 (AMD EPYC with AVX-512 and bf16, without AMX). In fp32 with AVX2 alone, emulated on the same processor, the run takes
311 s. By `python tests/benchmarks/step.py --dtype fp32` matrix products are then half of a step of LoRA r8 and two thirds of one of
full fine-tuning.

Figures have taken half the time since the rows on reports were measured: tables, figures and page of 10,000 records take 54.7 s from
nothing and 5.9 s with one run more, by the clock on the same kind of machine (`python tests/benchmarks/views.py grids 10000`).

Machine: {machines}.
"""


def page() -> str:
    """Return the table of all comparisons that were kept, and below it what each was."""
    rows: list[tuple[str, ...]] = []
    works, machines = [], set()
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        machines.add(f"{found['machine']['processor']}, {found['machine']['cores']} cores")
        packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
        told = ". ".join([f"{found['work']}. {found['same']}", *found["notes"]])
        title = TITLES.get(found["name"], found["name"])
        name = f" (`{found['name']}`)" * (title != found["name"])
        works.append(f"- **{title}**{name}: {told} ({packages}).")
        for other, seen in found["ratios"].items():
            low, high = seen["range"]
            short = " (short)" if seen["target"] and seen["ratio"] < seen["target"] else ""
            target = f"{seen['target']:g}{short}" if seen["target"] else ""
            peak = _peak(found.get("peaks", {}), other)
            rows.append(
                (
                    title,
                    WAYS.get(other, other),
                    f"{seen['ratio']:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    target,
                    peak,
                )
            )
    heads = ("work", "against", "times as long", "in rounds", "target", "peak")
    made = Table("Benchmarks", heads, tuple(rows), left=frozenset({0, 1}))
    tail = TAIL.format(works="\n".join(works), machines="; ".join(sorted(machines)))
    return HEAD.format(names=", ".join(NAMES)) + markdown(made) + tail


def _peak(peaks: Mapping[str, int], other: str) -> str:
    """Both sides' most bytes of live tensors, ours first; empty where they were not counted."""
    return f"{peaks[OURS] / MIB:.0f} / {peaks[other] / MIB:.0f}" if other in peaks else ""


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(f"tests.benchmarks.{name}").main()
    records.write_text(RESULTS / "README.md", page())

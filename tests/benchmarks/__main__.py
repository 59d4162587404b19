"""Measure all comparisons, or those named:   python tests/benchmarks [choices|writing|training|views|serving ...]

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
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.timing import OURS, RESULTS  # noqa: E402
from harness import store  # noqa: E402
from harness.markdown import Table, markdown  # noqa: E402

NAMES = ("choices", "writing", "training", "grid", "workers", "views", "serving")
MIB = 2**20
HEAD = """# Measured beside other programs

`make bench` (or `python tests/benchmarks NAME` for one of {names}): all ways in one process, in turn, after a round
that is thrown away; the ratio is the median over rounds of the other's seconds over ours. Both do the same work on the same
model, and whether they got the same is in the last but one column. Peaks are bytes of live tensors, ours first, counted in a
pass of their own (the model's weights are in them).

"""


def table() -> str:
    """Return the table of all comparisons that were kept."""
    rows: list[tuple[str, ...]] = []
    machines = set()
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        machines.add(f"{found['machine']['processor']}, {found['machine']['cores']} cores")
        for other, seen in found["ratios"].items():
            low, high = seen["range"]
            target = f"{seen['target']:g}" if seen["target"] else ""
            packages = " · ".join(f"{name} {version}" for name, version in found["packages"].items())
            rows.append(
                (
                    found["work"],
                    other,
                    f"{seen['ratio']:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    target,
                    _peak(found.get("peaks", {}), other),
                    found["same"],
                    packages,
                )
            )
    heads = ("work", "against", "times as long", "in rounds", "target", "peak, MiB", "the same?", "packages")
    made = Table("Benchmarks", heads, tuple(rows), left=frozenset({0, 1, 6, 7}))
    return HEAD.format(names=", ".join(NAMES)) + markdown(made) + f"\n\nMachine: {'; '.join(sorted(machines))}.\n"


def _peak(peaks: Mapping[str, int], other: str) -> str:
    """Both sides' most bytes of live tensors, ours first; empty where they were not counted."""
    return f"{peaks[OURS] / MIB:.0f} / {peaks[other] / MIB:.0f}" if other in peaks else ""


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    store.write_text(RESULTS / "README.md", table())

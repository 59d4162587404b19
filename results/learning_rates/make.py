"""Write the tables of docs/learning_rates.md from the measured runs beside this file:   python results/learning_rates/make.py

The runs come from tests/benchmarks/rates.py. A curve is the runs of a model, task, method and alpha over rates. The loss at
the default rate is interpolated between its two neighbours on the logarithm of the rate, if the default itself was not run.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.data import registry
from harness.format import NONE, Table, markdown
from results import make_readme

PAGE = ROOT / "docs" / "learning_rates.md"
WIDTHS = {"tiny": 224, "smollm2": 576}
Key = tuple[str, str, str, int, float]
Curve = Mapping[float, float]


def curves() -> dict[Key, dict[float, float]]:
    """Return validation loss by rate of each model, task, method, rank and alpha; infinite for runs that diverged."""
    result: dict[Key, dict[float, float]] = defaultdict(dict)
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            run: dict[str, Any] = json.loads(line)
            key = (run["model"], run["task"], run["method"], run["rank"], run["alpha"])
            result[key][run["learning_rate"]] = math.inf if run["loss"] is None else run["loss"]
    return result


def default(key: Key) -> float:
    """Return the method's default rate at the model's width; NaN if the curve has another alpha than the default."""
    model, _, name, rank, alpha = key
    method = registry.method(name)
    if method.alpha and method.alpha(rank, WIDTHS[model]) != alpha:
        return math.nan
    return method.learning_rate(WIDTHS[model])


def loss_at(curve: Curve, rate: float) -> float:
    """Return the loss at a rate, interpolated on the logarithm of the rate; NaN outside of the measured rates."""
    below = [known for known in curve if known <= rate]
    above = [known for known in curve if known >= rate]
    if not below or not above:
        return math.nan
    low, high = max(below), min(above)
    if low == high:
        return curve[low]
    share = math.log(rate / low) / math.log(high / low)
    return (1 - share) * curve[low] + share * curve[high]


def _row(key: Key, curve: Curve) -> tuple[str, ...]:
    model, task, method, rank, alpha = key
    best = min(curve, key=lambda rate: curve[rate])
    rate = default(key)
    excess = loss_at(curve, rate) / curve[best] - 1
    name = f"{method} r{rank}" if rank else method
    return (
        model,
        task,
        name,
        f"{alpha:g}" if rank else NONE,
        str(len(curve)),
        f"{best:.2g}",
        f"{curve[best]:.3f}",
        NONE if math.isnan(rate) else f"{rate:.2g}",
        NONE if math.isnan(excess) else f"{100 * excess:.1f}",
        " ".join(f"{rate:.2g}:{curve[rate]:.3f}" for rate in sorted(curve)),
    )


HEADS = ("model", "task", "method", "alpha", "rates", "best rate", "its loss", "default", "excess, %", "rate:loss")


def main() -> None:
    """Write the table into the page."""
    rows = tuple(_row(key, curve) for key, curve in sorted(curves().items()))
    table = markdown(Table("Learning rates", HEADS, rows, left=frozenset({0, 1, 2, 9}))) + "\n"
    PAGE.write_text(make_readme.replaced(PAGE.read_text(encoding="utf-8"), table, "curves"), encoding="utf-8")


if __name__ == "__main__":
    main()

"""What wrong decisions cost, from a dictionary: errors in the two directions are rarely equally dear.

    COSTS = {("refer", "settle"): 4_000.0, ("settle", "refer"): 350.0}
    metrics.cost_of(COSTS, unread="refer", name="cost", title="Cost of wrong decisions", unit="USD per claim")

With `of_amount` the figures are shares of the amount at stake in each example (`Example.amount`), so that a wrong
decision on a large claim weighs more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.errors import HarnessError
from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Metric

Costs = Mapping[tuple[str, str], float]


def cost_of(
    costs: Costs, *, unread: str, name: str, title: str, unit: str = "USD per answer", of_amount: bool = False
) -> Metric:
    """Return the mean cost of wrong decisions; lower is better.

    Args:
        costs: (what is right, what was said) to its cost, case and spacing apart; a pair that is not listed costs nothing.
        unread: the decision that an answer which cannot be read amounts to, such as "by hand". It may be one of the
            classes, or a word of its own with costs for it.
        name: the metric's name in records.
        title: its heading.
        unit: of the result.
        of_amount: whether the costs are shares of `Answer.amount`.

    Raises:
        HarnessError: a cost is negative or no number, a right decision costs something, or two pairs are the same.
    """
    folded: dict[tuple[str, str], float] = {}
    for (target, said), cost in costs.items():
        pair = (fold(target), fold(said))
        problem = ""
        if not math.isfinite(cost) or cost < 0:
            problem = f"the cost of saying {said!r} for {target!r} is not a number of 0 or more"
        elif pair[0] == pair[1] and cost:
            problem = f"the right decision {target!r} costs {cost:g}"
        elif pair in folded:
            problem = f"the cost of saying {said!r} for {target!r} is given twice (case and spacing do not count)"
        if problem:
            raise HarnessError(problem, where=f"metric {name}", fix="correct the dictionary of costs")
        folded[pair] = float(cost)

    def score(answer: Answer) -> float:
        said = fold(unread if answer.parsed is None else answer.parsed)
        cost = folded.get((fold(answer.target), said), 0.0)
        return cost * answer.amount if of_amount else cost

    return Metric(name=name, title=title, score=score, higher_is_better=False, unit=unit)

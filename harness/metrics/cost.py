"""The cost of wrong decisions, from a dictionary: errors in the two directions rarely cost the same.

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
        costs: (correct decision, predicted decision) to its cost, ignoring case and spacing; other pairs cost nothing.
        unread: the decision that results from an answer that cannot be parsed, such as "by hand". It is one of the classes,
            or another word with costs of its own.
        name: the metric's name in records.
        title: its heading.
        unit: the unit of the result.
        of_amount: whether the costs are shares of `Answer.amount`.

    Raises:
        HarnessError: a cost is negative or no number, a right decision costs something, or two pairs are the same.
    """
    folded: dict[tuple[str, str], float] = {}
    for (target, decision), cost in costs.items():
        pair = (fold(target), fold(decision))
        problem = ""
        if not math.isfinite(cost) or cost < 0:
            problem = f"the cost of {decision!r} instead of {target!r} is {cost}, it must be 0 or more"
        elif pair[0] == pair[1] and cost:
            problem = f"the right decision {target!r} costs {cost:g}, it must cost 0"
        elif pair in folded:
            problem = f"the cost of {decision!r} instead of {target!r} is given twice (case and spacing are ignored)"
        if problem:
            raise HarnessError(problem, where=f"metric {name}", fix="correct the dictionary of costs")
        folded[pair] = float(cost)

    def score(answer: Answer) -> float:
        decision = fold(unread if answer.parsed is None else answer.parsed)
        cost = folded.get((fold(answer.target), decision), 0.0)
        return cost * answer.amount if of_amount else cost

    return Metric(name=name, title=title, score=score, higher_is_better=False, unit=unit)

"""Work a ratio out from a filing's XBRL, to two decimals: the questions of `xbrl_formula`, answered with the result.

Source and splits as in `xbrl_value`; the target is the value of the source's formula, so that the gold answer is
computed and not typed. A percentage is in percent, `16.15` or `16.15%`. A number is right within half a unit of the second
decimal (0.005), the precision in the question: `16.2` is not right for 16.15. The source's own instruction, to answer with
a formula, is replaced. Formulas that divide by zero are omitted.
"""

import re
from dataclasses import replace
from decimal import Decimal

from harness import Example, first_number, metrics, parse_expression, published
from tasks import xbrl_formula, xbrl_value

FORMULA = re.compile(r"\s*Answer with a formula substituted with values\.?$")


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question with the value of its formula, rounded to two decimals."""
    source_example = xbrl_value.example(cells, id)
    formula = parse_expression(source_example.target)
    if formula is None or formula.names:
        raise ValueError(f"{source_example.target!r} is no formula of numbers")
    value = formula.at({})
    if value is None:
        return "division by zero"
    question = f"{FORMULA.sub('', source_example.question)}\nAnswer with a number with 2 decimal places."
    return replace(source_example, question=question, target=f"{Decimal(round(value * 100)) / 100:.2f}")


TASK = replace(
    xbrl_value.TASK,
    name="xbrl_calculation",
    title="XBRL: work a ratio out",
    source=xbrl_value.source(xbrl_formula.FILES),
    load=published.Load(xbrl_formula.FILES, example),
    metrics=(metrics.numeric(Decimal("0.005"), title="Right to two decimals"),),
    parse=first_number,
    max_new_tokens=16,
)

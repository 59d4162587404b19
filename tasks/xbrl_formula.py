"""Write a ratio with a filing's values filled in: `(6226000000 / 38542000000) * 100`, 104 questions over 10-Ks.

Source and splits as in `xbrl_value`. Formulas are compared by exact value: `100*a/b` equals `(a / b) * 100`, and a rounded
result does not. Thousands separators and dollar signs in an answer are ignored.
"""

import re
from dataclasses import replace

from harness import Answer, Example, equal, metrics, parse_expression, published
from tasks import xbrl_value

FILES: published.Files = {"test": ("data/test/xbrl_formula_test.jsonl",)}
SEPARATOR = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))|\$")


def parse(text: str, example: Example) -> str | None:
    """Return the first line as a formula of numbers in its canonical spelling, or None if it is not one."""
    formula = parse_expression(SEPARATOR.sub("", text.strip().partition("\n")[0]))
    return formula.text if formula and not formula.names else None


def score(answer: Answer) -> float:
    """Return 1.0 if the formula has the target's value."""
    return float(answer.parsed is not None and equal(answer.parsed, answer.target))


TASK = replace(
    xbrl_value.TASK,
    name="xbrl_formula",
    title="XBRL: a ratio with its values",
    source=xbrl_value.source(FILES),
    load=published.Load(FILES, xbrl_value.example),
    metrics=(replace(metrics.accuracy, score=score),),
    parse=parse,
    max_new_tokens=64,
)

"""The claims of `claims` as another insurer prints them: headings, other words for each clause, pounds with pence.

The task has a test split only, for models trained on `claims`: `--task claims --probe shifted`. The rules, the form of the
answer and the shares of reasons are those of `claims`; `data/claims_shifted/make.py` writes the texts.
"""

import re
from dataclasses import replace

from harness import Example, Source
from tasks import claims

_CURRENCY = re.compile(r"£|gbp", re.IGNORECASE)


def parse(text: str, example: Example) -> str | None:
    """Return an answer parsed as in `claims`; the amount may have the sign of a pound."""
    return claims.parse(_CURRENCY.sub("", text), example)


TASK = replace(
    claims.TASK,
    name="claims_shifted",
    version=3,
    title="Insurance claims, wording and currency shifted: another insurer's words, in pounds",
    source=Source(
        "data/claims_shifted",
        sha256="1f60c1d93ca386fa701b48f880c4a9454c60fc3be6b42170a2cc2accf80a29fd",
        license="CC-BY-4.0",
    ),
    metrics=tuple(replace(m, unit=m.unit.replace("USD", "GBP")) for m in claims.TASK.metrics),
    parse=parse,
    splits=("test",),
)

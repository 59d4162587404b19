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
    version=2,
    title="Insurance claims in another insurer's words",
    source=Source(
        "data/claims_shifted",
        sha256="870c8d6cedf3dfaca47d390d46e2cb214b75f07ab6a3bd8921d08941f1a3d21a",
        license="CC-BY-4.0",
    ),
    metrics=tuple(replace(m, unit=m.unit.replace("USD", "GBP")) for m in claims.TASK.metrics),
    parse=parse,
    splits=("test",),
)

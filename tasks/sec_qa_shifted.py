"""The questions of `sec_qa` over accounts in another style: line names as under IFRS, euro and sterling, other tables.

The task has a test split only, for models trained on `sec_qa`: `--task sec_qa --probe shifted`. Tags and formulas are in
us-gaap elements, as in `sec_qa`; `data/sec_qa_shifted/make.py` writes the texts.
"""

import re
from dataclasses import replace

from harness import Example, Source
from tasks import sec_qa

_CURRENCY = re.compile(r"[€£]|\b(?:eur|gbp|euros?|pounds?|sterling)\b", re.IGNORECASE)


def parse(text: str, example: Example) -> str | None:
    """Return an answer parsed as in `sec_qa`; an amount may have the accounts' currency."""
    return sec_qa.parse(_CURRENCY.sub("", text), example)


TASK = replace(
    sec_qa.TASK,
    name="sec_qa_shifted",
    version=1,
    title="Questions over annual reports in another filing style",
    source=Source(
        "data/sec_qa_shifted",
        sha256="260a1589a1b07d3b5ac03e8cd6507f8ebcde09a21ee4c1e5bc9c9c12a4d421e1",
        license="CC-BY-4.0",
    ),
    parse=parse,
    splits=("test",),
)

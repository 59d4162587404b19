"""The questions of `sec_qa` over accounts in another presentation, asked in other sentences.

Presentation: line names, order and signs as under IFRS, euro and sterling. The task has a test split only, for models trained on
`sec_qa`: `--task sec_qa --probe shifted`. `data/sec_qa_shifted/make.py` writes the texts.
"""

import re
from dataclasses import replace

from harness import Example, Source
from tasks import sec_qa

_CURRENCY = re.compile(r"[€£]|\b(?:eur|gbp|euros?|pounds?|sterling)\b", re.IGNORECASE)


def parse(text: str, example: Example) -> str | None:
    """Return an answer parsed as in `sec_qa`; an amount may have the accounts' currency."""
    is_text = example.slices["answer"] == "text"
    return sec_qa.parse(text if is_text else _CURRENCY.sub("", text), example)


TASK = replace(
    sec_qa.TASK,
    name="sec_qa_shifted",
    version=2,
    title="Questions over annual reports in another presentation",
    source=Source(
        "data/sec_qa_shifted",
        sha256="90650a0370601c966a08eb77344b97c1cc59eabd7f145df574971883d20d3534",
        license="CC-BY-4.0",
    ),
    parse=parse,
    splits=("test",),
)

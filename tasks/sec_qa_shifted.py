"""The questions of `sec_qa` over accounts in another presentation, and over those of another industry.

Presentation: line names, order and signs as under IFRS, euro and sterling, other sentences. Industry: insurers, with the
statements and ratios of insurance; the slice `shift` tells them apart. The task has a test split only, for models trained on
`sec_qa`: `--task sec_qa --probe shifted`. `data/sec_qa_shifted/make.py` writes the texts.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Source, Split, read_jsonl
from tasks import sec_qa

_CURRENCY = re.compile(r"[€£]|\b(?:eur|gbp|euros?|pounds?|sterling)\b", re.IGNORECASE)


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the examples with what shifts as a slice."""
    for row, example in zip(read_jsonl(folder / f"{split}.jsonl"), sec_qa.load(folder, split), strict=True):
        yield replace(example, slices={**example.slices, "shift": row["shift"]})


def parse(text: str, example: Example) -> str | None:
    """Return an answer parsed as in `sec_qa`; an amount may have the accounts' currency."""
    is_text = example.slices["answer"] == "text"
    return sec_qa.parse(text if is_text else _CURRENCY.sub("", text), example)


TASK = replace(
    sec_qa.TASK,
    name="sec_qa_shifted",
    version=2,
    title="Questions over annual reports: IFRS presentation, insurers",
    source=Source(
        "data/sec_qa_shifted",
        sha256="fba06a6f6c61c5ed64173c73cfac793243f54e3e594dc266caed629a1012e094",
        license="CC-BY-4.0",
    ),
    load=load,
    parse=parse,
    splits=("test",),
)

"""The plain lookups of `sec_qa`: a printed line in a named year, and the us-gaap element of a line.

A page of rules answers most of them, so they are kept out of the headline of `sec_qa`. The task has a test split only, for
models trained on `sec_qa`: `--task sec_qa --probe sec_qa_lookup`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Split
from tasks import sec_qa


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the lookups and tags, whose file lies beside those of `sec_qa`."""
    return sec_qa.examples(folder / "lookup.jsonl")


TASK = replace(
    sec_qa.TASK,
    name="sec_qa_lookup",
    version=1,
    title="Plain lookups in annual reports",
    load=load,
    splits=("test",),
)

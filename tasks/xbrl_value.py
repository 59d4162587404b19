"""Look a value up in a fragment of a 10-K's XBRL: "What are Visa's retained earnings for FY 2022?"

Source: FinLoRA (Wang et al. 2025, arXiv:2505.19819), early test files of 104 questions, one at a time; also
published as `wangd12/XBRL_analysis` on the hub. Only one file exists, so issuers are dealt into the three splits and
never cut. The source's own instruction and worked example are removed from the context; no row is dropped. Numbers are
compared as numbers, exactly: `$16,116 million` is `16116000000`. Contexts have 12,000 to 19,500 characters: windows
of less than about 10,000 tokens cut them, which the tables count.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Example, HarnessError, Source, Split, Task, deal, metrics, parse_number, prompts, read_jsonl

PARTS = re.compile(r".*?```xml\s*(.*?)\s*```.*Example answer:.*?Question:\s*(.*?)\s*Answer:\s*", re.DOTALL)


def source(name: str) -> Source:
    """Return where one of FinLoRA's extraction files comes from."""
    return Source(
        uri="github:Open-Finance-Lab/FinLoRA",
        revision="342c7f644b14eea7253e70fc2f943d1a7fb6c677",
        license="OpenMDW-1.0",
        redistributable=False,
        citation="Wang et al. 2025, FinLoRA, arXiv:2505.19819",
        files=(f"data/test/{name}",),
        folder="finlora_xbrl_extract",
    )


def rows(path: Path) -> Iterator[Example]:
    """Yield all questions of a file in its order; the group is the issuer, whose filings repeat each other's figures."""
    for number, row in enumerate(read_jsonl(path), start=1):
        found = PARTS.fullmatch(row["context"])
        if found is None:
            fix = "fetch the file again at the pinned revision"
            raise HarnessError("no fragment and question in this row", where=f"{path}:{number}", fix=fix)
        issuer = row["doc_path"].partition("-")[0]
        yield Example(f"{path.stem}-{number}", " ".join(found[2].split()), row["target"].strip(), (), issuer, found[1])


def load(folder: Path, split: Split, *, name: str) -> list[Example]:
    """Return one split, dealt by issuer."""
    return deal(list(rows(folder / name)), split)


def parse(text: str, example: Example) -> str | None:
    """Return the first line where it is a number, else None."""
    line = text.strip().partition("\n")[0].strip()
    return line if parse_number(line) is not None else None


TASK = Task(
    name="xbrl_value",
    version=1,
    title="XBRL: look up a value in a filing",
    source=source("xbrl_value_test.jsonl"),
    load=partial(load, name="xbrl_value_test.jsonl"),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(),),
    scoring="generate",
    parse=parse,
    max_new_tokens=24,
    group_name="issuer",
)

"""Look a value up in a fragment of a 10-K's XBRL: "What are Visa's retained earnings for FY 2022?"

Source: FinLoRA (Wang et al. 2025, arXiv:2505.19819), early test files of 104 questions, one at a time; also
published as `wangd12/XBRL_analysis` on the hub. Only one file exists, so issuers are distributed to the three splits and
never divided. The source's own instruction and worked example are removed from the context; no row is dropped. Numbers are
compared as numbers, exactly: `$16,116 million` is `16116000000`. Contexts have 12,000 to 19,500 characters: windows of less
than about 10,000 tokens cut them, and the tables count the cut examples.
"""

import re

from harness import Example, Source, Task, first_number, metrics, prompts, published

FILES: published.Files = {"test": ("data/test/xbrl_value_test.jsonl",)}
PARTS = re.compile(r".*?```xml\s*(.*?)\s*```.*Example answer:.*?Question:\s*(.*?)\s*Answer:\s*", re.DOTALL)


def source(files: published.Files) -> Source:
    """Return the source of one of FinLoRA's extraction files."""
    return Source(
        uri="github:Open-Finance-Lab/FinLoRA",
        revision="342c7f644b14eea7253e70fc2f943d1a7fb6c677",
        license="OpenMDW-1.0",
        redistributable=False,
        citation="Wang et al. 2025, FinLoRA, arXiv:2505.19819",
        files=published.patterns(files),
        folder="finlora_xbrl_extract",
    )


def example(cells: published.Cells, id: str) -> Example:
    """Return a question as an example; the group is the issuer, whose filings repeat each other's figures."""
    match = PARTS.fullmatch(cells["context"])
    if match is None:
        raise ValueError("no fragment and question in `context`")
    issuer = cells["doc_path"].partition("-")[0]
    return Example(id, " ".join(match[2].split()), cells["target"].strip(), (), issuer, match[1])


TASK = Task(
    name="xbrl_value",
    version=1,
    title="XBRL: look up a value in a filing",
    source=source(FILES),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(),),
    scoring="generate",
    parse=first_number,
    max_new_tokens=24,
    group_name="issuer",
    suites=("finance", "finlora"),
)

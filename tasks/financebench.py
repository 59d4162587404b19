"""FinanceBench: questions over 10-Ks and similar filings of listed companies, answered with a number.

Source: the open sample of Islam et al. 2023, for which people judged answers. Without a judge only numbers can be scored:
questions answered in sentences are omitted and counted. The context is the evidence that the source names (the full filing
is not shown), as extracted, one cell of a table a line. There is one file only, so filings are distributed to the three
splits: a small task with wide intervals. The source rounds its own answers (`$8.70` for a line of 8,738 million), so a
number is right within one percent. If the question names the unit, a bare number has that unit: for USD millions, `1577`,
`1,577 million` and `1.577 billion` are the same.
"""

import re
from decimal import Decimal

from harness import Example, Source, Task, first_number, metrics, parse_number, prompts, published
from tasks import _reports

FILES: published.Files = {"test": ("data/financebench_open_source.jsonl",)}
UNIT = re.compile(r"\bUSD (thousand|million|billion)s?\b", re.IGNORECASE)
SCALE = re.compile(r" (thousand|million|billion)$")


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question with a number as its answer, in the question's unit; the group is the filing."""
    answer = _reports.answer_text(cells["answer"])
    if parse_number(answer) is None:
        return "answer in sentences"
    units = {unit.lower() for unit in UNIT.findall(cells["question"])}
    scaled = f"{answer} {next(iter(units))}" if len(units) == 1 else answer
    target = scaled if parse_number(scaled) is not None else answer
    pages = (page["evidence_text"].splitlines() for page in cells["evidence"])
    context = "\n\n".join("\n".join(line.strip() for line in page if line.strip()) for page in pages)
    question = f"{' '.join(cells['question'].split())}\nAnswer with a number."
    return Example(id, question, target, (), cells["doc_name"], context, {"kind": cells["question_type"]})


def parse(text: str, example: Example) -> str | None:
    """Return the first line if it is a number, a bare one with the target's scale; otherwise None."""
    line, scale = first_number(text, example), SCALE.search(example.target)
    if line is None or scale is None or re.search("[a-z]", line.lower().replace("usd", "")):
        return line
    return line + scale[0] if parse_number(line + scale[0]) is not None else line


TASK = Task(
    name="financebench",
    version=1,
    title="FinanceBench: numbers from filings",
    source=Source(
        uri="github:patronus-ai/financebench",
        revision="cc39aeb4afdf33909ee1412188bf89035950c2eb",
        license="CC-BY-NC-4.0 (its card on the hub; the repository names none)",
        redistributable=False,
        citation="Islam et al. 2023, FinanceBench, arXiv:2311.11944",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(Decimal("0.01"), relative=True, title="Right within one percent"),),
    scoring="generate",
    parse=parse,
    max_new_tokens=24,
    group_name="filing",
    suites=("finance", "finlora"),
)

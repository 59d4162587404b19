"""FinQA: a number worked out in one to several steps from the text and the table on a page of an annual report.

Source: Chen et al. 2021, training, validation and public test as published; the private test has no answers. The answer is
the result of the source's program (`exe_ans`), rounded to five decimals, or yes or no. The headline is the source's own
rule, equality to five decimals. `rounded` also accepts an answer of three digits or more if the target rounds to it:
`14.5%` is right for 0.14464. The program itself is neither trained on nor asked for. The task is therefore harder than for
models that write a program. Training rows about a filing of the test are omitted and counted. In tables a negative is
written as in the source, `-12 ( 12 )`.
"""

from harness import Example, Source, Task, parse_number, prompts, published
from tasks import _reports

FILES: published.Files = {
    "train": ("dataset/train.json",),
    "validation": ("dataset/dev.json",),
    "test": ("dataset/test.json",),
}


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question on a page as an example; the group is the filing, which has several pages."""
    answer = _reports.answer_text(cells["qa"]["exe_ans"])
    if parse_number(answer) is None and answer not in ("yes", "no", ""):
        return "answer no number"
    question = f"{cells['qa']['question'].strip()}\n{_reports.ASKED}"
    return Example(id, question, answer, (), _reports.filing_of(cells["id"]), _reports.finqa_page(cells))


TASK = Task(
    name="finqa",
    version=1,
    title="FinQA: numbers worked out from a report's page",
    source=Source(
        uri="github:czyssrs/FinQA",
        revision="0f16e2867befa6840783e58be38c9efb9229d742",
        license="MIT",
        citation="Chen et al. 2021, FinQA, arXiv:2109.00122",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(_reports.FIVE_DECIMALS, _reports.AS_ROUNDED),
    scoring="generate",
    parse=_reports.parse,
    max_new_tokens=24,
    group_name="filing",
    suites=("finance",),
)

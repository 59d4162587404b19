"""TAT-QA: look up, count or work out figures, or find words, in a table of a financial report and the text around it.

Source: Zhu et al. 2021, training, validation and the test with answers released in 2024. Answers are numbers with their
scale (`12.6 million`, `-22.22%`), words of the text, or several of either, in any order, separated by semicolons. As in the
source's evaluation a number must be right to two decimals in the scale of the answer, and words must match except for case.
All of several answers must be right; there is no credit for a part of the words. The source names no filing: questions on
one table share a group, and other tables of its filing may be in another split.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from harness import Answer, Example, Source, Task, first_number, metrics, parse_number, prompts, published
from tasks import _reports

FILES: published.Files = {
    "train": ("dataset_raw/tatqa_dataset_train.json",),
    "validation": ("dataset_raw/tatqa_dataset_dev.json",),
    "test": ("dataset_raw/tatqa_dataset_test_gold.json",),
}
SCALES = {"": "", "thousand": " thousand", "million": " million", "billion": " billion", "percent": "%"}
ASKED = "Answer with a number and its scale (thousand, million, billion, %) or with words; part several by semicolons."


def read(path: Path) -> Iterator[published.Cells]:
    """Yield the questions, each with its table and paragraphs."""
    for page in published.read_cells(path):
        for question in page["questions"]:
            yield {**question, "table": page["table"], "paragraphs": page["paragraphs"]}


def example(cells: published.Cells, id: str) -> Example:
    """Return a question as an example; the kind of its answer (number, text, several) is a slice."""
    values = cells["answer"] if isinstance(cells["answer"], list) else [cells["answer"]]
    scale = SCALES[cells["scale"] or ""]  # for numbers without their scale
    answers = [text + scale * (parse_number(text + scale) is not None) for text in map(_reports.answer_text, values)]
    kind = "several" if len(answers) > 1 else "text" if parse_number("".join(answers)) is None else "number"
    paragraphs = sorted(cells["paragraphs"], key=lambda paragraph: int(paragraph["order"]))
    texts = (_reports.text_of([paragraph["text"]]) for paragraph in paragraphs)
    context = _reports.page_of(*texts, _reports.table_of(cells["table"]["table"]))
    question = f"{cells['question'].strip()}\n{ASKED}"
    return Example(id, question, "; ".join(answers), (), cells["table"]["uid"], context, {"answer": kind})


def parse(text: str, example: Example) -> str | None:
    """Return the first line of an output; for the kind "number" it must be a number, for "several" have two parts."""
    if example.slices["answer"] == "number":
        return first_number(text, example)
    line = metrics.default_parse(text, example)
    return None if line is None or (example.slices["answer"] == "several" and ";" not in line) else line


def same_answer(target: str, answer: str) -> bool:
    """Return whether two answers are the same number to two decimals of the target's scale, or the same words."""
    gold, number = parse_number(target), parse_number(answer)
    if gold is None or number is None:
        return metrics.fold(target) == metrics.fold(answer)
    unit = parse_number(f"1{next((scale for scale in SCALES.values() if scale and target.endswith(scale)), '')}")
    return abs(number - gold) <= Decimal("0.005") * (unit or 1)


def score(answer: Answer) -> float:
    """Return 1.0 if the answer has every part of the target and nothing else."""
    targets, parts = answer.target.split(";"), (answer.parsed or "").split(";")
    matches = [{n for n, part in enumerate(parts) if same_answer(target.strip(), part)} for target in targets]
    return float(len(targets) == len(parts) and all(matches) and len(set.union(*matches)) == len(parts))


TASK = Task(
    name="tatqa",
    version=1,
    title="TAT-QA: figures and words from tables and text",
    source=Source(
        uri="github:NExTplusplus/TAT-QA",
        revision="870accc41953dcde885aabeb963d94aabdc0fbc3",
        license="CC-BY-4.0",
        citation="Zhu et al. 2021, TAT-QA, arXiv:2105.07624",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example, read),
    prompt=prompts.question_answer,
    metrics=(replace(metrics.accuracy, title="Right answers", score=score),),
    scoring="generate",
    parse=parse,
    max_new_tokens=64,
    group_name="table",
    suites=("finance",),
)

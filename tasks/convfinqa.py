"""ConvFinQA: a conversation about a page of an annual report, each turn a question that may refer to earlier ones.

Source: Chen et al. 2022, the turns of training and validation. The validation file is the test of this task because the
source's test has no answers; a seventh of training becomes validation. A turn shows the questions before it and, as for the
source's own models, not their answers. Answers and scoring are those of `finqa`. Training rows about a filing of the test
are omitted and counted. A local copy may be the archive or the two files out of it.
"""

from dataclasses import replace

from harness import Example, Source, parse_number, published
from tasks import _reports, finqa

FILES: published.Files = {
    "train": ("data.zip::data/train_turn.json", "data/train_turn.json"),
    "test": ("data.zip::data/dev_turn.json", "data/dev_turn.json"),
}


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a turn as an example; its number in the conversation is a slice."""
    turn = cells["annotation"]
    answer = _reports.answer_text(turn["exe_ans"])
    if parse_number(answer) is None and answer not in ("yes", "no", ""):
        return "answer no number"
    *before, last = [question.strip() for question in turn["cur_dial"]]
    lines = [*(f"Asked before: {question}" for question in before), last, _reports.ASKED]
    slices = {"turn": str(len(before) + 1) if len(before) < 4 else "5 and later"}
    group, page = _reports.filing_of(cells["id"]), _reports.finqa_page(cells)
    return Example(id, "\n".join(lines), answer, (), group, page, slices)


TASK = replace(
    finqa.TASK,
    name="convfinqa",
    title="ConvFinQA: conversations about a report's page",
    source=Source(
        uri="github:czyssrs/ConvFinQA",
        revision="cf3eed2d5984960bf06bb8145bcea5e80b0222a6",
        license="MIT",
        citation="Chen et al. 2022, ConvFinQA, arXiv:2210.03849",
        files=("data.zip",),
    ),
    load=published.Load(FILES, example),
)

"""FNXL: name the US GAAP tag of a number in a sentence of an annual report; some 2,800 tags, none of them listed.

Source: Sharma et al. 2023, the release's `train.csv`, `dev.csv` and `test.csv`. No commit is pinned, because no commit with
all three files could be established: put them into `DIR/FNXL` and pass `--data DIR`. Each number with a tag is a question
(column `numerals-tags`); sentences without a tag give none. The release splits by sentence, so that its splits share
companies and filings. Here its rows are pooled, and companies are split 60/10/30. A number with two tags in one sentence is
omitted and counted, and so are tags outside of US GAAP. A tag must match completely, with or without its prefix `us-gaap:`,
and case counts.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from harness import Example, Source, published
from tasks import xbrl_tag

FILES: published.Files = {"test": ("test.csv",)}
OTHERS = ("train.csv", "dev.csv")


def read(path: Path) -> Iterator[published.Cells]:
    """Yield each number with a tag from all three files."""
    for file in (path, *map(path.with_name, OTHERS)):
        for cells in published.read_cells(file):
            for tag, numbers in tagged(cells["numerals-tags"]):
                yield from ({**cells, "tag": tag, "number": number} for number in numbers)


def tagged(text: str) -> Iterable[tuple[str, list[str]]]:
    """Return the tags of a cell with their numbers, `{'us-gaap:Assets': ['13']}`; an empty tag for a damaged cell."""
    try:
        return dict(ast.literal_eval(text or "{}")).items()
    except (ValueError, SyntaxError, TypeError):
        return [("", [""])]


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a number as an example; the group is the company."""
    question = f'Which US GAAP tag has the number "{cells["number"]}" in this sentence?'
    tag = xbrl_tag.TAG.fullmatch(cells["tag"].strip())
    if tag is None:
        return "no US GAAP tag"
    return Example(id, question, f"us-gaap:{tag[1]}", (), cells["company"], " ".join(cells["sentence"].split()))


TASK = replace(
    xbrl_tag.TASK,
    name="fnxl",
    title="FNXL: the US GAAP tag of a number in a sentence",
    source=Source(
        uri="github:soummyaah/FNXL",
        license="not stated",
        redistributable=False,
        citation="Sharma et al. 2023, Financial Numeric Extreme Labelling, arXiv:2306.03723",
        files=(*published.patterns(FILES), *OTHERS),
    ),
    load=published.Load(FILES, example, read),
    group_name="company",
)

"""Tag numbers in sentences of 10-Ks and 10-Qs with US GAAP tags: four questions at a time, 139 tags to choose from.

Source: FiNER-139 (Loukas et al. 2022, arXiv:2203.06482, `nlpaueb/finer-139`, CC-BY-SA-4.0) as batched by FinLoRA (Wang
et al. 2025, arXiv:2505.19819), an early test file of 501 batches (the last one of two questions). Only that file exists:
batches that share a sentence are one group, and groups are distributed to the splits. It names no filing, so that other
sentences of one filing may be in two splits. No row is dropped. The tags are in the context, and a short window cuts it; the
sentences are in the question, which is never cut.

Answers are sequences, separated by semicolons (commas are accepted, too). The headline counts a batch as right if all of its
tags are; `tags` gives credit for each tag in its position. An answer with another number of tags is not parsed.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import Answer, Example, Metric, Source, Task, metrics, prompts, published

FILES: published.Files = {"test": ("data/test/finer_test_batched.jsonl",)}
BATCH = re.compile(r".*? options: ,?(.*?)\. Answer the following .*?\n(1\. .*)\nOutput US GAAP tags:", re.DOTALL)
TAG = re.compile(r"[A-Z][A-Za-z0-9]+")
SENTENCE = re.compile(r'in sentence: "(.*?)\?"(?:\n|$)', re.DOTALL)


def read(path: Path) -> Iterator[published.Cells]:
    """Yield the batches; a batch's group is the first batch that a chain of shared sentences leads to."""
    rows = list(published.read_cells(path))
    groups = chained([set(SENTENCE.findall(row.get("context", ""))) for row in rows])
    yield from ({**row, "group": group} for row, group in zip(rows, groups, strict=True))


def example(cells: published.Cells, id: str) -> Example:
    """Return a batch as an example."""
    match = BATCH.fullmatch(cells["context"])
    if match is None:
        raise ValueError("no tags and questions in `context`")
    question = f"{match[2]}\nGive the tag of each question in order, separated by semicolons."
    tags = f"US GAAP tags: {', '.join(match[1].split(','))}"
    target = "; ".join(tag.strip() for tag in cells["target"].split(","))
    return Example(id, question, target, (), cells["group"], tags)


def chained(sentences: list[set[str]]) -> list[str]:
    """Return a group name for each batch, the same for batches that share a sentence directly or through others."""
    group_of: dict[str, int] = {}
    groups = list(range(len(sentences)))
    for batch, members in enumerate(sentences):
        linked = {groups[group_of[text]] for text in members & group_of.keys()} | {batch}
        groups = [min(linked) if group in linked else group for group in groups]
        group_of.update(dict.fromkeys(members, batch))
    return [f"batch {group + 1}" for group in groups]


def parse(text: str, example: Example) -> str | None:
    """Return the first line as tags, or None if it has another number of tags or other text."""
    line = text.strip().partition("\n")[0].strip()
    tags = [tag.strip().removeprefix("us-gaap:") for tag in re.split("[;,]", line)]
    count = len(example.target.split("; "))
    return "; ".join(tags) if len(tags) == count and all(map(TAG.fullmatch, tags)) else None


def share(answer: Answer) -> float:
    """Return the share of an answer's tags that are right, each in its position."""
    gold = answer.target.split("; ")
    tags = answer.parsed.split("; ") if answer.parsed else []
    return sum(a == b for a, b in zip(tags, gold, strict=False)) / len(gold)


TASK = Task(
    name="finer",
    version=1,
    title="FiNER-139: US GAAP tags for numbers in filings",
    source=Source(
        uri="github:Open-Finance-Lab/FinLoRA",
        revision="35154f4f05dc40aaf462268a3cac4a092cd1d23e",
        license="CC-BY-SA-4.0 (FiNER-139), OpenMDW-1.0 (FinLoRA)",
        redistributable=False,
        citation="Loukas et al. 2022, FiNER, arXiv:2203.06482; Wang et al. 2025, FinLoRA, arXiv:2505.19819",
        files=published.patterns(FILES),
        folder="finlora_finer_tagging",
    ),
    load=published.Load(FILES, example, read),
    prompt=prompts.question_answer,
    metrics=(
        replace(metrics.exact_match, name="all_tags", title="All tags of a batch"),
        Metric("tags", "Tags, each in its place", share),
    ),
    scoring="generate",
    parse=parse,
    max_new_tokens=160,
    group_name="group of batches",
    suites=("finance", "finlora"),
)

"""InsuranceQA: pick the answer that an expert gave to a consumer's question about insurance, of four.

Source: Feng et al. 2015, version 2, whose files give a question with its right answers and a pool of 100 that a search
engine found. Options are the first right answer and the three of the pool nearest to it in length, so that length does
not tell; other right answers are never among them. Their order is that of their hash. Words are put together from the
vocabulary with blanks between, as the source has them. Training questions whose answer is also one of the test are left
out and counted, as are questions with fewer than three wrong answers. The source is for research only.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, Task, metrics, prompts, published

ANSWERS, WORDS = "V2/InsuranceQA.label2answer.raw.encoded.gz", "V2/vocabulary"
FILES: published.Files = {
    "train": ("V2/InsuranceQA.question.anslabel.raw.100.pool.solr.train.encoded.gz",),
    "validation": ("V2/InsuranceQA.question.anslabel.raw.100.pool.solr.valid.encoded.gz",),
    "test": ("V2/InsuranceQA.question.anslabel.raw.100.pool.solr.test.encoded.gz",),
}
WRONG = 3


def lines(path: Path, fields: int) -> Iterator[list[str]]:
    """Yield the fields of each line of a file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n").split("\t", fields - 1)


def read(path: Path) -> Iterator[published.Cells]:
    """Yield the questions of a split with the texts of their right answers and of the wrong ones in their pools."""
    words = dict(lines(path.with_name(Path(WORDS).name), 2))

    def text(coded: str) -> str:
        return " ".join(words.get(word, word) for word in coded.split())

    answers = {label: text(coded) for label, coded in lines(path.with_name(Path(ANSWERS).name), 2)}
    for domain, question, right, pool in lines(path, 4):
        labels = right.split()
        wrong = [answers[label] for label in pool.split() if label not in labels]
        yield {
            "domain": domain,
            "question": text(question),
            "label": labels[0],
            "right": answers[labels[0]],
            "wrong": wrong,
        }


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question with its four options; questions with one right answer share a group."""
    right, wrong = cells["right"], dict.fromkeys(cells["wrong"])
    others = {metrics.fold(text): text for text in wrong if metrics.fold(text) != metrics.fold(right)}
    nearest = sorted(others.values(), key=lambda text: abs(len(text) - len(right)))[:WRONG]
    if len(nearest) < WRONG:
        return "too few wrong answers"
    choices = sorted((right, *nearest), key=lambda text: published.digest(f"{cells['question']} {text}"))
    slices = {"domain": cells["domain"]}
    return Example(id, cells["question"], right, tuple(choices), f"answer {cells['label']}", slices=slices)


TASK = Task(
    name="insurance_qa",
    version=1,
    title="InsuranceQA: the expert's answer, of four",
    source=Source(
        uri="github:shuzi/insuranceQA",
        revision="5c380dd086067adacc2fec3bfa920a78e57bdcf6",
        license="none: as is, for research only",
        redistributable=False,
        citation="Feng et al. 2015, Applying Deep Learning to Answer Selection, arXiv:1508.01585",
        files=(*published.patterns(FILES), ANSWERS, WORDS),
    ),
    load=published.Load(FILES, example, read),
    prompt=prompts.multiple_choice,
    metrics=(metrics.accuracy,),
    group_name="answer",
)

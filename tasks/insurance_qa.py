"""InsuranceQA: pick the answer that an expert gave to a consumer's question about insurance, out of four.

Source: Feng et al. 2015, version 2. Its files give a question with its right answers and a pool of 100 answers from a search
engine. The options are the first right answer and the three of the pool nearest to it in length, so that length gives no
hint; other right answers are never among them. The options are in the order of their hashes. Texts are words of the
vocabulary with blanks between, as in the source. Training questions are omitted and counted if their answer is also in the
test, and all questions if they have fewer than three wrong answers. The source is for research only.
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
    """Yield the questions of a split with the texts of their right answers and the wrong ones of their pools."""
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
    candidates = {metrics.fold(text): text for text in wrong if metrics.fold(text) != metrics.fold(right)}
    nearest = sorted(candidates.values(), key=lambda text: abs(len(text) - len(right)))[:WRONG]
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
    metrics=(metrics.acc_norm, metrics.acc),
    group_name="answer",
    suites=("insurance",),
)

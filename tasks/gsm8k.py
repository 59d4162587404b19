"""GSM8K: grade-school word problems, solved step by step, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `gsm8k` (version 3.0), strict match: "Question: … Answer:", the solution of
the source, and the number behind its `####` is compared as text, without commas, dollar signs and a final point. Text
behind another "Question:" is not read. Published numbers are 5-shot: the row `fewshot` is the one to compare, and the
row `base`, without solutions to read, is mostly zero.

Differences: `fewshot` shows four solutions to every question, not five that vary. A local copy may be the `test.jsonl` of
the source's repository. It has the test only, which is then split 60/10/30.
"""

import re

from harness import Answer, Example, Metric, Source, Task, parse_number, prompts, published

FILES: published.Files = {"train": ("main/train-*.parquet",), "test": ("main/test-*.parquet", "test.jsonl")}
STRICT = re.compile(r"#### (-?[0-9.,]+)")


def strict_number(text: str) -> str | None:
    """Return the number behind the first `#### `, without commas and a final point, or None."""
    match = STRICT.search(text)
    return match[1].replace(",", "").removesuffix(".") if match else None


def number(solution: str) -> str:
    """Return the number behind the `####` of the source's solution, without thousands separators.

    Raises:
        ValueError: there is none.
    """
    text = strict_number(solution)
    if text is None or parse_number(text) is None:
        raise ValueError("no number behind ####")
    return text


def example(cells: published.Cells, id: str) -> Example:
    """Return a row of `question, answer` as an example, with the whole solution as target."""
    number(cells["answer"])
    return Example(id, cells["question"].strip(), cells["answer"].strip())


def parse(text: str, example: Example) -> str | None:
    """Return the number that strict match compares, or None; what follows another "Question:" is not read."""
    return strict_number(text.partition("Question:")[0])


def score(answer: Answer) -> float:
    """Return 1.0 if the parsed number is the one of the target's solution, otherwise 0.0."""
    return float(answer.parsed is not None and answer.parsed == strict_number(answer.target))


TASK = Task(
    name="gsm8k",
    version=2,
    title="GSM8K: grade-school word problems",
    source=Source(
        "hf:openai/gsm8k",
        revision="cc7b047b6e5bb11b4f1af84efc572db110a51b3c",
        license="MIT",
        citation="Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv:2110.14168",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.labelled_question,
    metrics=(Metric("strict_match", "Strict match", score),),
    scoring="generate",
    parse=parse,
    max_new_tokens=256,
    suites=("general",),
)

"""BoolQ: yes or no, by this passage, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `boolq` (version 2.0, from SuperGLUE), zero-shot: the passage with its title,
"Question: …? Answer:", and " no" or " yes" as continuation; the headline is `acc`. As there, the hub's validation file
is the test, because its own test has no answers.

Differences: repeated questions are omitted. A local copy may be that of `google/boolq`, with passages without a title, or
the `test.json` of LLM-Adapters: the same questions without a passage, to be answered from memory, split 60/10/30.
Scores of the three are not comparable.
"""

import re

from harness import Example, Source, Task, commonest, metrics, prompts, published

FILES: published.Files = {
    "train": ("boolq/train-*.parquet", "data/train-*.parquet"),
    "test": ("boolq/validation-*.parquet", "data/validation-*.parquet", "**/boolq/test.json"),
}
ADAPTERS_QUESTION = re.compile(
    r"Please answer the following question with true or false, question: (.*?)\s*\n\nAnswer format.*", re.DOTALL
)


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example: columns `question, passage` with `label` or `answer`, or those of LLM-Adapters."""
    if "question" in cells:
        text, positive = cells["question"], cells["label"] if "label" in cells else cells["answer"]
    elif match := ADAPTERS_QUESTION.fullmatch(cells["instruction"]):
        text, positive = match[1], {"true": True, "false": False}[cells["answer"]]
    else:
        raise ValueError("no question to answer with true or false")
    question = f"{text.strip().rstrip('?')}?"
    return Example(
        id, question, "yes" if positive else "no", ("no", "yes"), context=str(cells.get("passage", "")).strip()
    )


TASK = Task(
    name="boolq",
    version=2,
    title="BoolQ: yes or no",
    source=Source(
        "hf:aps/super_glue",
        revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
        license="CC-BY-SA-3.0",
        citation="Clark et al. 2019, BoolQ, arXiv:1905.10044",
        files=published.patterns(FILES),
        folder="boolq",
    ),
    load=published.Load(FILES, example),
    prompt=prompts.labelled_question,
    metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
    chance=commonest,
    guess="always giving the commoner answer",
    suites=("general",),
)

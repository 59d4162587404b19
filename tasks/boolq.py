"""BoolQ: is it true, by this passage? The hub's validation file is the test here, as its own test has no answers.

A local copy may be the `test.json` of LLM-Adapters: the same questions without the passage, to be answered from
memory, split 60/10/30. Scores of the two are not comparable.
"""

import re

from harness import Example, Source, Task, commonest, metrics, prompts, published

FILES: published.Files = {
    "train": ("data/train-*.parquet",),
    "test": ("data/validation-*.parquet", "**/boolq/test.json"),
}
ASKED = re.compile(
    r"Please answer the following question with true or false, question: (.*?)\s*\n\nAnswer format.*", re.DOTALL
)


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example, with the hub's columns `question, passage, answer` or those of LLM-Adapters."""
    text = cells["question"] if "question" in cells else ASKED.fullmatch(cells["instruction"])[1]  # type: ignore[index]
    question = f"{text.strip().rstrip('?')}? Answer true or false."
    target = str(cells["answer"]).lower()
    return Example(id, question, target, ("false", "true"), context=str(cells.get("passage", "")).strip())


TASK = Task(
    name="boolq",
    version=1,
    title="BoolQ: true or false",
    source=Source(
        "hf:google/boolq",
        revision="35b264d03638db9f4ce671b711558bf7ff0f80d5",
        license="CC-BY-SA-3.0",
        citation="Clark et al. 2019, BoolQ, arXiv:1905.10044",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy, metrics.macro_f1),
    chance=commonest,
    guess="always giving the commoner answer",
)

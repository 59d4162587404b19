"""ARC-Challenge: science questions for grades 3 to 9, with three to five options, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `arc_challenge` (version 1.0), zero-shot: "Question: … Answer:", and each
option's text is scored as a continuation; the headline is `acc_norm`. Published numbers are often 25-shot.

Differences: blanks around questions and options are removed, repeated questions are omitted. Questions of the same words
(with other options) share a group. A local copy may be the `test.json` of LLM-Adapters. It has the test only, which is
then split 60/10/30.
"""

import re

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {
    "train": ("ARC-Challenge/train-*.parquet",),
    "validation": ("ARC-Challenge/validation-*.parquet",),
    "test": ("ARC-Challenge/test-*.parquet", "**/ARC-Challenge/test.json"),
}
ADAPTERS_QUESTION = re.compile(
    r"Please choose the correct answer to the question: (.*?)\s*\n\nAnswer1: (.*?)\s*\n\nAnswer format.*", re.DOTALL
)


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example, with the hub's columns (`question_stem` in OpenBookQA) or those of LLM-Adapters."""
    if "answerKey" in cells:
        choices = tuple(text.strip() for text in cells["choices"]["text"])
        question = cells.get("question_stem") or cells["question"]
        target = choices[cells["choices"]["label"].index(cells["answerKey"].strip())]
        return Example(id, question.strip(), target, choices, published.digest(question))
    match = ADAPTERS_QUESTION.fullmatch(cells["instruction"])
    if match is None:
        raise ValueError("no question with Answer1, Answer2, ...")
    choices = tuple(text.strip() for text in re.split(r"\sAnswer\d: ", match[2]))
    target = choices[int(cells["answer"].removeprefix("answer")) - 1]
    return Example(id, match[1].strip(), target, choices, published.digest(match[1]))


TASK = Task(
    name="arc_challenge",
    version=2,
    title="ARC-Challenge: science questions",
    source=Source(
        "hf:allenai/ai2_arc",
        revision="210d026faf9955653af8916fad021475a3f00453",
        license="CC-BY-SA-4.0",
        citation="Clark et al. 2018, Think you have Solved Question Answering?, arXiv:1803.05457",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.labelled_question,
    metrics=(metrics.acc_norm, metrics.acc),
    suites=("general",),
)

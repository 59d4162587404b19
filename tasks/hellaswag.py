"""HellaSwag: the sentence that goes on with a description, of four, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `hellaswag` (version 1.0), zero-shot: the prompt is the activity's label and
the description begun, the four endings are scored as its continuation, and marks in brackets, left over from WikiHow, are
removed; the headline is `acc_norm`. As there, the hub's validation file is the test, because its own test has no
answers.

Differences: descriptions that are repeated with the same endings are omitted. Descriptions of one video or article share
a group, so that training has none of a test's.
"""

import re

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {
    "train": ("data/train-*.parquet", "hellaswag_train.jsonl"),
    "test": ("data/validation-*.parquet", "hellaswag_val.jsonl"),
}
BRACKETS = re.compile(r"\[.*?\]")


def clean(text: str) -> str:
    """Return a text without WikiHow's marks, each double blank made one."""
    return BRACKETS.sub("", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def example(cells: published.Cells, id: str) -> Example:
    """Return a row of `activity_label, ctx_a, ctx_b, endings, label` as an example."""
    question = clean(f"{cells['activity_label']}: {cells['ctx_a']} {cells['ctx_b'].capitalize()}").strip()
    choices = tuple(clean(ending).strip() for ending in cells["endings"])
    group = str(cells.get("source_id", "")) or published.digest(question)
    return Example(id, question, choices[int(cells["label"])], choices, group)


TASK = Task(
    name="hellaswag",
    version=1,
    title="HellaSwag: how a description goes on",
    source=Source(
        "hf:Rowan/hellaswag",
        revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
        license="MIT",
        citation="Zellers et al. 2019, HellaSwag: Can a Machine Really Finish Your Sentence?, arXiv:1905.07830",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.bare_question,
    metrics=(metrics.acc_norm, metrics.acc),
    suites=("general",),
)

"""Headlines on gold: nine yes-or-no questions about each, such as whether it reports a rising price.

Rows are FinGPT's (`instruction, input, output`) or, in a local copy, FinLoRA's `headline_test.jsonl`. The questions
about one headline share a group, and training headlines that are also in the test are omitted. The hub revision is
not pinned, so that the hub files are read from a local copy only.
"""

from harness import Example, Source, Task, commonest, metrics, prompts, published

FILES: published.Files = {
    "train": ("data/train-*.parquet",),
    "test": ("data/test-*.parquet", "**/headline_test.jsonl"),
}
LABELS = ("No", "Yes")


def example(cells: published.Cells, id: str) -> Example:
    """Return a question about a headline, without the list of answers at its end."""
    instruction, text = published.instruction(cells)
    question = instruction.partition(" Please choose an answer from")[0]
    target = published.output(cells).capitalize()
    return Example(id, question, target, LABELS, published.digest(text), text, {"kind": question})


TASK = Task(
    name="headline",
    version=1,
    title="Headlines on gold: yes-or-no questions",
    source=Source(
        "hf:FinGPT/fingpt-headline-cls",
        license="CC-BY-SA-3.0 (as FinLoRA states it)",
        citation="Sinha and Khandait 2021, Impact of News on the Commodity Market, arXiv:2009.04202",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
    chance=commonest,
    guess="always giving the commoner answer",
    group_name="headline",
    suites=("finance", "finlora"),
)

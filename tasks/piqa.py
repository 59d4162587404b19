"""PIQA: which of two ways reaches a goal, with everyday objects, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `piqa` (version 1.0), zero-shot: "Question: …" with the goal, "Answer:", and
both solutions are scored as continuations; the headline is `acc_norm`. As there, the hub's validation file is the test,
because its own test has no answers.

Differences: blanks around goals and solutions are removed, repeated questions are omitted. Questions about one goal
share a group.
"""

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {
    "train": ("**/train-*.parquet", "train-*.parquet"),
    "test": ("**/validation-*.parquet", "validation-*.parquet"),
}


def example(cells: published.Cells, id: str) -> Example:
    """Return a row of `goal, sol1, sol2, label` as an example."""
    choices = (cells["sol1"].strip(), cells["sol2"].strip())
    return Example(id, cells["goal"].strip(), choices[int(cells["label"])], choices, published.digest(cells["goal"]))


TASK = Task(
    name="piqa",
    version=1,
    title="PIQA: everyday physics",
    source=Source(
        "hf:baber/piqa",
        revision="142f6d7367fd9877f0fb3b5734ea6a545f54cdd1",
        license="AFL-3.0 (the data set's own; the hub's mirror names none)",
        citation="Bisk et al. 2020, PIQA: Reasoning about Physical Commonsense in Natural Language, arXiv:1911.11641",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.labelled_question,
    metrics=(metrics.acc_norm, metrics.acc),
    suites=("general",),
)

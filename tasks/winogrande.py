"""WinoGrande: which of two names fills the blank of a sentence, in the form of published numbers.

Protocol: lighteval 0.13.0, task `winogrande` (version 0), zero-shot, as in SmolLM2's published numbers: the prompt is the
sentence before the blank, and each name with the rest of the sentence is scored as its continuation; the headline is
`acc`. As there, the hub's validation file is the test, because its own test has no answers.

Differences: this is not the partial evaluation of lm-evaluation-harness, which puts each name into the prompt and scores
the same rest behind it; there, the likelihood of the name itself does not count. Sentences that begin with the blank
are omitted, because their prompt would be empty.
"""

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {
    "train": ("winogrande_xl/train-*.parquet",),
    "test": ("winogrande_xl/validation-*.parquet",),
}


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a row of `sentence, option1, option2, answer` as an example."""
    before, blank, after = cells["sentence"].partition("_")
    if not blank:
        raise ValueError("no _ in the sentence")
    if not before.strip():
        return "nothing before the blank"
    choices = tuple(f"{cells[option].strip()} {after.strip()}" for option in ("option1", "option2"))
    return Example(id, before.strip(), choices[int(cells["answer"]) - 1], choices)


TASK = Task(
    name="winogrande",
    version=1,
    title="WinoGrande: the name that fits",
    source=Source(
        "hf:allenai/winogrande",
        revision="01e74176c63542e6b0bcb004dcdea22d94fb67b5",
        license="Apache-2.0 (its repository; the hub names none)",
        citation="Sakaguchi et al. 2019, WinoGrande, arXiv:1907.10641",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.bare_question,
    metrics=(metrics.acc, metrics.acc_norm),
    suites=("general",),
)

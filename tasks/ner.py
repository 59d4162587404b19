"""Entity types in loan agreements filed with the SEC: is a name in a sentence a person, an organization or a location?

Rows are FinGPT's (`instruction, input, output`) or, in a local copy, FinLoRA's `ner_test.jsonl`. Those 3,502 rows are
206 questions in 17 wordings each. 561 rows repeat another exactly, and 1,275 more except for the order of the options.
Without them 1,666 rows remain, about 98 entities in their sentences. The questions about one sentence share a group, so that
wordings of one question are never in two splits and errors are clustered by it. Two rows in three are "person", so that
macro-F1 says more than accuracy. Fetched are FinLoRA's rows, at a pinned commit; the hub's files, `FinGPT/fingpt-ner-cls`, are read
from a local copy.
"""

from harness import Example, Source, Task, commonest, metrics, prompts, published

FILES: published.Files = {
    "train": ("data/train-*.parquet",),
    "test": ("data/test-*.parquet", "**/ner_test.jsonl"),
}
LABELS = ("location", "organization", "person")


def example(cells: published.Cells, id: str) -> Example:
    """Return a question about an entity of a sentence; its options, in varying order, are replaced by one fixed list."""
    instruction, text = published.instruction(cells)
    question = f"{instruction.partition('Options:')[0].strip()} The types are location, organization and person."
    return Example(id, question, published.output(cells), LABELS, published.digest(text), text)


TASK = Task(
    name="ner",
    version=1,
    title="Entity types in loan agreements",
    source=Source(
        "github:Open-Finance-Lab/FinLoRA",
        revision="7e1cf82803aa56a5f698d71e1528395e16b21093",
        license="CC-BY-SA-3.0 (as FinLoRA states it)",
        citation="Salinas Alvarado et al. 2015, Domain Adaption of Named Entity Recognition to Support Credit Risk "
        "Assessment, ALTA 2015",
        files=("data/test/ner_test.jsonl",),
        folder="fingpt-ner-cls",
        copies=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
    chance=commonest,
    guess="always giving the commonest type",
    group_name="sentence",
    suites=("finance", "finlora"),
)

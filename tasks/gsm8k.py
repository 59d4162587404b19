"""GSM8K: grade-school word problems, answered with the number alone and compared as a number.

The target is the number behind `####` in the source. The reasoning before it is not trained on and not asked for, so scores
are below those published for answers with reasoning. If an output does reason, it is read behind its last `####`. A local
copy may be the `test.jsonl` of the source's repository. It has the test only, which is then split 60/10/30.
"""

from harness import Example, Source, Task, metrics, parse_number, prompts, published

FILES: published.Files = {"train": ("main/train-*.parquet",), "test": ("main/test-*.parquet", "test.jsonl")}


def example(cells: published.Cells, id: str) -> Example:
    """Return a row of `question, answer` as an example; thousands separators of the answer are removed."""
    number = cells["answer"].rpartition("####")[2].strip().replace(",", "")
    if parse_number(number) is None:
        raise ValueError("no number behind ####")
    return Example(id, cells["question"].strip(), number)


def parse(text: str, example: Example) -> str | None:
    """Return the number behind the last `####`; without a `####`, the first line if it is a number; otherwise None."""
    _, mark, after = text.rpartition("####")
    line = ((after if mark else text).strip().splitlines() or [""])[0].strip().removesuffix(".")
    return line if parse_number(line) is not None else None


TASK = Task(
    name="gsm8k",
    version=1,
    title="GSM8K: grade-school word problems",
    source=Source(
        "hf:openai/gsm8k",
        revision="cc7b047b6e5bb11b4f1af84efc572db110a51b3c",
        license="MIT",
        citation="Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv:2110.14168",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(),),
    scoring="generate",
    parse=parse,
    max_new_tokens=16,
)

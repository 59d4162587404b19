"""GSM8K, answered with the number alone: grade-school word problems without the reasoning.

The target is the number behind `####` in the source. The reasoning before it is not trained on and not asked for, so scores
are below those published for answers with reasoning; `gsm8k` is the task in the form of those. If an output does reason,
it is read behind its last `####`. A local copy may be the `test.jsonl` of the source's repository. It has the test only,
which is then split 60/10/30.
"""

from dataclasses import replace

from harness import Example, metrics, parse_number, prompts, published
from tasks import gsm8k


def example(cells: published.Cells, id: str) -> Example:
    """Return a row of `question, answer` as an example; thousands separators of the answer are removed."""
    return Example(id, cells["question"].strip(), gsm8k.number(cells["answer"]))


def parse(text: str, example: Example) -> str | None:
    """Return the number behind the last `####`; without a `####`, the first line if it is a number; otherwise None."""
    _, mark, after = text.rpartition("####")
    line = ((after if mark else text).strip().splitlines() or [""])[0].strip().removesuffix(".")
    return line if parse_number(line) is not None else None


TASK = replace(
    gsm8k.TASK,
    name="gsm8k_number",
    version=1,
    title="GSM8K: word problems, the number alone",
    load=published.Load(gsm8k.FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(),),
    parse=parse,
    max_new_tokens=16,
)

"""The shared parts of the sentiment tasks: three labels, one question, the reader of FinLoRA rows. Not a task itself."""

from collections.abc import Callable
from typing import Any

from harness import Example, Source, Task, commonest, metrics, prompts, published

# FinLoRA's repository has both data sets' test rows; rows of `tfns` and `fiqa` are its files if nothing else is at hand.
FINLORA = "7e1cf82803aa56a5f698d71e1528395e16b21093"
LABELS = ("negative", "neutral", "positive")


def example(id: str, text: str, label: str, kind: str = "news") -> Example:
    """Return a sentence as an example; `kind` is its name in the question, such as "news" or "tweet"."""
    question = f"Is the sentiment of this {kind} negative, neutral or positive?"
    return Example(id, question, label, LABELS, context=text.strip())


def finlora(cells: published.Cells, id: str, label: Callable[[str], str] = str) -> Example:
    """Return a row with FinLoRA's columns `context, target` as an example; `label` maps the source's labels."""
    instruction, text = published.instruction(cells)
    return example(id, text, label(cells["target"].strip()), "tweet" if "this tweet" in instruction else "news")


def task(name: str, title: str, source: Source, load: published.Load, **fields: Any) -> Task:
    """Return a sentiment task; labels are compared by log-likelihood and guessing is the commonest one."""
    return Task(
        name=name,
        version=1,
        title=title,
        source=source,
        load=load,
        prompt=prompts.question_answer,
        metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
        chance=commonest,
        guess="always giving the commonest label",
        **fields,
        suites=("finance", "finlora"),
    )

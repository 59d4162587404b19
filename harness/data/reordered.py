"""`--probe reordered`: the test questions of the task at hand, asked again with their options in another order.

The list of options is turned, by how many places the question's id decides: no option keeps its place, and a model that
goes by place and not by meaning never gives the same answer twice. Gold, context and group stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.schema import Example, Metric, Task

REORDERED = "reordered"


def name(task: str) -> str:
    """Return what the records of a task call its questions in another order."""
    return f"{task}_{REORDERED}"


def turned(example: Example) -> Example:
    """Return the example with each option in another place, the same wherever it is asked; without options, as it is."""
    count = len(example.choices)
    if count < 2:
        return example
    digest = hashlib.sha256(example.id.encode("utf-8", "surrogatepass")).digest()
    by = 1 + int.from_bytes(digest[:8], "big") % (count - 1)
    return replace(example, choices=example.choices[by:] + example.choices[:by])


def twin(task: Task, examples: Sequence[Example]) -> tuple[Task, tuple[Example, ...]]:
    """Return the task under its other name, and these examples with their options in another order.

    Raises:
        HarnessError: there are no options, or the prompt does not list them, so that their order cannot change an answer.
    """
    found = tuple(map(turned, examples))
    if not any(example.choices for example in examples):
        problem, fix = "there are no options to put in another order", "leave it out for this task"
    elif all(task.prompt(one) == task.prompt(other) for one, other in zip(examples, found, strict=True)):
        problem = (
            "the prompt does not list the options: each is scored by itself, and their order cannot change an answer"
        )
        fix = "leave it out for this task; `cfa_listed` is `cfa` with the options in the prompt"
    else:
        title = f"{task.title}, options in another order"
        return replace(task, name=name(task.name), title=title), found
    raise HarnessError(problem, where=f"--probe {REORDERED}, task {task.name}", fix=fix)


def with_twins(metrics: Mapping[str, Sequence[Metric]]) -> dict[str, Sequence[Metric]]:
    """Return metrics by task, those of every task under its other name too."""
    return {**{name(task): found for task, found in metrics.items()}, **metrics}

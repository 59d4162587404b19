"""What tests of a task's scoring share: outputs put through its parser and its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import Answer, Example, metrics
from harness.data import loading, published, registry


def examples_of(name: str, data_dir: Path) -> list[Example]:
    return [e for _, part in loading.load_splits(registry.task(name), data_dir=data_dir).items() for e in part]


def left_out(name: str, data_dir: Path) -> dict[str, int]:
    task = registry.task(name)
    assert isinstance(task.load, published.Load)
    return dict(task.load.left_out(loading.resolve(task.source, data_dir)))


def values(name: str, example: Example, text: str) -> list[float] | None:
    """What each metric gives an output; None where it cannot be read."""
    task = registry.task(name)
    parsed = (task.parse or metrics.default_parse)(text, example)
    answer = Answer("1", "", example.target, text, parsed, example.choices, slices=example.slices)
    return None if parsed is None else [metric.score(answer) for metric in task.metrics]


def value(name: str, target: str, text: str, metric: int = 0, **slices: str) -> float | None:
    found = values(name, Example("1", "", target, slices=slices), text)
    return None if found is None else found[metric]


def check_gold_and_wrong(name: str, examples: Sequence[Example]) -> None:
    for example in examples:
        wrong = next((choice for choice in example.choices if choice != example.target), "")
        other = wrong or {"text": "something else", "several": "some; thing; else"}.get(
            example.slices.get("answer", "")
        )
        other = other or ("us-gaap:Nothing" if example.target.startswith("us-gaap:") else "-987654321.5")
        assert set(values(name, example, example.target) or [0.0]) == {1.0}, example
        assert set(values(name, example, other) or [1.0]) == {0.0}, example

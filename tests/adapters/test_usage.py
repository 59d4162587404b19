"""The code of a card answers a question: prompt, options and an example, and no text that may not be handed on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.adapters.usage import usage
from harness.data import prompts
from harness.record import Answer
from harness.schema import Example, Source, Task
from tests.support.records import make_spec

EXAMPLES = tuple(
    Example(f"q{n}", f"What is decided in case {n}{' of many' * (3 - n)}?", "pay", ("pay", "refuse"), context="Secret.")
    for n in range(3)
)
ANSWERS = tuple(Answer(e.id, "", e.target, "refuse", "refuse", e.choices) for e in EXAMPLES)


def task(**source: Any) -> Task:
    return Task(
        name="cases",
        version=1,
        title="Cases",
        source=Source("data/cases", sha256="0", license="MIT", **source),
        load=lambda folder, split: [],
        prompt=prompts.question_answer,
        metrics=(metrics.acc,),
        scoring="choices",
    )


def test_the_shortest_question_is_shown_with_both_answers_and_the_code_compares_its_options() -> None:
    text = usage(make_spec(), task(), EXAMPLES, ANSWERS)
    assert 'prompt = "Secret.\\n\\nWhat is decided in case 2 of many?\\nAnswer:"' in text
    assert 'options = ["pay", "refuse"]' in text
    assert "The right answer of this test question is: pay. The recorded answer of this adapter is: refuse." in text
    assert "/ len(option)" not in text
    assert "/ len(option)" in usage(make_spec(), task(), EXAMPLES, ANSWERS, "acc_norm")


@pytest.mark.parametrize("source", [{"redistributable": False}, {}], ids=["licence", "a file of the user"])
def test_texts_that_may_not_be_handed_on_have_names_in_their_place(source: dict[str, Any], tmp_path: Path) -> None:
    made = task(**source)
    if not source:
        made = replace(made, source=replace(made.source, uri=str(tmp_path / "cases.csv")))
    text = usage(make_spec(), made, EXAMPLES, ANSWERS)
    assert "Secret" not in text
    assert "case" not in text.replace("cases", "")
    assert 'prompt = "CONTEXT\\n\\nQUESTION\\nAnswer:"' in text
    assert 'options = ["pay", "refuse"]' in text  # classes, not a question's texts


def test_a_written_answer_is_generated_and_without_a_task_the_code_loads_only() -> None:
    text = usage(make_spec(scoring="generate", max_new_tokens=7), task(), EXAMPLES, ANSWERS)
    assert "max_new_tokens=7, do_sample=False" in text
    assert "prompt" not in usage(make_spec(), None, EXAMPLES, ANSWERS)
    assert "prompt" not in usage(make_spec(task_version=2), task(), EXAMPLES, ANSWERS)  # it may have been another


def test_the_code_of_every_kind_compiles() -> None:
    for made in (task(), None):
        for scoring in ("choices", "generate"):
            text = usage(make_spec(scoring=scoring), made, EXAMPLES, ANSWERS)
            (code,) = re.findall(r"```python\n(.*?)\n```", text, flags=re.DOTALL)
            compile(code, "card", "exec")

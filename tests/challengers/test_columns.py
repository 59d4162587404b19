"""The rows of tables are read from text, and trees learn from them."""

from __future__ import annotations

import math

from harness.challengers.parts import answers, columns
from harness.data import registry
from harness.schema import Example
from tests.contract.test_every_challenger import asked, examples, task, task_of


def example(text: str, question: str = "Which band?") -> Example:
    return Example("1", question, "low", context=text)


def test_lines_and_parts_of_lines_are_fields() -> None:
    lines = columns.fields(example("Age: 54\nBody mass index: 27.9\n- Smoker: yes."))
    assert lines == {"age": "54", "body mass index": "27.9", "smoker": "yes"}
    assert columns.fields(example("age: 54; sex: male, region: north")) == {
        "age": "54",
        "sex": "male",
        "region": "north",
    }
    assert columns.fields(example("The claim was paid in full.")) == {}


def test_numbers_are_numbers_words_are_numbered_and_what_is_missing_is_no_number() -> None:
    found = columns.find(
        [example(f"age: {age}\nsex: {sex}\nkind: same") for age, sex in ((20, "m"), (30, "f"), (41, "f"))]
    )
    assert found.names == ("age", "sex")
    (row, bare) = found.rows([example("age: 1,200\nsex: f"), example("sex: x")])
    assert row.tolist() == [1200.0, 0.0]
    assert all(map(math.isnan, bare))


def test_trees_learn_a_rule_over_columns_that_words_hide() -> None:
    given = asked("trees", "columns")
    assert sum(answer.text == answer.target for answer in given) >= 0.9 * len(given)


def test_numbers_are_regressed_and_texts_without_columns_are_left_alone() -> None:
    trees = registry.challenger("trees")
    rows = [Example(str(n), "Charges?", f"{100 * n + 50}", context=f"age: {n}\nclaims: {n % 3}") for n in range(80)]
    fitted = answers.fit(trees, task("generate"), rows, 0)
    given = answers.answer(trees, fitted, rows, task("generate"))
    assert sum(abs(float(answer.text) - float(answer.target)) for answer in given) / len(given) < 500
    assert "no rows of a table" in answers.obstacle(trees, task_of("labels"), examples("labels"))

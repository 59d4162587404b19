"""The mistakes measured in the nearest benchmark's scorer, each as a test that ours passes.

FinLoRA (arXiv:2505.19819) takes an answer for right where the gold occurs in it, breaks ties between labels by the order
of a Python set, compares numbers as text, and enters what it cannot read as a class of its own name. `as_they_do` is that
rule, so that each test shows an output on which the two differ. Mistakes in how runs were made are tested elsewhere:
one prompt for training and testing in `tests/model/test_tokenize.py`, costs by phase in `tests/model/test_meter.py`, a spec that keeps every field
in `tests/runs/test_plan.py`, ties in `tests/analysis/test_compare.py`, answers recomputed in `tests/verify/test_run.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import tests.support.hash_seeds as hash_seeds
from harness import metrics
from harness.analysis import compare
from harness.analysis.sections import sections
from harness.data import registry
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.record import Answer
from harness.report.alarms import alarms
from harness.schema import Example
from tests.support.finished_runs import make_run
from tests.support.task_scoring import value, values

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("negative", "neutral", "positive")


def as_they_do(target: str, text: str) -> bool:
    """Right where the gold occurs in what was written."""
    return target.casefold() in text.casefold()


def said(task: str, target: str, text: str) -> float:
    found = values(task, Example("1", "", target, LABELS), text)
    return found[0] if found else 0.0


@pytest.mark.parametrize("task", ["fpb", "fiqa", "tfns", "nwgi"])
@pytest.mark.parametrize(
    "text", ["not positive", "positive or negative", "negative, neutral, positive", "It is hardly positive at all"]
)
def test_an_answer_that_merely_mentions_the_gold_is_not_right(task: str, text: str) -> None:
    assert as_they_do("positive", text)
    assert said(task, "positive", text) == 0.0
    assert values(task, Example("1", "", "positive", LABELS), text) is None  # and is counted as not read
    assert said(task, "positive", "Positive") == 1.0


@pytest.mark.parametrize(
    ("target", "text"), [("5.0", "15.09"), ("5.0", "5.09"), ("1.2", "1.25"), ("7600.0", "17600.0"), ("10", "100")]
)
def test_a_number_in_which_the_golds_digits_occur_is_another_number(target: str, text: str) -> None:
    assert as_they_do(target.removesuffix(".0"), text)
    assert value("financial_math", target, text) == 0.0


@pytest.mark.parametrize(
    ("target", "text"), [("7600.0", "$7,600.00"), ("5.0", "5"), ("1234567.0", "1,234,567"), ("-3.5", "(3.50)")]
)
def test_the_same_number_in_another_notation_is_right(target: str, text: str) -> None:
    assert not as_they_do(target, text)
    assert value("financial_math", target, text) == 1.0


def test_a_tag_that_begins_like_the_gold_is_another_tag() -> None:
    assert as_they_do("us-gaap:Assets", "us-gaap:AssetsCurrent")
    assert value("xbrl_tag", "us-gaap:Assets", "us-gaap:AssetsCurrent") == 0.0


def test_the_gold_fed_back_scores_everything_also_where_golds_contain_each_other() -> None:
    """The rule by substring gives several candidates here, and a set's order chose between them."""
    golds = ["Assets", "AssetsCurrent", "AssetsNet", "Liabilities", "LiabilitiesCurrent"]
    for gold in golds:
        text = f"us-gaap:{gold}"
        assert value("xbrl_tag", text, text) == 1.0
        assert sum(as_they_do(other, text) for other in golds) >= 1
    assert sum(as_they_do(other, "us-gaap:AssetsCurrent") for other in golds) == 2
    numbers = ["5", "5.0", "15", "1.5", "50"]
    assert [[value("financial_math", g, t) for t in numbers].count(1.0) for g in numbers] == [2, 2, 1, 1, 1]


def test_scores_do_not_depend_on_pythons_hash_seed() -> None:
    code = """
import json
from harness import metrics; from harness.data import registry
from harness.schema import Answer, Example
from harness.metrics.scoring import score_answers
labels = ("negative", "neutral", "positive")
texts = ["positive or negative", "neutral", "negative", "neutral positive", "", "Positive", "posit"]
out = {}
for name in ("fpb", "tfns", "xbrl_tag", "finer", "financial_math"):
    task = registry.task(name)
    parse = task.parse or metrics.default_parse
    choices = labels if task.scoring == "choices" else ()
    answers = []
    for n in range(70):
        e = Example(str(n), "", labels[n % 3] if choices else ("5.0" if name == "financial_math" else "us-gaap:Assets"), choices)
        text = texts[n % 7]
        answers.append(Answer(e.id, f"g{n // 2}", e.target, text, parse(text, e), choices))
    out[name] = {k: [s.value, s.low, s.high] for k, s in score_answers(answers, task.metrics).items()}
print(json.dumps(out))
"""
    (text,) = hash_seeds.said(code, seeds=("1", "7"))
    read = {1: "neutral", 2: "negative", 5: "positive"}  # of the seven texts these three are one label
    right = sum(read.get(n % 7) == LABELS[n % 3] for n in range(70))
    assert json.loads(text)["fpb"]["acc"][0] == right / 70


def answers(texts: Sequence[str]) -> list[Answer]:
    found = []
    for n, text in enumerate(texts):
        e = Example(str(n), "", LABELS[n % 3], LABELS)
        found.append(Answer(e.id, e.id, e.target, text, metrics.default_parse(text, e), LABELS))
    return found


def test_outputs_that_cannot_be_read_lower_macro_f1_and_add_no_class() -> None:
    right = [LABELS[n % 3] for n in range(60)]
    spoilt = [f"noise number {n}" if n % 2 else text for n, text in enumerate(right)]
    alike = ["the same noise" if n % 2 else text for n, text in enumerate(right)]
    found = [score_answers(answers(t), (metrics.accuracy, metrics.macro_f1)) for t in (spoilt, alike)]
    assert found[0] == found[1]
    # Half of each class is read and all of it is right: recall 1/2, precision 1.
    assert found[0]["accuracy"].value == 0.5
    assert found[0]["macro_f1"].value == pytest.approx(2 / 3)
    assert parse_rate(answers(spoilt)) == 0.5
    cells = metrics.confusion(answers(spoilt))
    assert sum(count for (_, got), count in cells.items() if got is metrics.UNPARSED) == 30


def test_chance_is_known_and_a_model_below_it_raises_an_alarm() -> None:
    examples = [Example(str(n), "", LABELS[n % 3], LABELS) for n in range(60)]
    guessed = chance(registry.task("fpb"), examples)
    assert guessed == pytest.approx(1 / 3)
    (section,) = sections(compare.cells([make_run("base", 0, 0.13, n=300), make_run("lora", 8, 0.8, n=300)]))
    assert any("base" in line and "scores below " in line for line in alarms(section))


def test_a_model_that_knows_and_does_not_keep_to_the_form_is_told_from_one_that_does_not_know() -> None:
    """Log-likelihood asks for knowledge, generation for form too; what could not be read is a column of its own."""
    written = answers([f"I think it is {LABELS[n % 3]}." for n in range(30)])
    chosen = answers([LABELS[n % 3] for n in range(30)])
    assert (metrics.accuracy.score(written[0]), parse_rate(written)) == (0.0, 0.0)
    assert score_answers(chosen, (metrics.accuracy,))["accuracy"].value == 1.0

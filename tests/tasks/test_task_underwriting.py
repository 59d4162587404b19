"""The two tasks that decide on applicants: by a manual that has to be read, and on credit."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from harness.data import loading, registry
from harness.record import Answer
from harness.schema import Example
from tasks import credit, underwriting

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RULE = re.compile(r"Rule (\d): (accept|decline|refer) (.*)\.")


@functools.cache
def applicants() -> tuple[Example, ...]:
    if not (SHARED / "medical_insurance_charges").is_dir():
        pytest.skip("public data is not beside the project: ../shared/data/medical_insurance_charges")
    splits = loading.load_splits(registry.task("underwriting"), data_dir=SHARED)
    return (*splits.train, *splits.validation, *splits.test)


def applies(words: str, age: int, bmi: float, smokes: bool) -> bool:
    """Read a rule as a person would, from its words alone."""
    if words == "everybody else":
        return True
    if words.startswith("smokers") and not smokes:
        return False
    number = float(re.findall(r"\d+", words)[0])
    return (bmi if "mass" in words else age) >= number


def test_the_first_rule_that_applies_in_the_text_is_the_gold_answer() -> None:
    for example in applicants():
        shown = dict(line.split(": ") for line in example.context.partition("Applicant\n")[2].splitlines())
        age, bmi, smokes = int(shown["Age"]), float(shown["Body mass index"]), shown["Smoker"] == "yes"
        rules = RULE.findall(example.context)
        number, decision = next((n, said) for n, said, words in rules if applies(words, age, bmi, smokes))
        assert example.target == f"{decision}; rule {number}", example.context


def test_manuals_differ_and_every_rule_decides_somewhere() -> None:
    manuals = {example.context.partition("\n\nApplicant")[0] for example in applicants()}
    assert len(manuals) > 500
    assert {example.target.rpartition(" ")[2] for example in applicants()} == set("123456")
    assert not any("male" in example.context or "west" in example.context for example in applicants())


@pytest.mark.parametrize(
    ("target", "parsed", "decision", "rule", "taken_on", "turned_away"),
    [
        ("decline; rule 2", "decline; rule 2", 1, 1, 0, 0),
        ("decline; rule 2", "decline; rule 3", 1, 0, 0, 0),
        ("decline; rule 2", "accept; rule 6", 0, 0, 900, 0),
        ("refer; rule 1", "accept; rule 6", 0, 0, 900, 0),
        ("accept; rule 6", "decline; rule 2", 0, 0, 0, 900),
        ("accept; rule 6", "refer; rule 2", 0, 0, 0, 0),
        ("refer; rule 1", None, 0, 0, 0, 0),
    ],
)
def test_a_decision_counts_with_and_without_its_rule_and_in_money(
    target: str, parsed: str | None, decision: float, rule: float, taken_on: float, turned_away: float
) -> None:
    answer = Answer("1", "", target, parsed or "?", parsed, amount=900.0)
    scored = {metric.name: metric.score(answer) for metric in underwriting.TASK.metrics if metric.name != "decision_f1"}
    assert scored == {
        "decision": decision,
        "decision_and_rule": rule,
        "taken_on": taken_on,
        "turned_away": turned_away,
    }


CODED = (
    "The client has attributes: X1: A11, X2: 6, X3: A34, X4: A43, X5: 1169, X6: A65, X7: A75, X8: 4, X9: A93, "
    "X10: A101, X11: 4, X12: A121, X13: {age}, X14: A143, X15: A152, X16: 2, X17: A173, X18: 1, X19: A192, X20: A201."
)


def write_credit(folder: Path) -> None:
    """Write files of the published form, as Parquet."""
    import pandas

    (folder / "data").mkdir(parents=True)
    for split, first in (("train", 20), ("valid", 40), ("test", 60)):
        rows = [
            {"id": n, "text": CODED.format(age=first + n), "answer": ("good", "bad")[n % 2], "gold": n % 2}
            for n in range(6)
        ]
        pandas.DataFrame(rows).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def test_credit_shows_codes_in_words_and_leaves_out_who_the_applicant_is(tmp_path: Path) -> None:
    write_credit(tmp_path / "flare_german")
    splits = loading.load_splits(registry.task("credit"), data_dir=tmp_path)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (6, 6, 6)
    text = splits.test[0].context
    assert text.splitlines()[:3] == ["Checking account: overdrawn", "Duration, months: 6", "Credit history: critical, or credits elsewhere"]  # fmt: skip
    assert "Age: 60" in text
    assert not re.search(r"\bA\d", text)
    assert "201" not in text


@pytest.mark.parametrize(("target", "parsed", "cost"), [("bad", "good", 5), ("good", "bad", 1), ("good", None, 1)])
def test_a_bad_risk_granted_credit_costs_five_times_a_good_one_refused(
    target: str, parsed: str | None, cost: float
) -> None:
    metric = next(metric for metric in credit.TASK.metrics if metric.name == "cost")
    assert metric.score(Answer("1", "", target, parsed or "?", parsed)) == cost


def test_both_ways_of_writing_the_codes_are_read() -> None:
    plain = credit.example({"text": CODED.format(age=33), "answer": "good"}, "1")
    spoken = CODED.format(age=33).replace(": A", " is A").replace("X2:", "The state of X2 is")
    assert credit.example({"text": spoken, "answer": "good"}, "1").context == plain.context

"""Underwrite an application for medical cover by the insurer's manual: accept, decline or refer, and by which rule?

Applicants and rules are the columns of a table, which trees are made for: they get most decisions right (docs/tasks.md). The
rule that is cited has to be looked for.

The applicants are the simulated US policyholders of B. Lantz, "Machine Learning with R" (public domain according to the
repository). The manuals are this project's: six rules, and the first that applies decides. The order and the limits of the
rules differ between applicants, sampled by the hash of the applicant's data, so the manual has to be read. Sex and region
are not shown.

Metrics count right decisions and right decisions with their rule. In money they count the year's charges at stake: of people
taken on against the manual, and of people declined against it. An unreadable answer goes to an underwriter and counts for
neither.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness import Answer, Example, Metric, Task, metrics, prompts, published
from tasks import _policyholders

ACCEPT, DECLINE, REFER = "accept", "decline", "refer"
LABELS = (*(f"{decision}; rule {n}" for decision in (DECLINE, REFER) for n in range(1, 6)), f"{ACCEPT}; rule 6")


class Applicant(NamedTuple):
    """The data of an applicant that the rules use."""

    age: int
    bmi: float
    smokes: bool


class Rule(NamedTuple):
    """One rule of a manual: its decision, its people in words, and a test whether it applies to an applicant."""

    decision: str
    of_whom: str
    applies: Callable[[Applicant], bool]


def manual(draw: random.Random) -> list[Rule]:
    """Return the rules of one insurer in their order; the last rule applies to everybody else."""
    heavy, stout, smoker_bmi = draw.choice((37, 38, 40)), draw.choice((33, 34, 35)), draw.choice((27, 28, 30))
    old, smoker_age = draw.choice((55, 58, 60)), draw.choice((35, 40, 45))
    rules = [
        Rule(DECLINE, f"a body mass index of {heavy} or more", lambda person: person.bmi >= heavy),
        Rule(DECLINE, f"smokers aged {smoker_age} or more", lambda person: person.smokes and person.age >= smoker_age),
        Rule(
            REFER,
            f"smokers with a body mass index of {smoker_bmi} or more",
            lambda person: person.smokes and person.bmi >= smoker_bmi,
        ),
        Rule(REFER, f"applicants aged {old} or more", lambda person: person.age >= old),
        Rule(REFER, f"a body mass index of {stout} or more", lambda person: person.bmi >= stout),
    ]
    draw.shuffle(rules)
    return [*rules, Rule(ACCEPT, "everybody else", lambda person: True)]


def example(person: published.Cells, id: str) -> Example:
    """Return an application as an example, under its own random manual."""
    data = json.dumps(person, sort_keys=True)
    rules = manual(random.Random(hashlib.sha256(data.encode()).digest()))
    applicant = Applicant(int(person["age"]), float(person["bmi"]), person["smoker"] == "yes")
    texts = "\n".join(f"Rule {n}: {rule.decision} {rule.of_whom}." for n, rule in enumerate(rules, start=1))
    profile = f"Age: {applicant.age}\nBody mass index: {applicant.bmi:g}\nChildren: {person['children']}\nSmoker: {person['smoker']}"
    context = f"Underwriting manual. The first rule that applies decides.\n{texts}\n\nApplicant\n{profile}"
    target = next(f"{rule.decision}; rule {n}" for n, rule in enumerate(rules, start=1) if rule.applies(applicant))
    question = "What does the manual decide, and by which rule?"
    amount = float(person["charges"])
    return Example(id, question, target, LABELS, context=context, slices={"smoker": person["smoker"]}, amount=amount)


def decision(text: str) -> str:
    """Return the decision of an answer without its rule."""
    return text.partition(";")[0]


def right(answer: Answer) -> float:
    """Return 1.0 if the decision is right, for any rule."""
    return float(answer.parsed is not None and decision(answer.parsed) == decision(answer.target))


def taken_on(answer: Answer) -> float:
    """Return the year's charges in USD of a person accepted against the manual."""
    return answer.amount if answer.parsed and decision(answer.parsed) == ACCEPT and not right(answer) else 0.0


def turned_away(answer: Answer) -> float:
    """Return the year's charges in USD of a person declined whom the manual would accept."""
    wrong = answer.parsed is not None and decision(answer.parsed) == DECLINE and decision(answer.target) == ACCEPT
    return answer.amount if wrong else 0.0


def chance(examples: Sequence[Example]) -> float:
    """Return the share of the commonest decision, the score of always giving it."""
    return max(Counter(decision(example.target) for example in examples).values()) / len(examples)


TASK = Task(
    name="underwriting",
    version=3,
    title="Underwriting: decision and rule by the manual (a table: trees are made for it)",
    source=_policyholders.SOURCE,
    load=published.Load(_policyholders.FILES, example),
    prompt=prompts.question_answer,
    metrics=(
        Metric("decision", "Decision", right),
        Metric("decision_and_rule", "Decision and rule", metrics.accuracy.score),
        metrics.macro_f1_of(decision, name="decision_f1", title="Decision, macro-F1"),
        Metric("taken_on", "Taken on against the manual", taken_on, higher_is_better=False, unit="USD per applicant"),
        Metric("turned_away", "Turned away", turned_away, higher_is_better=False, unit="USD per applicant"),
    ),
    chance=chance,
    guess="always giving the commonest decision",
    suites=("insurance",),
)

"""Underwrite an application for medical cover by the insurer's manual: accept, decline or refer, and by which rule?

The applicants are the simulated US policyholders of B. Lantz, "Machine Learning with R" (public domain according to the
repository). The manuals are this project's: six rules, of which the first that applies decides. Their order and their
limits differ from applicant to applicant, drawn by the hash of what is known of them, so the manual has to be read. Sex
and region are not shown.

Right and wrong is counted for the decision and for the decision with its rule; and in money, with the year's charges at
stake: of people taken on whom the manual would decline or refer, and of people declined whom it would accept. An answer
that cannot be read goes to an underwriter and counts for neither.
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
    """What the rules look at."""

    age: int
    bmi: float
    smokes: bool


class Rule(NamedTuple):
    """One rule of a manual: what it decides, of whom in words, and whether it applies to an applicant."""

    decision: str
    of_whom: str
    applies: Callable[[Applicant], bool]


def manual(draw: random.Random) -> list[Rule]:
    """Return the rules of one insurer in their order; the last one takes everybody else."""
    heavy, stout, smoker_bmi = draw.choice((37, 38, 40)), draw.choice((33, 34, 35)), draw.choice((27, 28, 30))
    old, smoker_age = draw.choice((55, 58, 60)), draw.choice((35, 40, 45))
    rules = [
        Rule(DECLINE, f"a body mass index of {heavy} or more", lambda who: who.bmi >= heavy),
        Rule(DECLINE, f"smokers aged {smoker_age} or more", lambda who: who.smokes and who.age >= smoker_age),
        Rule(
            REFER,
            f"smokers with a body mass index of {smoker_bmi} or more",
            lambda who: who.smokes and who.bmi >= smoker_bmi,
        ),
        Rule(REFER, f"applicants aged {old} or more", lambda who: who.age >= old),
        Rule(REFER, f"a body mass index of {stout} or more", lambda who: who.bmi >= stout),
    ]
    draw.shuffle(rules)
    return [*rules, Rule(ACCEPT, "everybody else", lambda who: True)]


def example(person: published.Cells, id: str) -> Example:
    """Return an application under the manual drawn for it."""
    known = json.dumps(person, sort_keys=True)
    rules = manual(random.Random(hashlib.sha256(known.encode()).digest()))
    who = Applicant(int(person["age"]), float(person["bmi"]), person["smoker"] == "yes")
    texts = "\n".join(f"Rule {n}: {rule.decision} {rule.of_whom}." for n, rule in enumerate(rules, start=1))
    shown = f"Age: {who.age}\nBody mass index: {who.bmi:g}\nChildren: {person['children']}\nSmoker: {person['smoker']}"
    context = f"Underwriting manual. The first rule that applies decides.\n{texts}\n\nApplicant\n{shown}"
    target = next(f"{rule.decision}; rule {n}" for n, rule in enumerate(rules, start=1) if rule.applies(who))
    asked = "What does the manual decide, and by which rule?"
    amount = float(person["charges"])
    return Example(id, asked, target, LABELS, context=context, slices={"smoker": person["smoker"]}, amount=amount)


def decision(text: str) -> str:
    """Return the decision of an answer without its rule."""
    return text.partition(";")[0]


def right(answer: Answer) -> float:
    """Return 1.0 where the decision is right, whatever the rule."""
    return float(answer.parsed is not None and decision(answer.parsed) == decision(answer.target))


def taken_on(answer: Answer) -> float:
    """Return the year's charges in USD of somebody accepted whom the manual would not accept."""
    return answer.amount if answer.parsed and decision(answer.parsed) == ACCEPT and not right(answer) else 0.0


def turned_away(answer: Answer) -> float:
    """Return the year's charges in USD of somebody declined whom the manual would accept."""
    wrong = answer.parsed is not None and decision(answer.parsed) == DECLINE and decision(answer.target) == ACCEPT
    return answer.amount if wrong else 0.0


def chance(examples: Sequence[Example]) -> float:
    """Return the share of the commonest decision: what always giving it scores."""
    return max(Counter(decision(example.target) for example in examples).values()) / len(examples)


TASK = Task(
    name="underwriting",
    version=3,
    title="Underwriting: decision and rule by the manual",
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
)

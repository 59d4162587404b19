"""The gold of the claims task: against cases worked by hand, and against a second route from the text alone.

The second route shares nothing with the generator but its vocabulary of causes, items and papers: it reads the facts
out of the rendered text by key words and decides with rules written anew, in whole cents.
"""

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.data.claims.adjudicate import Claim, Policy, adjudicate
from tasks.data.claims.policy_wording import CLAUSES
from tasks.data.claims.world import LINES

FOLDER = Path(__file__).parents[2] / "tasks" / "data" / "claims"

# In force all of 2023, limit 5000, no deductible, flood and theft excluded; clauses 1 to 11 in the order of CLAUSES:
# 1 cover, 2 in force, 3 waiting, 4 exclusion, 5 papers, 6 duplicate, 7 authority, 8 sub-limit, 9 deductible,
# 10 coinsurance, 11 limit.
POLICY = Policy(
    line="home",
    start=datetime.date(2023, 1, 1),
    end=datetime.date(2023, 12, 31),
    excluded=("flood", "theft"),
    deductible=Decimal(0),
    limit=Decimal(5000),
    clauses={kind: number for number, kind in enumerate(CLAUSES, 1)},
    order=CLAUSES[1:],
)
CLAIM = Claim(datetime.date(2023, 6, 15), "hail", "roof", Decimal(1000), ("invoice", "photos"))

# What differs from the policy and the claim above, and the answer worked out by hand.
BY_HAND = [
    ("plain", "", "", "pay; 1000.00; clause 1"),
    ("first day", "", "date=2023-01-01", "pay; 1000.00; clause 1"),
    ("last day", "", "date=2023-12-31", "pay; 1000.00; clause 1"),
    ("day before", "", "date=2022-12-31", "deny; 0.00; clause 2"),
    ("day after", "", "date=2024-01-01", "deny; 0.00; clause 2"),
    ("years after", "", "date=2026-06-15", "deny; 0.00; clause 2"),
    ("in the waiting period", "waiting_until=2023-03-31", "date=2023-02-10", "deny; 0.00; clause 3"),
    ("last waiting day", "waiting_until=2023-03-31", "date=2023-03-31", "deny; 0.00; clause 3"),
    ("first day after waiting", "waiting_until=2023-03-31", "date=2023-04-01", "pay; 1000.00; clause 1"),
    ("before the policy and its waiting period", "waiting_until=2023-03-31", "date=2022-10-01", "deny; 0.00; clause 2"),
    ("excluded, first of the list", "", "cause=flood", "deny; 0.00; clause 4"),
    ("excluded, last of the list", "", "cause=theft", "deny; 0.00; clause 4"),
    ("excluded and out of force", "", "cause=theft date=2024-02-01", "deny; 0.00; clause 2"),
    ("excluded in the waiting period", "waiting_until=2023-07-01", "cause=flood", "deny; 0.00; clause 3"),
    ("paper sent", "papers=invoice", "", "pay; 1000.00; clause 1"),
    ("paper missing", "papers=receipt", "", "refer; 0.00; clause 5"),
    ("one of two papers missing", "papers=invoice,receipt", "", "refer; 0.00; clause 5"),
    ("no papers sent", "papers=invoice", "papers=", "refer; 0.00; clause 5"),
    ("excluded with a paper missing", "papers=receipt", "cause=theft", "deny; 0.00; clause 4"),
    ("duplicate", "refer_duplicates=yes", "earlier=2023-06-15,1000", "refer; 0.00; clause 6"),
    ("same date, other amount", "refer_duplicates=yes", "earlier=2023-06-15,1010", "pay; 1000.00; clause 1"),
    ("same amount, other date", "refer_duplicates=yes", "earlier=2023-06-14,1000", "pay; 1000.00; clause 1"),
    ("no duplicates clause", "", "earlier=2023-06-15,1000", "pay; 1000.00; clause 1"),
    (
        "paper missing from a duplicate",
        "refer_duplicates=yes papers=receipt",
        "earlier=2023-06-15,1000",
        "refer; 0.00; clause 5",
    ),
    ("above authority", "authority=2000", "amount=2000.01", "refer; 0.00; clause 7"),
    ("equal to authority", "authority=2000", "amount=2000", "pay; 2000.00; clause 1"),
    ("above authority and limit", "authority=6000", "amount=7000", "refer; 0.00; clause 7"),
    ("above limit", "", "amount=5200", "pay in part; 5000.00; clause 11"),
    ("equal to limit", "", "amount=5000", "pay; 5000.00; clause 1"),
    ("a cent above limit", "", "amount=5000.01", "pay in part; 5000.00; clause 11"),
    ("sub-limit", "sublimit_item=roof sublimit=400", "", "pay in part; 400.00; clause 8"),
    ("sub-limit of another item", "sublimit_item=carpet sublimit=400", "", "pay; 1000.00; clause 1"),
    ("equal to sub-limit", "sublimit_item=roof sublimit=1000", "", "pay; 1000.00; clause 1"),
    ("deductible", "deductible=250", "", "pay in part; 750.00; clause 9"),
    ("deductible with cents", "deductible=250", "amount=1240.45", "pay in part; 990.45; clause 9"),
    ("equal to deductible", "deductible=250", "amount=250", "deny; 0.00; clause 9"),
    ("below deductible", "deductible=250", "amount=120", "deny; 0.00; clause 9"),
    ("a cent above deductible", "deductible=250", "amount=250.01", "pay in part; 0.01; clause 9"),
    ("coinsurance", "share=80", "", "pay in part; 800.00; clause 10"),
    ("coinsurance, half a cent up", "share=90", "amount=100.05", "pay in part; 90.05; clause 10"),
    ("sub-limit below the deductible", "sublimit_item=roof sublimit=200 deductible=250", "", "deny; 0.00; clause 9"),
    # 1000 - 600 by the sub-limit, - 100 deductible = 300
    (
        "sub-limit, then deductible",
        "sublimit_item=roof sublimit=400 deductible=100",
        "",
        "pay in part; 300.00; clause 8",
    ),
    # 1000 - 200 = 800; 80 % of it 640: deductible took 200, coinsurance 160
    ("deductible, then coinsurance", "deductible=200 share=80", "", "pay in part; 640.00; clause 9"),
    # 1000 - 100 = 900; 50 % of it 450: coinsurance took 450
    ("coinsurance takes more", "deductible=100 share=50", "", "pay in part; 450.00; clause 10"),
    # 1000 - 200 = 800; 75 % of it 600: both took 200, the earlier step is named
    ("a tie goes to the earlier step", "deductible=200 share=75", "", "pay in part; 600.00; clause 9"),
    # 9000 - 500 = 8500, limit 5000 takes 3500
    ("deductible, then limit", "deductible=500", "amount=9000", "pay in part; 5000.00; clause 11"),
    # 5400 - 500 = 4900, below the limit
    ("deductible brings it below the limit", "deductible=500", "amount=5400", "pay in part; 4900.00; clause 9"),
    # 9000 at 90 % = 8100, limit takes 3100, coinsurance 900
    ("coinsurance, then limit", "share=90", "amount=9000", "pay in part; 5000.00; clause 11"),
    # 4000 -> 2000 by sub-limit, - 300 = 1700, 70 % = 1190
    (
        "three cuts",
        "sublimit_item=roof sublimit=2000 deductible=300 share=70",
        "amount=4000",
        "pay in part; 1190.00; clause 8",
    ),
]


# The same with another order of clauses.
BY_HAND_IN_ORDER = [
    ("excluded with a paper missing, papers first", "5 4", "papers=receipt", "cause=theft", "refer; 0.00; clause 5"),
    ("excluded and out of force, exclusion first", "4 2", "", "cause=theft date=2024-02-01", "deny; 0.00; clause 4"),
    # 80 % of 1000 is 800, - 200 = 600: both took 200, coinsurance came first
    ("coinsurance, then deductible", "10 9", "deductible=200 share=80", "", "pay in part; 600.00; clause 10"),
    # 1000 - 100 = 900, sub-limit 400 takes 500
    (
        "deductible, then sub-limit",
        "9 8",
        "deductible=100 sublimit_item=roof sublimit=400",
        "",
        "pay in part; 400.00; clause 8",
    ),
]


def changed(text: str) -> dict[str, Any]:
    """Read `name=value` pairs into the fields of a policy or claim."""
    pairs = dict(word.split("=") for word in text.split())
    made: dict[str, Any] = {}
    for name, value in pairs.items():
        if name in ("date", "waiting_until"):
            made[name] = datetime.date.fromisoformat(value)
        elif name == "papers":
            made[name] = tuple(filter(None, value.split(",")))
        elif name == "earlier":
            made[name] = (datetime.date.fromisoformat(value.split(",")[0]), Decimal(value.split(",")[1]))
        elif name == "refer_duplicates":
            made[name] = True
        else:
            made[name] = value if name in ("cause", "item", "sublimit_item") else Decimal(value)
    return made


@pytest.mark.parametrize(
    ("policy", "claim", "answer"), [case[1:] for case in BY_HAND], ids=[case[0] for case in BY_HAND]
)
def test_a_case_worked_by_hand_is_decided_as_worked(policy: str, claim: str, answer: str) -> None:
    assert adjudicate(replace(POLICY, **changed(policy)), replace(CLAIM, **changed(claim))).text == answer


def test_there_are_thirty_cases_and_every_clause_decides_one() -> None:
    assert len(BY_HAND) >= 30
    assert {int(case[3].rsplit(" ", 1)[1]) for case in BY_HAND} == set(range(1, 12))


# ---- the second route


@dataclass
class Read:
    """What the text of a case says: amounts in cents, dates as text (ISO dates sort as text), numbers of clauses."""

    clause: dict[str, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    period: list[str] = field(default_factory=list)
    waiting: str = ""
    cents: dict[str, int] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)
    loss_date: str = ""
    earlier_date: str = ""


@pytest.mark.parametrize(
    ("order", "policy", "claim", "answer"),
    [case[1:] for case in BY_HAND_IN_ORDER],
    ids=[case[0] for case in BY_HAND_IN_ORDER],
)
def test_the_order_of_the_policy_decides(order: str, policy: str, claim: str, answer: str) -> None:
    first = tuple(CLAUSES[int(number) - 1] for number in order.split())
    kinds = first + tuple(kind for kind in CLAUSES[1:] if kind not in first)
    ordered = replace(POLICY, **changed(policy), order=kinds)
    assert adjudicate(ordered, replace(CLAIM, **changed(claim))).text == answer


DATE = re.compile(r"\d{4}-\d\d-\d\d")
NUMBERED = re.compile(r"(?:Clause |No\. |Cl\. )?[\[(<]?(\d{1,2})(?:[\])>]:?|[.:]\)?| -) (.+)")
KEY_WORDS = {
    "in force": "in force",
    "waiting": "waiting",
    "exclu": "exclusion",
    "papers": "papers",
    "earlier claim": "duplicate",
    "refer": "authority",
    "sub-limit": "sub-limit",
    "deductible": "deductible",
    "coinsurance": "coinsurance",
    "limit": "limit",
    "cover": "cover",
}


def spotted(text: str, vocabulary: list[str]) -> list[str]:
    """Return the words of a vocabulary that stand in a text."""
    return [word for word in vocabulary if re.search(rf"(?<![a-z-]){re.escape(word)}(?![a-z])", text)]


def amount_in(text: str) -> int:
    """Return the one amount or percentage of a text, in cents (percent times 100), dates apart."""
    (only,) = re.findall(r"\d+(?:\.\d\d)?(?!\d)", DATE.sub("", text))
    return round(float(only) * 100)


def read_case(text: str) -> Read:
    """Read schedule and report, line by line, by key words."""
    header, *lines = text.split("\n")
    (line,) = [line for line in LINES if line.name in header.lower()]
    causes, items, papers = sorted(line.causes), list(line.items), list(line.papers)
    case = Read()
    for row in lines:
        if numbered := NUMBERED.fullmatch(row):
            said = numbered[2]
            kind = next(kind for key, kind in KEY_WORDS.items() if key in said.lower())
            assert kind not in case.clause
            case.clause[kind] = int(numbered[1])
            if kind == "in force":
                case.period = DATE.findall(said)
            elif kind == "waiting":
                (case.waiting,) = DATE.findall(said)
            elif kind == "exclusion":
                case.words["excluded"] = spotted(said, causes)
            elif kind == "papers":
                case.words["needed"] = spotted(said, papers)
            elif kind not in ("cover", "duplicate"):
                case.cents[kind] = amount_in(said)
            if kind == "sub-limit":
                case.words["sub-limit"] = spotted(said, items)
        elif "order" in row.lower() or "clauses" in row.lower():
            case.order = [int(number) for number in re.findall(r"\d+", row)]
        elif "earlier claim" in row.lower():
            (case.earlier_date,) = DATE.findall(row)
            case.cents["earlier"] = amount_in(row)
        elif "papers" in row.lower():
            case.words["sent"] = spotted(row, papers)
        elif "claimed" in row.lower():
            case.words["item"] = spotted(row, items)
            case.cents["claimed"] = amount_in(row)
        else:
            (case.loss_date,) = DATE.findall(row)
            case.words["cause"] = spotted(row, causes)
    assert len(case.words["cause"]) == len(case.words["item"]) == 1
    return case


def decide_again(case: Read) -> str:
    """Decide a case read from its text, by rules written apart from the generator's."""
    claimed, words = case.cents["claimed"], case.words

    def nothing(decision: str, kind: str) -> str:
        return f"{decision}; 0.00; clause {case.clause[kind]}"

    kind_of = {number: kind for kind, number in case.clause.items()}
    order = [kind_of[number] for number in case.order]
    assert sorted(order) == sorted(set(case.clause) - {"cover"})
    same_as_before = (case.loss_date, claimed) == (case.earlier_date, case.cents.get("earlier"))
    against = {
        "in force": not case.period[0] <= case.loss_date <= case.period[-1],
        "waiting": case.waiting >= case.loss_date,
        "exclusion": bool(set(words["cause"]) & set(words["excluded"])),
        "papers": bool(set(words.get("needed", ())) - set(words.get("sent", ()))),
        "duplicate": same_as_before,
        "authority": claimed > case.cents.get("authority", claimed),
    }
    for kind in order:
        if against.get(kind):
            return nothing("refer" if kind in ("papers", "duplicate", "authority") else "deny", kind)
    taken, rest = {}, claimed
    for kind in [kind for kind in order if kind not in against]:
        if kind == "sub-limit":
            cut = max(0, rest - case.cents[kind]) if words["sub-limit"] == words["item"] else 0
        elif kind == "coinsurance":
            cut = rest - (rest * case.cents[kind] + 5000) // 10000
        else:
            cut = min(rest, case.cents[kind]) if kind == "deductible" else max(0, rest - case.cents[kind])
        taken[kind] = cut
        rest -= cut
    payable = claimed - sum(taken.values())
    if payable == 0:
        return nothing("deny", "deductible")
    biggest = sorted(taken, key=taken.__getitem__, reverse=True)[0]
    decision, kind = ("pay", "cover") if payable == claimed else ("pay in part", biggest)
    return f"{decision}; {payable // 100}.{payable % 100:02d}; clause {case.clause[kind]}"


def rows() -> Iterator[dict[str, Any]]:
    for split in ("train", "validation", "test"):
        yield from map(json.loads, (FOLDER / f"{split}.jsonl").read_text().splitlines())


def test_every_gold_answer_follows_from_the_text_by_a_second_route() -> None:
    wrong = [row["id"] for row in rows() if decide_again(read_case(row["context"])) != row["answer"]]
    assert not wrong


def test_the_second_route_notices_a_changed_text() -> None:
    row = next(row for row in rows() if row["reason"] == "limit")
    limit = read_case(row["context"]).cents["limit"] // 100
    assert decide_again(read_case(re.sub(rf"\b{limit}\b", "99000", row["context"]))) != row["answer"]

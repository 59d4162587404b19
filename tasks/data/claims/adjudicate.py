"""The rules of the gold answers: from a policy and a claim to a decision, an amount and a clause.

Pure and exact (Decimal). Each policy states the order in which its clauses apply. Those that deny or refer come first, and the
first of them that holds decides:

    in force      the date of loss lies outside the period (both ends count as inside)        deny
    waiting       the date of loss is not later than the last day of the waiting period       deny
    exclusion     the cause is on the list of excluded causes                                 deny
    papers        a required paper is missing                                                 refer
    duplicate     an earlier claim has the same date and amount                               refer
    authority     the claimed amount is above the sum that may be settled without referral    refer

Then the clauses of money reduce the claimed amount, each what the one before it has left: sub-limit, deductible, coinsurance,
limit, or with the deductible after the coinsurance. If nothing remains, the claim is denied by the deductible. If the full
amount remains, the decision is "pay" by the insuring clause. Otherwise it is "pay in part" by the clause with the largest
reduction (of two equal ones, the earlier one in the order).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
OBSTACLES = {
    "in force": "deny",
    "waiting": "deny",
    "exclusion": "deny",
    "papers": "refer",
    "duplicate": "refer",
    "authority": "refer",
}


@dataclass(frozen=True)
class Policy:
    """The content of a schedule. Amounts are in USD, `share` in percent; None or empty if there is no such clause.

    `clauses` gives the printed number of each clause by its kind, `order` the kinds in the order in which they apply, without
    the insuring clause.
    """

    line: str
    start: datetime.date
    end: datetime.date
    excluded: tuple[str, ...]
    deductible: Decimal
    limit: Decimal
    clauses: Mapping[str, int]
    order: tuple[str, ...]
    waiting_until: datetime.date | None = None
    papers: tuple[str, ...] = ()
    refer_duplicates: bool = False
    authority: Decimal | None = None
    sublimit_item: str = ""
    sublimit: Decimal | None = None
    share: Decimal = Decimal(100)


@dataclass(frozen=True)
class Claim:
    """The content of a claim report. `earlier` is the date and amount of the claim filed before this one, if any."""

    date: datetime.date
    cause: str
    item: str
    amount: Decimal
    papers: tuple[str, ...] = ()
    earlier: tuple[datetime.date, Decimal] | None = None


@dataclass(frozen=True)
class Outcome:
    """The decision, the amount payable in USD (two decimals), the number of the deciding clause, and the reason."""

    decision: str
    amount: Decimal
    clause: int
    reason: str

    @property
    def text(self) -> str:
        """Return the answer in one line, such as `pay in part; 1240.00; clause 4`."""
        return f"{self.decision}; {self.amount:.2f}; clause {self.clause}"


def adjudicate(policy: Policy, claim: Claim) -> Outcome:
    """Return the outcome of a claim under a policy, by the policy's own order of clauses."""

    def outcome(decision: str, kind: str, amount: Decimal = Decimal(0), reason: str = "") -> Outcome:
        return Outcome(decision, amount.quantize(CENT), policy.clauses[kind], reason or kind)

    for kind in policy.order:
        if kind in OBSTACLES and holds(kind, policy, claim):
            return outcome(OBSTACLES[kind], kind, reason="not in force" if kind == "in force" else kind)
    payable, cuts = settle(policy, claim)
    if payable == 0:
        return outcome("deny", "deductible", reason="below deductible")
    if payable == claim.amount:
        return outcome("pay", "cover", payable)
    return outcome("pay in part", max(cuts, key=lambda kind: cuts[kind]), payable)


def holds(kind: str, policy: Policy, claim: Claim) -> bool:
    """Return whether a clause denies or refers a claim, whatever the others say."""
    match kind:
        case "in force":
            return not policy.start <= claim.date <= policy.end
        case "waiting":
            return policy.waiting_until is not None and claim.date <= policy.waiting_until
        case "exclusion":
            return claim.cause in policy.excluded
        case "papers":
            return any(paper not in claim.papers for paper in policy.papers)
        case "duplicate":
            return policy.refer_duplicates and claim.earlier == (claim.date, claim.amount)
        case "authority":
            return policy.authority is not None and claim.amount > policy.authority
    raise ValueError(kind)


def bites(policy: Policy, claim: Claim) -> tuple[str, ...]:
    """Return the clauses that count for a claim: all that deny or refer it, or else all that reduce its amount."""
    obstacles = tuple(kind for kind in policy.order if kind in OBSTACLES and holds(kind, policy, claim))
    return obstacles or tuple(kind for kind, cut in settle(policy, claim)[1].items() if cut)


def settle(policy: Policy, claim: Claim) -> tuple[Decimal, dict[str, Decimal]]:
    """Return the amount payable for a covered claim, to the cent, and the reduction by each clause of money, in order."""
    rest = claim.amount
    cuts: dict[str, Decimal] = {}
    for kind in (kind for kind in policy.order if kind not in OBSTACLES):
        left = remainder(kind, rest, policy, claim)
        cuts[kind], rest = rest - left, left
    return rest, cuts


def remainder(kind: str, amount: Decimal, policy: Policy, claim: Claim) -> Decimal:
    """Return what a clause of money leaves of an amount."""
    match kind:
        case "sub-limit":
            counts = policy.sublimit is not None and claim.item == policy.sublimit_item
            return min(amount, policy.sublimit) if counts and policy.sublimit is not None else amount
        case "deductible":
            return max(amount - policy.deductible, Decimal(0))
        case "coinsurance":
            return (amount * policy.share / 100).quantize(CENT, ROUND_HALF_UP)
        case "limit":
            return min(amount, policy.limit)
    raise ValueError(kind)

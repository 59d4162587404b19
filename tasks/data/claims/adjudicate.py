"""The rules that make the gold answers: a policy and a claim in, a decision, an amount and a clause out.

Pure and exact (Decimal). The rules run in one fixed order and the first that holds decides:

    1. in force      the date of loss lies outside the period (both ends count as inside)        deny
    2. waiting       the date of loss is not later than the last day of the waiting period       deny
    3. exclusion     the cause is on the list of excluded causes                                 deny
    4. papers        a required paper is missing                                                 refer
    5. duplicate     an earlier claim has the same date and amount                               refer
    6. authority     the claimed amount is above the sum that may be settled without referral    refer
    7. money         sub-limit, then deductible, then coinsurance, then limit

After step 7 nothing left is a denial that relies on the deductible; the whole amount left is "pay" and relies on the
insuring clause; anything between is "pay in part" and relies on the clause that took off most (the earlier step
where two took off the same).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Policy:
    """What the schedule says. Amounts in USD, `share` in percent, None or empty where there is no such clause.

    `clauses` gives the number under which each clause is printed, by its kind.
    """

    line: str
    start: datetime.date
    end: datetime.date
    excluded: tuple[str, ...]
    deductible: Decimal
    limit: Decimal
    clauses: Mapping[str, int]
    waiting_until: datetime.date | None = None
    papers: tuple[str, ...] = ()
    refer_duplicates: bool = False
    authority: Decimal | None = None
    sublimit_item: str = ""
    sublimit: Decimal | None = None
    share: Decimal = Decimal(100)


@dataclass(frozen=True)
class Claim:
    """What the holder reports. `earlier` is the date and amount of the claim filed before this one, if any."""

    date: datetime.date
    cause: str
    item: str
    amount: Decimal
    papers: tuple[str, ...] = ()
    earlier: tuple[datetime.date, Decimal] | None = None


@dataclass(frozen=True)
class Outcome:
    """The decision, the amount payable in USD (two decimals), the number of the clause relied on and why."""

    decision: str
    amount: Decimal
    clause: int
    reason: str

    @property
    def text(self) -> str:
        """The answer in one line, such as `pay in part; 1240.00; clause 4`."""
        return f"{self.decision}; {self.amount:.2f}; clause {self.clause}"


def adjudicate(policy: Policy, claim: Claim) -> Outcome:
    """Return the outcome of a claim under a policy, by the order of rules in the module's docstring."""

    def outcome(decision: str, kind: str, amount: Decimal = Decimal(0), reason: str = "") -> Outcome:
        return Outcome(decision, amount.quantize(CENT), policy.clauses[kind], reason or kind)

    if not policy.start <= claim.date <= policy.end:
        return outcome("deny", "in force", reason="not in force")
    if policy.waiting_until is not None and claim.date <= policy.waiting_until:
        return outcome("deny", "waiting")
    if claim.cause in policy.excluded:
        return outcome("deny", "exclusion")
    if any(paper not in claim.papers for paper in policy.papers):
        return outcome("refer", "papers")
    if policy.refer_duplicates and claim.earlier == (claim.date, claim.amount):
        return outcome("refer", "duplicate")
    if policy.authority is not None and claim.amount > policy.authority:
        return outcome("refer", "authority")

    payable, cuts = settle(policy, claim)
    if payable == 0:
        return outcome("deny", "deductible", reason="below deductible")
    if payable == claim.amount:
        return outcome("pay", "cover", payable)
    return outcome("pay in part", max(cuts, key=lambda kind: cuts[kind]), payable)


def settle(policy: Policy, claim: Claim) -> tuple[Decimal, dict[str, Decimal]]:
    """Return the amount payable for a covered claim, to the cent, and what each step took off, in their order."""
    left = claim.amount
    cuts: dict[str, Decimal] = {}

    def keep(step: str, amount: Decimal) -> Decimal:
        cuts[step] = left - amount
        return amount

    if policy.sublimit is not None and claim.item == policy.sublimit_item:
        left = keep("sub-limit", min(left, policy.sublimit))
    left = keep("deductible", max(left - policy.deductible, Decimal(0)))
    left = keep("coinsurance", (left * policy.share / 100).quantize(CENT, ROUND_HALF_UP))
    left = keep("limit", min(left, policy.limit))
    return left, cuts

"""The rules of the gold answers: from a policy and a claim to a decision, an amount and a clause.

Pure and exact (Decimal). The rules run in one fixed order and the first that holds decides:

    1. in force      the date of loss lies outside the period (both ends count as inside)        deny
    2. waiting       the date of loss is not later than the last day of the waiting period       deny
    3. exclusion     the cause is on the list of excluded causes                                 deny
    4. papers        a required paper is missing                                                 refer
    5. duplicate     an earlier claim has the same date and amount                               refer
    6. authority     the claimed amount is above the sum that may be settled without referral    refer
    7. money         sub-limit, then deductible, then coinsurance, then limit

If nothing remains after step 7, the claim is denied by the deductible. If the full amount remains, the decision is "pay" by
the insuring clause. Otherwise it is "pay in part" by the clause with the largest reduction (of two equal ones, the earlier
step).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Policy:
    """The content of a schedule. Amounts are in USD, `share` in percent; None or empty if there is no such clause.

    `clauses` gives the printed number of each clause by its kind.
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
    """Return the amount payable for a covered claim, to the cent, and the reduction by each step, in order."""
    rest = claim.amount
    cuts: dict[str, Decimal] = {}

    def keep(step: str, amount: Decimal) -> Decimal:
        cuts[step] = rest - amount
        return amount

    if policy.sublimit is not None and claim.item == policy.sublimit_item:
        rest = keep("sub-limit", min(rest, policy.sublimit))
    rest = keep("deductible", max(rest - policy.deductible, Decimal(0)))
    rest = keep("coinsurance", (rest * policy.share / 100).quantize(CENT, ROUND_HALF_UP))
    rest = keep("limit", min(rest, policy.limit))
    return rest, cuts

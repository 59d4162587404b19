"""Random policies, and claims under them that are decided by a given reason.

Most claims have one decisive reason; one in twelve also breaks a later rule, so that the order of rules matters. All other
properties are sampled in the same way for every reason, so that they give no hint of the decision.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from tasks.data.claims.adjudicate import Claim, Policy, adjudicate
from tasks.data.claims.policy_wording import CLAUSES
from tasks.data.claims.world import Line

# The probability of a clause in a policy if its claims do not need it; other clauses are in every policy.
PRESENT = {"waiting": 0.35, "papers": 0.4, "duplicate": 0.2, "authority": 0.25, "sub-limit": 0.4, "coinsurance": 0.35}
WHOLE_AMOUNT = ("cover", "sub-limit", "coinsurance", "limit")  # reasons that a deductible would hide
DEDUCTIBLES = (100, 150, 200, 250, 300, 400, 500, 750, 1000)
SHARES = (90, 85, 80, 75, 70, 60, 50)
MOST_CLAUSES = 8  # keeps a prompt under 700 characters
UNTIDY = 1 / 12
BOUNDARY = 0.06


def draw_policy(rng: Random, line: Line, reason: str) -> Policy:
    """Return a policy under which `reason` can decide a claim."""
    kinds = draw_kinds(rng, reason)
    limit = rng.choice(line.limits)
    start = date(rng.randint(2018, 2025), rng.randint(1, 12), 1 if rng.random() < 0.6 else rng.randint(2, 28))
    deductible = Decimal(0)
    chance = {"cover": 0.0, "deductible": 1.0, "below deductible": 1.0, **dict.fromkeys(WHOLE_AMOUNT[1:], 0.12)}
    if rng.random() < chance.get(reason, 0.4):
        deductible = Decimal(rng.choice([d for d in DEDUCTIBLES if d * 6 <= limit]))
    share = Decimal(100)
    cut = {"cover": 0.0, "coinsurance": 1.0, "sub-limit": 0.06, "limit": 0.06, "deductible": 0.06}
    if "coinsurance" in kinds and rng.random() < cut.get(reason, 0.35):
        share = Decimal(rng.choice(SHARES))
    high = reason == "limit" or rng.random() < 0.4
    authority = limit * rng.uniform(*((2.0, 3.0) if high else (0.45, 0.85)))
    rng.shuffle(kinds)
    first = 1 if rng.random() < 0.6 else rng.randint(2, 20)
    return Policy(
        line=line.name,
        start=start,
        end=after_months(start, rng.choice((6, 12, 12, 12, 24))) - timedelta(days=1),
        excluded=tuple(rng.sample(sorted(line.causes), rng.randint(2, 3))),
        deductible=deductible,
        limit=Decimal(limit),
        clauses={kind: first + index for index, kind in enumerate(kinds)},
        waiting_until=start + timedelta(days=rng.choice((14, 30, 60, 90)) - 1) if "waiting" in kinds else None,
        papers=tuple(rng.sample(line.papers, rng.randint(1, 2))) if "papers" in kinds else (),
        refer_duplicates="duplicate" in kinds,
        authority=round_to_step(authority, 250) if "authority" in kinds else None,
        sublimit_item=rng.choice(line.items) if "sub-limit" in kinds else "",
        sublimit=round_to_step(limit * rng.uniform(0.1, 0.4), 50) if "sub-limit" in kinds else None,
        share=share,
    )


def draw_kinds(rng: Random, reason: str) -> list[str]:
    """Return the kinds of clause of a policy: those that every policy has, the reason's, and some more."""
    while True:
        kinds = [kind for kind in CLAUSES if rng.random() < PRESENT.get(kind, 1.0) or kind == reason]
        if len(kinds) <= MOST_CLAUSES:
            return kinds


def draw_claim(rng: Random, policy: Policy, line: Line, reason: str) -> Claim | None:
    """Return a claim decided by `reason`, or None if this policy allows none."""
    for _ in range(40):
        cause = rng.choice(sorted(line.causes))
        sublimit_item = policy.sublimit_item if reason == "sub-limit" or rng.random() < 0.3 else ""
        item = sublimit_item if sublimit_item in line.causes[cause] else rng.choice(line.causes[cause])
        amount = draw_amount(rng, policy, item, reason)
        if amount is None:
            continue
        claim = Claim(
            date=draw_date(rng, policy, reason),
            cause=cause,
            item=item,
            amount=amount,
            papers=draw_papers(rng, policy, line, reason),
        )
        if reason == "duplicate":
            claim = replace(claim, earlier=(claim.date, claim.amount))
        if possible(policy, reason) and adjudicate(policy, claim).reason == reason:
            return claim
    return None


def possible(policy: Policy, reason: str) -> bool:
    """Return whether the policy has the clause that the reason relies on."""
    kind = {"not in force": "in force", "below deductible": "deductible"}.get(reason, reason)
    return kind in policy.clauses


def draw_date(rng: Random, policy: Policy, reason: str) -> date:
    """Return a date of loss on the side of the period and of the waiting period that the reason needs."""
    day = timedelta(days=1)
    edge = rng.random()
    if reason == "not in force":
        gap = day if edge < 2 * BOUNDARY else day * rng.randint(5, 300)
        return policy.start - gap if rng.random() < 0.5 else policy.end + gap
    first, last = policy.start, policy.end
    if reason == "waiting" and policy.waiting_until is not None:
        last = policy.waiting_until
    elif policy.waiting_until is not None:
        first = policy.waiting_until + day
    if edge < BOUNDARY:
        return first if rng.random() < 0.5 else last
    return first + day * rng.randint(0, (last - first).days)


def draw_amount(rng: Random, policy: Policy, item: str, reason: str) -> Decimal | None:
    """Return a claimed amount in the range for the reason, or None if the range is empty."""
    low, high = float(policy.deductible) * 1.2 + 100, float(policy.limit)
    if policy.authority is not None:
        high = min(high, float(policy.authority))
    if policy.sublimit is not None and item == policy.sublimit_item and reason != "sub-limit":
        high = min(high, float(policy.sublimit))
    edge = rng.random() < BOUNDARY * (3 if reason == "below deductible" else 1)
    if reason == "below deductible":
        low, high = float(policy.deductible) * 0.3, float(policy.deductible) * (1 if edge else 0.95)
    elif reason == "sub-limit" and policy.sublimit is not None:
        low, high, edge = float(policy.sublimit) * 1.15, min(high, float(policy.sublimit) * 3), False
    elif reason == "limit":
        low, high, edge = float(policy.limit) * 1.08, float(policy.limit) * 1.9, False
    elif reason == "authority" and policy.authority is not None:
        low, high, edge = float(policy.authority) * 1.08, float(policy.authority) * 1.8, False
    elif rng.random() < UNTIDY:
        high, edge = high * 1.6, False
    if low >= high:
        return None
    if edge:
        return Decimal(high).quantize(Decimal(1))
    return some_amount(rng, low, high)


def some_amount(rng: Random, low: float, high: float) -> Decimal:
    """Return an amount between two bounds, mostly a multiple of ten, one in ten with cents."""
    value = rng.uniform(low, high)
    if rng.random() < 0.1:
        return Decimal(int(value)) + Decimal(rng.randint(1, 19) * 5) / 100
    return Decimal(max(int(value), 1)) if rng.random() < 0.25 else max(round_to_step(value, 10), Decimal(10))


def draw_papers(rng: Random, policy: Policy, line: Line, reason: str) -> tuple[str, ...]:
    """Return two or three papers of the claim, with all required ones unless they are the reason.

    If the policy requires none, the report mostly names none.
    """
    if not policy.papers and rng.random() < 0.7:
        return ()
    sent = list(policy.papers)
    if reason == "papers" or (sent and rng.random() < UNTIDY):
        sent.remove(rng.choice(sent)) if sent else None
    spare = [paper for paper in line.papers if paper not in policy.papers]
    sent += rng.sample(spare, rng.randint(2, 3) - len(sent))
    rng.shuffle(sent)
    return tuple(sent)


def draw_earlier(rng: Random, policy: Policy, claim: Claim) -> tuple[date, Decimal] | None:
    """Return an earlier claim that is no duplicate: mostly date and amount differ, sometimes only one of them."""
    if not policy.refer_duplicates:
        return None
    other_date = claim.date - timedelta(days=rng.randint(20, 200))
    other_amount = some_amount(rng, 100, float(policy.limit))
    roll = rng.random()
    if roll < 0.08:
        return other_date, claim.amount
    if roll < 0.16:
        return claim.date, other_amount
    return other_date, other_amount


def after_months(start: date, months: int) -> date:
    """Return the same day of the month, `months` later (the day is 28 at most)."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, start.day)


def round_to_step(value: float, step: int) -> Decimal:
    """Return the multiple of `step` nearest to the value."""
    return Decimal(round(value / step) * step)

"""Random policies, and claims under them that are decided by a given reason.

A policy is of one of three tiers. Under "one rule" it has few clauses, and at most one counts for a claim. Under "two rules"
exactly two count, so that their order, or what the first leaves to the second, decides. A "file" has many clauses, and any
number of them count. Properties that do not decide are sampled in the same way for every reason, so that they give no hint.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Literal

from tasks.data.claims.adjudicate import Claim, Policy, adjudicate, bites
from tasks.data.claims.policy_wording import CLAUSES
from tasks.data.claims.world import Line

Tier = Literal["one rule", "two rules", "file"]

# The probability of a clause in a policy if its claims do not need it; other clauses are in every policy.
PRESENT: dict[Tier, dict[str, float]] = {
    "one rule": dict.fromkeys(("waiting", "papers", "duplicate", "authority", "sub-limit", "coinsurance"), 0.2),
    "two rules": dict.fromkeys(("waiting", "papers", "duplicate", "authority", "sub-limit", "coinsurance"), 0.4),
    "file": {"waiting": 0.5, "papers": 0.6, "duplicate": 0.4, "authority": 0.5, "sub-limit": 0.7, "coinsurance": 0.6},
}
CLAUSE_COUNTS: dict[Tier, tuple[int, int]] = {"one rule": (5, 7), "two rules": (6, 8), "file": (8, 10)}
OBSTACLE_ORDERS = (
    ("in force", "waiting", "exclusion", "papers", "duplicate", "authority"),
    ("exclusion", "in force", "waiting", "duplicate", "papers", "authority"),
    ("papers", "duplicate", "authority", "in force", "waiting", "exclusion"),
    ("in force", "authority", "waiting", "exclusion", "papers", "duplicate"),
)
MONEY_ORDERS = (
    ("sub-limit", "deductible", "coinsurance", "limit"),
    ("sub-limit", "coinsurance", "deductible", "limit"),
    ("deductible", "sub-limit", "coinsurance", "limit"),
)
WHOLE_AMOUNT = ("cover", "sub-limit", "coinsurance", "limit")  # reasons that a deductible would hide
DEDUCTIBLES = (50, 75, 100, 150, 200, 250, 300, 400, 500, 750, 1000)
SHARES = (90, 85, 80, 75, 70, 60, 50)
TRIES = {"one rule": 60, "two rules": 400, "file": 60}
MIXED = {"one rule": 0.0, "two rules": 1.0, "file": 0.4}  # the share of claims in which any clause may count
BOUNDARY = 0.06


def draw_policy(rng: Random, line: Line, reason: str, tier: Tier) -> Policy:
    """Return a policy under which `reason` can decide a claim."""
    kinds = draw_kinds(rng, reason, tier)
    limit = rng.choice(line.limits)
    start = date(rng.randint(2018, 2025), rng.randint(1, 12), 1 if rng.random() < 0.6 else rng.randint(2, 28))
    deductible, share = draw_cuts(rng, kinds, reason, tier, limit)
    high = reason == "limit" or rng.random() < 0.4
    authority = limit * rng.uniform(*((1.5, 2.5) if high else (0.45, 0.85)))
    item = rng.choice(line.items)
    low, top = line.prices[item]
    rng.shuffle(kinds)
    first = 1 if rng.random() < 0.6 else rng.randint(2, 20)
    order = (*rng.choice(OBSTACLE_ORDERS), *rng.choice(MONEY_ORDERS))
    return Policy(
        line=line.name,
        start=start,
        end=after_months(start, rng.choice((6, 12, 12, 12, 24))) - timedelta(days=1),
        excluded=tuple(rng.sample(sorted(line.causes), rng.randint(2, 3))),
        deductible=deductible,
        limit=Decimal(limit),
        clauses={kind: first + index for index, kind in enumerate(kinds)},
        order=tuple(kind for kind in order if kind in kinds),
        waiting_until=start + timedelta(days=rng.choice((14, 30, 60, 90)) - 1) if "waiting" in kinds else None,
        papers=tuple(rng.sample(line.papers, rng.randint(1, 2))) if "papers" in kinds else (),
        refer_duplicates="duplicate" in kinds,
        authority=round_to_step(authority, 250) if "authority" in kinds else None,
        sublimit_item=item if "sub-limit" in kinds else "",
        sublimit=draw_sublimit(rng, low, top, deductible, limit) if "sub-limit" in kinds else None,
        share=share,
    )


def draw_sublimit(rng: Random, low: int, top: int, deductible: Decimal, limit: int) -> Decimal:
    """Return a sub-limit for an item that costs from `low` to `top`: above the deductible and below the limit."""
    value = low + (top - low) * rng.uniform(0.1, 0.5)
    return round_to_step(min(max(value, 1.5 * float(deductible)), 0.9 * limit), 25)


def draw_cuts(rng: Random, kinds: list[str], reason: str, tier: Tier, limit: int) -> tuple[Decimal, Decimal]:
    """Return the deductible and the insurer's share in percent; 0 and 100 if they take nothing."""
    mixed = tier == "two rules"
    deductible, share = Decimal(0), Decimal(100)
    chance = {"cover": 0.0, "deductible": 1.0, "below deductible": 1.0, **dict.fromkeys(WHOLE_AMOUNT[1:], 0.12)}
    if rng.random() < (max(chance.get(reason, 0.4), 0.7) if mixed else chance.get(reason, 0.4)):
        deductible = Decimal(rng.choice([d for d in DEDUCTIBLES if d * 6 <= limit]))
    cut = {"cover": 0.0, "coinsurance": 1.0, "sub-limit": 0.06, "limit": 0.06, "deductible": 0.06}
    if "coinsurance" in kinds and rng.random() < (0.7 if mixed else cut.get(reason, 0.35)):
        share = Decimal(rng.choice(SHARES))
    return deductible, share


def draw_kinds(rng: Random, reason: str, tier: Tier) -> list[str]:
    """Return the kinds of clause of a policy: those that every policy has, the reason's, and some more."""
    low, high = CLAUSE_COUNTS[tier]
    while True:
        kinds = [kind for kind in CLAUSES if rng.random() < PRESENT[tier].get(kind, 1.0) or kind == reason]
        if low <= len(kinds) <= high:
            return kinds


def draw_claim(rng: Random, policy: Policy, line: Line, reason: str, tier: Tier) -> Claim | None:
    """Return a claim of a tier decided by `reason`, or None if this policy allows none."""
    if not possible(policy, reason):
        return None
    for _ in range(TRIES[tier]):
        claim = mixed_claim(rng, policy, line) if rng.random() < MIXED[tier] else plain_claim(rng, policy, line, reason)
        if claim is None or adjudicate(policy, claim).reason != reason:
            continue
        count = len(bites(policy, claim))
        if count <= 1 if tier == "one rule" else count == 2 or tier == "file":
            return claim
    return None


def plain_claim(rng: Random, policy: Policy, line: Line, reason: str) -> Claim | None:
    """Return a claim with the property of a reason and mostly no other; None if no amount is possible."""
    cause = rng.choice(sorted(line.causes))
    sublimit_item = policy.sublimit_item if reason == "sub-limit" or rng.random() < 0.3 else ""
    item = sublimit_item if sublimit_item in line.causes[cause] else rng.choice(line.causes[cause])
    amount = draw_amount(rng, policy, line, item, reason)
    if amount is None:
        return None
    day = draw_date(rng, policy, reason)
    papers = draw_papers(rng, policy, line, missing=reason == "papers")
    return Claim(day, cause, item, amount, papers, (day, amount) if reason == "duplicate" else None)


def mixed_claim(rng: Random, policy: Policy, line: Line) -> Claim:
    """Return a claim with each property on either side of its clause, at random."""
    cause = rng.choice(policy.excluded if rng.random() < 0.3 else sorted(line.causes))
    here = policy.sublimit_item in line.causes[cause] and rng.random() < 0.6
    item = policy.sublimit_item if here else rng.choice(line.causes[cause])
    low, high = line.prices[item]
    amount = some_amount(rng, low, high)
    day = draw_date(rng, policy, rng.choice(("cover", "cover", "cover", "not in force", "waiting")))
    papers = draw_papers(rng, policy, line, missing=rng.random() < 0.4)
    repeated = policy.refer_duplicates and rng.random() < 0.35
    return Claim(day, cause, item, amount, papers, (day, amount) if repeated else None)


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


def draw_amount(rng: Random, policy: Policy, line: Line, item: str, reason: str) -> Decimal | None:
    """Return a claimed amount in the item's and the reason's range, or None if they have nothing in common."""
    low, high = float(policy.deductible) * 1.2 + 50, float(policy.limit)
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
    cheap, dear = line.prices[item]
    if edge and not cheap <= high <= dear:
        return None
    low, high = max(low, cheap), min(high, dear)
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


def draw_papers(rng: Random, policy: Policy, line: Line, *, missing: bool) -> tuple[str, ...]:
    """Return two or three papers of the claim, with all required ones or with one of them missing.

    If the policy requires none, the report mostly names none.
    """
    if not policy.papers and rng.random() < 0.7:
        return ()
    sent = list(policy.papers)
    if missing and sent:
        sent.remove(rng.choice(sent))
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

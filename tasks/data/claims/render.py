"""The texts of a policy and a claim, in the wording of one split."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

from tasks.data.claims.adjudicate import Claim, Policy
from tasks.data.claims.claim_wording import CLAIM_WORDING
from tasks.data.claims.policy_wording import POLICY_WORDING

WORDING = {**POLICY_WORDING, **CLAIM_WORDING}

Picks = dict[str, int]  # the index of the split's template for each kind of sentence


def pick(rng: Random, split: str, wording: dict[str, dict[str, tuple[str, ...]]]) -> Picks:
    """Return a random template of the split for every kind of sentence."""
    return {kind: rng.randrange(len(sets[split])) for kind, sets in wording.items()}


def money(amount: Decimal) -> str:
    """Return an amount in USD as text, with cents only if there are any."""
    return f"{amount:.0f}" if amount == amount.to_integral_value() else f"{amount:.2f}"


def render_policy(policy: Policy, number: str, split: str, picks: Picks) -> str:
    """Return the schedule: a header and one numbered line per clause, in the order of their numbers."""

    def say(kind: str, **facts: object) -> str:
        return WORDING[kind][split][picks[kind]].format(**facts)

    amounts = {
        "authority": policy.authority,
        "sub-limit": policy.sublimit,
        "deductible": policy.deductible,
        "limit": policy.limit,
    }
    facts: dict[str, object] = {
        "line": policy.line,
        "start": policy.start,
        "end": policy.end,
        "until": policy.waiting_until,
        "causes": ", ".join(policy.excluded),
        "papers": ", ".join(policy.papers),
        "item": policy.sublimit_item,
        "share": policy.share,
    }
    order = ", ".join(str(policy.clauses[kind]) for kind in policy.order)
    lines = [say("header", policy=number, line=policy.line), say("order", order=order)]
    for kind, n in sorted(policy.clauses.items(), key=lambda pair: pair[1]):
        amount = amounts.get(kind)
        lines.append(say("number", n=n) + say(kind, **facts, amount="" if amount is None else money(amount)))
    return "\n".join(line[:1].upper() + line[1:] for line in lines)


def render_claim(claim: Claim, holder: str, split: str, picks: Picks, order: list[str]) -> str:
    """Return the claim report, one fact a line: the loss, then amount, papers and earlier claim in the given order."""

    def say(kind: str, **facts: object) -> str:
        return WORDING[kind][split][picks[kind]].format(**facts)

    sentences = {"amount": say("amount", item=claim.item, amount=money(claim.amount))}
    if claim.papers:
        sentences["sent"] = say("sent", papers=", ".join(claim.papers))
    if claim.earlier is not None:
        day, amount = claim.earlier
        sentences["earlier"] = say("earlier", date=day, amount=money(amount))
    loss = say("loss", holder=holder, cause=claim.cause, date=claim.date)
    return "\n".join([loss, *(sentences[kind] for kind in order if kind in sentences)])


def numbers(policy: Policy, claim: Claim) -> list[str]:
    """Return every amount and percentage in the text, as text, sorted, each once."""
    share = policy.share if "coinsurance" in policy.clauses else None
    amounts = [policy.limit, policy.deductible, share, policy.sublimit, policy.authority, claim.amount]
    if claim.earlier is not None:
        amounts.append(claim.earlier[1])
    return [money(amount) for amount in sorted({amount for amount in amounts if amount is not None})]


def boundary(policy: Policy, claim: Claim) -> str:
    """Return the name of the boundary on which the claim lies; empty if it lies on none."""
    days: dict[date | None, str] = {
        policy.waiting_until: "last waiting day",
        policy.start: "first day",
        policy.end: "last day",
    }
    if claim.date in days:
        return days[claim.date]
    if abs((claim.date - policy.start).days) == 1 or abs((claim.date - policy.end).days) == 1:
        return "day beside the period"
    edges = {policy.deductible: "deductible", policy.limit: "limit", policy.authority: "authority"}
    if claim.item == policy.sublimit_item:
        edges[policy.sublimit] = "sub-limit"
    return f"equals the {edges[claim.amount]}" if claim.amount in edges else ""

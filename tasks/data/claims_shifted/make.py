"""A script that writes test.jsonl, the same bytes every time: the claims of `claims` as another insurer would print them.

    python -m tasks.data.claims_shifted.make [folder]

Policies and claims are sampled, and gold is computed, by the scripts of `claims`. Their sets of amounts are new and do not
occur in `claims`. All printed text is new, too: headings, a fixed order of clauses, other words for each, pounds with pence,
and dates as `17 Jan 2024`. The form of the answer is the same.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

from tasks.data.claims.adjudicate import Claim, Policy, adjudicate
from tasks.data.claims.make import REASONS, draw_file, quotas
from tasks.data.claims.render import boundary, numbers
from tasks.data.claims.sample import Tier
from tasks.data.claims.world import LINES
from tasks.data.claims_shifted.wording import CLAIM, CLAUSES, HEADER, ORDER, PARTS, QUESTION

SEED = 20260611
SIZE = 250  # claims
HERE = Path(__file__).parent
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def pounds(amount: Decimal | None) -> str:
    """Return an amount in pounds as text, always with pence."""
    return "" if amount is None else f"£{amount:,.2f}"


def day(value: date | None) -> str:
    """Return a date as `17 Jan 2024`, independent of the machine's language."""
    return "" if value is None else f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def in_house_order(policy: Policy) -> Policy:
    """Return the policy with its clauses numbered from 1, in this insurer's printed order."""
    printed = [kind for kinds in PARTS.values() for kind in kinds if kind in policy.clauses]
    return replace(policy, clauses={kind: number for number, kind in enumerate(printed, 1)})


def render_policy(policy: Policy, number: str, picks: Random) -> str:
    """Return the policy: a head, then its parts, each with a heading and a line per clause."""
    amounts = {"authority": policy.authority, "sub-limit": policy.sublimit}
    amounts |= {"deductible": policy.deductible, "limit": policy.limit}
    facts = {
        "line": policy.line,
        "start": day(policy.start),
        "end": day(policy.end),
        "until": day(policy.waiting_until),
        "causes": " / ".join(policy.excluded),
        "papers": " / ".join(policy.papers),
        "item": policy.sublimit_item,
        "share": policy.share,
    }
    lines = [picks.choice(HEADER).format(line=policy.line, policy=number)]
    for heading, kinds in PARTS.items():
        clauses = [kind for kind in kinds if kind in policy.clauses]
        lines += [heading] if clauses else []
        for kind in clauses:
            sentence = picks.choice(CLAUSES[kind]).format(**facts, amount=pounds(amounts.get(kind)))
            lines.append(f"Clause {policy.clauses[kind]} | {sentence}")
    lines.append(picks.choice(ORDER).format(order=" > ".join(str(policy.clauses[kind]) for kind in policy.order)))
    return "\n".join(lines)


def render_claim(claim: Claim, holder: str, picks: Random) -> str:
    """Return the notification: the loss, the claimed amount, the documents, the earlier claim."""

    def say(kind: str, **facts: object) -> str:
        return picks.choice(CLAIM[kind]).format(**facts)

    lines = [say("loss", holder=holder, cause=claim.cause, date=day(claim.date))]
    lines.append(say("amount", item=claim.item, amount=pounds(claim.amount)))
    lines += [say("sent", papers=" / ".join(claim.papers))] if claim.papers else []
    if claim.earlier is not None:
        lines.append(say("earlier", date=day(claim.earlier[0]), amount=pounds(claim.earlier[1])))
    return "\n".join(lines)


def files() -> Iterator[tuple[Tier, Policy, list[Claim]]]:
    """Yield claim files of all tiers with the shares of reasons of `claims`, and without its sets of amounts."""
    rng, used = Random(f"{SEED} files"), _used_amounts()
    result = []
    for number, (tier, line) in enumerate(itertools.product(REASONS, LINES)):
        remaining = quotas((SIZE + number) // (len(REASONS) * len(LINES)), tier)
        while sum(remaining.values()):
            policy, claims = draw_file(rng, line, tier, remaining)
            amounts = {frozenset(numbers(policy, claim)) for claim in claims}
            if amounts & used:
                continue
            used |= amounts
            policy = in_house_order(policy)
            result.append((tier, policy, claims))
            for claim in claims:
                remaining[adjudicate(policy, claim).reason] -= 1
    rng.shuffle(result)
    yield from result


def _used_amounts() -> set[frozenset[str]]:
    """Return the sets of amounts in `claims`."""
    paths = sorted((HERE.parent / "claims").glob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    return {frozenset(json.loads(line)["numbers"]) for line in lines}


def rows() -> Iterator[dict[str, object]]:
    """Yield the rows of the file; the claims of a file show the same policy, word for word."""
    rng = Random(f"{SEED} wording")
    for index, (tier, policy, claims) in enumerate(files(), 1):
        name, number, holder = (
            f"shifted-{index:04d}",
            f"{rng.randint(100, 999)}/{rng.randint(10000, 99999)}",
            rng.randint(100000, 999999),
        )
        printed = render_policy(policy, number, rng)
        for turn, claim in enumerate(claims, 1):
            gold = adjudicate(policy, claim)
            yield {
                "id": f"{name}-{turn}",
                "file": name,
                "line": policy.line,
                "tier": tier,
                "context": f"{printed}\nNOTIFICATION\n{render_claim(claim, f'P-{holder}', rng)}",
                "question": rng.choice(QUESTION),
                "answer": gold.text,
                "decision": gold.decision,
                "amount": f"{gold.amount:.2f}",
                "clause": gold.clause,
                "reason": gold.reason,
                "boundary": boundary(policy, claim),
                "numbers": numbers(policy, claim),
            }


def write(folder: Path) -> None:
    """Write the file into the folder."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

"""A script that writes train.jsonl, validation.jsonl and test.jsonl, the same bytes every time.

    python -m tasks.data.claims.make [folder]

A claim file is one policy with one to three claims. Splits share no policy or holder number, no wording template and
no set of amounts. Shares of reasons are the same in every split and line of a tier.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

from tasks.data.claims.adjudicate import Claim, Policy, adjudicate
from tasks.data.claims.claim_wording import CLAIM_WORDING
from tasks.data.claims.policy_wording import POLICY_WORDING
from tasks.data.claims.render import WORDING, boundary, money, numbers, pick, render_claim, render_policy
from tasks.data.claims.sample import Tier, draw_claim, draw_earlier, draw_policy
from tasks.data.claims.world import LINES, Line

SEED = 20260214
SIZES: dict[str, dict[Tier, int]] = {  # claims, sampled in this order
    "test": {"one rule": 200, "two rules": 200, "file": 200},
    "validation": {"one rule": 100, "two rules": 100, "file": 100},
    "train": {"one rule": 800, "two rules": 600, "file": 600},
}
FILE_SIZES = (1, 1, 1, 2, 2, 3)

# Reasons of 50 claims of a tier. A claim that two rules bear on is never paid in full.
REASONS: dict[Tier, dict[str, int]] = {
    "one rule": {
        "cover": 18,
        "deductible": 4,
        "sub-limit": 3,
        "coinsurance": 3,
        "limit": 3,
        "not in force": 4,
        "waiting": 3,
        "exclusion": 4,
        "below deductible": 3,
        "papers": 2,
        "duplicate": 1,
        "authority": 2,
    },
    "two rules": {
        "deductible": 6,
        "sub-limit": 5,
        "coinsurance": 5,
        "limit": 5,
        "not in force": 5,
        "waiting": 4,
        "exclusion": 6,
        "below deductible": 2,
        "papers": 5,
        "duplicate": 3,
        "authority": 4,
    },
    "file": {
        "cover": 13,
        "deductible": 5,
        "sub-limit": 4,
        "coinsurance": 4,
        "limit": 4,
        "not in force": 4,
        "waiting": 3,
        "exclusion": 4,
        "below deductible": 2,
        "papers": 3,
        "duplicate": 2,
        "authority": 2,
    },
}

Row = dict[str, object]
Numbers = frozenset[str]


def quotas(count: int, tier: Tier) -> dict[str, int]:
    """Return the numbers of claims by reason, `count` in all, by largest remainder (ties by the order above)."""
    reasons = REASONS[tier]
    exact = {reason: count * share / 50 for reason, share in reasons.items()}
    counts = {reason: int(value) for reason, value in exact.items()}
    by_remainder = sorted(reasons, key=lambda reason: counts[reason] - exact[reason])
    for reason in by_remainder[: count - sum(counts.values())]:
        counts[reason] += 1
    return counts


def draw_file(rng: Random, line: Line, tier: Tier, remaining: dict[str, int]) -> tuple[Policy, list[Claim]]:
    """Return a random claim file: a policy for one of the remaining reasons, then further claims that it allows."""
    while True:
        reason = choose(rng, remaining)
        policy = draw_policy(rng, line, reason, tier)
        claims = [draw_claim(rng, policy, line, reason, tier)]
        if claims[0] is None:
            continue
        for _ in range(rng.choice(FILE_SIZES) - 1):
            claims.append(draw_claim(rng, policy, line, choose(rng, remaining), tier))
        members = in_order(rng, policy, [claim for claim in claims if claim is not None])
        reasons = [adjudicate(policy, claim).reason for claim in members]
        if all(reasons.count(reason) <= remaining[reason] for reason in reasons):
            return policy, members


def choose(rng: Random, remaining: dict[str, int]) -> str:
    """Return a random reason, in proportion to the number of its remaining claims."""
    return rng.choices(list(remaining), weights=list(remaining.values()))[0]


def in_order(rng: Random, policy: Policy, claims: list[Claim]) -> list[Claim]:
    """Return the claims of a file by date; each names the one before it, except those that repeat another."""
    done: list[Claim] = []
    for claim in sorted(claims, key=lambda claim: claim.date):
        if claim.earlier is None:
            before = (done[-1].date, done[-1].amount) if done else draw_earlier(rng, policy, claim)
            claim = replace(claim, earlier=before)
        done.append(claim)
    return done


def rows_of_file(
    rng: Random, split: str, name: str, tier: Tier, policy: Policy, claims: list[Claim], ids: tuple[str, str]
) -> list[Row]:
    """Return the rows of the claims of one file; all of them show the same schedule."""
    schedule_picks = pick(rng, split, POLICY_WORDING)
    schedule = render_policy(policy, ids[0], split, schedule_picks)
    rows: list[Row] = []
    for number, claim in enumerate(claims, 1):
        picks = {**schedule_picks, **pick(rng, split, CLAIM_WORDING)}
        order = rng.sample(["amount", "sent", "earlier"], 3)
        gold = adjudicate(policy, claim)
        used = {"number", "header", "order", *policy.clauses, "loss", "amount", "question"}
        used |= ({"earlier"} if claim.earlier else set()) | ({"sent"} if claim.papers else set())
        rows.append(
            {
                "id": f"{name}-{number}",
                "file": name,
                "line": policy.line,
                "tier": tier,
                "context": schedule + "\n" + render_claim(claim, ids[1], split, picks, order),
                "question": WORDING["question"][split][picks["question"]],
                "answer": gold.text,
                "decision": gold.decision,
                "amount": f"{gold.amount:.2f}",
                "clause": gold.clause,
                "reason": gold.reason,
                "boundary": boundary(policy, claim),
                "claimed": money(claim.amount),
                "numbers": numbers(policy, claim),
                "templates": {kind: picks[kind] for kind in WORDING if kind in used},
            }
        )
    return rows


def build(split: str, ids: list[tuple[int, int]], used: set[Numbers]) -> list[Row]:
    """Return the rows of a split, with policy and holder numbers from `ids` and without sets of amounts in `used`."""
    rng = Random(f"{SEED} {split}")
    files: list[tuple[Tier, Policy, list[Claim]]] = []
    for (tier, size), (number, line) in itertools.product(SIZES[split].items(), enumerate(LINES)):
        remaining = quotas((size + number) // len(LINES), tier)
        while sum(remaining.values()):
            policy, claims = draw_file(rng, line, tier, remaining)
            if any(frozenset(numbers(policy, claim)) in used for claim in claims):
                continue
            files.append((tier, policy, claims))
            for claim in claims:
                remaining[adjudicate(policy, claim).reason] -= 1
    rng.shuffle(files)
    rows: list[Row] = []
    prefixes = {line.name: line.prefix for line in LINES}
    for number, (tier, policy, claims) in enumerate(files, 1):
        policy_number, holder = ids.pop()
        names = (f"{prefixes[policy.line]}{policy_number}", f"K{holder}")
        rows += rows_of_file(rng, split, f"{split}-{number:04d}", tier, policy, claims, names)
    used |= {frozenset(numbers(policy, claim)) for _, policy, claims in files for claim in claims}
    return rows


def write(folder: Path) -> None:
    """Write the three files into the folder."""
    rng = Random(SEED)
    count = sum(sum(sizes.values()) for sizes in SIZES.values())
    ids = list(zip(rng.sample(range(10000, 100000), count), rng.sample(range(1000, 10000), count), strict=True))
    used: set[Numbers] = set()
    for split in SIZES:
        rows = build(split, ids, used)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

"""Who holds which examples where training is federated: a client for each insurer, or for what comes nearest to one.

A task's examples say it by a slice: `insurer`, else `line` (the line of business: insurers that write one line each).
Where no slice says it, whole groups are dealt to four clients by their hash, the same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.record import GROUP, HASH, RunSpec
from harness.schema import Example

SLICES = ("insurer", "line")
DEALT_TO = 4
MOST = 100  # more is a field that names examples, not those who hold them


def usual(examples: Sequence[Example]) -> str:
    """Return what the examples are split by unless the user says otherwise: the first slice that tells clients apart."""
    for name in SLICES:
        found = {example.slices.get(name, "") for example in examples}
        if len(found) > 1 and "" not in found:
            return name
    return HASH


def holders(examples: Sequence[Example], by: str) -> tuple[str, ...]:
    """Return the client that holds each example, in their order.

    Args:
        examples: the training examples.
        by: a slice that all of them have, `group`, or `hash`.

    Raises:
        HarnessError: an example does not say who holds it, or there are more than 100 clients.
    """
    if by == HASH:
        found = tuple(str(_number(example.group or example.id) % DEALT_TO) for example in examples)
    elif by == GROUP:
        found = tuple(example.group or example.id for example in examples)
    else:
        found = tuple(example.slices.get(by, "") for example in examples)
    if "" in found:
        known = sorted({name for example in examples for name in example.slices})
        problem = f"example {examples[found.index('')].id!r} does not say its {by!r}"
        fix = f"choose one of {', '.join([*known, GROUP, HASH])}"
        raise HarnessError(problem, where=f"--clients-by {by}", fix=fix)
    if (count := len(set(found))) > MOST:
        raise HarnessError(
            f"that makes {count:,} clients, {MOST} at most", where=f"--clients-by {by}", fix=f"--clients-by {HASH}"
        )
    return found


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


def settle(spec: RunSpec, examples: Sequence[Example], *, by: str, rounds: int | None, usual_rounds: int) -> RunSpec:
    """Return the spec with its clients and rounds.

    Args:
        spec: with batch size and epochs.
        examples: the training examples.
        by: see `holders`; empty for the usual.
        rounds: as the user asked, None for the method's `usual_rounds` or as many as there are steps for.

    Raises:
        HarnessError: as `holders`, or more rounds than the largest client has steps.
    """
    by = by or usual(examples)
    sizes = Counter(holders(examples, by))
    steps = planned_steps(max(sizes.values()), spec)
    if rounds and rounds > steps:
        problem = f"{rounds} rounds are more than the {steps} steps of the client with most examples"
        raise HarnessError(problem, where=f"--rounds {rounds}", fix=f"--rounds {steps}, or more --epochs")
    return replace(spec, rounds=rounds or min(usual_rounds, steps), clients=len(sizes), clients_by=by)


def planned_steps(examples: int, spec: RunSpec) -> int:
    """Return the optimizer steps over so many examples, all epochs."""
    return max(1, round(spec.epochs * math.ceil(examples / spec.batch_size)))

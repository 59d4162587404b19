"""The clients of federated training and their examples: a client for each insurer, or for the nearest thing to one.

A slice of the task's examples names the client: `insurer`, else `line` (the line of business, for insurers that write one
line each). If the examples have neither slice, groups are distributed to four clients by their hash, the same on every
machine. A group is never divided.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.record import GROUP, HASH, RunSpec
from harness.schedule import planned_steps
from harness.schema import Example

SLICES = ("insurer", "line")
HASH_CLIENTS = 4
MAX_CLIENTS = 100  # a slice with more values identifies examples rather than clients


def default_key(examples: Sequence[Example]) -> str:
    """Return the default key for splitting the examples: the first slice with several values that all examples have."""
    for name in SLICES:
        values = {example.slices.get(name, "") for example in examples}
        if len(values) > 1 and "" not in values:
            return name
    return HASH


def holders(examples: Sequence[Example], by: str) -> tuple[str, ...]:
    """Return the client of each example, in the examples' order.

    Args:
        examples: the training examples.
        by: a slice that all of them have, `group`, or `hash`.

    Raises:
        HarnessError: an example lacks the slice, or there are more than 100 clients.
    """
    if by == HASH:
        clients = tuple(str(_number(example.group or example.id) % HASH_CLIENTS) for example in examples)
    elif by == GROUP:
        clients = tuple(example.group or example.id for example in examples)
    else:
        clients = tuple(example.slices.get(by, "") for example in examples)
    if "" in clients:
        slices = sorted({name for example in examples for name in example.slices})
        problem = (
            f"example {examples[clients.index('')].id!r} has no value for the slice {by!r}, which names its client"
        )
        fix = f"choose one of {', '.join([*slices, GROUP, HASH])}"
        raise HarnessError(problem, where=f"--clients-by {by}", fix=fix)
    if (count := len(set(clients))) > MAX_CLIENTS:
        raise HarnessError(
            f"the training examples have {count:,} clients, at most {MAX_CLIENTS} are allowed",
            where=f"--clients-by {by}",
            fix=f"--clients-by {HASH}",
        )
    return clients


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


def with_clients(
    spec: RunSpec, examples: Sequence[Example], *, by: str, rounds: int | None, default_rounds: int
) -> RunSpec:
    """Return the spec with its clients and rounds.

    Args:
        spec: a spec with batch size and epochs.
        examples: the training examples.
        by: see `holders`; empty for `default_key`.
        rounds: the user's number of rounds, None for the default.
        default_rounds: the method's number of rounds; fewer are done if the largest client has fewer steps.

    Raises:
        HarnessError: as `holders`, or more rounds than the largest client has steps.
    """
    by = by or default_key(examples)
    sizes = Counter(holders(examples, by))
    steps = planned_steps(max(sizes.values()), spec)
    if rounds and rounds > steps:
        problem = f"{rounds} rounds are more than the {steps} training steps of the client with most examples"
        raise HarnessError(problem, where=f"--rounds {rounds}", fix=f"--rounds {steps}, or more --epochs")
    return replace(spec, rounds=rounds or min(default_rounds, steps), clients=len(sizes), clients_by=by)

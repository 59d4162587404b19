"""Dividing examples: into splits and into smaller samples, groups kept whole, the same on every machine.

The examples of a group stay together, and so do examples with the same question and context. A duplicate can therefore
never be in training and in the test. Order comes from SHA-256, never from the position in a file (many files are
sorted by label) nor from Python's `hash`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.errors import HarnessError
from harness.metrics.text import fold
from harness.record import Split
from harness.schema import Example

SHARES: Mapping[Split, float] = {"train": 0.6, "validation": 0.1, "test": 0.3}


def question_key(example: Example) -> tuple[str, ...]:
    """Return the key under which two examples are the same question, case and spacing apart.

    It is the question and its context. A question without context is compared with its options as well, in any
    order, because "Which statement is correct?" alone says nothing.
    """
    if example.context.strip():
        return _digest(example.context), _digest(example.question)
    return "", _digest(example.question), *sorted(fold(choice) for choice in example.choices)


def _digest(text: str) -> str:
    """Return the hash of a text, case and spacing apart."""
    return hashlib.sha256(" ".join(text.casefold().split()).encode("utf-8", "surrogatepass")).hexdigest()


def partition(examples: Sequence[Example], shares: Mapping[Split, float] = SHARES) -> dict[Split, list[Example]]:
    """Divide examples into splits of about these shares; groups and equal questions stay in one split.

    Bundles are dealt from the largest down (equal ones in the order of their hash), each to the split that lacks most.
    The result does not depend on the order of the examples; each split keeps that order.

    Raises:
        HarnessError: fewer bundles than splits.
    """
    bundles = _bundles(examples)
    if len(bundles) < len(shares):
        raise HarnessError(
            f"too few rows to split: {len(examples)} rows make {len(bundles)} separate group{'s' * (len(bundles) != 1)}, as rows of one group and rows "
            f"with the same text stay together (different texts: {len({question_key(e) for e in examples})})",
            where=f"{len(shares)} splits need at least {len(shares)} groups",
            fix="put more columns into the prompt (--columns NAME=context), add rows, or name each row's split in a 'split' column",
        )
    lacking = {split: share * len(examples) for split, share in shares.items()}
    split_of: dict[str, Split] = {}
    empty = set(shares)
    ordered = sorted(bundles.items(), key=lambda item: (-len(item[1]), _rank(item[0])))
    for position, (_, members) in enumerate(ordered):
        last_chance = len(ordered) - position <= len(empty)  # every split gets a bundle, even beside large ones
        split = max((s for s in shares if s in empty or not last_chance), key=lambda s: lacking[s])
        split_of.update((member.id, split) for member in members)
        lacking[split] -= len(members)
        empty.discard(split)
    return {split: [example for example in examples if split_of[example.id] == split] for split in shares}


def shared(examples: Sequence[Example], splits: Sequence[Split | None]) -> Iterator[tuple[int, int, str]]:
    """Yield each example with a group or question of a later split: its position, that of the first there, and which it is.

    The test comes after validation, and validation after training, so that nothing is said of a row of the test.
    """
    first: dict[tuple[str, ...], int] = {}
    for split in ("test", "validation", "train"):
        positions = [position for position, other in enumerate(splits) if other == split]
        keys = {position: _keys(examples[position]) for position in positions}
        for position in positions:
            if kind := next((key[0] for key in keys[position] if key in first), None):
                yield position, next(first[key] for key in keys[position] if key in first), kind
        for position in positions:
            for key in keys[position]:
                first.setdefault(key, position)


def _keys(example: Example) -> list[tuple[str, ...]]:
    return [("group", example.group)] * bool(example.group) + [("question", *question_key(example))]


def with_duplicates_grouped(examples: Sequence[Example]) -> list[Example]:
    """Give ungrouped examples with the same text a group: they are one observation, not several."""
    keys = [question_key(e) for e in examples]
    counts = Counter(key for key, e in zip(keys, examples, strict=True) if not e.group)
    digests = (hashlib.sha256("\0".join(key).encode()).hexdigest()[:10] for key in keys)
    return [
        replace(e, group=f"same-{digest}") if not e.group and counts[key] > 1 else e
        for e, key, digest in zip(examples, keys, digests, strict=True)
    ]


def _bundles(examples: Sequence[Example]) -> dict[tuple[str, ...], list[Example]]:
    """Return the sets of examples of one group or question, by their smallest key."""
    parent: dict[tuple[str, ...], tuple[str, ...]] = {}

    def root(key: tuple[str, ...]) -> tuple[str, ...]:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    questions = [("question", *question_key(example)) for example in examples]
    for example, question in zip(examples, questions, strict=True):
        first, second = sorted((root(("group", example.group) if example.group else question), root(question)))
        parent[second] = first
    bundles: dict[tuple[str, ...], list[Example]] = {}
    for example, question in zip(examples, questions, strict=True):
        bundles.setdefault(root(question), []).append(example)
    return bundles


def sample(examples: tuple[Example, ...], limit: int) -> tuple[Example, ...]:
    """Return at most `limit` examples in their order; 0 is all.

    Takes whole groups in the order of their hash, as many as fit. Only if none fits, one is cut.
    """
    if not limit or len(examples) <= limit:
        return examples
    groups: dict[tuple[str, ...], list[Example]] = {}
    for example in examples:
        groups.setdefault(("group", example.group) if example.group else ("id", example.id), []).append(example)
    ordered = sorted(groups, key=_rank)
    ids: set[str] = set()
    for key in ordered:
        if len(ids) + len(groups[key]) <= limit:
            ids.update(example.id for example in groups[key])
    if not ids:
        ids.update(example.id for example in groups[ordered[0]][:limit])
    return tuple(example for example in examples if example.id in ids)


def _rank(key: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).digest()

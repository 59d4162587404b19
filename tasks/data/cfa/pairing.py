"""Distractors of the concept questions: each concept is wrong exactly twice as often as it is right."""

from __future__ import annotations

import random
from collections.abc import Callable

from tasks.data.cfa.parts import Concept
from tasks.data.cfa.text import content

SHARE = 0.65  # part of the transfer questions with one distractor that shares a word with the question
SWAPS = 4000
RESTART = 50  # rounds without success


def balanced_pairs(rights: list[Concept], rng: random.Random) -> list[tuple[Concept, Concept]]:
    """Return two distractors per right concept, none of them defensible too."""
    pool = rights * 2
    rng.shuffle(pool)
    n = len(rights)
    turn = 0
    while bad := [i for i in range(n) if _clashes(rights[i], pool[i], pool[n + i])]:
        turn += 1
        if turn % RESTART == 0:
            rng.shuffle(pool)
        for i in bad:
            slot, swap = i + n * rng.randrange(2), rng.randrange(2 * n)
            pool[slot], pool[swap] = pool[swap], pool[slot]
    return [(pool[i], pool[n + i]) for i in range(n)]


def _rivals(rights: list[Concept], pairs: list[tuple[Concept, Concept]]) -> int:
    """Return how many questions have a distractor that candidates confuse with the right concept."""
    return sum(any(c.name in right.rivals for c in pair) for right, pair in zip(rights, pairs, strict=True))


def recall_pairs(rights: list[Concept], rng: random.Random) -> list[tuple[Concept, Concept]]:
    """Return two distractors per right concept, one of which candidates confuse with it in as many questions as possible."""
    return _improve(balanced_pairs(rights, rng), rights, lambda pairs: _rivals(rights, pairs), rng)


def random_pairs(rights: list[Concept], concepts: list[Concept], rng: random.Random) -> list[tuple[Concept, Concept]]:
    """Return two distractors per right concept out of all concepts of the topic."""
    pairs = []
    for right in rights:
        first, second = rng.sample([c for c in concepts if c.name != right.name and c.name not in right.near], 2)
        pairs.append((first, second))
    return pairs


def _clashes(right: Concept, *wrong: Concept) -> bool:
    trio = [right, *wrong]
    if len({c.name for c in trio}) < 3 or len({c.answer for c in trio}) < 3:
        return True
    return any(c.name in right.near for c in wrong)


def transfer_pairs(rights: list[Concept], rng: random.Random) -> list[tuple[Concept, Concept]]:
    """Return two distractors per question such that in `SHARE` of them one distractor, and never two, shares a word.

    The right concept shares none: if both distractors always did, the option with the fewest common words would be right.
    As many questions as possible have a distractor that candidates confuse with the right one.
    """
    asked = {c.name: content(c.transfer) for c in rights}
    known = {c.name: content(" ".join([c.name, *c.stems["train"]])) for c in rights}
    share = {(a, b): bool(asked[a] & known[b]) for a in asked for b in known}

    def score(pairs: list[tuple[Concept, Concept]]) -> float:
        counts = [sum(share[right.name, c.name] for c in pair) for right, pair in zip(rights, pairs, strict=True)]
        return _rivals(rights, pairs) - abs(counts.count(1) - SHARE * len(rights)) - 2 * counts.count(2)

    return _improve(balanced_pairs(rights, rng), rights, score, rng)


def _improve(
    pairs: list[tuple[Concept, Concept]],
    rights: list[Concept],
    score: Callable[[list[tuple[Concept, Concept]]], float],
    rng: random.Random,
) -> list[tuple[Concept, Concept]]:
    """Return pairs after swaps of two distractors that leave them valid and do not lower the score."""
    best = score(pairs)
    for _ in range(SWAPS):
        (a, b), (side, other) = rng.sample(range(len(rights)), 2), (rng.randrange(2), rng.randrange(2))
        changed = [list(pair) for pair in pairs]
        changed[a][side], changed[b][other] = changed[b][other], changed[a][side]
        trial = [(first, second) for first, second in changed]
        if any(_clashes(rights[i], *trial[i]) for i in (a, b)):
            continue
        if (value := score(trial)) >= best:
            pairs, best = trial, value
    return pairs

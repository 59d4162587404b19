"""Texts with a beginning in common, read in one row: the beginning once, the rest of each behind it side by side.

What stands behind a beginning may branch again: an excerpt, its questions behind it, behind each question its options. Each
part attends to what it stands behind and to itself, and its positions continue those, so that the numbers are those of each
text read alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

PADDING = 0  # any token: padding is never attended to
READ_TOKENS = 2048  # of a row, and of a batch with padding: more gains nothing on a CPU and little on a GPU
SHARED_TOKENS = 32  # a beginning in common shorter than this is not worth a mask


class Text(NamedTuple):
    """Tokens, and what stands behind them side by side."""

    tokens: Sequence[int]
    rest: Sequence[Text] = ()


class Layout(NamedTuple):
    """Rows of one batch, padded on the right: token ids and positions [rows, width], branches [levels, rows, width].

    At each level a branch is 0 for what stands before it, and another number for each part and what stands behind that; -1
    is padding. `spans` has the first and the past-the-last column of each part, row by row, a part before what stands behind it.
    """

    ids: torch.Tensor
    places: torch.Tensor
    branches: torch.Tensor
    spans: list[list[tuple[int, int]]]


@dataclass(frozen=True)
class Family:
    """Texts that are read in one row: the first `shared` tokens once, then the rest of each."""

    members: tuple[int, ...]
    shared: int
    tokens: int


def families(texts: Sequence[Sequence[int]]) -> list[Family]:
    """Return the texts in families: those that begin alike together, where it saves half of each further one's tokens.

    In the order of their tokens neighbours have the longest beginning in common; a family never outgrows a batch.
    """
    order = sorted(range(len(texts)), key=lambda i: tuple(texts[i]))
    found: list[Family] = []
    for index in order:
        if found and (joined := _join(found[-1], index, texts)):
            found[-1] = joined
        else:
            found.append(Family((index,), 0, len(texts[index])))
    return found


def alone(texts: Sequence[Sequence[int]]) -> list[Family]:
    """Return each text as a family of its own."""
    return [Family((index,), 0, len(text)) for index, text in enumerate(texts)]


def _join(family: Family, index: int, texts: Sequence[Sequence[int]]) -> Family | None:
    """Return the family with one more text, None where that saves too little."""
    first, text = texts[family.members[0]], texts[index]
    # Each keeps a token of its own, from which its answer begins.
    most = min(family.shared or len(first) - 1, len(text) - 1)
    shared = next((n for n in range(most) if first[n] != text[n]), most)
    members = (*family.members, index)
    tokens = sum(len(texts[i]) for i in members) - shared * (len(members) - 1)
    pays = shared >= SHARED_TOKENS and tokens - family.tokens <= 0.5 * len(text)
    return Family(members, shared, tokens) if pays and tokens <= READ_TOKENS else None


def lay_out(rows: Sequence[Text]) -> Layout:
    """Lay out a row for each text and all that stands behind it, on the processor."""
    parts = [list(_parts(text)) for text in rows]
    width = max(row[-1].end for row in parts)
    levels = max(len(part.path) for row in parts for part in row)
    ids = torch.full((len(rows), width), PADDING)
    places = torch.arange(width).repeat(len(rows), 1)
    branches = torch.full((levels, len(rows), width), -1)
    for line, row in enumerate(parts):
        for part in row:
            columns = slice(part.start, part.end)
            ids[line, columns] = torch.tensor(part.tokens, dtype=torch.long)
            places[line, columns] = part.place + torch.arange(len(part.tokens))
            path = part.path + (0,) * (levels - len(part.path))
            branches[:, line, columns] = torch.tensor(path, dtype=torch.long)[:, None]
    return Layout(ids, places, branches, [[(part.start, part.end) for part in row] for row in parts])


class _Part(NamedTuple):
    """One text's own tokens in a row: its first column, the position of its first token, the branches it stands in."""

    tokens: Sequence[int]
    start: int
    place: int
    path: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


def _parts(text: Text, start: int = 0, place: int = 0, path: tuple[int, ...] = ()) -> Iterator[_Part]:
    """Yield the parts of a row from left to right, each before what stands behind it."""
    part = _Part(text.tokens, start, place, path)
    yield part
    column, place = part.end, place + len(text.tokens)
    for branch, behind in enumerate(text.rest, start=1):
        for inner in _parts(behind, column, place, (*path, branch)):
            yield inner
            column = inner.end


def mask(branches: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the additive mask [rows, 1, width, width]: 0 where a token may look, the lowest number elsewhere.

    Args:
        branches: as in `Layout`.
        dtype: that the model computes in.
    """
    _, rows, width = branches.shape
    seen = torch.ones((rows, width, width), dtype=torch.bool, device=branches.device).tril()
    for level in branches:
        seen &= (level[:, None, :] == 0) | (level[:, None, :] == level[:, :, None])
    found = torch.full((rows, 1, width, width), torch.finfo(dtype).min, dtype=dtype, device=branches.device)
    return found.masked_fill_(seen[:, None], 0.0)

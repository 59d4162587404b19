"""Texts with a common beginning, read in one row: the beginning once, the rest of each text side by side behind it.

The rest may branch again, as an excerpt is followed by questions and each question by its options. Each part attends to
itself and to the parts on its path, and its positions continue theirs. The numbers equal those of each text read alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

PADDING = 0  # any token: padding is never attended to
READ_TOKENS = 2048  # a row, and a batch with padding: more gains nothing on a CPU and little on a GPU
SHARED_TOKENS = 32  # a shorter common beginning is not worth a mask


class Text(NamedTuple):
    """Tokens, and the texts that follow them side by side."""

    tokens: Sequence[int]
    rest: Sequence[Text] = ()


class Layout(NamedTuple):
    """Rows of one batch, padded on the right: token ids and positions [rows, width], branches [levels, rows, width].

    At each level a branch is 0 for the tokens before the level, a number above 0 for each part and all that follow it, and -1
    for padding. `spans` has the first and the past-the-last column of each part, row by row, each part before those that
    follow it.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    branches: torch.Tensor
    spans: list[list[tuple[int, int]]]


@dataclass(frozen=True)
class Family:
    """Texts to be read in one row: the first `shared` tokens once, then the rest of each text."""

    members: tuple[int, ...]
    shared: int
    tokens: int


def families(texts: Sequence[Sequence[int]]) -> list[Family]:
    """Return the texts in families with a common beginning, if each further text saves half of its tokens by it.

    Texts are sorted by their tokens, so that neighbours have the longest common beginning. A family never outgrows a batch.
    """
    order = sorted(range(len(texts)), key=lambda i: tuple(texts[i]))
    groups: list[Family] = []
    for index in order:
        if groups and (larger := _join(groups[-1], index, texts)):
            groups[-1] = larger
        else:
            groups.append(Family((index,), 0, len(texts[index])))
    return groups


def singletons(texts: Sequence[Sequence[int]]) -> list[Family]:
    """Return each text as a family of its own."""
    return [Family((index,), 0, len(text)) for index, text in enumerate(texts)]


def _join(family: Family, index: int, texts: Sequence[Sequence[int]]) -> Family | None:
    """Return the family with one more text, or None if that saves too little."""
    first, text = texts[family.members[0]], texts[index]
    # Each text has at least one token that is not shared: its answer begins there.
    most = min(family.shared or len(first) - 1, len(text) - 1)
    shared = next((n for n in range(most) if first[n] != text[n]), most)
    members = (*family.members, index)
    tokens = sum(len(texts[i]) for i in members) - shared * (len(members) - 1)
    pays = shared >= SHARED_TOKENS and tokens - family.tokens <= 0.5 * len(text)
    return Family(members, shared, tokens) if pays and tokens <= READ_TOKENS else None


def lay_out(rows: Sequence[Text]) -> Layout:
    """Return the layout of one row for each text and all that follow it, as tensors on the processor."""
    parts = [list(_parts(text)) for text in rows]
    width = max(row[-1].end for row in parts)
    levels = max(len(part.path) for row in parts for part in row)
    ids = torch.full((len(rows), width), PADDING)
    positions = torch.arange(width).repeat(len(rows), 1)
    branches = torch.full((levels, len(rows), width), -1)
    for line, row in enumerate(parts):
        for part in row:
            columns = slice(part.start, part.end)
            ids[line, columns] = torch.tensor(part.tokens, dtype=torch.long)
            positions[line, columns] = part.position + torch.arange(len(part.tokens))
            path = part.path + (0,) * (levels - len(part.path))
            branches[:, line, columns] = torch.tensor(path, dtype=torch.long)[:, None]
    return Layout(ids, positions, branches, [[(part.start, part.end) for part in row] for row in parts])


class _Part(NamedTuple):
    """The tokens of one text in a row, its first column, the position of its first token, and its path of branches."""

    tokens: Sequence[int]
    start: int
    position: int
    path: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


def _parts(text: Text, start: int = 0, position: int = 0, path: tuple[int, ...] = ()) -> Iterator[_Part]:
    """Yield the parts of a row from left to right, each before those that follow it."""
    part = _Part(text.tokens, start, position, path)
    yield part
    column, position = part.end, position + len(text.tokens)
    for branch, behind in enumerate(text.rest, start=1):
        for inner in _parts(behind, column, position, (*path, branch)):
            yield inner
            column = inner.end


def mask(branches: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the additive mask [rows, 1, width, width]: 0 for visible tokens, the lowest number elsewhere.

    Args:
        branches: as in `Layout`.
        dtype: the precision of the model.
    """
    _, rows, width = branches.shape
    visible = torch.ones((rows, width, width), dtype=torch.bool, device=branches.device).tril()
    for level in branches:
        visible &= (level[:, None, :] == 0) | (level[:, None, :] == level[:, :, None])
    additive = torch.full((rows, 1, width, width), torch.finfo(dtype).min, dtype=dtype, device=branches.device)
    return additive.masked_fill_(visible[:, None], 0.0)

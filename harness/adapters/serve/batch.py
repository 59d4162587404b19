"""A batch of requests of different adapters: rows join and leave between tokens, and a failure harms its own rows only.

If a call of the model fails, its rows are computed again by adapter, and then row by row: the text so far is read anew, so
nothing is lost. Only a row that fails alone gets the error.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol

import torch

from harness.adapters.merge import SavedLayer
from harness.adapters.serve.generation import GenerationRequest, TokenLogprob
from harness.adapters.serve.sampling import choose
from harness.errors import HarnessError
from harness.model import prefill
from harness.model.row_cache import RowCache

Layers = Mapping[str, SavedLayer]  # an adapter: its layers by their names in the base model
DEAD_SHARE = 0.25  # of rows, from which on they are dropped; that copies the cache


class Closed(Exception):
    """The engine is shutting down."""


class Writer(Protocol):
    """The base model, as a batch needs it."""

    model: Any

    def assign(self, adapters: Iterable[Layers | None]) -> None:
        """Assign an adapter to each row of the next call of the model."""

    def is_end(self, request: GenerationRequest, tokens: Sequence[int]) -> bool:
        """Return whether an answer is complete with these tokens."""


@dataclass(eq=False)
class Row:
    """A request during its generation: its adapter's layers (None: base model), its tokens so far, its error if it failed.

    Attributes:
        over: whether the answer is complete, failed, or not wanted any more.
    """

    request: GenerationRequest
    layers: Layers | None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    error: Exception | None = None
    over: bool = False

    def __post_init__(self) -> None:
        self.draws = random.Random(self.request.seed)

    @property
    def text(self) -> tuple[int, ...]:
        """The prompt and the answer so far."""
        return (*self.request.prompt, *self.tokens)

    def fail(self, error: Exception) -> None:
        """End the answer by an error."""
        self.error, self.over = error.with_traceback(None), True  # the traceback's frames refer to the cache


class Batch:
    """Rows in generation. `check` is called before each call of the model; its exception `Closed` ends the batch."""

    def __init__(self, base: Writer, check: Callable[[], None]) -> None:
        self._base, self._check = base, check
        self._lines: list[Row] = []  # of the cache, finished ones among them; rows of one adapter side by side
        self._cache: RowCache | None = None
        self._unread: list[Row] = []  # whose cache was given up

    @property
    def rows(self) -> list[Row]:
        """The rows whose answers are not complete."""
        return [row for row in (*self._lines, *self._unread) if not row.over]

    def add(self, rows: Sequence[Row]) -> None:
        """Read the texts of rows, choose their next tokens, and let them join."""
        apart(rows, self._read)

    def step(self) -> None:
        """Choose the next token of every row."""
        if self._unread:
            rows, self._unread = self._unread, []
            for part in by_adapter(rows):
                self.add(part)
            return
        try:
            self._drop()
            if self._cache is None:
                return
            self._check()
            self._base.assign(row.layers for row in self._lines)
            last = [row.tokens[-1] if row.tokens else 0 for row in self._lines]  # a row may fail before its first token
            tokens = torch.tensor(last, device=self._cache.mask.device)
            self._choose(self._lines, self._cache.append(self._base.model, tokens))
        except Closed:
            raise
        except Exception:  # the cache is half written
            self._start_over()

    def _read(self, rows: Sequence[Row]) -> None:
        """Read the texts of rows in one cache, choose their next tokens, and join it to the others."""
        rows = sorted(rows, key=lambda row: row.request.adapter)

        def assign(members: Sequence[int]) -> None:
            self._check()
            self._base.assign(rows[member].layers for member in members)

        state = prefill.read(self._base.model, [row.text for row in rows], on_rows=assign)
        self._choose(rows, state.logits)
        lines = [*self._lines, *rows]
        order = [line for line, row in enumerate(lines) if not row.over]
        order.sort(key=lambda line: lines[line].request.adapter)
        cache, self._lines = RowCache.of(state), [lines[line] for line in order]
        if self._cache is None or not order:
            self._cache, self._lines = cache, rows
            return
        try:
            self._cache.join(cache, order)
        except Exception:  # the caches are half joined
            self._start_over()

    def _start_over(self) -> None:
        """Give up the cache; the texts of all rows are read again at the next step."""
        self._unread, self._lines, self._cache = self.rows, [], None

    def _choose(self, rows: Sequence[Row], logits: torch.Tensor) -> None:
        choices = choose([row.request for row in rows], [row.draws for row in rows], logits)
        for row, choice in zip(rows, choices, strict=True):
            if choice is None:
                row.fail(
                    HarnessError(
                        "the model's output for this request is not a number: its adapter overflows",
                        where=row.request.adapter or "the base model",
                        fix="ask another adapter, or train this one with a lower learning rate",
                    )
                )
            elif not row.over:
                try:
                    self._append(row, choice)
                except Exception as error:
                    row.fail(error)

    def _append(self, row: Row, choice: TokenLogprob) -> None:
        row.tokens.append(choice.token)
        if row.request.logprobs is not None:
            row.logprobs.append(choice)
        row.over = self._base.is_end(row.request, row.tokens)
        if not row.over and row.request.progress is not None:
            row.over = not row.request.progress(row.tokens, row.logprobs)

    def _drop(self) -> None:
        """Drop the rows that are over from the cache, if there are enough of them to pay for the copy."""
        alive = [line for line, row in enumerate(self._lines) if not row.over]
        if not alive:
            self._lines, self._cache = [], None
        elif self._cache is not None and len(self._lines) - len(alive) >= DEAD_SHARE * len(self._lines):
            self._cache.select(alive)
            self._lines = [self._lines[line] for line in alive]


def by_adapter(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each adapter."""
    ordered = sorted(rows, key=lambda row: row.request.adapter)
    return [list(group) for _, group in groupby(ordered, key=lambda row: row.request.adapter)]


def apart(rows: Sequence[Row], work: Callable[[Sequence[Row]], None]) -> None:
    """Do a work with rows together; if that fails by adapter, and then row by row. A row that fails alone gets the error.

    Raises:
        Closed: the engine is shutting down.
    """
    rows = [row for row in rows if not row.over]
    if not rows:
        return
    try:
        work(rows)
        return
    except Closed:
        raise
    except Exception as error:
        if len(rows) == 1:
            rows[0].fail(error)
            return
    parts = by_adapter(rows)
    for part in parts if len(parts) > 1 else [[row] for row in rows]:
        apart(part, work)

"""One base model shared by many LoRA adapters: a batch with rows of different adapters is generated in one pass.

A row's change scale * B A x is added after the base model's product, with the operation of training and testing (see
`methods.lora`). So a row of a mixed batch is computed as in a batch of its adapter alone. PEFT's mixed batches
(`adapter_names`, read in 0.21) do the same, but need a name for each row of a call. Here rows join and leave between
tokens (see `batch`), so the adapters of the rows are assigned again at every step.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from harness.adapters import library, merge
from harness.adapters.serve.batch import Batch, Layers, Row, apart
from harness.adapters.serve.generation import Generation, GenerationRequest
from harness.errors import HarnessError
from harness.model import checkpoint, generate
from harness.model.byte_counter import storage_bytes
from harness.model.kv_cache import roomy_cache
from harness.model.loading import linear_sides, precision, tokenizer_of
from harness.model.row_cache import joinable
from harness.record import RunSpec
from harness.schema import Method


class SharedBase:
    """The base model with its tokenizer; each linear layer adds the changes of adapters.

    Attributes:
        mixes: whether rows of different adapters may share a batch: every adapted layer must see entire rows. Layers of
            architectures with experts do not.
    """

    def __init__(self, folder: Path, spec: RunSpec, method: Method) -> None:
        """Load the model of `folder` by `method`: with 4-bit weights for QLoRA, in `spec.dtype` otherwise."""
        self.spec = spec
        self.model: Any = method.load(str(folder), spec).eval().requires_grad_(False)
        self.tokenizer: Any = tokenizer_of(folder, spec)
        self._parts: list[tuple[int, int, Layers]] = []
        self._rows = 0
        self._sides: dict[str, tuple[int, int]] = {}
        output = self.model.get_output_embeddings()
        for name, layer in self.model.named_modules():
            sides = linear_sides(layer)
            if sides is not None and layer is not output:
                self._sides[name] = sides
                layer.forward = functools.partial(self._forward, name, layer.forward)
        self._ends = generate.end_tokens(self.model, self.tokenizer)
        self._lean = generate.fits_loop(self.model)
        self._joinable = joinable(roomy_cache(self.model.config))
        self.mixes = self._sees_entire_rows()

    def read(self, folder: Path) -> Layers:
        """Return an adapter from a folder in PEFT's layout, in the precision of the products, on the model's device.

        Raises:
            HarnessError: it is more than B A, or it fits a model with other layers.
        """
        try:
            self._check_header(folder)
            _, layers = merge.read_layers(folder)
        except HarnessError as error:
            reason = error.problem.removeprefix("this adapter cannot be merged: ")
            problem = f"this adapter cannot be served beside others: {reason}"
            raise HarnessError(
                problem, where=str(folder), fix="serve an adapter of lora or a similar method"
            ) from error
        for name, layer in layers.items():
            sides = layer.a.shape[1], layer.b.shape[0]
            if self._sides.get(name) != sides:
                expected = f"{self._sides[name]} is needed" if name in self._sides else "the model has no such layer"
                problem = f"the adapter fits another model: its layer {name} has the size {sides}, {expected}"
                raise HarnessError(problem, where=str(folder), fix="serve the adapter's base model with --model")
        dtype = torch.bfloat16 if self.spec.dtype == "bf16" else torch.float32
        target: dict[str, Any] = {"device": self.spec.device, "dtype": dtype}
        return {name: replace(layer, a=layer.a.to(**target), b=layer.b.to(**target)) for name, layer in layers.items()}

    def _check_header(self, folder: Path) -> None:
        """Raise an error if an adapter's file is too large for the model, before its weights are in memory."""
        shapes = checkpoint.read_shapes(folder / library.WEIGHTS)
        most = max((sum(sides) * max(sides) for sides in self._sides.values()), default=0)
        key, entries = max(((key, math.prod(shape)) for key, shape in shapes.items()), key=lambda pair: pair[1])
        if entries > most:
            problem = f"its weight {key} has {entries:,} entries, the model's layers allow {most:,}"
            raise HarnessError(problem, where=str(folder), fix="serve the adapter's base model with --model")

    @property
    def joins(self) -> bool:
        """Whether requests may join a batch between tokens; otherwise a batch is generated as a whole."""
        return self._lean and self._joinable

    @property
    def samples(self) -> bool:
        """Whether tokens can be drawn and their log-likelihoods reported; transformers' `generate` does neither here."""
        return self._lean

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """A context for calls of the model by a `Batch`."""
        try:
            with torch.inference_mode(), precision(self.spec):
                yield
        finally:
            self._parts = []

    def write(
        self, requests: Sequence[GenerationRequest], adapters: Mapping[str, Layers], check: Callable[[], None]
    ) -> list[Generation]:
        """Return the continuations of all prompts, generated in one batch.

        Args:
            requests: the requests; of one adapter if the model does not mix.
            adapters: the adapters by the keys in the requests.
            check: a function called at every step; its exception `Closed` ends the batch.

        Raises:
            Exception: the error of the first request that failed.
        """
        rows = [Row(request, adapters[request.adapter] if request.adapter else None) for request in requests]
        self.run(rows, check)
        for row in rows:
            if row.error:
                raise row.error
        return [self.generation(row) for row in rows]

    def run(self, rows: Sequence[Row], check: Callable[[], None]) -> None:
        """Complete the answers of rows in one batch, which no other joins."""
        with self.computing():
            if not self._lean:
                apart(rows, self._generate)
                return
            batch = Batch(self, check)
            batch.add(rows)
            while batch.rows:
                batch.step()

    def _generate(self, rows: Sequence[Row]) -> None:
        rows = sorted(rows, key=lambda row: row.request.adapter)
        self.assign(row.layers for row in rows)
        limit = max(row.request.max_tokens for row in rows)
        for row, output in zip(
            rows,
            generate.by_generate(self.model, [row.request.prompt for row in rows], self._ends, limit),
            strict=True,
        ):
            tokens = output.tokens  # `generate` has the same stopping rules for all rows
            count = next((n for n in range(1, len(tokens)) if self.is_end(row.request, tokens[:n])), len(tokens))
            row.tokens, row.over = tokens[:count], True

    def generation(self, row: Row) -> Generation:
        """Return the continuation of a row that is over."""
        before, tokens = self.text_before_stop(row.request, row.tokens), tuple(row.tokens)
        stopped = before is not None or bool(tokens and tokens[-1] in self._ends)
        return Generation(self.text(tokens) if before is None else before, tokens, stopped, tuple(row.logprobs))

    def text_before_stop(self, request: GenerationRequest, tokens: Sequence[int]) -> str | None:
        """Return the text of an answer before the first stop text, None if it contains none."""
        text = self.text(tokens) if request.stop else ""
        positions = [position for stop in request.stop if (position := text.find(stop)) >= 0]
        return text[: min(positions)] if positions else None

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of an answer's tokens without end tokens."""
        return str(
            self.tokenizer.decode([token for token in tokens if token not in self._ends], skip_special_tokens=True)
        )

    def is_end(self, request: GenerationRequest, tokens: Sequence[int]) -> bool:
        """Return whether these tokens reach the request's limit, end with an end token or contain a stop text."""
        return (
            len(tokens) >= request.max_tokens
            or tokens[-1] in self._ends
            or self.text_before_stop(request, tokens) is not None
        )

    def assign(self, adapters: Iterable[Layers | None]) -> None:
        """Assign an adapter to each row of the next call of the model, None for the base model."""
        self._parts, self._rows = [], 0
        for _, group in groupby(adapters, key=id):
            rows = list(group)
            self._parts.append((self._rows, self._rows + len(rows), rows[0] or {}))
            self._rows += len(rows)

    def _forward(self, name: str, plain: Callable[[Any], Any], inputs: Any) -> Any:
        """Return W x plus each row's change; the base model's product is computed once for all rows."""
        frozen = plain(inputs)
        parts = [(start, end, layers.get(name)) for start, end, layers in self._parts]
        if all(layer is None for _, _, layer in parts):
            return frozen
        if len(parts) == 1:
            return _add_change(frozen, inputs, parts[0][2])
        if len(frozen) != self._rows:
            raise RuntimeError(f"{name} sees {len(frozen)} rows, {self._rows} are needed")
        return torch.cat([_add_change(frozen[start:end], inputs[start:end], layer) for start, end, layer in parts])

    def _sees_entire_rows(self) -> bool:
        row_counts: set[int] = set()
        hooks = [
            self.model.get_submodule(name).register_forward_pre_hook(lambda _, args: row_counts.add(args[0].shape[0]))
            for name in self._sides
        ]
        ids = torch.zeros((3, 5), dtype=torch.long, device=next(self.model.parameters()).device)
        try:
            with torch.inference_mode(), precision(self.spec):
                self.model(input_ids=ids, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return row_counts == {3}


def _add_change(frozen: torch.Tensor, inputs: torch.Tensor, layer: merge.SavedLayer | None) -> torch.Tensor:
    if layer is None:
        return frozen
    low = torch.nn.functional.linear(inputs, layer.a)
    output = torch.addmm(frozen.flatten(0, -2), low.flatten(0, -2), layer.b.t(), alpha=layer.scale)
    return output.view_as(frozen)


def adapter_bytes(layers: Layers) -> int:
    """Return the size of an adapter in memory, in bytes."""
    return storage_bytes(tensor for layer in layers.values() for tensor in (layer.a, layer.b))

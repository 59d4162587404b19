"""One base model shared by many LoRA adapters: a batch whose rows belong to different adapters is written in one pass.

A row's change scale * B A x is added behind the base model's product, with the operation that training and testing use
(see `methods.lora`), so that a row of a mixed batch is computed as in a batch of its own adapter. PEFT's mixed batches
(`adapter_names`, read in 0.21) do the same, but take one name for each row of a call: the harness's loop drops rows
whose answer has ended, and its rows are told anew at every step here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from harness.adapters import merge
from harness.errors import HarnessError
from harness.model import generate
from harness.model.byte_counter import storage_bytes
from harness.model.loading import linear_sides, load_tokenizer, precision
from harness.record import RunSpec
from harness.schema import Method

Layers = Mapping[str, merge.SavedLayer]  # an adapter: its layers by the base model's names
Progress = Callable[[Sequence[int]], bool]  # the tokens of an answer so far -> whether to go on


@dataclass(frozen=True)
class Ask:
    """A prompt to be continued: token ids, the adapter's key ("" is the base model), the most tokens, texts that end it.

    `progress` is called after each token but the last, in the thread that writes; the answer ends early if it returns False.
    Models that only transformers' `generate` fits never call it.
    """

    prompt: tuple[int, ...]
    adapter: str = ""
    max_tokens: int = 16
    stop: tuple[str, ...] = ()
    progress: Progress | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Said:
    """A continuation: its text without what ended it, the tokens with it, and whether something ended it."""

    text: str
    tokens: tuple[int, ...]
    stopped: bool


class SharedBase:
    """The base model with its tokenizer, and one place in each linear layer where adapters' changes are added.

    Attributes:
        mixes: whether rows of different adapters may share a batch: every adapted layer sees whole rows. It does not
            where an architecture sends tokens to experts.
    """

    def __init__(self, folder: Path, spec: RunSpec, method: Method) -> None:
        """Load the model of `folder` as `method` does: with 4-bit weights for QLoRA, in `spec.dtype` otherwise."""
        self.spec = spec
        self.model: Any = method.load(str(folder), spec).eval().requires_grad_(False)
        self.tokenizer: Any = load_tokenizer(folder, remote_code=spec.remote_code)
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
        self.mixes = self._sees_whole_rows()

    def read(self, folder: Path) -> Layers:
        """Read an adapter in PEFT's layout, in the precision of the products, on the model's device.

        Raises:
            HarnessError: it is more than B A, or was made for a model of other layers.
        """
        try:
            _, saved = merge.read_layers(folder)
        except HarnessError as error:
            said = error.problem.removeprefix("this adapter cannot be merged: ")
            problem = f"this adapter cannot be served beside others: {said}"
            raise HarnessError(problem, where=str(folder), fix="serve an adapter of lora or alike") from error
        for name, layer in saved.items():
            sides = layer.a.shape[1], layer.b.shape[0]
            if self._sides.get(name) != sides:
                here = f"is {self._sides[name]}" if name in self._sides else "is not there"
                problem = f"the adapter was made for another model: it has {name} as {sides}, which here {here}"
                raise HarnessError(problem, where=str(folder), fix="serve its own base model with --model")
        dtype = torch.bfloat16 if self.spec.dtype == "bf16" else torch.float32
        place: dict[str, Any] = {"device": self.spec.device, "dtype": dtype}
        return {name: replace(one, a=one.a.to(**place), b=one.b.to(**place)) for name, one in saved.items()}

    def write(self, asks: Sequence[Ask], adapters: Mapping[str, Layers], check: Callable[[], None]) -> list[Said]:
        """Continue all prompts in one batch, greedily.

        Args:
            asks: the prompts; of one adapter where the model does not mix.
            adapters: by the keys that they name.
            check: called at every step; what it raises ends the batch.
        """
        order = sorted(range(len(asks)), key=lambda i: asks[i].adapter)
        rows = [asks[i] for i in order]
        turn = _Turn(self, rows, adapters, check)
        limit, prompts = max(ask.max_tokens for ask in rows), [ask.prompt for ask in rows]
        try:
            with torch.inference_mode(), precision(self.spec):
                if self._lean:
                    written = generate.greedy(self.model, prompts, self._ends, limit, turn)
                else:
                    turn.rows(range(len(rows)))
                    written = generate.by_generate(self.model, prompts, self._ends, limit)
        finally:
            self._parts = []
        said = {i: self._said(ask, one.tokens) for i, ask, one in zip(order, rows, written, strict=True)}
        return [said[i] for i in range(len(asks))]

    def cut(self, ask: Ask, tokens: Sequence[int]) -> str | None:
        """Return the text of an answer before the first of its `stop` texts, None where there is none yet."""
        text = self.text(tokens) if ask.stop else ""
        places = [place for stop in ask.stop if (place := text.find(stop)) >= 0]
        return text[: min(places)] if places else None

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of an answer's tokens, without those that end a text."""
        return str(
            self.tokenizer.decode([token for token in tokens if token not in self._ends], skip_special_tokens=True)
        )

    def _said(self, ask: Ask, tokens: Sequence[int]) -> Said:
        if not self._lean:  # `generate` knows of no rules that differ between rows
            ends = (n for n in range(1, len(tokens)) if n >= ask.max_tokens or self.cut(ask, tokens[:n]) is not None)
            tokens = tokens[: next(ends, len(tokens))]
        before = self.cut(ask, tokens)
        ended = before is not None or bool(tokens and tokens[-1] in self._ends)
        return Said(self.text(tokens) if before is None else before, tuple(tokens), ended)

    def place(self, alive: Iterable[Layers | None]) -> None:
        """Say which adapter each row of the next call of the model belongs to, None for the base model."""
        self._parts, self._rows = [], 0
        for _, group in groupby(alive, key=id):
            same = list(group)
            self._parts.append((self._rows, self._rows + len(same), same[0] or {}))
            self._rows += len(same)

    def _forward(self, name: str, plain: Callable[[Any], Any], inputs: Any) -> Any:
        """Return W x with each row's change added; one product of the base model for all rows."""
        frozen = plain(inputs)
        parts = [(start, end, layers.get(name)) for start, end, layers in self._parts]
        if all(layer is None for _, _, layer in parts):
            return frozen
        if len(parts) == 1:
            return _added(frozen, inputs, parts[0][2])
        if len(frozen) != self._rows:
            raise RuntimeError(f"{name} does not see whole rows")
        return torch.cat([_added(frozen[start:end], inputs[start:end], layer) for start, end, layer in parts])

    def _sees_whole_rows(self) -> bool:
        seen: set[int] = set()
        hooks = [
            self.model.get_submodule(name).register_forward_pre_hook(lambda _, args: seen.add(args[0].shape[0]))
            for name in self._sides
        ]
        ids = torch.zeros((3, 5), dtype=torch.long, device=next(self.model.parameters()).device)
        try:
            with torch.inference_mode(), precision(self.spec):
                self.model(input_ids=ids, use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        return seen == {3}


def _added(frozen: torch.Tensor, inputs: torch.Tensor, layer: merge.SavedLayer | None) -> torch.Tensor:
    if layer is None:
        return frozen
    low = torch.nn.functional.linear(inputs, layer.a)
    output = torch.addmm(frozen.flatten(0, -2), low.flatten(0, -2), layer.b.t(), alpha=layer.scale)
    return output.view_as(frozen)


class _Turn:
    """One batch while it is written (a `generation.Watch`): whose the rows are, and the rules of each."""

    def __init__(
        self, base: SharedBase, asks: Sequence[Ask], adapters: Mapping[str, Layers], check: Callable[[], None]
    ) -> None:
        self._base, self._asks, self._check = base, asks, check
        self._layers = [adapters[ask.adapter] if ask.adapter else None for ask in asks]

    def rows(self, alive: Sequence[int]) -> None:
        self._check()
        self._base.place(self._layers[row] for row in alive)

    def over(self, row: int, tokens: Sequence[int]) -> bool:
        ask = self._asks[row]
        if len(tokens) >= ask.max_tokens or self._base.cut(ask, tokens) is not None:
            return True
        return ask.progress is not None and not ask.progress(tokens)


def held(layers: Layers) -> int:
    """Return the bytes of an adapter in memory."""
    return storage_bytes(tensor for layer in layers.values() for tensor in (layer.a, layer.b))

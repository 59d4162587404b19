"""Reading prompts into a cache of keys and values, before the first token of an answer is written.

If answers are short, reading is most of the work. Prompts are read in small batches of nearly equal length and without a
mask: little is spent on padding and nothing on later tokens. A common beginning of prompts is read once, with the rest of
each prompt side by side behind it, as for the options of a question (`likelihood`). The caches are then moved into one,
prompts on the right, so that all answers begin in the same column. The tests compare the result with one padded batch. That
batch is used if an architecture's cache is not plain keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from harness.model import prefix_tree
from harness.model.kv_cache import roomy, roomy_cache
from harness.model.logits import logits_at


class Prefill(NamedTuple):
    """The state after reading prompts: the cache, its mask [rows, width], each prompt's length, the next token's logits."""

    cache: Any
    mask: torch.Tensor
    lengths: torch.Tensor
    logits: torch.Tensor


def read(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    share: bool = False,
    on_rows: Callable[[Sequence[int]], None] | None = None,
) -> Prefill:
    """Return the state after reading the prompts, each in its own row of the cache.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        prompts: token ids, one batch.
        share: whether to read common beginnings once, see `shares`.
        on_rows: called before each call of the model with the index of each row's prompt; not with `share`.
    """
    cache = roomy_cache(model.config)
    if not roomy(cache):
        return _read_padded(model, prompts, cache, on_rows)
    device = next(model.parameters()).device
    sizes = torch.tensor([len(prompt) for prompt in prompts], device=device)
    width = int(sizes.max())
    mask = (torch.arange(width, device=device) >= width - sizes[:, None]).long()
    logits: torch.Tensor | None = None
    for batch in _batches(prefix_tree.families(prompts) if share else prefix_tree.singletons(prompts)):
        next_logits, part, members, sources = _read_batch(model, prompts, batch, width, on_rows)
        if logits is None:
            logits = next_logits.new_empty((len(prompts), next_logits.shape[-1]))
        logits[members] = next_logits
        for target, layer in zip(cache.layers, part.layers, strict=True):
            target.move_from(layer, len(prompts), members, sources)
    assert logits is not None  # there is a prompt
    return Prefill(cache, mask, sizes, logits)


def shares(model: Any, prompts: Sequence[Sequence[int]]) -> bool:
    """Return whether reading common beginnings once pays for these prompts and is correct, tested on two of them.

    A model that ignores the mask or counts distance by columns gives other numbers than prompt by prompt.
    """
    pair = next((family.members[:2] for family in prefix_tree.families(prompts) if family.shared), None)
    if pair is None:
        return False
    examples = [prompts[i] for i in pair]
    separate = read(model, examples).logits
    try:
        shared = read(model, examples, share=True).logits
    except torch.OutOfMemoryError:
        raise
    except (ValueError, TypeError, RuntimeError, IndexError):
        return False
    tolerance = 1e-3 if separate.dtype == torch.float32 else 0.1
    top = separate.topk(min(10, separate.shape[-1]), dim=-1).indices
    nats = [logits.float().log_softmax(-1).gather(-1, top) for logits in (separate, shared)]
    return bool((nats[0] - nats[1]).abs().max() <= tolerance + 0.01 * nats[0].abs().max())


def lengths(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Return each prompt's length, or the length of the longest in its family: sorting by it leaves families together."""
    sizes = [0] * len(prompts)
    for family in prefix_tree.families(prompts):
        longest = max(len(prompts[i]) for i in family.members)
        for i in family.members:
            sizes[i] = longest
    return sizes


def _batches(families: Sequence[prefix_tree.Family]) -> Iterator[list[prefix_tree.Family]]:
    """Yield the families in batches of at most `prefix_tree.READ_TOKENS` with padding, longest first.

    Families with and without a common beginning are not mixed.
    """
    batch: list[prefix_tree.Family] = []
    for family in sorted(families, key=lambda family: (not family.shared, -family.tokens)):
        full = batch and (len(batch) + 1) * batch[0].tokens > prefix_tree.READ_TOKENS
        if batch and (full or bool(family.shared) != bool(batch[0].shared)):
            yield batch
            batch = []
        batch.append(family)
    if batch:
        yield batch


def _read_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    batch: Sequence[prefix_tree.Family],
    width: int,
    on_rows: Callable[[Sequence[int]], None] | None,
) -> tuple[torch.Tensor, Any, torch.Tensor, torch.Tensor]:
    """Return the state after reading families, one a row, padded on the right.

    Returns:
        logits [members, vocabulary]; the cache; the members [members]; and the index of each member's tokens in the cache's
        rows x length, [members, width], on the right.
    """
    # In the order of the prompts, so that `on_rows` receives like rows side by side.
    rows = sorted(batch, key=lambda family: family.members)
    layout = prefix_tree.lay_out(
        [
            prefix_tree.Text(
                prompts[family.members[0]][: family.shared],
                [prefix_tree.Text(prompts[i][family.shared :]) for i in family.members],
            )
            for family in rows
        ]
    )
    longest = layout.ids.shape[1]
    sources: list[torch.Tensor] = []
    for line, (family, spans) in enumerate(zip(rows, layout.spans, strict=True)):
        for start, end in spans[1:]:
            source = torch.cat([torch.arange(family.shared), torch.arange(start, end)]) + line * longest
            sources.append(torch.nn.functional.pad(source, (width - len(source), 0)))
    members = [index for family in rows for index in family.members]
    if on_rows:
        on_rows(members)
    device = next(model.parameters()).device
    cache, columns = roomy_cache(model.config), torch.stack(sources).to(device)
    mask = {"attention_mask": prefix_tree.mask(layout.branches.to(device), _dtype(model))} if batch[0].shared else {}
    logits = logits_at(
        model,
        columns[:, -1],
        input_ids=layout.ids.to(device),
        position_ids=layout.positions.to(device),
        past_key_values=cache,
        use_cache=True,
        **mask,
    )
    return logits, cache, torch.tensor(members, device=device), columns


def _dtype(model: Any) -> torch.dtype:
    """Return the model's precision: autocast's, or that of its weights."""
    kind = next(model.parameters()).device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return torch.bfloat16 if model.dtype == torch.bfloat16 else torch.float32


def _read_padded(
    model: Any, prompts: Sequence[Sequence[int]], cache: Any, on_rows: Callable[[Sequence[int]], None] | None
) -> Prefill:
    """Return the state after reading all prompts in one left-padded batch, correct for every causal model with a cache."""
    device = next(model.parameters()).device
    ids, mask = left_padded(prompts, device)
    if on_rows:
        on_rows(range(len(prompts)))
    logits = logits_at(
        model,
        torch.arange(1, len(ids) + 1, device=device) * ids.shape[1] - 1,
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
    )
    return Prefill(cache, mask, mask.sum(1), logits)


def left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (ids, mask), [rows, width], with the prompts on the right so that all answers begin in the same column."""
    width = max(map(len, prompts))
    ids = torch.tensor(
        [[prefix_tree.PADDING] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device
    )
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask

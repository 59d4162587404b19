"""Reading prompts into a cache of keys and values, before the first token of an answer is written.

Reading is most of the work where answers are short. Prompts are read in small batches of nearly one length, without a mask,
so that little is spent on padding and nothing on looking ahead; what prompts begin with in common is read once, with
the rest of each behind it side by side, as the options of a question are (`likelihood`). The caches are then laid into one,
prompts on the right, where all answers begin in the same column. The tests hold it equal to one padded batch, which is
used where an architecture's cache is not plain keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from harness.model import prefix_tree
from harness.model.kv_cache import roomy, roomy_cache
from harness.model.logits import logits_at


class Read(NamedTuple):
    """Prompts that were read: their cache, its mask [rows, width], each one's length, the next token's logits."""

    cache: Any
    mask: torch.Tensor
    lengths: torch.Tensor
    logits: torch.Tensor


def read(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    share: bool = False,
    told: Callable[[Sequence[int]], None] | None = None,
) -> Read:
    """Read prompts, each in its own row of the cache.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        prompts: token ids, one batch.
        share: whether to read common beginnings once, see `shares`.
        told: called before each call of the model with the prompt that each row of it belongs to; not with `share`.
    """
    cache = roomy_cache(model.config)
    if not roomy(cache):
        return _read_padded(model, prompts, cache, told)
    device = next(model.parameters()).device
    sizes = torch.tensor([len(prompt) for prompt in prompts], device=device)
    width = int(sizes.max())
    mask = (torch.arange(width, device=device) >= width - sizes[:, None]).long()
    logits: torch.Tensor | None = None
    for batch in _batches(prefix_tree.families(prompts) if share else prefix_tree.alone(prompts)):
        found, part, members, sources = _read_batch(model, prompts, batch, width, told)
        if logits is None:
            logits = found.new_empty((len(prompts), found.shape[-1]))
        logits[members] = found
        for whole, layer in zip(cache.layers, part.layers, strict=True):
            whole.lay(layer, len(prompts), members, sources)
    assert logits is not None  # there is a prompt
    return Read(cache, mask, sizes, logits)


def shares(model: Any, prompts: Sequence[Sequence[int]]) -> bool:
    """Return whether reading a common beginning once pays among these prompts and is right for the model: tried on two.

    A model that ignores the mask, or counts distance by columns, gives other numbers than prompt by prompt.
    """
    pair = next((family.members[:2] for family in prefix_tree.families(prompts) if family.shared), None)
    if pair is None:
        return False
    two = [prompts[i] for i in pair]
    apart = read(model, two).logits
    try:
        together = read(model, two, share=True).logits
    except torch.OutOfMemoryError:
        raise
    except (ValueError, TypeError, RuntimeError, IndexError):
        return False
    allowed = 1e-3 if apart.dtype == torch.float32 else 0.1
    top = apart.topk(min(10, apart.shape[-1]), dim=-1).indices
    nats = [found.float().log_softmax(-1).gather(-1, top) for found in (apart, together)]
    return bool((nats[0] - nats[1]).abs().max() <= allowed + 0.01 * nats[0].abs().max())


def lengths(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Return each prompt's length, in a family that of its longest: sorted by them, what is read together is together."""
    found = [0] * len(prompts)
    for family in prefix_tree.families(prompts):
        longest = max(len(prompts[i]) for i in family.members)
        for i in family.members:
            found[i] = longest
    return found


def _batches(found: Sequence[prefix_tree.Family]) -> Iterator[list[prefix_tree.Family]]:
    """Yield the families in batches of at most `trees.READ_TOKENS` with padding, longest first; those alone by themselves."""
    batch: list[prefix_tree.Family] = []
    for family in sorted(found, key=lambda one: (not one.shared, -one.tokens)):
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
    told: Callable[[Sequence[int]], None] | None,
) -> tuple[torch.Tensor, Any, torch.Tensor, torch.Tensor]:
    """Read families, one a row, padded on the right.

    Returns:
        logits [members, vocabulary]; the cache; the members [members]; and where in the cache's rows x length the tokens
        of each stand, [members, width], on the right.
    """
    # In the order of the prompts, so that those told of rows find like beside like.
    rows = sorted(batch, key=lambda one: one.members)
    layout = prefix_tree.lay_out(
        [
            prefix_tree.Text(
                prompts[one.members[0]][: one.shared], [prefix_tree.Text(prompts[i][one.shared :]) for i in one.members]
            )
            for one in rows
        ]
    )
    longest = layout.ids.shape[1]
    sources: list[torch.Tensor] = []
    for line, (family, spans) in enumerate(zip(rows, layout.spans, strict=True)):
        for start, end in spans[1:]:
            source = torch.cat([torch.arange(family.shared), torch.arange(start, end)]) + line * longest
            sources.append(torch.nn.functional.pad(source, (width - len(source), 0)))
    members = [index for family in rows for index in family.members]
    if told:
        told(members)
    device = next(model.parameters()).device
    cache, where = roomy_cache(model.config), torch.stack(sources).to(device)
    mask = {"attention_mask": prefix_tree.mask(layout.branches.to(device), _dtype(model))} if batch[0].shared else {}
    logits = logits_at(
        model,
        where[:, -1],
        input_ids=layout.ids.to(device),
        position_ids=layout.places.to(device),
        past_key_values=cache,
        use_cache=True,
        **mask,
    )
    return logits, cache, torch.tensor(members, device=device), where


def _dtype(model: Any) -> torch.dtype:
    """Return the precision that the model computes in."""
    kind = next(model.parameters()).device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return torch.bfloat16 if model.dtype == torch.bfloat16 else torch.float32


def _read_padded(
    model: Any, prompts: Sequence[Sequence[int]], cache: Any, told: Callable[[Sequence[int]], None] | None
) -> Read:
    """Read all prompts in one batch, padded on the left: right for every causal model with a cache."""
    device = next(model.parameters()).device
    ids, mask = left_padded(prompts, device)
    if told:
        told(range(len(prompts)))
    logits = logits_at(
        model,
        torch.arange(1, len(ids) + 1, device=device) * ids.shape[1] - 1,
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
    )
    return Read(cache, mask, mask.sum(1), logits)


def left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (ids, mask), [rows, width], prompts on the right so that all answers begin in the same column."""
    width = max(map(len, prompts))
    ids = torch.tensor(
        [[prefix_tree.PADDING] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device
    )
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask

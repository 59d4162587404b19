"""Log-likelihood of every option of a question: as a tree in one pass, or one row per option.

In the tree the prompt is read once and the options stand behind it side by side; each option attends to the prompt and
to itself, and its positions continue the prompt's, so that the numbers are those of prompt + option read alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness import trees
from harness.encode import Encoded, Pair
from harness.logits import logits_at, virtual_tokens
from harness.schema import RunSpec

Scorer = Callable[[Any, Sequence[Encoded], RunSpec], list[tuple[float, ...]]]


def tree_length(item: Encoded) -> int:
    """Return how many tokens the tree of one question has: the last token of each option is never read."""
    return len(item.prompt) + sum(len(option) - 1 for option in item.options)


def choose_scorer(model: Any, item: Encoded, spec: RunSpec) -> Scorer:
    """Return `score_tree` where the architecture takes its mask, else `score_rows`: tried out on one question.

    A model that ignores the mask or refuses it (state-space layers, some attention kernels) gives other numbers than
    row by row, beyond what rounding explains.
    """
    if virtual_tokens(model):  # PEFT lays its own mask and positions around them
        return score_rows
    slow = score_rows(model, [item], spec)[0]
    try:
        fast = score_tree(model, [item], spec)[0]
    except torch.OutOfMemoryError:
        raise
    except (ValueError, TypeError, RuntimeError, IndexError):
        return score_rows
    per_token = 0.1 if spec.dtype == "bf16" else 1e-3
    allowed = (per_token * len(option) + 0.01 * abs(value) for option, value in zip(item.options, slow, strict=True))
    agree = all(abs(a - b) <= most for a, b, most in zip(fast, slow, allowed, strict=True))
    return score_tree if agree else score_rows


def score_tree(model: Any, items: Sequence[Encoded], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the log-likelihood in nats of each option with its end token, per question, in one pass.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        items: the questions of one batch.
        spec: gives device and precision.
    """
    layout = trees.lay_out([(item.prompt, [option[:-1] for option in item.options]) for item in items])
    width = layout.ids.shape[1]
    positions: list[int] = []
    for line, (item, spans) in enumerate(zip(items, layout.spans, strict=True)):
        for start, end in spans:
            # The prompt's last token predicts an option's first.
            positions += [line * width + len(item.prompt) - 1, *range(line * width + start, line * width + end)]
    device, dtype = spec.device, torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    logits = logits_at(
        model,
        torch.tensor(positions, device=device),
        input_ids=layout.ids.to(device),
        position_ids=layout.places.to(device),
        attention_mask=trees.mask(layout.branches.to(device), dtype),
        use_cache=False,
    )
    return _sum_options(logits, items)


def score_rows(model: Any, items: Sequence[Encoded], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the same as `score_tree` from one row per option and no mask; right for every causal model."""
    from harness.train import collate

    rows = [Pair(item.prompt, option) for item in items for option in item.options]
    ids, positions, _ = collate(rows, trees.PADDING, spec.device)
    return _sum_options(logits_at(model, positions, input_ids=ids, use_cache=False), items)


def score_tokens(model: Any, rows: Sequence[Pair], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the log-likelihood in nats of each token of each row's target, given all that stands before it.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        rows: of one batch.
        spec: gives device and precision.
    """
    from harness.train import collate

    ids, positions, _ = collate(rows, trees.PADDING, spec.device)
    nats = _nats(logits_at(model, positions, input_ids=ids, use_cache=False), [row.target for row in rows])
    return [tuple(part.tolist()) for part in nats]


def _sum_options(logits: torch.Tensor, items: Sequence[Encoded]) -> list[tuple[float, ...]]:
    """Add up the log-probabilities of each option's tokens; `logits` [N, vocabulary] stand in the options' order."""
    # Summed in double precision on the processor: the order of a parallel sum must not decide between two options.
    sums = iter([part.sum().item() for part in _nats(logits, [option for item in items for option in item.options])])
    return [tuple(next(sums) for _ in item.options) for item in items]


def _nats(logits: torch.Tensor, parts: Sequence[Sequence[int]]) -> Sequence[torch.Tensor]:
    """Return the log-probability of each part's tokens, one tensor for each part, in double precision on the processor."""
    tokens = torch.tensor([token for part in parts for token in part], device=logits.device)
    nats = torch.log_softmax(logits.float(), dim=-1).gather(1, tokens[:, None])[:, 0]
    return torch.split(nats.double().cpu(), [len(part) for part in parts])

"""Log-likelihood of every option of a question: as a tree in one pass, or one row per option.

In the tree (`trees`) the prompt is read once and the options stand behind it side by side; questions whose prompts begin
alike, as those about one case do, stand side by side behind that beginning. The numbers are those of prompt + option read alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from harness.model import prefix_tree
from harness.model.logits import logits_at, virtual_tokens
from harness.model.tokenize import Encoded, Pair
from harness.record import RunSpec


class Row(NamedTuple):
    """Questions in one tree: their prompts begin with the same `shared` tokens, which are read once."""

    items: Sequence[Encoded]
    shared: int = 0


Scorer = Callable[[Any, Sequence[Row], RunSpec], list[tuple[float, ...]]]


def question_length(item: Encoded) -> int:
    """Return how many tokens a question has with its options: the last token of each option is never read."""
    return len(item.prompt) + sum(len(option) - 1 for option in item.options)


def tree_length(row: Row) -> int:
    """Return how many tokens the tree of these questions has."""
    return sum(map(question_length, row.items)) - row.shared * (len(row.items) - 1)


def choose_scorer(model: Any, row: Row, spec: RunSpec) -> Scorer:
    """Return `score_tree` where the architecture takes its mask, else `score_rows`: tried out on one tree.

    A model that ignores the mask or refuses it (state-space layers, some attention kernels) gives other numbers than
    row by row, beyond what rounding explains.
    """
    if virtual_tokens(model):  # PEFT lays its own mask and positions around them
        return score_rows
    slow = list(itertools.chain(*score_rows(model, [row], spec)))
    try:
        fast = list(itertools.chain(*score_tree(model, [row], spec)))
    except torch.OutOfMemoryError:
        raise
    except (ValueError, TypeError, RuntimeError, IndexError):
        return score_rows
    per_token = 0.1 if spec.dtype == "bf16" else 1e-3
    options = [option for item in row.items for option in item.options]
    allowed = (per_token * len(option) + 0.01 * abs(value) for option, value in zip(options, slow, strict=True))
    agree = all(abs(a - b) <= most for a, b, most in zip(fast, slow, allowed, strict=True))
    return score_tree if agree else score_rows


def score_tree(model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the log-likelihood in nats of each option with its end token, question by question, in one pass.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        rows: the trees of one batch.
        spec: gives device and precision.
    """
    layout = prefix_tree.lay_out([_tree(row) for row in rows])
    width = layout.ids.shape[1]
    positions: list[int] = []
    for line, (row, found) in enumerate(zip(rows, layout.spans, strict=True)):
        spans = iter(found[len(row.items) > 1 :])  # without that of a beginning in common
        for item in row.items:
            last = line * width + next(spans)[1] - 1
            for start, end in itertools.islice(spans, len(item.options)):
                # The prompt's last token predicts an option's first.
                positions += [last, *range(line * width + start, line * width + end)]
    device, dtype = spec.device, torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    logits = logits_at(
        model,
        torch.tensor(positions, device=device),
        input_ids=layout.ids.to(device),
        position_ids=layout.places.to(device),
        attention_mask=prefix_tree.mask(layout.branches.to(device), dtype),
        use_cache=False,
    )
    return _sum_options(logits, _questions(rows))


def _questions(rows: Sequence[Row]) -> list[Encoded]:
    return [item for row in rows for item in row.items]


def _tree(row: Row) -> prefix_tree.Text:
    """Return the beginning in common, the questions behind it, and behind each its options; one question is its own beginning."""
    items, shared = row
    asked = [
        prefix_tree.Text(item.prompt[shared:], [prefix_tree.Text(option[:-1]) for option in item.options])
        for item in items
    ]
    return prefix_tree.Text(items[0].prompt[:shared], asked) if len(items) > 1 else asked[0]


def score_rows(model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the same as `score_tree` from one row per option and no mask; right for every causal model."""
    from harness.model.batch import collate

    items = _questions(rows)
    pairs = [Pair(item.prompt, option) for item in items for option in item.options]
    ids, positions, _ = collate(pairs, prefix_tree.PADDING, spec.device)
    return _sum_options(logits_at(model, positions, input_ids=ids, use_cache=False), items)


def score_tokens(model: Any, rows: Sequence[Pair], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the log-likelihood in nats of each token of each row's target, given all that stands before it.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        rows: of one batch.
        spec: gives device and precision.
    """
    from harness.model.batch import collate

    ids, positions, _ = collate(rows, prefix_tree.PADDING, spec.device)
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

"""Log-likelihood of every option of a question: as a tree in one pass, or one row per option.

In a tree (`prefix_tree`) the prompt is read once and the options follow it side by side. Prompts with a common beginning,
such as the questions about one case, share that beginning, too. The numbers equal those of prompt + option read alone.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from harness.model import prefix_tree
from harness.model.logits import logits_at, virtual_tokens
from harness.model.tokenize import EncodedQuestion, Pair
from harness.record import RunSpec


class Row(NamedTuple):
    """Questions in one tree. Their prompts begin with the same `shared` tokens, which are read once."""

    items: Sequence[EncodedQuestion]
    shared: int = 0


class Nats(NamedTuple):
    """The log-likelihood of an option's own tokens, and of the end token behind them, in nats."""

    option: float
    end: float


Scorer = Callable[[Any, Sequence[Row], RunSpec], list[tuple[Nats, ...]]]


def question_length(item: EncodedQuestion) -> int:
    """Return the number of tokens of a question with its options; the last token of each option is never read."""
    return len(item.prompt) + sum(len(option) - 1 for option in item.options)


def tree_length(row: Row) -> int:
    """Return the number of tokens of the tree of these questions."""
    return sum(map(question_length, row.items)) - row.shared * (len(row.items) - 1)


def path_length(row: Row) -> int:
    """Return the number of tokens of the longest question with one of its options; an option's last token is never read."""
    return max(len(item.prompt) + max(map(len, item.options)) - 1 for item in row.items)


def window(model: Any) -> float:
    """Return the number of tokens that every layer of a model attends to, infinite without a limit.

    A tree's mask takes the place of the model's own, and would let a layer with a sliding or chunked window read past it.
    """
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ()
    limits = [getattr(config, name, None) for name in ("attention_chunk_size", "window_size")]
    if not kinds or any("sliding" in kind or "local" in kind for kind in kinds):
        limits.append(getattr(config, "sliding_window", None))
    return min((limit for limit in limits if isinstance(limit, int) and limit > 0), default=math.inf)


def counts_columns(model: Any) -> bool:
    """Return whether distances are counted by columns instead of positions, as ALiBi does: a tree would change them."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    takes_positions = "position_ids" in inspect.signature(inner.forward).parameters
    return not takes_positions or bool(getattr(model.config.get_text_config(), "alibi", False))


def by_window(limit: float) -> Scorer:
    """Return a scorer by `score_tree` for rows within a window, and by `score_rows` for longer ones."""

    def score(model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[Nats, ...]]:
        short = [path_length(row) <= limit for row in rows]
        scores: dict[int, list[tuple[Nats, ...]]] = {}
        for scorer, inside in ((score_tree, True), (score_rows, False)):
            numbers = [number for number, fits in enumerate(short) if fits == inside]
            if numbers:
                results = iter(scorer(model, [rows[number] for number in numbers], spec))
                scores |= {number: list(itertools.islice(results, len(rows[number].items))) for number in numbers}
        return [nats for number in range(len(rows)) for nats in scores[number]]

    return score


def choose_scorer(model: Any, row: Row, spec: RunSpec) -> Scorer:
    """Return `score_tree` if it agrees with `score_rows` on one tree, else `score_rows`.

    Some models refuse the tree's mask or ignore it (state-space layers, some attention kernels). Their numbers then differ
    from those of single rows by more than rounding.
    """
    if virtual_tokens(model):  # PEFT builds its own mask and positions around them
        return score_rows
    if counts_columns(model) or path_length(row) > window(model):
        return score_rows
    by_row = list(itertools.chain(*score_rows(model, [row], spec)))
    try:
        by_tree = list(itertools.chain(*score_tree(model, [row], spec)))
    except torch.OutOfMemoryError:
        raise
    except (ValueError, TypeError, RuntimeError, IndexError):
        return score_rows
    per_token = 0.1 if spec.dtype == "bf16" else 1e-3
    options = [option for item in row.items for option in item.options]
    tolerances = (
        per_token * len(option) + 0.01 * abs(sum(value)) for option, value in zip(options, by_row, strict=True)
    )
    agree = all(abs(sum(a) - sum(b)) <= most for a, b, most in zip(by_tree, by_row, tolerances, strict=True))
    return score_tree if agree else score_rows


def score_tree(model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[Nats, ...]]:
    """Return the log-likelihood of each option and of the end token behind it, question by question, in one pass.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        rows: the trees of one batch.
        spec: the run's settings; device and precision are used.
    """
    layout = prefix_tree.lay_out([_tree(row) for row in rows])
    width = layout.ids.shape[1]
    positions: list[int] = []
    for line, (row, columns) in enumerate(zip(rows, layout.spans, strict=True)):
        spans = iter(columns[len(row.items) > 1 :])  # without the columns of a common beginning
        for item in row.items:
            last = line * width + next(spans)[1] - 1
            for start, end in itertools.islice(spans, len(item.options)):
                # The prompt's last token predicts an option's first token.
                positions += [last, *range(line * width + start, line * width + end)]
    device, dtype = spec.device, torch.bfloat16 if spec.dtype == "bf16" else torch.float32
    logits = logits_at(
        model,
        torch.tensor(positions, device=device),
        input_ids=layout.ids.to(device),
        position_ids=layout.positions.to(device),
        attention_mask=prefix_tree.mask(layout.branches.to(device), dtype),
        use_cache=False,
    )
    return _sum_options(logits, _questions(rows))


def _questions(rows: Sequence[Row]) -> list[EncodedQuestion]:
    return [item for row in rows for item in row.items]


def _tree(row: Row) -> prefix_tree.Text:
    """Return the tree of a row: the common beginning, then the questions, then the options of each.

    A single question has no beginning apart from itself.
    """
    items, shared = row
    questions = [
        prefix_tree.Text(item.prompt[shared:], [prefix_tree.Text(option[:-1]) for option in item.options])
        for item in items
    ]
    return prefix_tree.Text(items[0].prompt[:shared], questions) if len(items) > 1 else questions[0]


def score_rows(model: Any, rows: Sequence[Row], spec: RunSpec) -> list[tuple[Nats, ...]]:
    """Return the same as `score_tree` from one row per option, without a mask; correct for every causal model."""
    from harness.model.batch import collate

    items = _questions(rows)
    pairs = [Pair(item.prompt, option) for item in items for option in item.options]
    ids, positions, _ = collate(pairs, prefix_tree.PADDING, spec.device)
    return _sum_options(logits_at(model, positions, input_ids=ids, use_cache=False), items)


def score_tokens(model: Any, rows: Sequence[Pair], spec: RunSpec) -> list[tuple[float, ...]]:
    """Return the log-likelihood in nats of each token of each row's target, given the text before it.

    Args:
        model: in evaluation mode, called without gradients and in the spec's precision.
        rows: the rows of one batch.
        spec: the run's settings; only the device is used.
    """
    from harness.model.batch import collate

    ids, positions, _ = collate(rows, prefix_tree.PADDING, spec.device)
    nats = _nats(logits_at(model, positions, input_ids=ids, use_cache=False), [row.target for row in rows])
    return [tuple(part.tolist()) for part in nats]


def _sum_options(logits: torch.Tensor, items: Sequence[EncodedQuestion]) -> list[tuple[Nats, ...]]:
    """Return the sums over each option's tokens; `logits` [N, vocabulary] are in the options' order."""
    # Summed in double precision on the processor: the order of a parallel sum must not decide between two options.
    parts = _nats(logits, [option for item in items for option in item.options])
    sums = iter([Nats(part[:-1].sum().item(), part[-1].item()) for part in parts])
    return [tuple(next(sums) for _ in item.options) for item in items]


def _nats(logits: torch.Tensor, parts: Sequence[Sequence[int]]) -> Sequence[torch.Tensor]:
    """Return the log-probability of each part's tokens, one tensor for each part, in double precision on the processor."""
    tokens = torch.tensor([token for part in parts for token in part], device=logits.device)
    nats = torch.log_softmax(logits.float(), dim=-1).gather(1, tokens[:, None])[:, 0]
    return torch.split(nats.cpu().double(), [len(part) for part in parts])

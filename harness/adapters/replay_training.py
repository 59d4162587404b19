"""A finished run's training, looked at again without doing it again: its first steps, its last loss, its peak of memory.

The rate of the last step is almost zero, so the stored weights have the last logged loss on the last step's examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import registry
from harness.record import RunSpec
from harness.runs import inputs
from harness.runs.inputs import Inputs
from harness.schema import Method

FIRST_STEPS = 3  # from the second on, the loss depends on the learning rate


@dataclass(frozen=True)
class Steps:
    """The losses of the first steps, the tokens of all, and the peak of memory as it is predicted, 0 if it is not."""

    losses: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    peak: int = 0


def is_repeatable(spec: RunSpec, method: Method) -> bool:
    """Return whether a run's steps follow from its spec: no clients, no further tasks, no other run's weights."""
    return method.trains and not (spec.rounds or spec.joined or spec.start)


def first_steps(folder: Path, data: Inputs, spec: RunSpec) -> Steps:
    """Return the first training steps of a run, taken again; nothing if they do not follow from its spec.

    Args:
        folder: of the base model.
        data: the run's inputs.
        spec: the run's spec.
    """
    from harness.model import loading
    from harness.runs.forecast import peak_memory
    from harness.training import loop

    method = None if spec.challenger else registry.method(spec.method)
    if method is None or not is_repeatable(spec, method):
        return Steps()
    tokenizer = loading.tokenizer_of(folder, spec)
    pairs = inputs.encode_train(data, spec, tokenizer)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    fit = loop.fit(
        method.adapt(method.load(str(folder), spec), spec),
        tokenizer,
        pairs,
        spec,
        rate_factor=method.rate_factor,
        make=method.optimizer,
        steps=range(min(FIRST_STEPS, len(batches))),
    )
    largest = [pairs[i] for i in batches[loop.counted_step(pairs, batches, spec)]]
    peak = peak_memory.training_peak(folder, spec, method, largest) if spec.device == "cpu" else 0
    return Steps(fit.losses, tuple(sum(len(pairs[i]) for i in batch) for batch in batches), peak)


def last_loss(model: Any, tokenizer: Any, data: Inputs, spec: RunSpec, method: Method) -> float | None:
    """Return a trained model's loss on the examples of its last step; None if it is another one in training."""
    from harness.training import loop

    if not is_repeatable(spec, method) or spec.dropout or method.after_step or spec.validations:
        return None
    pairs = inputs.encode_train(data, spec, tokenizer)
    last = loop.plan_batches([len(pair) for pair in pairs], spec)[-1]
    return _loss(model, [pairs[i] for i in last], spec, loop.padding_token(tokenizer, model))


def _loss(model: Any, rows: Sequence[Any], spec: RunSpec, padding: int) -> float:
    """Return the loss of a step's examples as the loop computes it, in nats per target token."""
    import torch

    from harness.model.batch import collate
    from harness.model.loading import precision
    from harness.model.logits import logits_at

    total = 0.0
    with torch.inference_mode(), precision(spec):
        for start in range(0, len(rows), spec.micro_batch):
            ids, positions, labels = collate(rows[start : start + spec.micro_batch], padding, spec.device)
            logits = logits_at(model, positions, input_ids=ids, use_cache=False)
            total += torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum").item()
    return total / sum(len(pair.target) for pair in rows)

"""Costs of made-up runs in which weights, bytes, tokens and seconds agree, as those of real runs do."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from harness.record import Answer, Cost, Parts, Phase, RunSpec
from harness.verify import embedded
from harness.verify.checks.answers import lengths

BUFFER_BYTES = 128
TOKENS, TEST_TOKENS = 40, 60  # of an example


def cost_of(spec: RunSpec) -> Cost:
    """Return the cost of a run of a model as large as the embedded one; what did not train has no training to measure."""
    luck = random.Random(spec.id)
    size = 2 if spec.dtype == "bf16" else 4
    weights, loaded = embedded.weights(), embedded.weights() * size + BUFFER_BYTES
    train_tokens = round(TOKENS * spec.train_examples * spec.epochs)
    phases = {
        "load": Phase(0.1 + luck.random(), loaded, 300_000_000),
        "evaluate": Phase(1 + luck.random(), loaded + 30_000_000, 600_000_000, tokens=TEST_TOKENS * spec.test_examples),
    }
    if not spec.train_examples:
        return Cost(phases, None, 0, weights, 0, loaded, 0, 0, 0.0)
    trained = embedded.lora_weights(spec.rank) if spec.rank else weights
    frozen, tensors = (loaded, 70) if spec.rank else (BUFFER_BYTES, 47)
    parts = Parts(frozen, 4 * trained, 0, 8 * trained + 4 * tensors, 46_000_000 + luck.randrange(100_000))
    peak, bytes_loaded = sum(dataclasses.astuple(parts)), frozen + 4 * trained
    seconds = 10 + luck.random()
    phases["load"] = dataclasses.replace(phases["load"], peak_bytes=bytes_loaded)
    phases["evaluate"] = dataclasses.replace(phases["evaluate"], peak_bytes=bytes_loaded + 30_000_000)
    phases["train"] = Phase(seconds * 1.01, peak, 700_000_000, tokens=train_tokens)
    adapter = 4 * trained + 127 * tensors if spec.rank else 0
    predicted = 50_000_000 + frozen + 12 * trained
    return Cost(phases, parts, predicted, weights, trained, bytes_loaded, adapter, train_tokens, train_tokens / seconds)


def with_written(cost: Cost, spec: RunSpec, answers: Sequence[Answer]) -> Cost:
    """Return a cost with the tokens of the texts that a run wrote in its test."""
    if spec.scoring != "generate":
        return cost
    test = cost.phases["evaluate"]
    tokens = test.tokens + lengths.tokens_of(answers, spec.max_new_tokens)
    return dataclasses.replace(cost, phases={**cost.phases, "evaluate": dataclasses.replace(test, tokens=tokens)})


def start_of(spec: RunSpec) -> str:
    """Return when a made-up run began: in the last eight minutes, each at another second."""
    ago = timedelta(seconds=random.Random(f"{spec.id} start").randrange(480))
    return (datetime.now(UTC) - ago).isoformat(timespec="seconds")

"""Training by rounds over clients that keep their examples: federated averaging of what trains.

Every client plans its steps over its own examples as `train.fit` plans the pooled run's over all, and the rounds cut this
plan into equal shares: the clients together see each example as often as the pooled run does. In each round a client
starts from the averaged weights and takes its share of steps with the same loop; the server averages what comes back,
weighted by the examples trained on. One client alone is therefore the plain run, whatever the rounds.

What stays with a client from round to round: its examples, its place in the plan and in the schedule of the rate, and
the optimizer's moments, which insurers, few and always there, can keep. Clients take turns in one process; memory is
that of one client, seconds are the sum over all. What sending adapters costs, and how private they are, is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.training import clients, loop
from harness.training.loop import FitResult, Step

Weights = dict[str, np.ndarray]  # what trains, by name, fp32


@dataclass(frozen=True)
class Reply:
    """What a client sends back: its weights, and how many examples it trained them on in this round."""

    weights: Weights
    examples: int


Client = Callable[[int, Weights], Reply]  # (round from 0, averaged weights) to the reply
Serve = Callable[[Sequence[Client], int, Weights], Weights]  # (clients, rounds, start) to the last average


def average(replies: Sequence[Reply]) -> Weights:
    """Return the mean of each weight, weighted by examples: FedAvg's, A and B apart."""
    total = sum(reply.examples for reply in replies)
    parts = [(reply.weights, reply.examples / total) for reply in replies]
    return {name: np.sum([weights[name] * share for weights, share in parts], axis=0) for name in parts[0][0]}


def serve(everyone: Sequence[Client], rounds: int, weights: Weights) -> Weights:
    """Do the rounds plainly; `flower.serve` is the same through Flower, and is what runs use."""
    for number in range(rounds):
        weights = average([client(number, weights) for client in everyone])
    return weights


def fit(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[Pair],
    spec: RunSpec,
    *,
    holders: Sequence[str],
    server: Serve = serve,
    on_step: Callable[[Step], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Any,
) -> FitResult:
    """Train as `train.fit` does, by `spec.rounds` rounds over the clients; the model ends with the last average.

    Args:
        model: see `train.fit`, as are the arguments not named here.
        tokenizer: likewise.
        pairs: the encoded training examples.
        spec: likewise.
        holders: the client that holds each pair.
        server: does the rounds.
        on_step: called after each step of any client, counted through all of them.
        should_stop: asked after each step; True ends training there, with the weights of the client in hand.
        options: go to `train.fit`.

    Raises:
        HarnessError: as `train.fit`.
    """
    shares = [[pair for pair, who in zip(pairs, holders, strict=True) if who == name] for name in sorted({*holders})]
    total = sum(clients.planned_steps(len(share), spec) for share in shares)
    done: list[FitResult] = []
    taken = 0

    def counted(step: Step) -> None:
        nonlocal taken
        taken += 1
        if on_step:
            on_step(replace(step, step=taken, steps=total))

    options = {**options, "on_step": counted, "should_stop": should_stop}
    everyone = [_Client(model, tokenizer, share, spec, options, done) for share in shares]
    try:
        write(model, server(everyone, spec.rounds, read(model)))
    except _Stopped:
        return joined(done, stopped=True)
    return joined(done)


class _Stopped(Exception):
    """Raised through the server where a client was asked to stop."""


@dataclass
class _Client:
    """A client: its examples and its optimizer's moments stay here. `done` gets what each share of steps cost."""

    model: Any
    tokenizer: Any
    pairs: Sequence[Pair]
    spec: RunSpec
    options: dict[str, Any]
    done: list[FitResult]
    moments: dict[str, Any] = field(default_factory=dict)

    def __call__(self, number: int, weights: Weights) -> Reply:
        """Train for the share of steps of this round (from 0), from these weights."""
        batches = loop.plan_batches([len(pair) for pair in self.pairs], self.spec)
        steps = share_of(len(batches), number, self.spec.rounds)
        if not steps:  # fewer steps than rounds: it sits this one out
            return Reply(weights, 0)
        write(self.model, weights)
        kept: list[torch.optim.Optimizer] = []

        def resumed(groups: Any, rate: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
            kept.append(loop.adamw(groups, rate, betas))
            if self.moments:
                kept[0].load_state_dict(self.moments)
            return kept[0]

        result = loop.fit(self.model, self.tokenizer, self.pairs, self.spec, steps=steps, make=resumed, **self.options)
        self.done.append(result)
        if result.stopped:
            raise _Stopped
        self.moments = _on_cpu(kept[0].state_dict())  # of one client only on the device, as it would be there
        return Reply(read(self.model), sum(len(batches[step]) for step in steps))


def share_of(steps: int, number: int, rounds: int) -> range:
    """Return the steps of round `number` (from 0) of `rounds`: consecutive, in all rounds together each step once."""
    return range(steps * number // rounds, steps * (number + 1) // rounds)


def read(model: Any) -> Weights:
    """Return a copy of what trains."""
    return {
        name: weight.detach().cpu().numpy().copy() for name, weight in model.named_parameters() if weight.requires_grad
    }


def write(model: Any, weights: Weights) -> None:
    """Put weights where `read` found them."""
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            weight.data.copy_(torch.from_numpy(weights[name]))


def _on_cpu(state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state with its tensors copied to the host."""
    moments = {
        key: {name: value.detach().cpu().clone() for name, value in entry.items()}
        for key, entry in state["state"].items()
    }
    return {**state, "state": moments}


def joined(results: Sequence[FitResult], *, stopped: bool = False) -> FitResult:
    """Return what all shares of steps cost together: the sum of tokens and seconds, the highest peak with its parts.

    On CUDA the peak is the allocator's since the phase began and may be of a later share than the parts: what it is
    higher by counts as activations and rest.
    """
    tokens, seconds = sum(result.tokens for result in results), sum(result.seconds for result in results)
    peak = max(result.peak_bytes for result in results)
    at_peak = max((result for result in results if result.parts), key=lambda result: result.peak_bytes, default=None)
    parts = at_peak.parts if at_peak else None
    if at_peak and parts:
        rest = parts.activations_and_rest + peak - at_peak.peak_bytes
        parts = replace(parts, activations_and_rest=rest)
    return FitResult(
        losses=tuple(loss for result in results for loss in result.losses),
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        peak_bytes=peak,
        parts=parts,
        stopped=stopped,
    )

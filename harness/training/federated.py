"""Federated averaging of the trained weights, in rounds over clients that do not share their examples.

Every client plans its steps over its own examples as `loop.fit` plans the pooled run's over all. The rounds cut this plan
into equal shares: the clients together see each example as often as the pooled run does. In each round a client starts
from the averaged weights and takes its share of steps with the same loop. The server averages the returned weights by the
number of examples trained on. With a single client this is therefore the plain run, for any number of rounds.

From round to round a client has its examples, its position in the plan and in the schedule of the rate, and its optimizer's
moments: insurers are few and always available, so they can store them. Clients take turns in one process; memory is that of
one client, seconds are the sum over all. The cost of sending adapters and their privacy are not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.schedule import planned_steps
from harness.training import loop, selection
from harness.training.federated_state import ShareKeeper, Turn, turn_of
from harness.training.federated_state import Weights as Weights
from harness.training.loop import FitResult, Step
from harness.training.state import Keeper


@dataclass(frozen=True)
class Reply:
    """A client's reply: its weights, and the number of examples that it trained them on in this round."""

    weights: Weights
    examples: int


Client = Callable[[int, Weights], Reply]  # (round from 0, averaged weights) to the reply
Serve = Callable[[Sequence[Client], int, Weights], Weights]  # (clients, rounds, start) to the last average


def average(replies: Sequence[Reply]) -> Weights:
    """Return the mean of each weight, weighted by examples, as FedAvg does; A and B of LoRA are averaged separately."""
    total = sum(reply.examples for reply in replies)
    parts = [(reply.weights, reply.examples / total) for reply in replies]
    return {name: np.sum([weights[name] * share for weights, share in parts], axis=0) for name in parts[0][0]}


def serve(clients: Sequence[Client], rounds: int, weights: Weights) -> Weights:
    """Return the average after all rounds, computed directly; runs use `flower.serve`, the same through Flower."""
    for number in range(rounds):
        weights = average([client(number, weights) for client in clients])
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
    keeper: Keeper | None = None,
    **options: Any,
) -> FitResult:
    """Return the result of training in `spec.rounds` rounds over the clients; the model ends with the last average.

    Args:
        model: see `loop.fit`.
        tokenizer: see `loop.fit`.
        pairs: the encoded training examples.
        spec: see `loop.fit`.
        holders: the client of each pair.
        server: the function that does the rounds.
        on_step: called after each step of any client, with steps numbered over all clients.
        should_stop: called after each step; True ends training with the weights of the current client.
        keeper: see `loop.fit`.
        options: further arguments of `loop.fit`.

    Raises:
        HarnessError: as `loop.fit`.
    """
    shares = [
        [pair for pair, holder in zip(pairs, holders, strict=True) if holder == name] for name in sorted({*holders})
    ]
    total = sum(planned_steps(len(share), spec) for share in shares)
    state = keeper.take() if keeper else None
    turn = turn_of(state) if state else Turn(average=read(model))
    del state  # what is still needed of it is in `turn`

    def count_step(step: Step) -> None:
        turn.steps += 1
        if on_step:
            on_step(replace(step, step=turn.steps, steps=total))

    def note_stop() -> bool:
        turn.stop = turn.stop or (should_stop is not None and should_stop())
        return turn.stop

    options = {**options, "on_step": count_step, "should_stop": note_stop}
    clients = [
        _Client(model, tokenizer, share, spec, options, turn, index, keeper, is_last=index == len(shares) - 1)
        for index, share in enumerate(shares)
    ]
    try:
        write(model, server(clients, spec.rounds - turn.first_round, turn.average))
    except _StopRequest:
        return combine(turn.results, stopped=True)
    return combine(turn.results)


class _StopRequest(Exception):
    """A request to stop, raised by a client through the server."""


@dataclass
class _Client:
    """A client with its examples; the moments of its optimizer and the results of its shares of steps are in `turn`."""

    model: Any
    tokenizer: Any
    pairs: Sequence[Pair]
    spec: RunSpec
    options: dict[str, Any]
    turn: Turn
    index: int
    keeper: Keeper | None
    is_last: bool

    def __call__(self, number: int, weights: Weights) -> Reply:
        """Return the reply after this round's share of steps, from these weights; rounds count from 0 in each process."""
        turn, number = self.turn, number + self.turn.first_round
        if number == turn.round and self.index in turn.replies:  # before the interruption
            return Reply(*turn.replies[self.index])
        batches = loop.plan_batches([len(pair) for pair in self.pairs], self.spec)
        steps = share_of(len(batches), number, self.spec.rounds)
        if not steps:  # fewer steps than rounds: none in this round
            return Reply(weights, 0)
        turn.begin(number, self.index, weights)
        write(self.model, weights)
        optimizers: list[torch.optim.Optimizer] = []

        def resume(groups: Any, rate: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
            optimizers.append(loop.adamw(groups, rate, betas))
            if moments := turn.moments.get(self.index):
                optimizers[0].load_state_dict(moments)
            return optimizers[0]

        ends = self.is_last and number == self.spec.rounds - 1
        options = {**self.options, "keeper": ShareKeeper(self.keeper, turn, ends) if self.keeper else None}
        result = loop.fit(self.model, self.tokenizer, self.pairs, self.spec, steps=steps, make=resume, **options)
        turn.results.append(result)
        if result.stopped or (turn.stop and not ends):
            raise _StopRequest
        turn.moments[self.index] = _on_cpu(optimizers[0].state_dict())  # the device has those of one client only
        reply = Reply(read(self.model), sum(len(batches[step]) for step in steps))
        turn.replies[self.index] = (reply.weights, reply.examples)
        return reply


def share_of(steps: int, number: int, rounds: int) -> range:
    """Return the steps of round `number` (from 0) of `rounds`: consecutive, and each step in exactly one round."""
    return range(steps * number // rounds, steps * (number + 1) // rounds)


def read(model: Any) -> Weights:
    """Return a copy of the trained weights."""
    return {name: weight.cpu().numpy().copy() for name, weight in selection.trained(model).items()}


def write(model: Any, weights: Weights) -> None:
    """Write weights from `read` into the model."""
    selection.write(model, {name: torch.from_numpy(value) for name, value in weights.items()})


def _on_cpu(state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state with its tensors copied to the processor's memory."""
    moments = {
        key: {name: value.detach().cpu().clone() for name, value in entry.items()}
        for key, entry in state["state"].items()
    }
    return {**state, "state": moments}


def combine(results: Sequence[FitResult], *, stopped: bool = False) -> FitResult:
    """Return the cost of all shares of steps: the sum of tokens and seconds, the highest peak with its parts.

    On CUDA the peak is the allocator's since the start of the phase, and may be of a later share than the parts. The
    difference counts as activations and rest.
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

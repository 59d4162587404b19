"""The state of unfinished federated training: that of the client whose turn it is, and what server and clients have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from harness.record import Parts
from harness.training.loop import FitResult
from harness.training.state import Keeper, State

Weights = dict[str, np.ndarray]  # the trained weights by name, fp32


@dataclass
class Turn:
    """The position in the rounds, for server and clients.

    Attributes:
        round: the current one, from 0.
        client: the index of the client whose turn it is.
        average: the weights from which the clients start in this round.
        replies: the weights and examples of the clients that had their turn in this round.
        moments: of each client's optimizer, by the client's index.
        results: of each share of steps so far.
        steps: taken by all clients.
        first_round: the one in which this process began.
        share: the state within the interrupted share of steps, until its client goes on with it.
        stop: whether training was asked to stop.
    """

    round: int = 0
    client: int = 0
    average: Weights = field(default_factory=dict)
    replies: dict[int, tuple[Weights, int]] = field(default_factory=dict)
    moments: dict[int, dict[str, Any]] = field(default_factory=dict)
    results: list[FitResult] = field(default_factory=list)
    steps: int = 0
    first_round: int = 0
    share: State | None = None
    stop: bool = False

    def begin(self, number: int, client: int, weights: Weights) -> None:
        """Note that a client's share of steps begins."""
        if number != self.round:
            self.replies.clear()
        self.round, self.client, self.average = number, client, weights

    def state(self) -> State:
        """Return what another process needs to go on in this turn."""
        return {
            "round": self.round,
            "client": self.client,
            "average": _tensors(self.average),
            "replies": {index: [_tensors(weights), count] for index, (weights, count) in self.replies.items()},
            "moments": self.moments,
            "results": [asdict(result) for result in self.results],
            "steps": self.steps,
        }


def turn_of(whole: State) -> Turn:
    """Return the position of a state that `ShareKeeper` offered."""
    state = whole["turn"]
    return Turn(
        round=state["round"],
        client=state["client"],
        average=_arrays(state["average"]),
        replies={index: (_arrays(weights), count) for index, (weights, count) in state["replies"].items()},
        moments=state["moments"],
        results=[_result(fields) for fields in state["results"]],
        steps=state["steps"],
        first_round=state["round"],
        share=whole["share"],
    )


@dataclass
class ShareKeeper:
    """The keeper of one client's share of steps: its state goes into that of all."""

    keeper: Keeper
    turn: Turn
    is_last: bool

    def take(self) -> State | None:
        """Return the state within the share, once."""
        state, self.turn.share = self.turn.share, None
        return state

    def offer(self, capture: Callable[[], State], *, urgent: bool, is_last: bool) -> None:
        """Offer the state of all; the end of a share is no hurry, but for that of the last."""
        self.keeper.offer(
            lambda: {"share": capture(), "turn": self.turn.state()}, urgent=urgent, is_last=is_last and self.is_last
        )


def _tensors(weights: Weights) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(weight)) for name, weight in weights.items()}


def _arrays(weights: dict[str, torch.Tensor]) -> Weights:
    return {name: weight.numpy() for name, weight in weights.items()}


def _result(fields: dict[str, Any]) -> FitResult:
    parts = Parts(**fields["parts"]) if fields["parts"] else None
    return FitResult(**{**fields, "losses": tuple(fields["losses"]), "parts": parts})

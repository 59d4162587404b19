"""The state of an unfinished training: with it another process goes on as if nothing had happened.

It has the trained weights, the optimizer's moments, the states of all random generators, the steps so far and what was
measured in them. The order of examples and the schedule follow from the spec and the number of steps. Only tensors, numbers,
texts and their lists are in it, so that it is loaded without running code (`weights_only`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from harness.model.meter import Meter, PeakCount
from harness.training.selection import Selector, trained, write

State = dict[str, Any]


class Keeper(Protocol):
    """Stores the state of a training now and then, and has that of an interrupted one."""

    def take(self) -> State | None:
        """Return the state to go on from; None at the start, and after the first call."""

    def offer(self, capture: Callable[[], State], *, urgent: bool, is_last: bool) -> None:
        """Store the state if it is time; `urgent` if training stops here by request, `is_last` after its last step."""


@dataclass(frozen=True)
class Position:
    """The steps before an interruption, and the count of bytes in one of them, None if that step is still to come."""

    history: tuple[Any, ...] = ()
    count: PeakCount | None = None


def capture(
    model: Any,
    optimizer: torch.optim.Optimizer,
    history: Sequence[Any],
    count: PeakCount | None,
    meter: Meter,
    selector: Selector | None = None,
) -> State:
    """Return the state after the last step of `history`; its tensors are those of the model and not copied."""
    return {
        "weights": trained(model),
        "optimizer": optimizer.state_dict(),
        "random": _random_states(),
        "history": [asdict(step) for step in history],
        "count": asdict(count) if count else None,
        "meter": meter.state(),
        "selection": selector.state() if selector else None,
    }


def restore(
    state: State,
    model: Any,
    optimizer: torch.optim.Optimizer,
    meter: Meter,
    make_step: Callable[..., Any],
    selector: Selector | None = None,
) -> Position:
    """Write a state into model, optimizer, random generators, meter and selector; return the steps before it.

    Raises:
        KeyError: the state is of another model.
    """
    write(model, state["weights"])
    if selector:
        selector.resume(state["selection"])
    optimizer.load_state_dict(state["optimizer"])
    _set_random_states(state["random"])
    meter.resume(state["meter"])
    count = PeakCount(**state["count"]) if state["count"] else None
    return Position(tuple(make_step(**step) for step in state["history"]), count)


def train_seconds(state: State) -> float:
    """Return the seconds of training in a state, of one process or of all before."""
    meter = state.get("share", state)["meter"]
    return float(meter["seconds"] - meter["excluded_seconds"])


def size(state: State) -> int:
    """Return the bytes of a state's tensors."""
    return sum(leaf.nbytes for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor))


def _random_states() -> State:
    on_cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    on_mac: State = {"mps": torch.mps.get_rng_state()} if torch.backends.mps.is_available() else {}
    return on_mac | {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if on_cuda else [],
        "python": random.getstate(),
        "numpy": [name, [int(key) for key in keys], position, has_gauss, gauss],
    }


def _set_random_states(states: State) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))

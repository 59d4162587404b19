"""The parts of a record that only some runs have: a server's usage, checkpoints, a choice of weights, a place. No logic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """The requests to a server, and what its answers cost.

    `requests` are those sent in the run that wrote the record, `retries` those of them that followed a failure. `reused` are
    answers of an earlier, unfinished run. The tokens are those of all answers, as the server counts them; `uncounted` are
    answers that came without a count. `usd` is None without `--endpoint-price`.
    """

    requests: int
    retries: int
    reused: int
    uncounted: int
    prompt_tokens: int
    answer_tokens: int
    usd: float | None = None


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints inside a run's training, and the interruptions after which it went on from one.

    `writes` is how many were written, `seconds` what that took; no phase has these seconds. `resumptions` are the steps after
    which another process went on. `lost_steps` were behind the last checkpoint and done again, in `lost_seconds` the first
    time. The seconds of training are the sum over all processes, without lost ones.
    """

    writes: int = 0
    seconds: float = 0.0
    resumptions: tuple[int, ...] = ()
    lost_steps: int = 0
    lost_seconds: float = 0.0


@dataclass(frozen=True)
class Selection:
    """The validation losses after some steps of a training, on so many examples; the weights after step `best` were tested."""

    steps: tuple[int, ...]
    losses: tuple[float, ...]
    best: int
    examples: int
    seconds: float


@dataclass(frozen=True)
class Placement:
    """The place that a run was given by `--devices` or a cluster.

    `node` is the machine's name in a cluster, empty on the machine of the command. `card` is the id of the GPU or of its slice
    (a UUID), `number` its number there and `model` its name. `neighbours` is how many other runs of the same command were on
    the card beside the training, on average; None if no training was seen.
    """

    node: str = ""
    card: str = ""
    number: int | None = None
    model: str = ""
    neighbours: float | None = None

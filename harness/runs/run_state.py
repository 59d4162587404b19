"""The results of a run so far, of which a record can be written at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.record import Cost, ProbeResult, Score, Selection, Usage

if TYPE_CHECKING:
    from harness.runs.checkpoints import RunKeeper


@dataclass
class RunState:
    """The fields of a record as far as they are known; `start` is when the run's process began, `keeper` has its checkpoints."""

    start: str = ""
    scores: dict[str, Score] = field(default_factory=dict)
    parse_rate: float = 0.0
    chance: float | None = None
    guess: str = "guessing"
    cost: Cost | None = None
    answers_sha256: str = ""
    adapter_sha256: str = ""
    steps_sha256: str = ""
    final_loss: float | None = None
    cut_examples: int = 0
    device_name: str = ""
    probes: dict[str, ProbeResult] = field(default_factory=dict)
    validation: ProbeResult | None = None
    usage: Usage | None = None
    targets: tuple[str, ...] = ()
    load: float | None = None
    keeper: RunKeeper | None = None
    selection: Selection | None = None

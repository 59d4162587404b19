"""`--devices`: one run a card, or several small ones that fit together. A run is a process that sees its own card alone.

Runs start in the order of their predicted peaks, largest first, each on the card with the most room left. A large run that waits
for room is passed by smaller ones, which never make it wait longer: as soon as a run ends that was at least as large, it fits.

A run without a predicted peak has a card for itself. `--jobs` is the number of runs at a time on all cards together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.errors import HarnessError
from harness.format import size, spoken
from harness.record import Placement, RunSpec
from harness.runs.executors import inventory
from harness.runs.executors.inventory import FLAG, Card
from harness.runs.forecast import gpu
from harness.runs.job import Job, Running
from harness.runs.local import LocalProcesses, Process, Target

SHARED_MARGIN = 0.10  # of each predicted peak, if runs share a card: tests and allocators of several are not predicted


class CardProcesses(LocalProcesses):
    """An `Executor`: processes of this machine, each with a card that it alone or with others may use."""

    def __init__(self, target: Target, cards: Sequence[Card], *, slots: int) -> None:
        super().__init__(target, slots=slots)
        self.cards = tuple(cards)

    def takes(self, job: Job, running: Sequence[Running]) -> bool:
        """Return whether there are a slot and, if the run loads a model, a card with room."""
        return super().takes(job, running) and (not needs_card(job.spec) or self._card(job, running) is not None)

    def start(self, job: Job, running: Sequence[Running] = ()) -> Process:
        """Start a process that runs the job on the card with the most room."""
        card = self._card(job, running) if needs_card(job.spec) else None
        if card is None:
            return self.start_with(job, {"CUDA_VISIBLE_DEVICES": ""})
        placement = Placement(card=card.id, number=card.number, model=card.model)
        return self.start_with(job, {"CUDA_VISIBLE_DEVICES": card.id}, placement)

    def _card(self, job: Job, running: Sequence[Running]) -> Card | None:
        peaks: dict[str, list[int]] = {card.id: [] for card in self.cards}
        for process in running:
            if isinstance(process, Process) and process.placement:
                peaks[process.placement.card].append(process.job.predicted_peak_bytes)
        peak = job.predicted_peak_bytes
        fitting = [card for card in self.cards if fits(card, [*peaks[card.id], peak])]
        if not fitting and not any(peaks.values()):  # the plan has refused what is too large: other programs came since
            return max(self.cards, key=lambda card: card.free)
        return max(fitting, key=lambda card: (not peaks[card.id], room(card, peaks[card.id])), default=None)


def needs_card(spec: RunSpec) -> bool:
    """Return whether a run uses a card: all but challengers that read no text with the model."""
    return not spec.challenger or spec.device == "cuda"


def fits(card: Card, peaks: Sequence[int]) -> bool:
    """Return whether runs of these predicted peaks fit a card together; one without a prediction (0) fits alone."""
    if len(peaks) == 1:
        return peaks[0] <= _limit(card)
    return all(peaks) and room(card, peaks) >= 0


def room(card: Card, peaks: Sequence[int]) -> float:
    """Return the bytes of a card that runs of these predicted peaks leave, with a margin for each and CUDA's own memory."""
    return card.free * (1 - gpu.SPARE) - sum(peak * (1 + SHARED_MARGIN) + gpu.CONTEXT for peak in peaks)


def _limit(card: Card) -> float:
    return gpu.Card(card.model, card.free, 0, 0).limit


def choose(words: Sequence[str], device: str | None) -> tuple[Card, ...]:
    """Return the cards of this machine that `--devices` names.

    Raises:
        HarnessError: as `inventory.choose`; or `--device cpu` contradicts it.
    """
    if device == "cpu":
        problem = "cards are named, and the runs shall use the CPU"
        raise HarnessError(problem, where=f"{FLAG} and --device cpu", fix="leave one of them out")
    return inventory.choose(words, inventory.read())


def order(specs: Iterable[RunSpec], peaks: Mapping[str, int]) -> tuple[RunSpec, ...]:
    """Return the runs as they start: the largest predicted peak first; `peaks` are by id, 0 if unknown."""
    return tuple(sorted(specs, key=lambda spec: -peaks[spec.id]))


def require_room(specs: Sequence[RunSpec], peaks: Mapping[str, int], cards: Sequence[Card]) -> None:
    """Raise an error that names the largest run, its predicted peak and the largest card, if it fits none of the cards."""
    largest = max((spec for spec in specs if needs_card(spec)), key=lambda spec: peaks[spec.id], default=None)
    if largest is None or any(fits(card, [peaks[largest.id]]) for card in cards):
        return
    card = max(cards, key=lambda card: card.free)
    used = card.memory - card.free
    problem = (
        f"{spoken(largest)} is predicted to take {size(peaks[largest.id])}, and the largest card named, {card.words}, has "
        f"room for {size(_limit(card))} of its {size(card.memory)}"
        + f"; other programs use {size(used)}"
        * (used > 2**30)
    )
    fix = "--micro-batch 1, --checkpointing or a smaller --max-tokens; or leave the run out of --method and --rank"
    raise HarnessError(problem, where=f"{FLAG}, task {largest.task}", fix=fix)

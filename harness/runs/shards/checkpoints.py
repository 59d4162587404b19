"""The checkpoints of a run over several processes: each writes and reads its own shard, and the first writes the card.

The card names all files with their hashes and is written last, so that a checkpoint is there as a whole or not at all. The first
process decides when one is due.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import harness.runs.checkpoints as whole_run
from harness.errors import HarnessError
from harness.runs.checkpoints import RunKeeper
from harness.store import checkpoint_files

if TYPE_CHECKING:
    from harness.training.shard import Shards
    from harness.training.state import State

SHARD = "shard"  # the key of a tensor that is divided, stored as {SHARD: this process's, "shape": …, "stride": …}


@dataclass(kw_only=True)
class ShardKeeper(RunKeeper):
    """Stores the state of one process's shard, together with the other processes."""

    shards: Shards

    def __post_init__(self) -> None:
        """Let the first process alone speak to the user."""
        if self.shards.rank:
            self.say = lambda text: None

    def take(self) -> State | None:
        """Return the state to go on from; None at the start, and after the first call."""
        state = super().take()
        return None if state is None else divided(state, self.shards)

    def resume(self) -> None:
        """Read the checkpoint of an interrupted attempt; if one process cannot, all start anew."""
        super().resume()
        if all(self.shards.gather(self._state is not None)) or self._state is None:
            return
        self._state, self.totals, self.earlier_seconds = None, None, 0.0
        whole_run.discard(self.job.folder)

    def _agreed(self, decision: bool) -> bool:
        return self.shards.first(decision)

    def _save(self, steps: int, whole: dict[str, Any], card: Callable[[], dict[str, Any]]) -> None:
        import torch

        rank, folder = self.shards.rank, self._folder
        steps = self.shards.gather(steps)[0]
        content = undivided(whole)
        part = None
        try:
            if rank:
                name = f"state-{steps:08d}-{rank}.pt"
                part = checkpoint_files.write_part(folder, name, lambda file: torch.save(content, file))
        finally:  # the others wait for an answer, also if the disk is full
            parts = self.shards.gather(part)[1:]
        if None in parts:
            raise HarnessError("a process could not write its shard", where=str(folder), fix="free some space")
        if rank == 0:
            checkpoint_files.write(folder, steps, lambda file: torch.save(content, file), card, parts)

    def _read(self) -> None:
        import torch

        rank, folder = self.shards.rank, self._folder
        if rank == 0:
            return super()._read()
        card = checkpoint_files.read_card(folder)
        if card is None or card.get("key") != whole_run.key(self.job):
            return
        with checkpoint_files.state(folder, card["parts"][rank - 1]) as file:
            self._state = torch.load(file, map_location="cpu", weights_only=True)["training"]

    @property
    def _folder(self) -> Any:
        return self.job.share.folder if self.job.share else self.job.folder


def undivided(tree: Any) -> Any:
    """Return a state in which this process's shard stands for each tensor that is divided, with the shape of the whole."""
    from torch.distributed.tensor import DTensor

    if isinstance(tree, DTensor):
        return {SHARD: tree.to_local(), "shape": list(tree.shape), "stride": list(tree.stride())}
    if isinstance(tree, dict):
        return {key: undivided(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(undivided(value) for value in tree)
    return tree


def divided(tree: Any, shards: Shards) -> Any:
    """Return a state from `undivided` with its tensors as they were."""
    import torch
    from torch.distributed.tensor import DTensor, Shard

    mesh = shards.mesh()

    def restore(node: Any) -> Any:
        if isinstance(node, dict) and SHARD in node:
            local = node[SHARD].to(shards.device)
            shape, stride = torch.Size(node["shape"]), tuple(node["stride"])
            return DTensor.from_local(local, mesh, [Shard(0)], run_check=False, shape=shape, stride=stride)
        if isinstance(node, dict):
            return {key: restore(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return type(node)(restore(value) for value in node)
        return node

    return restore(tree)

"""The agents on the nodes of a cluster: started as runs need them, used again, ended with the command."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.record import Placement
from harness.runs.executors.ray import agent as agent_module
from harness.runs.executors.ray.parcels import Parcel, Store
from harness.runs.job import Job

LOOK_SECONDS = 2.0  # between two looks at the nodes
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # Ray sets the first, which changes sums
LOST = ("RayActorError", "NodeDiedError", "WorkerCrashedError", "ObjectLostError", "RaySystemError")


@dataclass(frozen=True)
class Shape:
    """The resources of a node that a run needs."""

    cpus: int
    gpus: int

    @classmethod
    def of(cls, job: Job) -> Shape:
        """Return those of a job: its threads, and a GPU if it uses one."""
        return cls(job.threads, int(job.spec.device == "cuda"))


@dataclass
class Slot:
    """An agent: Ray's handle, and once it is ready its node, the node's cache, and whether it reads this machine's files."""

    actor: Any
    shape: Shape
    node: str = ""
    root: str = ""
    shares: bool = False
    code: str = ""
    card: Placement | None = None


@dataclass
class Pool:
    """The agents of a command. `root` is the cache on the nodes, empty for the usual one; `share` allows files in place."""

    ray: Any
    root: str = ""
    share: bool = True
    mark: Path = field(default_factory=lambda: Path(__file__))
    _idle: list[Slot] = field(default_factory=list)
    _all: list[Slot] = field(default_factory=list)
    _chunks: dict[str, Sequence[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sending: threading.Lock = field(default_factory=threading.Lock)
    _room: tuple[float, list[Mapping[str, float]]] = (float("-inf"), [])

    def __post_init__(self) -> None:
        self.store = Store()
        cloudpickle = importlib.import_module("ray.cloudpickle")
        cloudpickle.register_pickle_by_value(agent_module)
        self._class = self.ray.remote(agent_module.Agent)

    def capacity(self, shape: Shape) -> int:
        """Return how many runs of a shape the nodes that live have room for, whatever else they do; at least 1."""
        if time.monotonic() - self._room[0] > LOOK_SECONDS:
            nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
            self._room = (time.monotonic(), nodes)
        return max(1, sum(_fitting(node, shape) for node in self._room[1]))

    def require_room(self, shapes: Sequence[Shape]) -> None:
        """Raise an error if no node can ever do a run of one of these shapes."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        for shape in shapes:
            if not any(_fitting(node, shape) for node in nodes):
                needs = f"{shape.cpus} CPU{'s' * (shape.cpus > 1)}" + " and a GPU" * shape.gpus
                most = ", ".join(f"{node.get('CPU', 0):.0f} CPUs, {node.get('GPU', 0):.0f} GPUs" for node in nodes[:4])
                problem = f"a run needs {needs}, and no node has them: {most}"
                raise HarnessError(problem, where="--cluster", fix="--jobs N gives each run fewer of the cores")

    def take(self, shape: Shape) -> Slot:
        """Return an idle agent of a shape, or a new one, which may wait for room in the cluster."""
        with self._lock:
            if (slot := self._idle_of(shape)) is not None:
                return slot
            options = {"num_cpus": shape.cpus, "num_gpus": shape.gpus, "max_concurrency": 4, "max_restarts": 0}
            variables: dict[str, str | None] = {name: os.environ.get(name) for name in VARIABLES}
            if not shape.gpus:
                variables["CUDA_VISIBLE_DEVICES"] = ""
            actor = self._class.options(scheduling_strategy="SPREAD", **options).remote(self.root, variables)
            self._all.append(slot := Slot(actor, shape))
            return slot

    def instead(self, slot: Slot) -> Slot | None:
        """Return an agent that became idle while a new one waits for room, which then ends; None if there is none."""
        with self._lock:
            if (other := self._idle_of(slot.shape)) is not None:
                self._end(slot)
            return other

    def _idle_of(self, shape: Shape) -> Slot | None:
        """Remove and return an idle agent of a shape; if there is none, end the others, whose resources are needed."""
        for slot in self._idle:
            if slot.shape == shape:
                self._idle.remove(slot)
                return slot
        for slot in self._idle:
            self._end(slot)
        self._idle.clear()
        return None

    def give_back(self, slot: Slot) -> None:
        """Let the next run use an agent."""
        with self._lock:
            self._idle.append(slot)

    def drop(self, slot: Slot) -> None:
        """End an agent and its run at once."""
        with self._lock:
            self._end(slot)

    def close(self) -> None:
        """End all agents."""
        with self._lock:
            for slot in list(self._all):
                self._end(slot)
            self._idle.clear()

    def send(self, slot: Slot, parcels: Sequence[Parcel]) -> None:
        """Bring parcels to the node of an agent, unless it has them."""
        absent = self.ray.get(slot.actor.missing.remote([parcel.digest for parcel in parcels]))
        for parcel in parcels:
            if parcel.digest in absent:
                self.ray.get(slot.actor.unpack.remote(parcel.digest, parcel.files, self._put(parcel)))

    def _put(self, parcel: Parcel) -> Sequence[Any]:
        with self._sending:
            if parcel.digest not in self._chunks:
                self._chunks[parcel.digest] = [self.ray.put(chunk) for chunk in parcel.chunks()]
            return self._chunks[parcel.digest]

    def _end(self, slot: Slot) -> None:
        if slot in self._all:
            self._all.remove(slot)
            self.ray.kill(slot.actor)


def is_loss(error: BaseException) -> bool:
    """Return whether an error of Ray says that an agent or its node is gone."""
    return any(kind.__name__ in LOST for kind in type(error).__mro__)


def _fitting(node: Mapping[str, float], shape: Shape) -> int:
    room = int(node.get("CPU", 0) // shape.cpus)
    return min(room, int(node.get("GPU", 0) // shape.gpus)) if shape.gpus else room

"""The executor of `--cluster`: each run has an agent on a node, and its files come back to the one process that writes.

A thread carries each run. If its node or agent is lost, the run is placed again, three times at most; it then starts anew or
at the checkpoint that it started with, since the files on a lost node are lost too.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler  # between the program's own processes, as in `runs.local`
from pathlib import Path
from typing import Any

from harness import environment
from harness.errors import HarnessError, one_line
from harness.record import Placement, Record
from harness.runs.executors.ray import host, parcels, session
from harness.runs.executors.ray.agent import CHUNK
from harness.runs.executors.ray.pool import Pool, Shape, Slot, is_loss
from harness.runs.job import Event, Job, Note, Running
from harness.runs.local import Target
from harness.store import files, records
from harness.store.codec import decode

TRIES = 3
STARTS, START_SECONDS = 20, 1.0  # tries to start an agent, and the time between two
POLL_SECONDS = 1.0
PATIENCE = 20.0  # seconds, after which a run says that it waits for room in the cluster


class RayRun:
    """A run on a node (a `Running`); its thread sets the reason last, when all files are back."""

    def __init__(self, job: Job, target: Target, pool: Pool, news: threading.Event) -> None:
        self.job = job
        self._target = target
        self.placement: Placement | None = None
        self._pool, self._news = pool, news
        self._events: deque[Event] = deque()
        self._reason: str | None = None
        self._slot: Slot | None = None
        self._is_stopped = self._is_killed = False
        self._said: list[str] = []
        threading.Thread(target=self._carry, daemon=True).start()

    def events(self) -> list[Event]:
        """Return the events since the last call."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def exit_reason(self) -> str | None:
        """Return None while the run lives, else a reason; empty if it ended by itself."""
        return self._reason

    def stop(self) -> None:
        """Ask the run to finish its step and stop; one that waits for room ends now."""
        self._is_stopped = True
        self._request(host.STOP)

    def kill(self) -> None:
        """End the run at once."""
        self._is_killed = True
        if (slot := self._slot) is not None:
            self._pool.drop(slot)

    def _request(self, word: str) -> None:
        if (slot := self._slot) is not None and slot.node:
            with contextlib.suppress(Exception):  # the run's thread sees that the agent is lost
                slot.actor.send.remote(bytes(ForkingPickler.dumps(word)))

    def _carry(self) -> None:
        try:
            reason = self._tries()
        except HarnessError as error:
            reason = error.problem
        except Exception as error:  # of Ray, whose errors are many
            reason = f"the cluster failed: {one_line(error)}"
        if self._said:
            with contextlib.suppress(OSError, HarnessError), records.open_log(self.job.folder) as log:
                log.write("".join(f"{text}\n" for text in self._said).encode())
        self._reason = reason
        self._news.set()

    def _tries(self) -> str:
        lost = unplaced = 0
        while lost < TRIES and unplaced < STARTS:
            self._slot = slot = self._pool.take(Shape.of(self.job))
            try:
                slot = self._slot = self._wait_for_node(slot)
                reason = "stopped while it waited for room in the cluster" if not slot.node else self._attempt(slot)
            except Exception as error:
                self._slot = None
                self._pool.drop(slot)
                if self._is_killed or self._is_stopped:
                    return "killed" if self._is_killed else "its node was lost while it stopped"
                if not is_loss(error):
                    raise
                if not slot.node:  # Ray may choose a lost node until it notices
                    unplaced += 1
                    time.sleep(START_SECONDS)
                    continue
                lost += 1
                if lost < TRIES:
                    self._say(
                        f"node {slot.node} or its agent was lost: the run is placed again, try {lost + 1} of {TRIES}"
                    )
                continue
            self._slot = None
            (self._pool.give_back if slot.node else self._pool.drop)(slot)
            return reason
        if lost < TRIES:
            return f"no agent started on a node in {STARTS} tries, see `ray status`"
        return f"its node or its agent was lost {TRIES} times (a lack of memory on the node ends an agent too)"

    def _attempt(self, slot: Slot) -> str:
        """Do the run with an agent; return the reason of its end."""
        pool, ray, job = self._pool, self._pool.ray, self.job
        self.placement = Placement(node=slot.node)
        cargo = pool.store.cargo(job, model=not slot.shares)
        left = parcels.of(job.folder)  # a checkpoint and its steps
        pool.send(slot, [*cargo.parcels.values(), pool.store.code, *[left] * bool(left.names)])
        results = f"{slot.root}/runs/{secrets.token_hex(8)}"
        folder = f"{results}/{job.folder.absolute().relative_to(job.results).as_posix()}"
        places = f"{slot.root}/parcels"
        moved = cargo.moved(job, lambda parcel: f"{places}/{parcel.digest}", folder, slot.code)
        order = bytes(ForkingPickler.dumps(host.Order(moved, self._target, cargo.hub)))
        ray.get(slot.actor.begin.remote(slot.code, order, folder, left.digest if left.names else ""))
        if self._is_stopped:
            self._request(host.STOP)
        reason = self._follow(slot, results)
        self._collect(slot, folder)
        ray.get(slot.actor.remove.remote(results))
        return reason

    def _wait_for_node(self, slot: Slot) -> Slot:
        """Return the agent as soon as it is on a node, or one that became idle before; one without a node if the run is to stop."""
        if slot.node:
            return slot
        ray, waited = self._pool.ray, 0.0
        facts = slot.actor.facts.remote(str(self._pool.mark))
        while not ray.wait([facts], timeout=POLL_SECONDS)[0]:
            waited += POLL_SECONDS
            if self._is_stopped or self._is_killed:
                return slot
            if (other := self._pool.instead(slot)) is not None:
                return self._wait_for_node(other)
            if waited == PATIENCE:
                self._say("waits for room in the cluster")
        found = ray.get(facts)
        slot.root, slot.shares = found["root"], found["sees"] and self._pool.share
        slot.code = f"{slot.root}/parcels/{self._pool.store.code.digest}"
        slot.node = found["node"]
        return slot

    def _follow(self, slot: Slot, results: str) -> str:
        """Pass on what the host says until the run's end; return its reason."""
        while True:
            for content in self._pool.ray.get(slot.actor.messages.remote(POLL_SECONDS, results)):
                if content is None:
                    return "the process on the node that starts runs was killed (often out of memory)"
                for message in ForkingPickler.loads(content):
                    if isinstance(message, host.End):
                        return message.reason
                    if isinstance(message, Placement):
                        slot.card = message
                    else:
                        self._events.append(message)
                self._news.set()
            if slot.card is not None:
                self.placement = replace(slot.card, node=slot.node)

    def _collect(self, slot: Slot, folder: str) -> None:
        """Write the files that the run left into its folder, the record last; what it removed there goes here too."""
        names = dict(self._pool.ray.get(slot.actor.files.remote(folder)))
        place = self.job.folder
        for name, size in names.items():
            if Path(name).name not in parcels.UNUSED and name != records.RECORD:
                with files.new_file(place / name) as file:
                    for piece in self._pieces(slot, f"{folder}/{name}", size):
                        file.write(piece)
        for name in set(parcels.of(place).names) - set(names):
            (place / name).unlink(missing_ok=True)
        for inner in [path for path in place.iterdir() if path.is_dir() and not any(path.iterdir())]:
            inner.rmdir()
        if records.RECORD in names:
            content = b"".join(self._pieces(slot, f"{folder}/{records.RECORD}", names[records.RECORD]))
            records.write_record(place, own_record(decode(Record, json.loads(content)), self.job))

    def _pieces(self, slot: Slot, path: str, size: int) -> Iterator[bytes]:
        for offset in range(0, size, CHUNK):
            yield self._pool.ray.get(slot.actor.read.remote(path, offset))

    def _say(self, text: str) -> None:
        self._said.append(text)
        self._events.append(Note(text))
        self._news.set()


def own_record(record: Record, job: Job) -> Record:
    """Return a node's record with what this machine knows: the commit of the code, and the data file's path from the results."""
    described = replace(record.environment, commit=environment.commit())
    data_file = record.data_file
    if data_file is not None:
        with contextlib.suppress(HarnessError):  # the file is gone since
            data_file = job.source.data_file(job.results)
    return replace(record, environment=described, data_file=data_file)


class RayCluster:
    """An `Executor`: as many runs at a time as the nodes of the cluster have room for."""

    def __init__(self, ray: Any, target: Target, *, root: str = "", share: bool = True) -> None:
        self._target = target
        self.pool = Pool(ray, root, share)
        self._news = threading.Event()

    def takes(self, job: Job, running: Sequence[Running]) -> bool:
        """Return whether fewer runs are in progress than the cluster has room for."""
        return len(running) < self.pool.capacity(Shape.of(job))

    def start(self, job: Job, running: Sequence[Running] = ()) -> RayRun:
        """Start a thread that places the job and carries it."""
        return RayRun(job, self._target, self.pool, self._news)

    def wait(self, running: Sequence[Running], seconds: float) -> None:
        """Return if one of them has an event or ended, or after `seconds`."""
        self._news.wait(seconds)
        self._news.clear()

    def close(self) -> None:
        """End the agents."""
        self.pool.close()


def open_cluster(address: str, jobs: Sequence[Job], target: Target) -> RayCluster:
    """Return the executor of a cluster for these jobs, each done by `target` in a process of its own.

    Raises:
        HarnessError: there is no connection, or no node has what a run needs.
    """
    cluster = RayCluster(session.connect(address)[0], target)
    cluster.pool.require_room(sorted({Shape.of(job) for job in jobs}, key=lambda shape: shape.cpus))
    return cluster

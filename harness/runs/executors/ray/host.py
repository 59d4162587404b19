"""The process on a node that does runs with this project's code, one at a time, as the processes of one machine do.

    python -m harness.runs.executors.ray.host      started by the agent, whose messages come by stdin

It ends as soon as stdin does, and its runs with it. A model of the hub and a remote data set are fetched before the run starts,
at their pinned revisions; the run itself uses no network.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.reduction import ForkingPickler  # between the program's own processes, as in `runs.local`
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError
from harness.record import Placement
from harness.runs import local
from harness.runs.executors.ray.agent import SIZE
from harness.runs.job import Event, Job, RunEnd
from harness.runs.local import Target

STOP, KILL = "stop", "kill"
WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class Order:
    """A job with its paths on the node.

    Attributes:
        job: the run.
        target: what does a run, in a process of its own.
        hub: the id and the commit of its model; None for a model that came with the job.
    """

    job: Job
    target: Target
    hub: tuple[str, str] | None = None


@dataclass(frozen=True)
class End:
    """The run's process ended; the reason is empty if it did so by itself."""

    reason: str


Message = Event | End | Placement


class Host:
    """Does the jobs of one agent."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._process: local.Process | None = None
        self._requests: list[str] = []
        self.orders: queue.Queue[Order] = queue.Queue()

    def listen(self, stream: IO[bytes]) -> None:
        """Do what the agent's messages say until the stream ends, which ends this process."""
        try:
            while len(head := stream.read(SIZE)) == SIZE:
                message = ForkingPickler.loads(stream.read(int.from_bytes(head, "big")))
                if isinstance(message, Order):
                    self._requests.clear()
                    self.orders.put(message)
                else:
                    self._request(message)
        finally:
            os._exit(1)

    def do(self, order: Order) -> None:
        """Do a job and pass on what it reports."""
        executor = local.LocalProcesses(order.target)
        try:
            process = executor.start(fetched(order))
        except (HarnessError, OSError) as error:
            problem = error.problem if isinstance(error, HarnessError) else str(error)
            return self._tell([RunEnd("failed", problem), End(problem)])
        self._process = process
        for request in list(self._requests):
            self._request(request)
        reason: str | None = None
        while reason is None:
            executor.wait([process], WAIT_SECONDS)
            reason = process.exit_reason()
            self._tell(process.events())
        self._process = None
        self._tell([End(reason)])

    def introduce(self) -> None:
        """Tell the card that the runs have."""
        if cards := _cards():
            card = cards[0]
            self._tell([Placement(card=card.id, number=card.number, model=card.model)])

    def _request(self, request: str) -> None:
        self._requests.append(request)
        if process := self._process:
            process.kill() if request == KILL else process.stop()

    def _tell(self, messages: Sequence[Message]) -> None:
        if messages:
            content = bytes(ForkingPickler.dumps(list(messages)))
            self._output.write(len(content).to_bytes(SIZE, "big") + content)
            self._output.flush()


def fetched(order: Order) -> Job:
    """Return the job of an order with its model's folder, once its data and its model are on this node.

    Raises:
        HarnessError: they cannot be fetched.
    """
    job = order.job
    names = (*job.probes, *job.joined)
    for source in (job.source, *(job.source.sibling(name) for name in names)):
        _fetch_data(source)
    if order.hub is None:
        return job
    from huggingface_hub import snapshot_download

    from harness.errors import one_line
    from harness.model.checkpoint import HUB_FILES
    from harness.model.files.identity import CODE

    name, commit = order.hub
    patterns = [*HUB_FILES, *[CODE] * job.spec.remote_code]
    try:
        folder = snapshot_download(name, revision=commit, allow_patterns=patterns)
    except Exception as error:
        problem = f"the model {name} at {commit} cannot be fetched on this node: {one_line(error)}"
        raise HarnessError(problem, where=job.spec.model, fix="pass a folder, which comes with the run") from error
    return replace(job, model_folder=Path(folder))


def _fetch_data(source: Any) -> None:
    from harness.data import loading, sources

    task = source.task()
    if sources.is_remote(task.source):
        loading.resolve(task.source, source.data_dir)


def _cards() -> Sequence[Any]:
    if not os.environ.get("CUDA_VISIBLE_DEVICES"):
        return ()
    from harness.runs.executors import inventory

    return inventory.read()


def main() -> None:
    """Do the agent's jobs, one after the other."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no message
    host = Host(output)
    threading.Thread(target=host.listen, args=(sys.stdin.buffer,), daemon=True).start()
    local.warm_up()
    host.introduce()
    while True:
        host.do(host.orders.get())


if __name__ == "__main__":
    from harness.runs.executors.ray import host as this  # pickled messages name their classes by this module

    this.main()

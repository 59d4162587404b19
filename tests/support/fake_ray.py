"""The few functions of Ray that the harness calls, in this process: each call of an actor is done at once."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.runs.executors.ray.agent import Agent
from harness.runs.executors.ray.host import End, Order
from harness.runs.job import Job, Progress, RunEnd
from harness.store import records
from tests.support.records import make_record


class RayActorError(Exception):
    """The error that Ray raises for the call of an actor that is gone."""


class Actor(Agent):
    """An agent whose host is a function of the job."""

    def __init__(self, ray: FakeRay, root: str) -> None:
        super().__init__(root, {})
        self._ray, self.is_gone = ray, False

    def begin(self, code: str, job: bytes, folder: str, left: str) -> None:
        order: Order = pickle.loads(job)
        self._start = lambda code: None  # type: ignore[method-assign]
        super().begin(code, job, folder, left)
        for message in self._ray.work(order.job, self):
            self._messages.put(message if message is None else pickle.dumps([message]))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return Method(self, found) if name in METHODS else found


METHODS = {name for name in vars(Agent) if not name.startswith("_")}


class Method:
    """A method of an actor, called as usual by the actor itself and by `remote` from outside."""

    def __init__(self, actor: Actor, function: Callable[..., Any]) -> None:
        self.actor, self.function = actor, function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def remote(self, *arguments: Any) -> Any:
        try:
            if self.actor.is_gone:
                raise RayActorError("the actor died")
            return self.function(*arguments)
        except RayActorError as error:
            return error


class FakeRay:
    """Ray with nodes of these numbers of CPUs; `work` yields the messages of a job's host."""

    def __init__(self, root: Path, work: Callable[[Job, Actor], Sequence[Any]], cpus: Sequence[int] = (2,)) -> None:
        self.root, self.work, self.cpus = root, work, cpus
        self.actors: list[Actor] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeRay:
        """Let `import ray` return this."""
        module, pickler = ModuleType("ray"), ModuleType("ray.cloudpickle")
        module.get = self.get  # type: ignore[attr-defined]
        pickler.register_pickle_by_value = lambda module: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ray", module)
        monkeypatch.setitem(sys.modules, "ray.cloudpickle", pickler)
        return self

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._start))

    def _start(self, root: str, variables: object) -> Actor:
        self.actors.append(Actor(self, root or str(self.root)))
        return self.actors[-1]

    def get(self, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    def put(self, value: Any) -> Any:
        return value

    def wait(self, references: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return references, []

    def kill(self, actor: Actor) -> None:
        actor.is_gone = True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": float(number)}} for number in self.cpus]


def finish(job: Job, actor: Actor, **changes: Any) -> list[Any]:
    """Do a job as a worker would: a few files, the record, and what is told of it."""
    records.prepare(job.folder)
    (job.folder / "log.txt").write_text("a line\n", encoding="utf-8")
    record = make_record(spec=job.spec, **changes)
    records.write_record(job.folder, record)
    return [Progress("train", 1, 2), RunEnd(record.status), End("")]

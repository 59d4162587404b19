"""A toy base model, finished runs whose adapters are random, and a server over them on a free port."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import cross
from harness.adapters.cross import TrainedAdapter
from harness.adapters.serve import catalog as servable
from harness.adapters.serve.catalog import Catalog
from harness.adapters.serve.engine import Engine, Limits
from harness.adapters.serve.model import SharedBase
from harness.adapters.serve.server import Server
from harness.adapters.serve.service import Service
from harness.data import registry
from harness.model import answer, checkpoint
from harness.model.loading import load_tokenizer
from harness.record import RunSpec
from harness.store import records
from tests.support.stored_adapters import adapted_spec, write_run
from tests.support.tiny_models import toy_examples, toy_folder, toy_task

TOKENS = 8  # of an answer
EXAMPLES = toy_examples(6)
TASK = toy_task("generate")
JSON = {"Content-Type": "application/json"}
PATIENCE = 120  # seconds that the server's own threads wait for a test, so that they end before its time limit


@dataclass(frozen=True)
class Bench:
    """The base model's folder and hash, and the results with the runs of adapters of it and of others."""

    model: Path
    base: checkpoint.Checkpoint
    results: Path

    def run(self, method: str, seed: int = 0) -> records.Run:
        """The run of a method."""
        found = (one.record.spec for one in self.runs)
        wanted = next(spec.id for spec in found if (spec.method, spec.seed) == (method, seed))
        return next(one for one in self.runs if one.record.spec.id == wanted)

    @property
    def runs(self) -> list[records.Run]:
        """All runs."""
        return records.read_all(self.results)

    def catalog(self, bits: float = 16.0) -> Catalog:
        """What can be served."""
        return Catalog(self.base, servable.servables_of_runs(self.runs, self.base, bits))

    def direct(self, run: records.Run | None) -> list[str]:
        """What the harness itself writes for `EXAMPLES`: with the adapter of a run, put on by PEFT, or the base model."""
        if run is None:
            spec = self.spec("base", rank=0, alpha=0.0)
            model = registry.method("base").load(str(self.model), spec)
        else:
            spec = run.record.spec
            model, spec = cross.load(
                TrainedAdapter("one", run.folder / records.ADAPTER, (spec,), single=True), self.model, "cpu"
            )
        asked = replace(spec, scoring="generate", max_new_tokens=TOKENS)
        return [one.text for one in answer.answer(model, load_tokenizer(self.model), EXAMPLES, TASK, asked)]

    def spec(self, method: str, **changes: Any) -> RunSpec:
        """A spec on this base model."""
        values = {"model": self.base.name, "model_revision": self.base.revision}
        return adapted_spec(method, **(values | changes))


def make(folder: Path) -> Bench:
    """Write the base model and the runs: three of LoRA's kind, others that are not served beside them."""
    model = toy_folder(folder / "toy")
    bench = Bench(model, checkpoint.read(str(model)), folder / "results")
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lora", {}),
        ("lora", {"seed": 1}),
        ("rslora", {"rank": 2}),
        ("qlora", {}),
        ("dora", {}),
        ("ia3", {}),
        ("lora-fa", {"model_revision": "0123456789ab"}),
    )
    for number, (method, changes) in enumerate(kinds):
        write_run(bench.results, model, bench.spec(method, **changes), start=number)
    return bench


@dataclass(frozen=True)
class Client:
    """Asks a server, each time on a connection of its own."""

    server: Server
    engine: Engine

    def ask(self, method: str, path: str, body: Any = None, sent: Any = None) -> tuple[int, Any, dict[str, str]]:
        """Return status, JSON and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, JSON if sent is None else sent)
            response = connection.getresponse()
            headers = {name.title(): value for name, value in response.headers.items()}
            return response.status, json.loads(response.read()), headers
        finally:
            connection.close()

    def complete(self, model: str, prompt: Any, **fields: Any) -> dict[str, Any]:
        """Return the JSON of a completion that is answered."""
        asked = {"model": model, "prompt": prompt, "max_tokens": TOKENS, "stop": "\n", "temperature": 0} | fields
        status, found, _ = self.ask("POST", "/v1/completions", asked)
        assert status == 200, found
        return dict(found)

    def text(self, model: str, number: int) -> str:
        """Return a model's answer to one of `EXAMPLES` as a record would hold it."""
        found = self.complete(model, TASK.prompt(EXAMPLES[number]))
        return str(found["choices"][0]["text"]).strip()


class Stream:
    """A streamed answer on a connection of its own; iterating yields the JSON of its parts."""

    def __init__(self, client: Client, path: str = "/v1/completions", **fields: Any) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", client.server.port)
        asked = {"model": "toy-lora-r4-s0", "prompt": TASK.prompt(EXAMPLES[0]), "max_tokens": 20} | fields
        if "messages" in asked:
            del asked["prompt"]
        body = json.dumps(asked | {"stream": True})
        self._connection.request("POST", path, body.encode(), JSON)
        self.response = self._connection.getresponse()
        self.done = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while line := self.response.readline():
            content = line.decode().removeprefix("data: ").strip()
            self.done = self.done or content == "[DONE]"
            if content and not self.done:
                yield json.loads(content)

    def leave(self) -> None:
        """Close the connection."""
        self.response.close()
        self._connection.close()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is true; pytest's time limit ends a test in which that does not happen."""
    while not condition():
        time.sleep(0.01)


class Gate:
    """Holds the model's thread at the third token of streamed answers."""

    def __init__(
        self, base: SharedBase, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None
    ) -> None:
        self.open, self.reached, self.tokens = threading.Event(), threading.Event(), 0
        text = base.text

        def gated(tokens: Any) -> str:
            self.tokens = max(self.tokens, len(tokens))
            if len(tokens) == 3:
                self.reached.set()
                assert self.open.wait(PATIENCE)
                then()
            return text(tokens)

        monkeypatch.setattr(base, "text", gated)


@contextmanager
def serving(
    bench: Bench,
    base: SharedBase,
    *,
    max_body: int = 10_000,
    load: Any = None,
    log: Any = None,
    options: Mapping[str, Any] | None = None,
    **limits: int,
) -> Iterator[Client]:
    """Serve on a free port; `load` replaces the way that adapters are read, `log` is called with each answer's line.

    `options` are those of the server, `limits` those of the engine.
    """
    catalog = bench.catalog()
    folders = {one.id: one.folder for one in catalog.served}
    read = load or (lambda id: base.read(folders[id]))
    server_options = {"max_body": max_body, "log": log, **(options or {})}
    with Server("127.0.0.1", 0, **server_options) as server, Engine(base, read, Limits(**limits)) as engine:
        server.app.service = Service(catalog, engine)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield Client(server, engine)
        finally:
            server.stop()
            thread.join()

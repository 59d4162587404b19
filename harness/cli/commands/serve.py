"""`serve`: one base model and the adapters of finished runs over HTTP, as OpenAI's clients ask, until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.adapters.serve import catalog as servable
from harness.adapters.serve.catalog import BITS, Catalog, Servable
from harness.cli import flags as shared
from harness.cli.terminal import output
from harness.data import registry
from harness.errors import HarnessError
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import defaults, options
from harness.signals import keyboard_interrupts
from harness.store import records
from harness.store.find import find_run

if TYPE_CHECKING:
    from harness.adapters.serve.server import Server

DONE = 0
PACKAGES = ("starlette", "uvicorn")  # of the extra `serve`
MOST_TOLD = 8  # adapters that are not served, in lines at the start


def flags(parser: argparse.ArgumentParser) -> None:
    """What `serve` takes."""
    parser.add_argument("--model", metavar="DIR|ID", default="tiny", help="the base model (default: tiny, embedded)")
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="default 127.0.0.1: this machine only")
    parser.add_argument("--port", metavar="N", default="8000", help="default 8000; 0 takes a free one")
    parser.add_argument(
        "--adapter",
        action="append",
        metavar="NAME=RUN|FOLDER",
        help="only these, each under a name of yours (default: every adapter of the results for this base model)",
    )
    for flag, default, text in (
        ("--max-adapters", 16, "adapters in memory; the least recently used leaves it"),
        ("--max-queue", 256, "requests that may wait; further ones get 503"),
        ("--max-batch", 32, "requests that are written at once"),
    ):
        parser.add_argument(flag, metavar="N", default=str(default), help=f"{text} (default {default})")
    parser.add_argument(
        "--bits",
        metavar="16|8|4",
        default="16",
        help="of the base model's weights (default 16); 4 for qlora's adapters",
    )
    parser.add_argument("--dtype", metavar="|".join(shared.DTYPES), help="default: that of the adapters' runs")
    parser.add_argument("--device", metavar="|".join(shared.DEVICES), help="default: cuda where there is one")
    parser.add_argument("--trust-remote-code", action="store_true", help=shared.REMOTE_CODE)
    shared.results_flag(parser)


def serve(found: argparse.Namespace) -> int:
    """Look at all that was asked for, listen, load the base model, answer until Ctrl-C.

    Raises:
        HarnessError: the packages that serve HTTP are missing, a flag is wrong, or the address is not available.
    """
    _check_packages()
    bits = float(options.one_of(found.bits, [f"{bits:g}" for bits in BITS], "--bits"))
    device = options.one_of(found.device, shared.DEVICES, "--device") if found.device else defaults.device()
    dtype = options.one_of(found.dtype, shared.DTYPES, "--dtype") if found.dtype else ""
    most = {name: options.count(getattr(found, name), f"--{name.replace('_', '-')}") for name in LIMITS}
    base = checkpoint.read(found.model, remote_code=found.trust_remote_code)
    catalog = Catalog(base, _adapters(found.adapter, options.path(found.results), base, bits))
    processes.quieten()
    from harness.adapters.serve.server import Server

    with Server(found.host, _port(found.port), log=output.note) as server, keyboard_interrupts():
        with contextlib.suppress(KeyboardInterrupt):  # until the server answers, which ends by itself
            _serve(server, catalog, _spec(catalog, bits, dtype, device, remote_code=found.trust_remote_code), most)
        output.note("stopped")
    return DONE


def _check_packages() -> None:
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        problem = f"serving needs {' and '.join(missing)}, not installed here"
        raise HarnessError(problem, where="serve", fix="pip install 'adaptbench[serve]'")


LIMITS = ("max_adapters", "max_queue", "max_batch")


def _serve(server: Server, catalog: Catalog, spec: RunSpec, most: dict[str, int]) -> None:
    from harness.adapters.serve.engine import Engine, Limits
    from harness.adapters.serve.model import SharedBase
    from harness.adapters.serve.service import Service

    base = SharedBase(catalog.base.folder, spec, registry.method(spec.method))
    folders = {one.id: one.folder for one in catalog.served}
    with Engine(base, lambda id: base.read(folders[id]), Limits(**most)) as engine:
        server.app.service = Service(catalog, engine)
        _tell(server.url, catalog, spec, mixes=base.mixes)
        server.run()


def _adapters(named: Sequence[str] | None, results: Path, base: Checkpoint, bits: float) -> list[Servable]:
    """Return the adapters that the flags mean.

    Raises:
        HarnessError: one that was named is not there, cannot be served, or has a name that is taken.
    """
    runs = records.read_all(results, skip_damaged=True)
    if named is None:
        return servable.of_runs(runs, base, bits)
    found: list[Servable] = []
    for text in named:
        name, sign, what = text.partition("=")
        if not (sign and name and what):
            fix = "--adapter claims=3a69984"
            raise HarnessError(f"'{text}' is not of the form NAME=RUN or NAME=FOLDER", where="--adapter", fix=fix)
        if name in {base.name, *(one.id for one in found)}:
            raise HarnessError(f"the name '{name}' is taken", where=f"--adapter {text}", fix="choose another")
        folder = options.path(what)
        if folder.is_dir() and not (folder / records.RECORD).is_file():
            one = servable.of_folder(name, folder, base)
        else:
            one = servable.of_run(find_run(what, runs), base, bits, id=name)
        if one.why_not:
            problem = f"this adapter cannot be served: {one.why_not}"
            raise HarnessError(problem, where=f"--adapter {text}", fix="name another, or its base model with --model")
        found.append(one)
    return found


def _spec(catalog: Catalog, bits: float, dtype: str, device: str, *, remote_code: bool) -> RunSpec:
    """Return the spec that the base model is loaded by; its precision is that of the adapters' runs, if they agree."""
    trained = {one.dtype for one in catalog.served if one.dtype}
    dtype = dtype or (trained.pop() if len(trained) == 1 else defaults.dtype(device))
    values: dict[str, Any] = dict.fromkeys(("rank", "task_version", "batch_size", "micro_batch", "seed"), 0)
    values |= dict.fromkeys(("alpha", "dropout", "learning_rate", "weight_decay", "warmup", "epochs"), 0.0)
    values |= dict.fromkeys(("train_examples", "test_examples", "max_new_tokens"), 0)
    values |= {"task": "", "data": "", "scoring": "generate", "max_tokens": catalog.base.window}
    values |= {"model": catalog.base.name, "model_revision": catalog.base.revision, "method": BITS[bits]}
    return RunSpec(**values, dtype=dtype, device=device, remote_code=remote_code)  # type: ignore[arg-type]


def _tell(url: str, catalog: Catalog, spec: RunSpec, *, mixes: bool) -> None:
    served = catalog.served
    kept_out = [one for one in catalog.adapters if one.why_not]
    base = f"{catalog.base.name} @ {catalog.base.revision[:7]} ({spec.dtype}, {spec.device})"
    output.say(f"{url}   {base} and {len(served)} adapter{'s' * (len(served) != 1)}; Ctrl-C ends it")
    for one in served:
        output.say(output.folded(f"  {one.id}  ", one.name, indent=4))
    for one in kept_out[:MOST_TOLD]:
        output.note(f"not served: {one.id} {one.name}: {one.why_not}")
    if len(kept_out) > MOST_TOLD:
        output.note(f"not served: {len(kept_out) - MOST_TOLD} more")
    if unlike := [one.id for one in served if one.dtype not in ("", spec.dtype)]:
        output.note(
            f"trained in another precision than {spec.dtype}, and may answer a little differently: {', '.join(unlike)}"
        )
    if not mixes:
        output.note("this architecture sends tokens to experts: each batch is of one adapter")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise HarnessError(f"--port {text} is not a port", where="--port", fix="--port 8000")
    return int(text)

"""`serve`: one base model and the adapters of finished runs over HTTP, as OpenAI's clients ask, until Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.adapters.serve import catalog as servable
from harness.adapters.serve.access import KEY_VARIABLE
from harness.adapters.serve.catalog import BITS, Catalog, Servable
from harness.cli import flags, parse
from harness.cli.arguments import Arguments, Flag
from harness.cli.flags import choice
from harness.cli.terminal import output, silence
from harness.data import registry
from harness.errors import HarnessError
from harness.model import checkpoint
from harness.model.chat import settings as chat
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import defaults
from harness.runs.options import Options
from harness.signals import keyboard_interrupts
from harness.store import records
from harness.store.find import find_run

if TYPE_CHECKING:
    from harness.adapters.serve.server import Server

DONE = 0
PACKAGES = ("starlette", "uvicorn", "prometheus_client")  # of the extra `serve`
MAX_REFUSED = 8  # lines at the start about adapters that are not served


FLAGS = (
    Flag("--model", "the base model; tiny is embedded", metavar="DIR|ID", example="tiny", default=Options.model),
    Flag(
        "--host",
        "the address to listen on; 127.0.0.1 is for this machine only",
        metavar="ADDRESS",
        example="127.0.0.1",
        default="127.0.0.1",
    ),
    Flag("--port", "port to listen on; 0 takes a free one", parse.integer(0, 65535), example="8000", default=8000),
    Flag(
        "--allowed-host",
        "a further name by which clients call this server, such as models.example.org; * is any",
        metavar="NAME",
        example="models.example.org",
        field="names",
        unset="localhost and the address of --host",
        repeat=True,
    ),
    Flag(
        "--api-key",
        f"the key that requests need, as `Authorization: Bearer KEY`; {KEY_VARIABLE} hides it from the list of processes",
        metavar="KEY",
        example="d1f0c2",
        unset=f"{KEY_VARIABLE}, if it is set",
    ),
    Flag(
        "--adapter",
        "only these, each under a name of yours",
        metavar="NAME=RUN|FOLDER",
        example="claims=claims/lora-r8",
        unset="every adapter of the results for this base model",
        repeat=True,
    ),
    Flag(
        "--max-adapters", "adapters in memory; the least recently used leaves it", parse.count, example="16", default=16
    ),
    Flag("--max-queue", "requests that may wait; further ones get 503", parse.count, example="256", default=256),
    Flag("--max-batch", "requests that are written at once", parse.count, example="32", default=32),
    Flag("--max-connections", "connections at a time; further ones get 503", parse.count, example="512", default=512),
    Flag(
        "--max-seconds", "seconds for an answer; then it is given up with 504", parse.count, example="600", default=600
    ),
    choice(
        "--bits",
        "bits of the base model's weights; 4 for qlora's adapters",
        tuple(f"{bits:g}" for bits in BITS),
        default="16",
    ),
    choice("--dtype", "number format", ("bf16", "fp32"), unset="that of the adapters' runs"),
    *(replace(row, group="") for row in flags.rows("--device", "--trust-remote-code")),
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Check the flags, listen, load the base model, answer until Ctrl-C.

    Raises:
        HarnessError: the packages that serve HTTP are missing, a flag is wrong, or the address is not available.
    """
    _check_packages()
    key = _key(arguments.api_key)
    bits, device, dtype = float(arguments.bits), arguments.device or defaults.device(), arguments.dtype or ""
    limits = {name: getattr(arguments, name) for name in ("max_adapters", "max_queue", "max_batch")}
    base = checkpoint.read(arguments.model, remote_code=arguments.remote_code)
    catalog = Catalog(base, _adapters(arguments.adapter, arguments.results, base, bits))
    processes.quieten()
    from harness.adapters.serve.server import Server

    options = {name: getattr(arguments, name) for name in ("max_connections", "max_seconds")}
    options |= {"names": arguments.names or (), "key": key, "log": output.note}
    with Server(arguments.host, arguments.port, **options) as server, keyboard_interrupts():
        if server.public:
            output.note(_warning(arguments.host, key))
        with contextlib.suppress(KeyboardInterrupt):  # until the server answers, which ends by itself
            _serve(server, catalog, _spec(catalog, bits, dtype, device, remote_code=arguments.remote_code), limits)
        output.note("stopped")
    return DONE


def _check_packages() -> None:
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        problem = f"serving needs {' and '.join(missing)}, not installed here"
        raise HarnessError(problem, where="serve", fix="pip install 'adaptbench[serve]'")


def _key(text: str | None) -> str:
    """Return the key that requests need, "" for none.

    Raises:
        HarnessError: the variable of the environment is set and empty, as after a mistake in a script.
    """
    if text:
        return text
    key = os.environ.get(KEY_VARIABLE)
    if key is not None and not key.strip():
        raise HarnessError(f"{KEY_VARIABLE} is set and empty", where=KEY_VARIABLE, fix=f"unset {KEY_VARIABLE}")
    return key or ""


def _warning(host: str, key: str) -> str:
    if key:
        return f"warning: {host} is public, and neither key nor texts are encrypted: put a proxy with TLS in front"
    return (
        f"warning: {host} is public, and whoever reaches this machine can use the server: "
        f"set {KEY_VARIABLE}, or use --host 127.0.0.1"
    )


def _serve(server: Server, catalog: Catalog, spec: RunSpec, limits: dict[str, int]) -> None:
    from harness.adapters.serve.engine import Engine, Limits
    from harness.adapters.serve.model import SharedBase
    from harness.adapters.serve.service import Service

    base = SharedBase(catalog.base.folder, spec, registry.method(spec.method))
    folders = {adapter.id: adapter.folder for adapter in catalog.served}
    with Engine(base, lambda id: base.read(folders[id]), Limits(**limits)) as engine:
        server.app.service = Service(catalog, engine)
        _tell(server.url, catalog, spec, mixes=base.mixes)
        with silence.stage(silence.WAITING):
            server.run()


def _adapters(names: Sequence[str] | None, results: Path, base: Checkpoint, bits: float) -> list[Servable]:
    """Return the adapters that the flags mean.

    Raises:
        HarnessError: one that was named is not there, cannot be served, or has a name that is taken.
    """
    runs = records.read_all(results, skip_damaged=True)
    if names is None:
        return servable.servables_of_runs(runs, base, bits)
    adapters: list[Servable] = []
    for text in names:
        name, sign, target = text.partition("=")
        if not (sign and name and target):
            fix = "--adapter claims=claims/lora-r8"
            raise HarnessError(f"'{text}' is not of the form NAME=RUN or NAME=FOLDER", where="--adapter", fix=fix)
        if name in {base.name, *(adapter.id for adapter in adapters)}:
            raise HarnessError(f"the name '{name}' is taken", where=f"--adapter {text}", fix="choose another")
        folder = parse.path(target)
        if folder.is_dir() and not (folder / records.RECORD).is_file():
            adapter = servable.servable_of_folder(name, folder, base)
        else:
            adapter = servable.servable_of_run(find_run(target, runs), base, bits, id=name)
        if adapter.obstacle:
            problem = f"this adapter cannot be served: {adapter.obstacle}"
            raise HarnessError(problem, where=f"--adapter {text}", fix="name another, or its base model with --model")
        adapters.append(adapter)
    return adapters


def _spec(catalog: Catalog, bits: float, dtype: str, device: str, *, remote_code: bool) -> RunSpec:
    """Return the spec that the base model is loaded by; its precision is that of the adapters' runs, if they agree."""
    trained = {adapter.dtype for adapter in catalog.served if adapter.dtype}
    dtype = dtype or (trained.pop() if len(trained) == 1 else defaults.dtype(device))
    values: dict[str, Any] = dict.fromkeys(("rank", "task_version", "batch_size", "micro_batch", "seed"), 0)
    values |= dict.fromkeys(("alpha", "dropout", "learning_rate", "weight_decay", "warmup", "epochs"), 0.0)
    values |= dict.fromkeys(("train_examples", "test_examples", "max_new_tokens"), 0)
    values |= {"task": "", "data": "", "scoring": "generate", "max_tokens": catalog.base.window}
    values |= {"model": catalog.base.name, "model_revision": catalog.base.revision, "method": BITS[bits]}
    values |= {"template_args": chat.arguments(catalog.base.folder)}
    return RunSpec(**values, dtype=dtype, device=device, remote_code=remote_code)  # type: ignore[arg-type]


def _tell(url: str, catalog: Catalog, spec: RunSpec, *, mixes: bool) -> None:
    served = catalog.served
    refused = [adapter for adapter in catalog.adapters if adapter.obstacle]
    base = f"{catalog.base.name} @ {catalog.base.revision[:7]} ({spec.dtype}, {spec.device})"
    output.say(f"{url}   {base} and {len(served)} adapter{'s' * (len(served) != 1)}; Ctrl-C ends it")
    for adapter in served:
        output.say(output.folded(f"  {adapter.id}  ", adapter.name, indent=4))
    for adapter in refused[:MAX_REFUSED]:
        output.note(f"not served: {adapter.id} {adapter.name}: {adapter.obstacle}")
    if len(refused) > MAX_REFUSED:
        output.note(f"not served: {len(refused) - MAX_REFUSED} more")
    if converted := [adapter.id for adapter in served if adapter.dtype not in ("", spec.dtype)]:
        output.note(
            f"trained in another precision than {spec.dtype}, and may answer a little differently: {', '.join(converted)}"
        )
    if not mixes:
        output.note("this architecture sends tokens to experts: each batch is of one adapter")

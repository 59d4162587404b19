"""The values of a command's flags as `Options`, with what takes the results folder and the plugins to know."""

from __future__ import annotations

from dataclasses import fields, replace

from harness import errors
from harness.challengers import BUILT_IN
from harness.cli import parse
from harness.cli.arguments import Arguments
from harness.data import registry
from harness.endpoint.settings import EXAMPLE
from harness.errors import HarnessError
from harness.runs import continuation
from harness.runs.options import Options, Start
from harness.store import records
from harness.store.find import find_run

ENDPOINT = "endpoint"  # the challenger that asks a server
QUICK_RANKS = (8,)


def options(arguments: Arguments) -> Options:
    """Return the values that `Options` has a field for; a value of None is the default."""
    values = {field.name: getattr(arguments, field.name, None) for field in fields(Options)}
    return Options(**{"tasks": ()} | {name: value for name, value in values.items() if value is not None})


def with_suites(settings: Options) -> Options:
    """Return the settings with the tasks of each suite in its place, such as `--task insurance`."""
    _check_files(settings)
    return replace(settings, tasks=registry.expanded(settings.tasks, settings.tasks_dirs))


def _check_files(settings: Options) -> None:
    """Raise an error if the file of a test or of validation does not belong to one data file of training."""
    flag = "--test-data" if settings.test_data else "--validation-data"
    if (settings.test_data or settings.validation_data) and len(settings.tasks) > 1:
        problem = f"{flag} belongs to one data file, and {len(settings.tasks)} tasks are named"
        raise HarnessError(problem, where=f"--task {','.join(settings.tasks)}", fix="name one data file")
    if settings.validation_data and not settings.test_data:
        fix = "name the test with --test-data, or the split of each row in a column split"
        raise HarnessError("--validation-data is named without --test-data", where=flag, fix=fix)


def run_options(arguments: Arguments) -> Options:
    """Return the options of runs: `all` stands for every method, `--continue-from` for a run with its method and rank.

    Raises:
        HarnessError: no task is named, or the run to continue is not there, did not finish or has no weights.
    """
    if not arguments.tasks:
        fix = f"{errors.command('--task', 'cfa')}   ({errors.command('list')})"
        raise HarnessError("no task given", where="--task", fix=fix)
    settings = with_suites(options(arguments))
    settings = replace(settings, methods=_methods(settings.methods), challengers=_challengers(arguments.challengers))
    if settings.endpoint and arguments.challengers is None:
        settings = replace(settings, challengers=(*settings.challengers, ENDPOINT))
    _check_endpoint(settings)
    if settings.devices:
        from harness.runs.executors import cards

        chosen = cards.choose(settings.devices, settings.device)
        settings = replace(settings, cards=chosen, device="cuda")
    if settings.cluster:
        settings = _on_cluster(settings)
    if settings.quick and not arguments.ranks:
        settings = replace(settings, ranks=QUICK_RANKS)
    if arguments.continue_from is None:
        return settings
    start = _start(arguments.continue_from, settings)
    return replace(
        settings,
        start=start,
        methods=settings.methods if arguments.methods else ("base", start.spec.method),
        ranks=arguments.ranks or (start.spec.rank or 1,),
    )


def _start(name: str, settings: Options) -> Start:
    """Return the run to continue."""
    runs = records.read_with_sequences(settings.results)
    if not runs and not (parse.path(name) / records.RECORD).is_file():
        fix = "name the results folder with --results, or a run by its folder"
        raise HarnessError("there are no runs to continue", where=str(settings.results), fix=fix)
    run = find_run(name, runs, several="pass an id")
    if run.record.status != "ok":
        problem = f"a run that did not finish ({run.record.status}) cannot be continued"
        raise HarnessError(problem, where=str(run.folder), fix="name a finished run")
    start = Start(run.record.spec, run.folder)
    continuation.require(start)
    return start


def _challengers(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of challengers, by default those of the harness; `none` alone stands for no challenger, `all` for these."""
    if names is None:
        return BUILT_IN
    if "none" not in names:
        return tuple(dict.fromkeys(part for name in names for part in (BUILT_IN if name == "all" else [name])))
    if len(names) > 1:
        problem = f"none and {len(names) - 1} challenger{'s' * (len(names) != 2)} are named together"
        raise HarnessError(problem, where=f"--challengers {','.join(names)}", fix="--challengers none")
    return ()


def _on_cluster(settings: Options) -> Options:
    """Return the settings as runs on a cluster are planned: a GPU is one of its nodes, in bf16 unless `--dtype` says otherwise.

    Raises:
        HarnessError: another flag contradicts `--cluster`.
    """
    if settings.devices:
        problem, fix = "the cluster gives each run its card, and cards are named", "leave --devices out"
        raise HarnessError(problem, where="--cluster, --devices", fix=fix)
    if settings.shard > 1:
        problem = (
            f"--shard {settings.shard} divides a run over the cards of this machine, and a node gives a run one card"
        )
        raise HarnessError(problem, where="--cluster, --shard", fix="leave one of them out")
    if settings.endpoint:
        problem = "a server is asked from this machine, whose keys do not leave it"
        raise HarnessError(problem, where="--cluster, --endpoint", fix="ask it by a command without --cluster")
    return replace(settings, imagined=True, dtype=settings.dtype or "bf16") if settings.device == "cuda" else settings


def _check_endpoint(settings: Options) -> None:
    """Raise an error if a server, its model and a row that asks it are not named together."""
    if settings.endpoint and ENDPOINT not in settings.challengers:
        problem = "a server is named, and no row asks it"
        raise HarnessError(problem, where="--endpoint", fix=f"--challengers all,{ENDPOINT}")
    if settings.endpoint and not settings.endpoint_model:
        fix = "--endpoint-model NAME"
        raise HarnessError("a server is named without its model", where="--endpoint", fix=fix)
    if settings.endpoint_model and not settings.endpoint:
        problem = "the model of a server is named without the server"
        raise HarnessError(problem, where="--endpoint-model", fix=EXAMPLE)


def _methods(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names with `all` as every registered method that works and has its packages installed.

    A broken method, or one without its packages, stops only a run that names it.
    """
    if "all" not in names:
        return names
    entries = registry.methods().values()
    working = [entry.name for entry in entries if entry.value is not None and not registry.missing(entry.value)]
    return tuple(dict.fromkeys(part for name in names for part in (working if name == "all" else [name])))

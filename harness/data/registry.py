"""Finds the plugins: tasks, methods, metrics and challengers, each with the place it came from.

Tasks come from the tasks folder, from `--tasks-dir` folders, and from the entry points `harness.tasks` of installed
packages. Methods, metrics and challengers come from their folders in the harness and from
the entry points `harness.methods`, `harness.metrics` and `harness.challengers`. A plugin that fails to import stays in the list with its
error, which only a use of the plugin raises. Two plugins of one name are an error with both origins.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import harness.challengers
import harness.methods
import harness.metrics
from harness import errors
from harness.data import audit as audits
from harness.data.loading import tasks_folder
from harness.errors import HarnessError, did_you_mean
from harness.methods import by_config
from harness.schema import Challenger, Method, Metric, Task

T = TypeVar("T", Task, Method, Metric, Challenger)
EXTRAS = {"flwr": "federated"}  # packages that an extra of this project installs
BUILT_IN = "builtin"  # the suite of tasks with their data
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A plugin: its name, its value (None if broken), its origin, and its error (empty if sound)."""

    name: str
    value: T | None
    origin: str
    error: str = ""


def tasks(extra_dirs: Iterable[Path | str] = ()) -> dict[str, Entry[Task]]:
    """Return every task by name: shipped, from these folders, from installed packages.

    Raises:
        HarnessError: a folder does not exist, or two tasks have one name.
    """
    folders = [tasks_folder()]
    for folder in map(Path, extra_dirs):
        if not folder.is_dir():
            raise HarnessError("no such folder of tasks", where=str(folder), fix="check --tasks-dir")
        if folder.resolve() not in folders:
            folders.append(folder.resolve())
    entries = [_from_file(path, Task, "TASK") for folder in folders for path in _files(folder, "TASK")]
    return _by_name("task", [*entries, *_from_packages("harness.tasks", Task, "TASK")])


def task(name: str, tasks_dirs: Iterable[Path | str] = ()) -> Task:
    """Return the task of this name. `data.source.TaskSource` makes a task of a data file as well.

    Raises:
        HarnessError: unknown or broken.
    """
    return task_among(tasks(tasks_dirs), name)


def task_among(entries: Mapping[str, Entry[Task]], name: str) -> Task:
    """Return the task of this name among these, or an unlisted one; errors as `task`."""
    return unlisted()[name] if name in unlisted() else _value("task", name, entries)


def suites(entries: Mapping[str, Entry[Task]]) -> dict[str, list[str]]:
    """Return the tasks of each suite: those that tasks name, and `BUILT_IN` for those whose data comes with the project.

    A task that cannot be trained on is in none, and a task has precedence over a suite of its name.
    """
    by_suite: dict[str, list[str]] = {BUILT_IN: []}
    for name, entry in entries.items():
        if entry.value is None or "train" not in entry.value.splits:
            continue
        for suite in entry.value.suites:
            by_suite.setdefault(suite, []).append(name)
        if entry.value.source.redistributable and entry.value.source.uri.startswith("data/"):
            by_suite[BUILT_IN].append(name)
    return {suite: names for suite, names in by_suite.items() if suite not in entries and names}


def expanded(names: Iterable[str], tasks_dirs: Iterable[Path | str] = ()) -> tuple[str, ...]:
    """Return names of tasks with each suite as its tasks, every task once."""
    of_suite = suites(tasks(tasks_dirs))
    return tuple(dict.fromkeys(task for name in names for task in of_suite.get(name, [name])))


def unlisted() -> dict[str, Task]:
    """Return the tasks of probes only: known by name to all who read records, and in no list."""
    from harness.tiny.questions import TASK

    return {TASK.name: TASK}


def recorded(extra_dirs: Iterable[Path | str] = ()) -> dict[str, Task]:
    """Return every working task by its name in records; a task with an audit also under the name of its audited form."""
    by_name = unlisted() | {name: entry.value for name, entry in tasks(extra_dirs).items() if entry.value is not None}
    for task in [task for task in by_name.values() if task.audit is not None]:
        with contextlib.suppress(HarnessError):  # a damaged audit matters only to those who ask for it
            audited = audits.choose(task, "audited")
            by_name.setdefault(audited.name, audited)
    return by_name


def methods() -> dict[str, Entry[Method]]:
    """Return every method by name, those of this folder first, in the order of all lists and tables."""
    folder = Path(str(harness.methods.__file__)).parent
    entries = [_from_module(path, "harness.methods", Method, "METHOD") for path in _files(folder, "METHOD")]
    entries.sort(key=lambda entry: harness.methods.position(entry.name))
    return _by_name("method", [*entries, *_from_packages("harness.methods", Method, "METHOD")])


def method(name_or_path: str) -> Method:
    """Return the method of this name, or that of a PEFT config (a path that ends in .json, or the folder that holds one).

    Raises:
        HarnessError: unknown or broken.
    """
    known = methods()
    config = by_config.config_of(name_or_path) if name_or_path not in known else None
    if config is not None:
        return by_config.read(str(config))
    if Path(name_or_path).is_dir():
        problem, fix = "this folder has no adapter_config.json", "name the folder that PEFT's save_pretrained wrote"
        raise HarnessError(problem, where=f"--method {name_or_path}", fix=fix)
    return _value("method", name_or_path, known)


def challengers() -> dict[str, Entry[Challenger]]:
    """Return every challenger by name, those of the harness first, in the order of all lists and tables.

    Raises:
        HarnessError: two challengers, or a challenger and a method, have one name: a row has no other.
    """
    folder = Path(str(harness.challengers.__file__)).parent
    entries = [
        _from_module(path, "harness.challengers", Challenger, "CHALLENGER") for path in _files(folder, "CHALLENGER")
    ]
    entries.sort(key=lambda entry: harness.challengers.position(entry.name))
    entries += _from_packages("harness.challengers", Challenger, "CHALLENGER")
    known = methods()
    for entry in entries:
        if entry.name in known:
            where = f"{known[entry.name].origin} and {entry.origin}"
            problem = f"a method and a challenger are named {entry.name!r}"
            raise HarnessError(problem, where=where, fix="rename the challenger")
    return _by_name("challenger", entries)


def challenger(name: str) -> Challenger:
    """Return the challenger of this name.

    Raises:
        HarnessError: unknown or broken.
    """
    return _value("challenger", name, challengers())


def missing(method: Method) -> list[str]:
    """Return the packages of a method that are not installed here."""
    return [package for package in method.requires if importlib.util.find_spec(package) is None]


def require(methods: Iterable[Method]) -> None:
    """Refuse methods whose packages are not installed, before a run starts.

    Raises:
        HarnessError: with the package to install.
    """
    for method in methods:
        for package in missing(method):
            requirement = f"adaptbench[{EXTRAS[package]}]" if package in EXTRAS else package
            problem = f"the method {method.name} needs the package {package}, which is not installed"
            raise HarnessError(problem, where=f"--method {method.name}", fix=f"pip install '{requirement}'")


def metrics() -> dict[str, Entry[Metric]]:
    """Return every metric without arguments, by name."""
    folder = Path(str(harness.metrics.__file__)).parent
    entries = [Entry(n, harness.metrics.by_name(n), str(folder / f"{n}.py")) for n in harness.metrics.names()]
    return _by_name("metric", [*entries, *_from_packages("harness.metrics", Metric, "METRIC")])


def metric(name: str) -> Metric:
    """Return the metric of this name.

    Raises:
        HarnessError: unknown or broken.
    """
    return _value("metric", name, metrics())


def _by_name(kind: str, entries: Iterable[Entry[T]]) -> dict[str, Entry[T]]:
    by_name: dict[str, Entry[T]] = {}
    for entry in entries:
        first = by_name.setdefault(entry.name, entry)
        if first is not entry:
            fix = f"rename one of the {kind}s, or leave its folder or package out"
            raise HarnessError(
                f"two {kind}s are named {entry.name!r}", where=f"{first.origin} and {entry.origin}", fix=fix
            )
    return by_name


def _value(kind: str, name: str, entries: Mapping[str, Entry[T]]) -> T:
    entry = entries.get(name)
    if entry is None:
        near = did_you_mean(name, entries)
        fix = f"{near}   {errors.command('list')}".strip()
        raise HarnessError(
            f"no {kind} named {name!r}", where=f"{len(entries)} {kind}{'s' * (len(entries) != 1)} known", fix=fix
        )
    if entry.value is None:
        raise HarnessError(f"{kind} {name!r} is broken: {entry.error}", where=entry.origin, fix="correct that file")
    return entry.value


def _files(folder: Path, attribute: str) -> Iterator[Path]:
    """Yield the folder's plugin files; a file without an assignment of the attribute is no plugin and is not run."""
    assigns = re.compile(rf"^{attribute}\b".encode(), re.MULTILINE)
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_") and path.is_file() and assigns.search(path.read_bytes()):
            yield path


def _from_module(path: Path, package: str, kind: type[T], attribute: str) -> Entry[T]:
    return _entry(
        path.stem, str(path), kind, lambda: getattr(importlib.import_module(f"{package}.{path.stem}"), attribute)
    )


def _from_file(path: Path, kind: type[T], attribute: str) -> Entry[T]:
    def load() -> Any:
        module = _run_file(path, path.stat().st_mtime_ns)
        return _anchored(getattr(module, attribute), path.parent)

    return _entry(path.stem, str(path), kind, load)


@lru_cache(maxsize=256)
def _run_file(path: Path, mtime: int) -> ModuleType:
    """Run a file of any folder as a module of its own, so that no other module called `tasks` can hide it."""
    imported = sys.modules.get(f"tasks.{path.stem}")
    if imported is not None and imported.__file__ and Path(imported.__file__) == path:
        return imported
    name = f"harness_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def entry_points(group: str) -> list[metadata.EntryPoint]:
    """Return the entry points of a group, by name. They are read again only if a folder of installed packages has changed."""
    installed = _installed_points(tuple((folder, _changed(folder)) for folder in sys.path))
    return sorted(installed.select(group=group), key=lambda point: (point.name, point.value))


@lru_cache(maxsize=1)
def _installed_points(folders: tuple[tuple[str, int], ...]) -> Any:
    """Return the entry points of all packages in these folders; reading each package's takes longer than all plugins."""
    return metadata.entry_points()


def _changed(folder: str) -> int:
    """Return the time when something was last added to a folder or removed from it; 0 if there is none."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _from_packages(group: str, kind: type[T], attribute: str) -> Iterator[Entry[T]]:
    for point in entry_points(group):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
        yield _entry(point.name, f"{package} ({point.value})", kind, partial(_from_point, point, attribute))


def _from_point(point: metadata.EntryPoint, attribute: str) -> Any:
    """Return the value of an entry point, which names the value itself or a module that assigns the attribute."""
    target = point.load()
    file = getattr(sys.modules[point.module], "__file__", None)
    value = getattr(target, attribute, target)
    return _anchored(value, Path(file).parent) if file else value


def _anchored(value: Any, folder: Path) -> Any:
    """Return a task with the path of the data folder beside its own file; any other plugin unchanged."""
    if not isinstance(value, Task) or value.source.uri.startswith("hf:") or Path(value.source.uri).is_absolute():
        return value
    beside, shipped = folder / value.source.uri, tasks_folder() / value.source.uri
    if folder == tasks_folder() or (shipped.exists() and value.source.uri and not beside.exists()):
        return value
    return replace(value, source=replace(value.source, uri=str(beside.resolve())))


def _entry(name: str, origin: str, kind: type[T], load: Callable[[], Any]) -> Entry[T]:
    try:
        value = load()
    except (Exception, SystemExit) as error:
        return Entry(name, None, origin, _one_line(error))
    problem = _problem(value, kind)
    return Entry(name, None, origin, problem) if problem else Entry(value.name, value, origin)


def _one_line(error: BaseException) -> str:
    """Return an error in one line, with the last line of the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    line = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError):
        line = f" ({Path(error.filename).name}:{error.lineno})" if error.filename else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text}{line}"


def _problem(value: Any, kind: type[Any]) -> str:
    """Return the reason that a value is no plugin, or an empty string."""
    if not isinstance(value, kind):
        return f"its value is a {type(value).__name__}, not a {kind.__name__}"
    if not _NAME.fullmatch(value.name):
        return f"the name {value.name!r} cannot be a folder's name: use letters, digits, '-', '_', '+' and '.'"
    if isinstance(value, Task) and not value.metrics:
        return "the task has no metric"
    return ""

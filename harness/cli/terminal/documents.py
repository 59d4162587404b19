"""Documents in JSON on stdout, for programs: the list of tasks and methods, a plan, the checks of a task, a verification."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output

if TYPE_CHECKING:
    from harness.data.registry import Entry
    from harness.record import Split
    from harness.schema import Challenger, Method, Task


def show(document: Mapping[str, Any]) -> None:
    """Print a document on stdout."""
    output.document(json.dumps(document, indent=1, ensure_ascii=False))


def listing(
    tasks: Iterable[Entry[Task]],
    methods: Iterable[Entry[Method]],
    challengers: Iterable[Entry[Challenger]],
    sizes: Mapping[str, Mapping[Split, int] | None],
    suites: Mapping[str, Sequence[str]],
) -> None:
    """Print every task, method, challenger and suite; arguments as for the terminal's list."""
    show(
        {
            "tasks": [_task(entry, sizes.get(entry.name)) for entry in tasks],
            "methods": [_plugin(entry) for entry in methods],
            "challengers": [_plugin(entry) for entry in challengers],
            "suites": {suite: list(names) for suite, names in suites.items()},
        }
    )


def _plugin(entry: Entry[Any]) -> dict[str, Any]:
    title = entry.value.title if entry.value else ""
    return {"name": entry.name, "title": title, "origin": entry.origin, "error": entry.error}


def _task(entry: Entry[Task], sizes: Mapping[Split, int] | None) -> dict[str, Any]:
    if entry.value is None:
        return _plugin(entry)
    task = entry.value
    more = {
        "version": task.version,
        "suites": list(task.suites),
        "scoring": task.scoring,
        "metrics": [metric.name for metric in task.metrics],
        "source": task.source.uri,
        "revision": task.source.revision,
        "license": task.source.license,
        "here": sizes is not None,
        "examples": dict(sizes or {}),
    }
    return _plugin(entry) | more

"""`list`: every task with its data at a glance, every method and every challenger, without results and without a model."""

from __future__ import annotations

from harness.cli import flags
from harness.cli.arguments import Arguments
from harness.cli.terminal import documents
from harness.cli.terminal import tasks as terminal
from harness.data import loading, registry

DONE = 0
FLAGS = (*flags.FOLDERS, flags.JSON)


def main(arguments: Arguments) -> int:
    """List tasks, methods and challengers; a broken one is listed with its error."""
    tasks = registry.tasks(arguments.tasks_dirs or ())
    sizes = {name: loading.sizes(entry.value, arguments.data) for name, entry in tasks.items() if entry.value}
    show = documents.listing if arguments.as_json else terminal.listing
    methods, challengers = registry.methods().values(), registry.challengers().values()
    show(tasks.values(), methods, challengers, sizes, registry.suites(tasks))
    return DONE

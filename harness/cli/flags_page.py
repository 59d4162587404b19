"""The page of all flags, command by command: `python -m harness.cli.flags_page > docs/flags.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness.cli import app
from harness.cli.arguments import Flag
from harness.cli.commands import adapters
from harness.format import escape

COLUMNS = ("flag", "value", "meaning", "default", "example")
INTRODUCTION = """# Every flag

Made from the tables of flags in `harness/cli`; do not edit it, but run `python -m harness.cli.flags_page > docs/flags.md`.
Each command prints the same with `--help`. Lists may be joined by commas, and a flag of a list may be repeated."""


def text() -> str:
    """Return the page in Markdown."""
    blocks = [INTRODUCTION]
    for name, summary in app.COMMANDS.items():
        blocks += _command(f"## {name}", summary, app.module(name).FLAGS)
        if name == "adapters":
            for action, entry in adapters.ACTIONS.items():
                blocks += _command(f"### {name} {action}", entry.summary, entry.flags)
    return "\n\n".join(blocks) + "\n"


def _command(heading: str, summary: str, rows: Sequence[Flag]) -> list[str]:
    """Return the blocks of one command."""
    lines = (COLUMNS, ["---"] * len(COLUMNS), *(map(escape, _row(row)) for row in rows))
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return [heading, f"{summary[0].upper()}{summary[1:]}.", table]


def _row(row: Flag) -> tuple[str, ...]:
    option = row.name.startswith("-")
    name = ", ".join(filter(None, [row.name, row.alias])) if option else row.metavar
    metavar = row.metavar if option and row.switch is None else ""
    need = "required" if row.required or (not option and row.nargs != "?") else ""
    return (name, metavar, row.help, row.standard or need, row.example)


if __name__ == "__main__":
    sys.stdout.write(text())

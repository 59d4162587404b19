"""Lines about archived results: they are not recomputed, why, and which commit verifies them by which command."""

from __future__ import annotations

from pathlib import Path

from harness import errors
from harness.cli.terminal import output
from harness.store.archive import Archive


def show(folder: Path, archive: Archive) -> None:
    """Print the commit and the commands that verify an archive."""
    about = f"{folder}: results of version {archive.version}; this version does not recompute them. {archive.fault}"
    output.say(output.folded("", about, indent=2))
    output.say(f"  verified by commit {archive.commit}:")
    for place in archive.folders:
        output.say(f"    git switch --detach {archive.commit} && {errors.command('verify', place)}")

"""Finds a run by its name, the beginning of its id, or its folder, and the runs that a command reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import HarnessError, did_you_mean
from harness.store import archive
from harness.store import records as store

SEVERAL = "pass an id, or TASK/NAME such as cfa/lora-r8"


def own_or_published(root: Path, task: str | None = None) -> tuple[list[store.Run], Path]:
    """Return the runs of `root/runs`, or else the published ones, and the folder that holds them; `root` may be a publication."""
    if own := store.read_all(root, task):
        return own, root / "runs"
    if (published := store.read_published(root, task)) or any((root / name).is_dir() for name in ("runs", "published")):
        return published, root / "published"
    if (
        archive.archives(root) and archive.archive_of(root) is None
    ):  # a results folder with archives only, as in a new clone
        return [], root
    return store.find(root / store.path_word(task) if task else root, task), root


def find_run(name: str, runs: Sequence[store.Run], *, several: str = SEVERAL) -> store.Run:
    """Return the run of a name such as `lora-r8` or `cfa/lora-r8`, an id or a folder; of several seeds the first.

    Args:
        name: the name, the beginning of the id, or the folder.
        runs: the candidates.
        several: the fix in the error if several runs match.

    Raises:
        HarnessError: no run matches, or several do.
    """
    matches = _matches(name, runs)
    kinds = {(run.record.spec.task, run.record.spec.model, run.record.spec.data) for run in matches}
    if len(kinds) > 1:
        raise _several(name, matches, several)
    return _by_seed(name, matches, several)[0]


def find_row(name: str, runs: Sequence[store.Run]) -> list[store.Run]:
    """Return the runs of a name in the order of their seeds, which is all they differ in; of an id or a folder, that one run.

    Arguments as in `find_run`.

    Raises:
        HarnessError: no run matches, or runs of several rows do.
    """
    matches = _matches(name, runs)
    if len({replace(run.record.spec, seed=0, probes=()) for run in matches}) > 1:
        raise _several(name, matches, SEVERAL)
    return _by_seed(name, matches, SEVERAL)


def _matches(name: str, runs: Sequence[store.Run]) -> list[store.Run]:
    """Return the runs of a name, an id or a folder, finished ones if there are any."""
    path = Path(name)
    if (path / store.RECORD).is_file():
        return [store.Run(path, store.read_record(path))]
    task, _, short = name.rpartition("/")  # `cfa/lora-r8` is the run of that name on that task
    of_task = [run for run in runs if task in ("", run.record.spec.task)]
    matches = [run for run in of_task if run.record.spec.id.startswith(short) or run.record.spec.name == short]
    if not matches:
        names = sorted({run.record.spec.name for run in runs})
        fix = did_you_mean(name, names) or "pass one of these names, a run's id, or its folder"
        raise HarnessError(f"no run is called '{name}'", where=f"runs: {', '.join(names)}", fix=fix)
    return [run for run in matches if run.record.status == "ok"] or matches


def _by_seed(name: str, matches: Sequence[store.Run], several: str) -> list[store.Run]:
    """Return runs in the order of their seeds; an error if two have one seed."""
    if len({run.record.spec.seed for run in matches}) < len(matches):
        raise _several(name, matches, several)
    return sorted(matches, key=lambda run: run.record.spec.seed)


def _several(name: str, matches: Sequence[store.Run], fix: str) -> HarnessError:
    ids = ", ".join(f"{run.record.spec.id} ({run.record.spec.task})" for run in matches[:6])
    return HarnessError(f"'{name}' means several runs", where=ids, fix=fix)

"""Files that a run needs on a node, each parcel under the hash of its content: a node that has it is not sent it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from harness.model.checkpoint import HUB_FILES
from harness.model.files import identity
from harness.runs.executors.ray.agent import CHUNK
from harness.runs.job import Job
from harness.store import files as store_files

PROJECT = Path(__file__).resolve().parents[4]
CODE = ("harness", "tasks")  # folders of the project that runs need
UNUSED = ("__pycache__", store_files.LOCK, store_files.WORKING)


@dataclass(frozen=True)
class Parcel:
    """A folder or a file, by its path on this machine and the paths in it that are sent."""

    path: Path
    names: tuple[str, ...]

    @cached_property
    def files(self) -> tuple[tuple[str, int], ...]:
        """The paths in the parcel with their sizes."""
        return tuple((name, self._file(name).stat().st_size) for name in self.names)

    @cached_property
    def digest(self) -> str:
        """The hash of paths and contents."""
        total = hashlib.sha256()
        for name, size in self.files:
            with self._file(name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{name}\0{size}\0{content}\n".encode())
        return total.hexdigest()[:32]

    def chunks(self) -> Iterator[bytes]:
        """Yield the contents of all files, one after the other, in chunks of equal size but for the last."""
        chunk = bytearray()
        for name in self.names:
            with self._file(name).open("rb") as file:
                while piece := file.read(CHUNK - len(chunk)):
                    chunk += piece
                    if len(chunk) == CHUNK:
                        yield bytes(chunk)
                        chunk.clear()
        if chunk:
            yield bytes(chunk)

    def _file(self, name: str) -> Path:
        return self.path / name if self.path.is_dir() else self.path


def of(path: Path) -> Parcel:
    """Return the parcel of a file, or of a folder without hidden and compiled files."""
    if not path.is_dir():
        return Parcel(path, (path.name,))
    names = []
    for folder, inner, found in os.walk(path):
        inner[:] = sorted(name for name in inner if name not in UNUSED and not name.startswith("."))
        names += [(Path(folder) / name).relative_to(path).as_posix() for name in found if name not in UNUSED]
    return Parcel(path, tuple(sorted(names)))


def code() -> Parcel:
    """Return the parcel of this project's code, with the data of its tasks."""
    names = [f"{folder}/{name}" for folder in CODE for name in of(PROJECT / folder).names]
    return Parcel(PROJECT, tuple(sorted(names)))


def of_model(folder: Path) -> Parcel:
    """Return the parcel of a model's folder: settings, weights, tokenizer and code."""
    every = of(folder).names
    patterns = (*HUB_FILES, identity.CODE, "*.tiktoken")
    return Parcel(folder, tuple(name for name in every if any(Path(name).match(pattern) for pattern in patterns)))


def hub_name(folder: Path) -> tuple[str, str] | None:
    """Return the id and the commit of a folder in the hub's cache, None for any other."""
    if not identity.is_snapshot(folder):
        return None
    return folder.parent.parent.name.removeprefix("models--").replace("--", "/"), folder.name


@dataclass(frozen=True)
class Cargo:
    """The parcels of a job by the paths that they replace; a model of the hub is none of them, and is fetched by the node."""

    parcels: Mapping[str, Parcel]
    hub: tuple[str, str] | None

    def moved(self, job: Job, place: Callable[[Parcel], str], folder: str, project: str) -> Job:
        """Return the job with its paths on a node.

        Args:
            job: the job with the paths of this machine.
            place: return the path of a parcel on the node.
            folder: of the run there.
            project: the folder of the project there.
        """

        there = partial(self._path, place, project)
        source = job.source
        return replace(
            job,
            folder=Path(folder),
            model_folder=there(job.model_folder),
            method=there(job.method),
            start=there(job.start),
            probes=tuple(map(there, job.probes)),
            joined=tuple(map(there, job.joined)),
            source=replace(
                source,
                name=there(source.name),
                tasks_dirs=tuple(map(there, source.tasks_dirs)),
                data_dir=there(source.data_dir),
                test_data=there(source.test_data),
                validation_data=there(source.validation_data),
            ),
        )

    def _path(self, place: Callable[[Parcel], str], project: str, path: Any) -> Any:
        """Return a path as it is on the node, of the same type; anything else as it is."""
        if path is None or not str(path):
            return path
        if (parcel := self.parcels.get(str(path))) is not None:
            moved = Path(place(parcel)) / ("" if Path(path).is_dir() else Path(path).name)
        elif _is_code(Path(path)):
            moved = Path(project) / Path(path).resolve().relative_to(PROJECT)
        else:
            return path
        return str(moved) if isinstance(path, str) else moved


class Store:
    """The cargo of jobs, each parcel made and hashed at most once."""

    def __init__(self) -> None:
        self._parcels: dict[str, Parcel] = {}
        self.code = code()

    def cargo(self, job: Job, *, model: bool) -> Cargo:
        """Return the cargo of a job; without `model` the node uses the model's folder of this machine."""
        source = job.source
        paths = [source.data_dir, source.test_data, source.validation_data, *source.tasks_dirs, job.start, job.method]
        paths += [source.name] * source.is_file + [name for name in (*job.probes, *job.joined) if os.sep in name]
        found = {str(path): self._parcel(Path(path)) for path in paths if path and _travels(Path(path))}
        hub = hub_name(job.model_folder) if model else None
        if model and hub is None and _travels(job.model_folder):
            found[str(job.model_folder)] = self._parcel(job.model_folder, of_model)
        return Cargo(found, hub)

    def _parcel(self, path: Path, make: Callable[[Path], Parcel] = of) -> Parcel:
        key = str(path.absolute())
        if key not in self._parcels:
            self._parcels[key] = make(path)
        return self._parcels[key]


def _travels(path: Path) -> bool:
    """Return whether a path is there and no part of the project's code, which travels anyway."""
    return path.exists() and not _is_code(path)


def _is_code(path: Path) -> bool:
    return any(path.resolve().is_relative_to(PROJECT / folder) for folder in CODE)

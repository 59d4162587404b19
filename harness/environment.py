"""The machine and the software of a run, read without importing torch.

Memory and time are comparable between runs with the same `machine`: processor, threads of cores, memory; on CUDA also the
device.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
from pathlib import Path

from harness.record import Device, Environment

KFD = Path("/dev/kfd")  # AMD's driver
PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "accelerate",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
)


def describe(
    device: Device,
    *,
    threads: int,
    device_name: str = "",
    further: tuple[str, ...] = (),
    shards: int = 1,
) -> Environment:
    """Return a description of this machine; `device_name` is CUDA's own name if a worker knows it, `further` names packages."""
    name = device_name or (cuda_name() if device == "cuda" else processor())
    gib = round(memory_bytes() / 2**30)
    machine = f"{processor()}, {threads} of {cores()} cores, {gib} GiB" + {"cuda": f", {name}", "mps": ", its GPU"}.get(
        device, ""
    )
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        machine=machine,
        device_name=name,
        threads=threads,
        memory_bytes=memory_bytes(),
        packages=package_versions(PACKAGES + further),
        commit=commit(),
        driver=_cuda_query("driver_version") if device == "cuda" else "",
        allocator=allocator(device),
        backend=("nccl" if device == "cuda" else "gloo") if shards > 1 else "",
    )


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """Return the load average of the last minute for each core; None if the system does not tell."""
    try:
        return round(os.getloadavg()[0] / cores(), 2)
    except (OSError, AttributeError):
        return None


def allocator(device: Device) -> str:
    """Return the memory allocator: the C library's or a preloaded one; on CUDA torch's with its settings, on Macs torch's."""
    if device == "mps":
        return "torch"
    if device == "cuda":
        settings = os.environ.get("PYTORCH_ALLOC_CONF") or os.environ.get("PYTORCH_CUDA_ALLOC_CONF", "")
        return " ".join(filter(None, ("torch", settings)))
    loaded = re.findall(r"lib(jemalloc|tcmalloc|mimalloc)", os.environ.get("LD_PRELOAD", ""))
    return loaded[0] if loaded else " ".join(filter(None, platform.libc_ver())) or platform.system()


def threads_per_run(jobs: int) -> int:
    """Return the threads for each of `jobs` simultaneous runs: the cores, or OMP_NUM_THREADS if set, divided by `jobs`."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, (int(setting) if setting.isdigit() and int(setting) else cores()) // jobs)


@functools.cache
def processor() -> str:
    """Return the processor's model name."""
    info = _cpuinfo()
    match = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return match.group(1).strip() if match else platform.processor() or platform.machine()


@functools.cache
def memory_bytes() -> int:
    """Return the bytes of memory that this process may use: the machine's, or the container's limit if that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return total


def cuda_present() -> bool:
    """Return whether this machine has a CUDA device and the installed torch was built for CUDA; ROCm goes by the same name."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    return _torch_has("cuda") if Path("/proc/driver/nvidia/version").exists() else KFD.exists() and _torch_has("hip")


def mps_present() -> bool:
    """Return whether this is a Mac with a GPU that PyTorch computes on (Metal)."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def fast_bf16() -> bool:
    """Return whether this processor multiplies bf16 in hardware; if not, bf16 is slower than fp32."""
    flags = _cpuinfo()
    return bool(re.search(r"\b(amx_bf16|avx512_bf16)\b", flags)) or bool(re.search(r"^Features.*\bbf16\b", flags, re.M))


def half_width_mkl() -> bool:
    """Return whether MKL multiplies fp32 with half of this processor's vectors: AMD's with AVX-512."""
    flags = _cpuinfo()
    return "AuthenticAMD" in flags and bool(re.search(r"\bavx512f\b", flags))


def cuda_fast_bf16() -> bool:
    """Return whether the first CUDA device multiplies bf16 in hardware, as compute capability 8.0 and later do.

    If the driver does not tell, the result is True: PyTorch emulates bf16 on older devices, slowly but correctly.
    """
    match = re.match(r"([0-9]+)\.[0-9]+$", _cuda_query("compute_cap"))
    return match is None or int(match[1]) >= 8


def cuda_memory() -> int:
    """Return the bytes of memory of the first CUDA device; 0 if unknown."""
    match = re.match(r"([0-9]+) MiB$", _cuda_query("memory.total"))
    return int(match[1]) * 2**20 if match else 0


def cuda_name() -> str:
    """Return the first CUDA device's name; empty if unknown."""
    return _cuda_query("name")


@functools.cache
def _cuda_query(field: str) -> str:
    """Return a property of the first CUDA device from the driver's own tool; empty if the tool is missing.

    The first is that of CUDA_VISIBLE_DEVICES, if it is set. The tool knows no slices of a device.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    choice = [f"--id={visible}"] if visible and not visible.startswith("MIG-") else []
    lines = nvidia_smi(f"--query-gpu={field}", "--format=csv,noheader", *choice, seconds=10).splitlines()
    return lines[0].strip() if lines else ""


def nvidia_smi(*arguments: str, seconds: float) -> str:
    """Return the output of the driver's own tool; empty if it is missing, fails or takes longer than `seconds`."""
    try:
        done = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def package_versions(names: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of the packages that affect results, without missing ones."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@functools.cache
def commit() -> str:
    """Return the commit of this code, with `+` if the working tree differs; without a repository a hash of the code."""
    root = Path(__file__).resolve().parent.parent
    if (root / ".git").exists():
        try:
            sha = _git(root, "rev-parse", "--short=12", "HEAD")
            dirty = _git(root, "status", "--porcelain", "--untracked-files=all", "--", "harness", "tasks")
            return sha + ("+" if dirty else "")
        except (OSError, subprocess.SubprocessError):
            pass
    return code_hash()


@functools.cache
def knows_commit(name: str) -> bool:
    """Return whether the commit is in the history of this code; for a hash of code, whether it is this code's."""
    if name.startswith("code-"):
        return name == code_hash()
    root = Path(__file__).resolve().parent.parent
    if not re.fullmatch("[0-9a-f]{7,64}", name) or not (root / ".git").exists():
        return False
    try:
        _git(root, "merge-base", "--is-ancestor", name, "HEAD")
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@functools.cache
def commit_time(name: str) -> int | None:
    """Return the time of a commit of this code in seconds since 1970, None if the history does not have it."""
    if name.startswith("code-") or not knows_commit(name):
        return None
    try:
        return int(_git(Path(__file__).resolve().parent.parent, "show", "--no-patch", "--format=%ct", name))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


@functools.cache
def has_line(name: str, line: str) -> bool | None:
    """Return whether the code of a commit has this line, None if the history does not have the commit."""
    if name.startswith("code-") or not knows_commit(name):
        return None
    command = ["git", "grep", "--quiet", "--fixed-strings", line, name, "--", "harness"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.returncode == 0 if done.returncode in (0, 1) else None


@functools.cache
def code_hash() -> str:
    """Return a name for this code from the hash of its files, for use without a repository."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(path.read_bytes())
    return f"code-{code.hexdigest()[:12]}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


@functools.cache
def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@functools.cache
def _torch_has(name: str) -> bool:
    """Return whether torch was built for "cuda" or "hip" (ROCm), from its `version.py`: importing torch takes seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    note = Path(spec.origin).with_name("version.py")
    return bool(re.search(rf"^{name}\b[^=]*=\s*['\"]", note.read_text(), re.MULTILINE)) if note.exists() else False

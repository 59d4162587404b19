"""What is installed is what was tested: the wheel's content, one version everywhere, a lock that fits the ranges."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import harness

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
EXTRAS: dict[str, list[Requirement]] = {
    name: [Requirement(text) for text in texts] for name, texts in PROJECT["project"]["optional-dependencies"].items()
}
NEEDED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
LOCKED = ("serve", "test", "lint")  # the extras that the locks hold
RANGES = NEEDED + [needed for extra in LOCKED for needed in EXTRAS[extra] if needed.name != "adaptbench"]
LOCKS = ("requirements.lock", "requirements-cuda.lock")
TASKS = ("cfa", "sec_qa", "claims")


def plain(name: str) -> str:
    """A package's name as indexes write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines_of(lock: str) -> list[str]:
    """The lines of a lock but for comments and blank ones; a requirement and its hashes are one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins_of(lock: str) -> list[Requirement]:
    """The requirements of a lock that this machine or another one takes."""
    return [Requirement(line.split(" --hash=")[0]) for line in lines_of(lock)]


def locked(lock: str = LOCKS[0]) -> dict[str, Version]:
    """The version of each package on this machine."""
    here = [pin for pin in pins_of(lock) if pin.marker is None or pin.marker.evaluate()]
    return {plain(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in here}


def build_tools_are_here() -> bool:
    try:
        return all(Version(metadata.version(tool.name)) in tool.specifier for tool in BUILD)
    except metadata.PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel that was built from a copy of the tree, `results` and `tests` included."""
    if not build_tools_are_here():
        pytest.skip(f"building a wheel offline needs {', '.join(map(str, BUILD))} here")
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "run_all.py"):
        shutil.copy(ROOT / name, copy)
    nothing_made = shutil.ignore_patterns("__pycache__")
    for name in ("harness", "tasks", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=nothing_made)
    (copy / "results" / "published").mkdir(parents=True)
    (copy / "results" / "published" / "record.json").write_text("{}")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    options = ["--disable-pip-version-check", "--quiet", "--wheel-dir", str(out), str(copy)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    assert path.name == f"adaptbench-{harness.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path).namelist()


@pytest.mark.slow
def test_the_wheel_holds_the_code_and_every_file_that_the_code_reads(wheel: list[str]) -> None:
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "harness").rglob("*.py")}
    code |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "tasks").glob("*.py")}
    data = {f"tasks/data/{task}/{split}.jsonl" for task in TASKS for split in ("train", "validation", "test")}
    data |= {f"tasks/data/{task}_shifted/test.jsonl" for task in TASKS}
    data |= {"tasks/data/financial_math/audit.csv", "tasks/py.typed"}
    model = {path.relative_to(ROOT).as_posix() for path in (ROOT / "harness" / "tiny" / "model").iterdir()}
    beside = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.txt", "*.html", "*.css", "py.typed")
        for path in (ROOT / "harness").rglob(pattern)
    }
    assert "harness/tiny/words.txt" in beside
    assert sorted((code | data | model | beside) - set(wheel)) == []


@pytest.mark.slow
def test_the_wheel_holds_nothing_else(wheel: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {"harness", "tasks", f"adaptbench-{harness.__version__}.dist-info"}
    assert [name for name in wheel if re.search(r"\btests?/|results/|__pycache__|\.pyc$", name)] == []
    assert [name for name in wheel if name.endswith("/LICENSE")] != []


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert harness.__version__ == version
    citation = dict(re.findall(r"^(version|date-released): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    newest = re.search(r"^## (\S+) — (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert (citation["version"], citation["date-released"]) == newest.groups()
    assert newest[1] == version


def test_the_licence_is_the_same_everywhere() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "license: Apache-2.0" in (ROOT / "CITATION.cff").read_text()
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "CC BY 4.0" in (ROOT / "tasks" / "data" / "LICENSE.md").read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_exact_versions_with_hashes_and_no_place_of_their_own(lock: str) -> None:
    pin = r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+"
    assert [line for line in lines_of(lock) if not re.fullmatch(pin, line)] == []
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert (
        re.findall(r"://|--(?!hash=|require-hashes)[a-z-]+|file:| @ |/home|/work|\w\.(?:org|com|io|net)\b", text) == []
    )
    here = [pin for pin in pins_of(lock) if pin.marker is None or pin.marker.evaluate()]
    assert len(locked(lock)) == len(here)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("needed", RANGES, ids=str)
def test_a_lock_is_within_the_ranges(needed: Requirement, lock: str) -> None:
    assert locked(lock)[plain(needed.name)] in needed.specifier


def test_the_locks_differ_in_torchs_build_and_the_libraries_of_cuda_only() -> None:
    cpu, cuda = ({plain(pin.name): str(pin.specifier) for pin in pins_of(lock)} for lock in LOCKS)
    assert {name for name in cpu if cpu[name] != cuda[name] and name != "torch"} == set()
    assert [name for name in cuda.keys() - cpu.keys() if not re.match(r"nvidia-|cuda-|triton$", name)] == []
    assert {
        pin.name: pin.marker for pin in pins_of(LOCKS[1]) if pin.name.startswith("nvidia-") and not pin.marker
    } == {}


@pytest.mark.parametrize(("name", "version"), [("torch", "2.11.0"), ("transformers", "5.17.0"), ("peft", "0.18.0")])
def test_the_ranges_admit_what_gpu_machines_have(name: str, version: str) -> None:
    (found,) = [needed for needed in RANGES if needed.name == name]
    assert found.specifier.contains(version)


def test_python_from_the_range_on_is_what_the_linter_and_the_type_checker_assume() -> None:
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest


def test_every_package_that_the_code_imports_is_declared() -> None:
    found: set[str] = set()
    for path in [*(ROOT / "harness").rglob("*.py"), *(ROOT / "tasks").glob("*.py")]:
        found |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    owners = {name: {plain(owner) for owner in who} for name, who in metadata.packages_distributions().items()}
    third = {name: owners[name] for name in found & owners.keys() - {"harness", "tasks"}}
    lists = [EXTRAS[name] for name in ("federated", "serve", "gguf", "vllm", "llamacpp")]
    needed = {plain(requirement.name) for requirement in [*NEEDED, *(item for items in lists for item in items)]}
    carried = {"markupsafe"}  # comes with jinja2, which cannot work without it
    assert {name: owner for name, owner in third.items() if not owner & (needed | carried)} == {}

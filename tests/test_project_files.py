"""The files around the code hold what they promise: workflows, image, hooks, templates, pages for contributors."""

from __future__ import annotations

import fnmatch
import re
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYTHONS = ["3.11", "3.12", "3.13"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def parsed(path: Path) -> dict[Any, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def jobs_of(path: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = parsed(path)["jobs"]
    return jobs


def commands_of(path: Path) -> list[str]:
    steps = [step for job in jobs_of(path).values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):(?!=)", MAKEFILE, re.MULTILINE))


def tracked() -> list[str]:
    """The files of the repository, the new ones too; skipped outside a clone."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("not a clone")
    return [name for name in found.stdout.splitlines() if (ROOT / name).is_file()]


# --- tests


def test_a_test_that_hangs_is_stopped_also_where_ctrl_c_is_ignored(request: pytest.FixtureRequest) -> None:
    limit, method = (request.config.getini(name) for name in ("timeout", "timeout_method"))
    assert (0 < float(limit) <= 300, method) == (True, "signal")
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= float(limit)  # in every process that runs tests
    assert callable(signal.getsignal(signal.SIGALRM))


# --- workflows


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_makes_only_targets_that_the_makefile_has(path: Path) -> None:
    made = {
        target
        for line in commands_of(path)
        for words in re.findall(r"\bmake ([a-z ]+)", line)
        for target in words.split()
    }
    assert made
    assert made <= targets()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_reads_only_and_each_of_its_jobs_has_a_time_limit(path: Path) -> None:
    assert parsed(path)["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs_of(path).items() if "timeout-minutes" not in job] == []
    written = [job["permissions"] for job in jobs_of(path).values() if "permissions" in job]
    assert written == ([{"id-token": "write"}] if path.stem == "publish" else [])


def test_every_supported_python_is_tested() -> None:
    (job,) = jobs_of(ROOT / ".github" / "workflows" / "test.yml").values()
    assert job["strategy"]["matrix"]["python"] == PYTHONS
    named = [text.rsplit(" ", 1)[1] for text in PROJECT["project"]["classifiers"] if " :: 3." in text]
    assert named == PYTHONS
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"
    assert "make test" in commands_of(ROOT / ".github" / "workflows" / "test.yml")


def test_the_night_runs_the_slow_tests_and_verifies_what_is_published() -> None:
    commands = commands_of(ROOT / ".github" / "workflows" / "nightly.yml")
    assert {"make slow", "make verify"} <= set(commands)
    assert re.search(r"^verify:.*\n(?:\t.*\n)*\t.*run_all\.py verify results/published\)?$", MAKEFILE, re.MULTILINE)
    assert re.search(r"^slow:.*\n\t.*pytest -m slow", MAKEFILE, re.MULTILINE)


def test_the_night_looks_for_known_vulnerabilities_of_every_locked_package() -> None:
    (command,) = [line for line in commands_of(ROOT / ".github" / "workflows" / "nightly.yml") if "pip-audit" in line]
    assert re.match(r"pipx run pip-audit==[\d.]+ ", command)
    assert {"--disable-pip", "--require-hashes", "--strict"} <= set(
        command.split()
    )  # the locked versions, and no other
    lock = command.split()[-1]
    names = {name: set(re.findall(r"^([\w.-]+)==", read(name), re.MULTILINE)) for name in (lock, "requirements.lock")}
    assert names["requirements.lock"] <= names[lock]
    assert "+cpu" not in read(lock)


def test_a_wheel_is_uploaded_from_a_tag_only_and_without_a_password() -> None:
    path = ROOT / ".github" / "workflows" / "publish.yml"
    when = parsed(path)[True]  # YAML 1.1 reads the key `on` so
    assert when == {"push": {"tags": ["v*"]}}
    assert not re.search(r"password:|secrets\.", path.read_text(encoding="utf-8"))


# --- image


def test_the_image_runs_as_a_user_without_rights_and_calls_the_program() -> None:
    lines = read("Dockerfile").splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    stage = [line for line in lines[last:] if line]
    users = [line.split()[1] for line in stage if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}
    (entry,) = [line for line in stage if line.startswith("ENTRYPOINT ")]
    assert entry == f'ENTRYPOINT ["{next(iter(PROJECT["project"]["scripts"]))}"]'
    assert all(line.startswith("FROM python:3.11-slim") for line in lines if line.startswith("FROM "))


def test_the_image_installs_the_locks_with_their_hashes_for_the_cpu_unless_asked() -> None:
    text = read("Dockerfile")
    assert "ARG COMPUTE=cpu" in text
    locks = [line for line in text.splitlines() if "pip install" in line and ".lock" in line]
    assert len(locks) == 2
    assert all("--require-hashes" in line for line in locks)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = {
        word
        for line in read("Dockerfile").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert copied == {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}


# --- packaging


@pytest.mark.parametrize("package", ["harness", "tasks"])
def test_type_information_is_part_of_the_package(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]


def test_libraries_whose_layers_are_replaced_have_an_upper_bound() -> None:
    bounded = {re.split(r"[<>=]", text)[0] for text in PROJECT["project"]["dependencies"] if "<" in text}
    assert {"peft", "bitsandbytes", "transformers", "torch"} <= bounded


def test_dev_is_what_tests_and_lint_need() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["dev"] == ["adaptbench[test,lint]"]
    assert {"serve", "federated"} <= set(extras)


# --- hooks and files


def test_the_hooks_have_the_versions_of_the_lock() -> None:
    hooks = {
        entry["repo"].rsplit("/", 1)[1]: entry["rev"] for entry in parsed(ROOT / ".pre-commit-config.yaml")["repos"]
    }
    lock = read("requirements.lock")
    for name, repository in (("ruff", "ruff-pre-commit"), ("codespell", "codespell")):
        assert f"\n{name}=={hooks[repository].removeprefix('v')} " in lock


def test_no_file_is_larger_than_the_hook_lets_through() -> None:
    (limit,) = re.findall(r"--maxkb=(\d+)", read(".pre-commit-config.yaml"))
    assert [name for name in tracked() if (ROOT / name).stat().st_size > int(limit) * 1024] == []


def test_what_belongs_to_one_machine_is_ignored() -> None:
    ignored = set(read(".gitignore").splitlines())
    assert {".env", "*.whl", ".idea/", ".vscode/", "review/", ".coverage", "htmlcov/", ".venv/", "dist/"} <= ignored
    patterns = [line for line in ignored if line.startswith("*")]
    assert [name for name in tracked() if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


# --- pages


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_template_is_a_form_with_something_that_must_be_said(path: Path) -> None:
    form = parsed(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert [field["id"] for field in fields if field.get("validations", {}).get("required")]


def test_the_page_for_contributors_says_how_to_add_each_thing() -> None:
    headings = re.findall(r"^### (.+)$", read("CONTRIBUTING.md"), re.MULTILINE)
    assert headings == [
        "A task",
        "A method",
        "A metric",
        "A challenger",
        "A command",
        "A flag",
        "A text that users read",
        "A check of `verify`",
    ]


def test_the_page_for_contributors_names_files_and_targets_that_exist() -> None:
    text = read("CONTRIBUTING.md")
    example = re.compile(r"NAME|CONCERN|renewals")
    named = set(re.findall(r"[`(]((?:harness|tests|tasks|results|\.ci|\.github)/[\w./-]+)[`)]", text))
    assert [name for name in sorted(named) if not example.search(name) and not (ROOT / name).exists()] == []
    made = {target for words in re.findall(r"(?:^|`)make ([a-z ]+)", text, re.MULTILINE) for target in words.split()}
    assert made <= targets()


def test_the_page_for_contributors_has_every_room() -> None:
    rooms = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    table = set(re.findall(r"^\| \d \| `(\w+)/`", read("CONTRIBUTING.md"), re.MULTILINE))
    assert rooms == table


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_mail_address_and_no_path_of_a_machine(name: str) -> None:
    assert re.findall(r"[\w.]+@[\w-]+\.\w+|/home/|/work/|/root/", read(name)) == []


def test_each_entry_of_the_changelog_stands_under_a_version_and_begins_with_its_area() -> None:
    text = read("CHANGELOG.md")
    head, *versions = re.split(r"^## ", text, flags=re.MULTILINE)
    assert "\n- " not in head
    assert [
        version.splitlines()[0] for version in versions if not re.match(r"\d+\.\d+\.\d+(, unreleased| — )", version)
    ] == []
    entries = re.findall(r"^- (.+)$", text, re.MULTILINE)
    assert [entry for entry in entries if not re.match(r"[A-Z][a-z]+: \S", entry)] == []

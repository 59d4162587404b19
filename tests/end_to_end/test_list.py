"""`list`: every task with its source, licence and sizes, and whether its data is here, whatever `--data` names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.data import loading, registry

SHIPPED = ("cfa", "cfa_listed", "claims", "sec_qa")


def lines_of(printed: str) -> dict[str, str]:
    """What is listed of each task, by name."""
    found: dict[str, str] = {}
    name = ""
    for line in printed.partition("\nmethod ")[0].splitlines():
        name = line.split()[0] if line[:1].strip() else name
        found[name] = f"{found.get(name, '')} {line.strip()}"
    return found


def listed(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, str]:
    assert main(["list", *flags]) == 0
    return lines_of(capsys.readouterr().out)


def test_every_task_is_listed_with_source_licence_and_whether_its_data_is_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = listed(capsys, "--data", str(tmp_path))
    known = {name: entry.value for name, entry in registry.tasks().items()}
    assert known.keys() <= found.keys()
    for name, task in known.items():
        assert task is not None, name
        text = found[name]
        assert f"v{task.version} " in text, name
        assert " ".join(task.source.license.split()) in text, name
        assert task.source.uri in text, name
        assert text.count("here)") == 1, name


@pytest.mark.parametrize("given", ["nothing", "others", "project"])
def test_what_comes_with_the_project_is_here_whatever_folder_is_named(
    given: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if given == "others":
        (tmp_path / "finlora_xbrl_term").mkdir()
    folder = loading.tasks_folder() / "data" if given == "project" else tmp_path
    found, without = listed(capsys, "--data", str(folder)), listed(capsys)
    for name in SHIPPED:
        assert " (here)" in found[name]
        assert found[name] == without[name]
        assert re.search(r"train [\d,]+ · validation [\d,]+ · test [\d,]+ ", found[name])


def test_a_copy_of_the_users_own_comes_first_and_what_is_missing_is_not_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("{}\n" * 3)
    row = {"context": "Explain this XBRL term briefly in one sentence: {}. Answer:", "target": "An amount of {}."}
    (tmp_path / "finlora_xbrl_term").mkdir()
    for split, count in (("train", 14), ("test", 5)):
        texts = (json.dumps({key: text.format(f"{split} {n}") for key, text in row.items()}) for n in range(count))
        (tmp_path / "finlora_xbrl_term" / f"xbrl_term_{split}.jsonl").write_text("".join(f"{t}\n" for t in texts))
    found = listed(capsys, "--data", str(tmp_path))
    assert "train 3 · validation 3 · test 3" in found["claims"]
    assert "train 12 · validation 2 · test 5" in found["xbrl_term"]
    assert " (not here)" in found["fiqa"]

"""Challengers of installed packages are found; a broken one is listed; two of one name are an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import registry
from harness.errors import HarnessError

FILE = '''"""A challenger."""
from harness import Challenger

CHALLENGER = Challenger("NAME", "mine", lambda *_: None, lambda fitted, examples: ["0" for _ in examples])
'''


def install(site: Path, monkeypatch: pytest.MonkeyPatch, text: str, module: str) -> None:
    """Lay a package with one challenger out as pip would."""
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(text)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[harness.challengers]\n{module} = {module}:CHALLENGER\n")
    monkeypatch.syspath_prepend(str(site))


def test_one_of_a_package_stands_behind_those_of_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, FILE.replace("NAME", "own_rules"), "own_rules_a")
    entries = registry.challengers()
    assert list(entries)[-1] == "own_rules"
    assert entries["own_rules"].origin.startswith("own_rules_a 1.0")
    assert registry.challenger("own_rules").title == "mine"


@pytest.mark.parametrize(("name", "words"), [("words", "two challengers"), ("lora", "a method and a challenger")])
def test_a_name_that_is_taken_is_an_error_with_both_places(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, FILE.replace("NAME", name), f"taken_{name}")
    with pytest.raises(HarnessError, match=words) as caught:
        registry.challengers()
    assert f"taken_{name}" in str(caught.value.where)
    assert f"{name}.py" in str(caught.value.where)


def test_a_broken_one_is_listed_and_stops_only_who_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "raise ImportError('no engine')\n", "broken_one")
    assert "no engine" in registry.challengers()["broken_one"].error
    assert registry.challenger("words").name == "words"
    with pytest.raises(HarnessError, match="broken"):
        registry.challenger("broken_one")

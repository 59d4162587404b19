"""What measures us beside others: ways take turns, a first round is thrown away, ratios are taken within a round."""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks import timing


def test_ways_take_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    calls: list[str] = []

    def called(name: str) -> str:
        calls.append(name)
        return name

    ways = {name: partial(called, name) for name in ("ours", "theirs")}
    seconds, found = timing.in_turn(ways, rounds=2)
    assert calls == ["ours", "theirs"] * 3
    assert seconds == {"ours": (1.0, 1.0), "theirs": (1.0, 1.0)}
    assert found == {"ours": "ours", "theirs": "theirs"}


def test_the_ratio_is_the_median_of_the_rounds_ratios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"ours": (1.0, 2.0, 4.0), "theirs": (3.0, 4.0, 20.0)}
    peaks = {"ours": 3 * 2**20, "theirs": 12 * 2**20}
    found = timing.Comparison("made-up", "work", seconds, {"theirs": 2.5}, "all the same", (), {"torch": "2"}, peaks)
    assert found.ratio("theirs") == 3.0
    assert found.spread("theirs") == (2.0, 5.0)
    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    timing.keep(found)
    kept = json.loads((tmp_path / "made-up.json").read_text())
    assert kept["ratios"] == {"theirs": {"ratio": 3.0, "range": [2.0, 5.0], "target": 2.5}}
    before = list(sys.path)
    main = importlib.import_module("tests.benchmarks.__main__")
    monkeypatch.setattr(main, "RESULTS", tmp_path)
    sys.path[:] = before
    assert "- **made-up**: work. all the same (torch 2)." in main.page()
    (row,) = [line for line in main.page().splitlines() if "theirs" in line]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "made-up", "theirs", "3.00", "2.00 to 5.00", "2.5", "3 / 12",
    ]  # fmt: skip


def test_what_is_installed_for_it_is_pinned() -> None:
    lines = (Path(timing.ROOT) / "tests" / "benchmarks" / "requirements.txt").read_text().splitlines()
    assert lines
    assert all("==" in line for line in lines)


def test_peaks_are_the_live_tensors_of_each_way() -> None:
    torch = pytest.importorskip("torch")

    def ours() -> None:
        torch.zeros(1000).add(1)

    def theirs() -> None:
        [torch.ones(5000) for _ in range(2)]

    found = timing.peaks({"ours": ours, "theirs": theirs})
    assert found["ours"] == 2 * 4 * 1000
    assert found["theirs"] == 2 * 4 * 5000

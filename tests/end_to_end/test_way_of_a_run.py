"""The way of a command through the house: the files that it enters, and the times that control climbs back up.

A reader who follows a command goes down from room to room. Each time that the way leaves a file for a higher floor, only
to go down again into another new file, the reader has to keep one more open thread in mind. Both figures come from a
trace of the calls:

    files     the files of `harness/` that are entered by a call, from the command's own function to its return
    climbs    the first entries of a file from a caller on a higher floor than the file entered for the first time before it

Floors are those of the import contract in `pyproject.toml`. Before the rooms existed, with floors by depth of imports, the
dry run of `cfa` entered 35 files and climbed 23 times, and the repeated run of a data file 63 and 41. The goal for the dry
run is 24 and 8.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from harness.cli.commands import plan, run
from tests.support.cli_runner import Desk, without_torch

ROOT = Path(__file__).resolve().parents[2]
HARNESS = ROOT / "harness"


def floors() -> list[list[str]]:
    """Return the modules of each floor, the lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in reversed(layers)]


def floor_of(file: str, levels: list[list[str]]) -> int:
    """Return the floor of a file, 0 for a ground file."""
    module = ".".join(Path(file).relative_to(ROOT).with_suffix("").parts)
    rooms = (
        level for level, names in enumerate(levels) if any(module == n or module.startswith(f"{n}.") for n in names)
    )
    return next(rooms, 0)


class Way:
    """The first entries of files during one function of a call, each with the file of its caller."""

    def __init__(self, call: Callable[[], object], function: Callable[..., int]) -> None:
        self.entries: list[tuple[str, str]] = []
        self._files: set[str] = set()
        self._function = inspect.unwrap(function).__code__
        self._inside = False
        before = sys.getprofile()
        sys.setprofile(self._trace)
        try:
            call()
        finally:
            sys.setprofile(before)

    def _trace(self, frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if frame.f_code is self._function:
            self._inside = event == "call"
        if event != "call" or not self._inside or file in self._files or frame.f_code.co_name == "<module>":
            return
        if not file.startswith(str(HARNESS)):
            return
        caller = frame.f_back
        while caller and not caller.f_code.co_filename.startswith(str(HARNESS)):
            caller = caller.f_back
        self._files.add(file)
        self.entries.append((caller.f_code.co_filename if caller else file, file))

    @property
    def files(self) -> list[str]:
        """The files in the order of their first entries, relative to the harness."""
        return [str(Path(file).relative_to(HARNESS)) for _, file in self.entries]

    @property
    def climbs(self) -> list[str]:
        """The climbs as "from → caller → to"."""
        levels = floors()
        climbs = []
        for (_, before), (caller, file) in zip(self.entries, self.entries[1:], strict=False):
            if floor_of(caller, levels) > floor_of(before, levels):
                steps = (before, caller, file)
                climbs.append(" → ".join(str(Path(step).relative_to(HARNESS)) for step in steps))
        return climbs

    def tell(self, name: str) -> None:
        """Print both figures, and every step."""
        print(f"\n{name}: {len(self.files)} files, {len(self.climbs)} climbs")
        print("\n".join([*self.files, "", *self.climbs]))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


def test_a_dry_run_goes_down_through_few_files_and_seldom_climbs_back_up(desk: Desk) -> None:
    dry = ("plan", "--task", "cfa", "--no-memory")
    assert desk.train() == 0
    assert desk.run(*dry) == 0  # what loads or is kept on first use is there now, whichever tests ran before
    way = Way(lambda: desk.run(*dry), plan.show)
    way.tell("a dry run")
    assert len(way.files) <= 48
    assert len(way.climbs) <= 19


def test_a_run_with_nothing_left_to_do_goes_through_few_files_and_seldom_climbs_back_up(desk: Desk) -> None:
    assert desk.train() == 0
    assert desk.train() == 0
    way = Way(desk.train, run.run)
    way.tell("a run with nothing left to do")
    assert len(way.files) <= 83
    assert len(way.climbs) <= 32

"""A checkpoint on the disk: the old or the new one, as a whole, whenever its writer ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.store import checkpoint_files, records


def write(folder: Path, steps: int, content: bytes = b"state") -> None:
    checkpoint_files.write(folder, steps, lambda file: file.write(content), lambda: {"steps": steps})


def state(folder: Path) -> tuple[dict[str, Any], bytes]:
    card = checkpoint_files.read_card(folder)
    assert card is not None
    with checkpoint_files.state(folder, card) as file:
        return card, file.read()


def test_a_new_checkpoint_takes_the_place_of_the_old(tmp_path: Path) -> None:
    write(tmp_path, 3, b"three")
    write(tmp_path, 5, b"five")
    card, content = state(tmp_path)
    assert (card["steps"], card["bytes"], content) == (5, 4, b"five")
    names = {path.name for path in (tmp_path / checkpoint_files.FOLDER).iterdir()}
    assert names == {checkpoint_files.CARD, "state-00000005.pt"}


def test_a_writer_that_ends_before_the_card_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 3, b"three")

    def end() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint_files.write(tmp_path, 5, lambda file: file.write(b"five"), end)
    card, content = state(tmp_path)
    assert (card["steps"], content) == (3, b"three")
    write(tmp_path, 7)
    assert len(list((tmp_path / checkpoint_files.FOLDER).iterdir())) == 2


def test_a_writer_that_ends_in_the_middle_of_the_state_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 3, b"three")

    def fill(file: Any) -> None:
        file.write(b"fi")
        raise OSError("no space left")

    with pytest.raises(HarnessError):
        checkpoint_files.write(tmp_path, 5, fill, dict)
    assert state(tmp_path)[1] == b"three"


def test_a_state_with_other_bytes_than_were_written_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 3, b"three")
    (tmp_path / checkpoint_files.FOLDER / "state-00000003.pt").write_bytes(b"seven")
    with pytest.raises(HarnessError, match="other bytes than were written"):
        state(tmp_path)


def test_without_a_checkpoint_there_is_no_card_and_nothing_to_drop(tmp_path: Path) -> None:
    assert checkpoint_files.read_card(tmp_path) is None
    assert not checkpoint_files.exists(tmp_path)
    checkpoint_files.drop(tmp_path)


def test_a_link_in_place_of_a_checkpoint_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    outside, run = tmp_path / "outside", tmp_path / "run"
    write(outside, 3)
    run.mkdir()
    (run / checkpoint_files.FOLDER).symlink_to(outside / checkpoint_files.FOLDER)
    assert not checkpoint_files.exists(run)
    records.prepare(run)
    assert not (run / checkpoint_files.FOLDER).is_symlink()
    assert checkpoint_files.exists(outside)

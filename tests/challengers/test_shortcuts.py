"""A planted shortcut is found, and a sound task raises no alarm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.challengers.parts import answers
from harness.cli.app import main
from harness.data import registry
from harness.verify import shortcuts
from tests.support.sample_inputs import write_task
from tests.support.shortcuts import SHORTCUTS, clean, planted, task


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_planted_shortcut_is_found(name: str) -> None:
    splits = planted(list(SHORTCUTS).index(name), SHORTCUTS[name])
    toy = task("planted")
    assert shortcuts.alarms(toy, splits, shortcuts.measure(toy, splits))


@pytest.mark.parametrize("seed", range(10))
def test_a_clean_task_raises_no_alarm(seed: int) -> None:
    toy, splits = task("clean"), clean(seed + 100)
    measured = shortcuts.measure(toy, splits)
    assert {"commonest", "options_only", "words", "nearest", "position"} <= {shortcut.name for shortcut in measured}
    assert shortcuts.alarms(toy, splits, measured) == []


@pytest.mark.parametrize("name", ["the longest", "a word of the right", "the first position"])
def test_options_only_finds_what_the_options_give_away(name: str) -> None:
    splits, toy = planted(1, SHORTCUTS[name]), task("planted")
    challenger = registry.challenger("options_only")
    given = answers.answer(challenger, answers.fit(challenger, toy, splits.train, 0), splits.test, toy)
    assert sum(answer.text == answer.target for answer in given) > 0.7 * len(given)


def test_check_prints_the_challengers_of_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", str(write_task(tmp_path / "toy.jsonl"))])
    out = capsys.readouterr().out
    assert "challengers" in out
    assert "! shortcut" in out  # every question of the toy names its answer
    assert "! shortcut words (" in " ".join(out.split())
    assert "Little is left that needs a language model" in " ".join(out.split())


def test_check_tells_why_a_task_without_training_examples_has_no_challengers() -> None:
    toy, splits = task("clean"), clean(1)
    ((heading, text),) = shortcuts.notes(toy, replace(splits, train=()))
    assert (heading, text) == ("challengers", "there are no training examples to fit on")

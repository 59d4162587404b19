"""Commands that are shown read a data file as its run did, and name no folder of this machine."""

from __future__ import annotations

from pathlib import Path

from harness.cli import app, next_command, settings
from harness.data.source import TaskSource


def test_the_flags_of_a_data_file_are_those_of_its_source() -> None:
    source = TaskSource(
        name="/home/someone/private/claims.csv",
        columns=(("note", "context"), ("decision", "target")),
        relabel=(("Pay", "pay"),),
        drop_bad=True,
        instruction="Is it paid?",
        decimal_comma=True,
    )
    words = next_command.source_words(source)
    assert not any("/" in word for word in words)
    read = settings.options(app.read("run", words)).source("claims.csv")
    assert read == TaskSource(**{**vars(source), "name": "claims.csv"})
    assert Path(words[words.index("--task") + 1]) == Path("claims.csv")

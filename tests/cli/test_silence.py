"""A command that prints nothing for a while says what it does; one that prints says nothing more."""

from __future__ import annotations

import time

import pytest

from harness.cli.terminal import output, silence, streams


def test_a_silent_command_names_its_innermost_stage(capsys: pytest.CaptureFixture[str]) -> None:
    err = ""
    with silence.broken("run", seconds=0.05):
        while "run is working" not in err:
            time.sleep(0.01)
            err += capsys.readouterr().err
        with silence.stage("planning"), silence.stage(lambda: "timing a step"):
            while "timing a step" not in err:
                time.sleep(0.01)
                err += capsys.readouterr().err
    assert "planning" not in err
    assert silence.SECONDS < 5


def test_a_command_that_prints_is_not_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    with silence.broken("run", seconds=60):
        output.say("a line")
    before = streams.last_output()
    with silence.broken("run", seconds=0.5), streams.safe_streams():
        for _ in range(3):
            output.note("a line of progress")
    assert streams.last_output() > before
    assert "working" not in capsys.readouterr().err


def test_a_server_that_waits_for_requests_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with silence.broken("serve", seconds=0.02), silence.stage(silence.WAITING):
        time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_a_log_gets_dots_for_lines_after_a_while_and_the_next_output_begins_a_new_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    err = ""
    with streams.safe_streams(), silence.broken("run", seconds=0.02, lines_for=0.0):
        output.note("an event")
        while "..." not in err:
            time.sleep(0.01)
            err += capsys.readouterr().err
        output.note("another event")
    err += capsys.readouterr().err
    assert err.startswith("an event\n    ...")
    assert "\nanother event\n" in err
    assert "working" not in err


def test_after_a_minute_of_dots_a_line_says_what_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "LINE_EVERY", 0.1)
    err = ""
    with streams.safe_streams(), silence.broken("run", seconds=0.02, lines_for=0.0):
        output.note("an event")
        while err.count("run is working") < 2:
            time.sleep(0.01)
            err += capsys.readouterr().err
    assert "." in err.split("\n")[1]

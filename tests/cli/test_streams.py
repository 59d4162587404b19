"""What records, file names, libraries and faults hold reaches the terminal as text, and commands it nothing."""

from __future__ import annotations

import io
import logging
import re
import sys
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.cli import app
from harness.cli.terminal import output, streams, verification
from harness.cli.terminal.verification import Gaps
from harness.errors import HarnessError
from harness.format import Table, one_line, printable
from harness.store import records
from harness.verify import review
from harness.verify.check import Check
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files, views
from harness.verify.waivers import Waiver
from tests.support.cli_runner import Desk, without_torch
from tests.support.finished_runs import make_failed, make_run
from tests.support.records import make_environment

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b2J",
    "back\x08\x08\x08",
    "nul\x00",
    "over\rwritten",
    "\u202egnp.exe\u202c",
    "\u2066isolated\u2069",
    "tag\U000e0041",
    "surrogate\udc9b",
)
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
ALL = " ".join(HOSTILE)


def show_review(text: str) -> None:
    """Print a review in which every part that comes from files is this text."""
    check = Check(arithmetic.SCORES, False, detail=text)
    of_files = Check(files.CHECKSUMS, False, detail=text, path=text)
    view = Check(views.CSV, False, detail=text, path=text + "x")
    checks = {text: [check], "": [of_files, view]}
    excuse = Waiver(views.CSV, "*", text, date(2026, 3, 1))
    several: tuple[tuple[Waiver, ...], ...] = ((), (excuse,))
    for excuses in several:
        verification.show(review.judge(Path("results"), checks, excuses), checks, Gaps([text], [text], blind=[text]))


def safe(text: str) -> bool:
    return OBEYED.search(text) is None


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_every_way_to_print_passes_text_only(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.error(HarnessError(text, where=text, fix=text))
    output.say(text)
    output.note(text)
    output.document(text)
    output.closing([Path("results") / text.replace("\x00", "")], text)
    output.table(Table(text, (text, "b"), ((text, text), ("1", "2"))))
    output.each_check(text, [Check(text, False, detail=text)])
    show_review(text)
    printed = capsys.readouterr()
    assert safe(printed.out + printed.err)
    assert "�" in printed.out
    assert "�" in printed.err or "\r" in text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_warnings_logs_and_prints_of_libraries_pass_as_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with streams.safe_streams():
        sys.stderr.write(warnings.formatwarning(text, UserWarning, f"{text}.py", 1, line=text))
        handler = logging.StreamHandler()
        handler.emit(logging.LogRecord("library", logging.WARNING, "x.py", 1, text, (), None))
        print(text, text, file=sys.stdout)
        sys.stderr.writelines([text, "\n"])
    printed = capsys.readouterr()
    assert safe(printed.out + printed.err)
    assert printed.out.count("�") >= 1 or "\r" in text


def test_the_traceback_of_a_fault_passes_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise RuntimeError(f"a fault at {ALL}")

    monkeypatch.setattr("harness.cli.commands.list.main", fail)
    with pytest.raises(RuntimeError) as caught:
        app.main(["list"])
    sys.excepthook(RuntimeError, caught.value, caught.tb)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "a fault at" in err
    assert safe(err)


def test_the_streams_are_those_from_before_after_a_command() -> None:
    before = sys.stdout, sys.stderr
    with streams.safe_streams(), streams.safe_streams():
        assert sys.stdout.isatty() == before[0].isatty()
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before


def test_colours_of_the_program_s_own_pass_on_a_terminal() -> None:
    stream = io.StringIO()
    console = streams.console(
        streams.SafeStream(stream), force_terminal=True, color_system="standard", width=80, highlight=False
    )
    console.print("mine \x1b[31mtheirs", style="red")
    text = stream.getvalue()
    assert text.startswith("\x1b[31mmine")
    assert text.count("\x1b[31m") == 1
    assert safe(re.sub(r"\x1b\[[\d;]*m", "", text))


def test_no_text_makes_a_line_that_looks_like_one_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    forged = "lora\n✓ all checks hold\r\n\u2028error: none"
    output.note(forged)
    show_review(forged)
    output.table(Table("t", ("a", "b"), ((forged, "1"),)))
    output.error(HarnessError("a\nerror: b", where=forged, fix=forged))
    printed = capsys.readouterr()
    lines = [
        line for line in (printed.out + printed.err).splitlines() if line.startswith(("✓", "error: b", "error: n"))
    ]
    assert lines == []
    assert one_line(forged) == "lora ✓ all checks hold error: none"
    assert printable("a\tb\nc") == "a\tb\nc"


def test_foreign_results_command_nothing_in_any_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_torch(monkeypatch)
    desk = Desk(tmp_path, capsys)
    text = ALL.replace("surrogate\udc9b", "")
    environment = make_environment(machine=text, device_name=text, commit=text)
    base, answers = make_run("base", 0, n=12, spec={"task": text, "model": text, "model_revision": text})
    lora, better = make_run("lora", 2, n=12, spec={"task": text, "model": text, "model_revision": text})
    failed, _ = make_failed("full", 0, n=12, reason=text, task=text, model=text, model_revision=text)
    for record, said in ((base, answers), (lora, better), (failed, None)):
        folder = records.run_dir(desk.results, record.spec)
        folder.mkdir(parents=True)
        if said:
            records.write_answers(folder, said)
        records.write_record(folder, replace(record, environment=environment))
    stray = desk.results / "runs" / "x" / "\x1b[31mname" / "record.json"
    stray.parent.mkdir(parents=True)
    for words in (["report"], ["compare", "base", "lora-r2"], ["verify", str(desk.results)], ["calibration"]):
        desk.run(*words) if words[0] != "verify" else app.main(words)
        printed = capsys.readouterr()
        assert safe(desk.out + desk.err + printed.out + printed.err), words
    stray.write_text("{ damaged")
    assert desk.run("report") == 2
    assert safe(desk.err)
    assert "name" in desk.err

"""What a person sees: numbers, errors, tables, and lines that stay plain where nobody looks at a terminal."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import format
from harness.analysis import compare
from harness.analysis.sections import sections
from harness.cli.terminal import output, plan_output, tasks
from harness.cli.terminal import tables as ui_tables
from harness.cli.terminal.progress import Watch
from harness.data import registry
from harness.errors import HarnessError
from harness.format import Table
from harness.report import tables, verdict
from harness.runs.job import Outcome, Progress
from harness.runs.plan import Plan
from tests.support.analyses import compare_runs, results_of
from tests.support.finished_runs import make_failed, make_runs
from tests.support.records import make_record, make_spec


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (format.number(0.7981), "79.8"),
        (format.number(0.456, sign=True), "+45.6"),
        (format.number(-0.00001, sign=True), "+0.0"),
        (format.number(-0.00001), "0.0"),
        (format.number(1234.5, "USD per claim"), "1,234.50"),
        (format.number(None), "–"),
        (format.number(float("inf"), "USD"), "∞"),
        (format.interval(0.305, 0.38), "[30.5, 38.0]"),
        (format.interval(None, None), ""),
        (format.size(41 * 2**20), "41.0 MiB"),
        (format.size(7.4 * 2**30), "7.4 GiB"),
        (format.size(512), "512 B"),
        (format.duration(6), "6.0s"),
        (format.duration(9.96), "10s"),
        (format.duration(455), "7m 35s"),
        (format.duration(59.7), "1m 00s"),
        (format.duration(7500), "2h 05m"),
        (format.about(240), "about 4 min"),
        (format.about(42), "about 40 s"),
        (format.quantity(5_800_000), "5.8 M"),
        (format.quantity(613), "613"),
        (format.run_name(make_spec()), "lora  r8   s0"),
        (format.run_name(make_spec(method="base", rank=0)), "base"),
    ],
)
def test_numbers_are_shown_as_people_read_them(shown: str, text: str) -> None:
    assert shown == text


@settings(max_examples=50)
@given(st.floats(min_value=0, max_value=1e7))
def test_a_duration_is_never_off_by_more_than_its_last_unit(seconds: float) -> None:
    found = re.fullmatch(r"(?:(\d+)h )?(?:(\d+)m ?)?(?:([\d.]+)s)?", format.duration(seconds))
    assert found
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    assert minutes < 60
    assert rest < 60
    assert hours * 3600 + minutes * 60 + rest == pytest.approx(seconds, abs=60 if hours else 0.51)


def test_an_error_says_what_where_and_how_to_fix_it_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.error(HarnessError("no task named 'cfaa'", where="14 tasks known", fix="did you mean 'cfa'?"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: no task named 'cfaa'\n  --> 14 tasks known\n  help: did you mean 'cfa'?\n"


def test_the_header_says_what_runs_on_what(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan_output.header(planned)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy v1")
    assert max(map(len, lines)) <= 100
    assert "test 18 in 18 groups" in " ".join(" ".join(lines).split())
    heads = [line.split()[0] for line in lines if line.strip() and not line.startswith(" ")]
    assert heads == ["toy", "model", "device", "plan", "detects"]
    assert "2 runs" in "\n".join(lines)


def results_text(planned: Plan, capsys: pytest.CaptureFixture[str]) -> str:
    runs = make_runs()
    output.results(results_of(runs))
    plan_output.conditions(planned)
    return capsys.readouterr().out


def test_the_tables_show_value_interval_difference_and_what_ties(
    planned: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    text = results_text(planned, capsys)
    assert sum("◀ best" in line for line in text.splitlines() if not line.startswith(" ")) == 1
    row = next(line for line in text.splitlines() if line.startswith("lora r8"))
    assert re.search(r"\d\d\.\d +\[\d\d\.\d, \d\d\.\d\] +\+\d\d\.\d +\[\+\d\d\.\d, \+\d\d\.\d\]", row)
    for words in ("MiB", "predicted", "held equal", "not tuned", "learning rate (lora"):
        assert words in text
    (section,) = sections(compare.cells(make_runs()))
    told = re.search(r"^verdict {6}(.+(?:\n {13}.+)*)", text, re.MULTILINE)
    assert told
    assert " ".join(told[1].split()) == verdict.verdict(section)


def test_the_tables_are_narrow_and_plain_when_piped(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    text = results_text(planned, capsys)
    assert "\x1b" not in text
    found = [line for line in text.splitlines() if re.match(r"(run|base|lora|qlora|full|MiB)\b", line)]
    assert len(found) > 10
    assert max(map(len, text.splitlines())) <= 100
    for part in ("peak predicted", "grads optim rest", "9.25   10,645", "31s 6.2s"):
        assert part in text


def test_a_table_is_as_roomy_as_a_hundred_columns_allow() -> None:
    titles = ("run", "amount due %", "wrongly withheld USD per claim")
    narrow = Table("", titles, (("base", "1.0", "2.00"),))
    assert ui_tables.fitted(narrow) == (titles, 2)
    wide = Table("", (*titles, *titles[1:] * 2), (("base", *["1.0"] * 6),))
    assert ui_tables.fitted(wide)[0][1:3] == ("amount\ndue %", "wrongly withheld\nUSD per claim")
    assert ui_tables.fitted(wide)[1] == 2
    wider = replace(wide, rows=(("base", *["1,234,567,890"] * 6),))
    assert ui_tables.fitted(wider)[1] == 1
    drawn = "".join(cell.strip() for cell in shown(wider).split())
    assert drawn.count("1,234,567,890") == 6


def bytes_times(cells: list[compare.Cell], factor: int) -> list[compare.Cell]:
    """The cells of a model that is so many times as large and runs on a machine that is so much faster."""
    grown = []
    for cell in cells:
        assert cell.cost is not None
        phases = {k: replace(p, peak_bytes=p.peak_bytes * factor) for k, p in cell.cost.phases.items()}
        parts = (
            type(cell.cost.parts)(*(count * factor for count in vars(cell.cost.parts).values()))
            if cell.cost.parts
            else None
        )
        counts: dict[str, Any] = {
            "weights": cell.cost.weights * factor,
            "trained_weights": cell.cost.trained_weights * factor,
        }
        predicted = cell.cost.predicted_peak_bytes * factor
        cost = replace(cell.cost, phases=phases, parts=parts, predicted_peak_bytes=predicted, **counts)
        grown.append(replace(cell, cost=cost))
    return grown


@pytest.mark.parametrize("factor", [1, 40, 80, 2400])
@pytest.mark.parametrize("seeds", [1, 3])
def test_both_tables_fit_into_a_hundred_columns_from_tiny_to_large_models(seeds: int, factor: int) -> None:
    found = sections(bytes_times(compare.cells(make_runs(seeds)), factor))
    failed = sections(
        compare.cells([*make_runs(seeds), make_failed("qlora", 256, "failed", reason="a long reason " * 9)])
    )
    for section in (*found, *failed):
        costs = ui_tables.costs(section)
        assert costs is not None
        for table in (tables.headline(section, reasons=False), costs):
            assert max(map(len, shown(table).splitlines())) <= ui_tables.WIDTH


def test_the_list_fits_into_a_hundred_columns_wherever_the_program_lies(capsys: pytest.CaptureFixture[str]) -> None:
    place = "/home/somebody/finance/.venv/lib/python3.11/site-packages/harness/methods"
    found = [replace(entry, origin=f"{place}/{name}.py") for name, entry in registry.methods().items()]
    broken = replace(found[0], name="worse", value=None, error="ModuleNotFoundError: " + "no module here " * 12)
    known = registry.tasks()
    challengers, suites = registry.challengers().values(), registry.suites(known)
    tasks.listing(known.values(), [*found, broken], challengers, dict.fromkeys(known), suites)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.strip() == f"{place}/qlora.py" for line in lines) == 1
    assert sum(bool(re.match("worse +broken: ModuleNotFoundError", line)) for line in lines) == 1
    begins = {
        line.index("LoRA") for line in lines if re.match(r"(lora|qlora|lora\+prefix|lora\+bottleneck) +LoRA", line)
    }
    assert len(begins) == 1


def test_why_two_runs_cannot_be_compared_is_broken_into_lines(capsys: pytest.CaptureFixture[str]) -> None:
    here, there = make_runs()[0], make_runs()[-1]
    machine = "A processor with a long name, 48 of 96 cores, 1152 GiB, and an accelerator with a name as long"
    far = replace(there[0], environment=replace(there[0].environment, machine=machine))
    output.comparison(compare_runs(here, (replace(far, spec=replace(far.spec, data="f" * 16)), there[1])), "")
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert "scores: not comparable: different examples" in text
    assert machine in " ".join(text.split())


def shown(table: Table) -> str:
    from rich.console import Console

    console = Console(width=240, height=50, highlight=False)
    with console.capture() as captured:
        console.print(ui_tables.rich_table(table))
    return captured.get()


def test_the_reason_why_a_run_did_not_finish_is_said_once(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    output.results(results_of([*make_runs(), make_failed("lora", 64, reason="killed by signal 9")]))
    text = capsys.readouterr().out
    assert "✗ oom\n" in "\n".join(line.rstrip() for line in text.splitlines())
    assert text.count("killed by signal 9") == 1


def test_text_is_broken_to_the_terminal_s_width(
    planned: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    plan_output.header(
        replace(planned, inputs=replace(planned.inputs, task=replace(planned.task, title="words " * 30)))
    )
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).split().count("words") == 30
    assert all(line.startswith(" " * 11) for line in lines[1:4])


def test_a_narrow_terminal_cuts_no_figure(
    planned: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = results_text(planned, capsys)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    narrow = results_text(planned, capsys)
    plain = re.sub(r"\x1b\[[\d;]*m", "", narrow)
    tables = [line.rstrip() for line in wide.splitlines() if re.match(r"(run|base|lora|qlora|full|MiB)\b", line)]
    assert [line for line in tables if line not in [kept.rstrip() for kept in plain.splitlines()]] == []
    assert "…" not in wide


def test_a_table_of_large_models_is_in_gib() -> None:
    (section,) = sections(compare.cells(make_runs()))
    table = ui_tables.costs(section)
    assert table is not None
    assert table.columns[0] == "MiB"
    big = [
        replace(
            c, cost=replace(c.cost, phases={k: replace(p, peak_bytes=40 * 2**30) for k, p in c.cost.phases.items()})
        )
        for c in section.cells
        if c.cost
    ]
    grown = ui_tables.costs(replace(section, cells=tuple(big)))
    assert grown is not None
    assert grown.columns[0] == "GiB"
    assert grown.rows[-1][1] == "40.00"
    assert grown.rows[-1][4] == "0.01"  # a part of an adapter can be seen


def test_a_run_s_line_tells_its_score_or_why_there_is_none(planned: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    base, lora = planned.jobs()
    with Watch(planned) as watch:
        for job in (base, lora):
            watch.on_start(job)
            watch.on_progress(job, Progress("train", 3, 9, 0.41, 12.0))
        record = make_record(base.spec)
        record = replace(record, scores={"acc": record.scores["accuracy"]})
        watch.on_end(Outcome(base, "ok", record=record))
        watch.on_end(Outcome(lora, "failed", "killed by signal 9 (often out of memory)"))
        watch.on_stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\x1b" not in captured.err
    first, second, third = captured.err.splitlines()
    assert re.match(r"  ✓ base +75\.0 +\[50\.0, 90\.0\] +57\.2 MiB( test)? +25s", first)
    assert re.match(r"  ✗ lora  r2   s0 +failed: killed by signal 9", second)
    assert "Ctrl-C again" in third


def test_a_terminal_that_knows_ascii_only_gets_question_marks_and_no_crash(
    planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    plan_output.header(planned)
    sys.stdout.flush()
    assert b"?" in raw.getvalue()

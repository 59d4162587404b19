"""Every surface that people read says what its snapshot says: the only tests that pin whole sentences.

`--update-snapshots` stores the texts anew after a change of words; see `tests/support/snapshot.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis import robustness
from harness.analysis.compare import cells as compare_cells
from harness.analysis.forgetting import Change
from harness.analysis.forgetting import changes as forgetting_changes
from harness.cli.app import main
from harness.cli.terminal import output
from harness.data import probes
from harness.metrics import accuracy
from harness.metrics.scoring import score_answers
from harness.metrics.stats import Interval
from harness.record import Answer, ProbeResult, Record
from harness.report import calibration, forgetting, tables
from harness.report import robustness as twins
from tests.support import publication
from tests.support.analyses import page_of, results_of
from tests.support.cli_runner import Desk, without_torch
from tests.support.finished_runs import Run, make_failed, make_run, make_runs
from tests.support.records import make_record, make_spec
from tests.support.snapshot import Snapshots, page_text

TASKS = ("toy", "other", probes.shifted("toy"), probes.reordered("toy"))
METRICS = dict.fromkeys(TASKS, (accuracy,))
MACHINE = ("--device", "cpu", "--dtype", "fp32")  # the defaults differ from machine to machine


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    monkeypatch.setattr("harness.environment.cores", lambda: 2)
    monkeypatch.setattr("harness.environment.memory_bytes", lambda: 24 * 2**30)
    monkeypatch.setattr("harness.environment.commit", lambda: "abcdef012345")
    return Desk(tmp_path, capsys)


def many_runs() -> list[Run]:
    """Rows of every kind: several seeds, tuned and untuned rates, federated, below chance, cut, unread, failed."""
    runs = make_runs(2, n=120)
    runs.append(make_run("lora", 4, 0.1, n=120, spec={"learning_rate": 0.1, "tuned_over": (0.001, 0.01, 0.1)}))
    runs.append(make_run("fedlora", 8, 0.7, n=120, spec={"rounds": 3, "clients": 4, "clients_by": "group"}))
    record, answers = make_run("dora", 8, 0.5, n=120)
    unread = [replace(a, text="?", parsed=None) if n % 5 == 0 else a for n, a in enumerate(answers or ())]
    scores = score_answers(unread, (accuracy,))
    runs.append((replace(record, scores=scores, parse_rate=0.8, cut_examples=3), unread))
    same = [replace(a, text="c", parsed="c") for a in answers or ()]
    runs.append(
        (
            replace(record, spec=replace(record.spec, method="ia3", rank=0), scores=score_answers(same, (accuracy,))),
            same,
        )
    )
    return [*runs, make_failed("lora", 64, reason="killed by signal 9", n=120), make_failed("full", n=120, epochs=9.0)]


def test_the_terminal_at_the_end_of_a_run(desk: Desk, snapshots: Snapshots, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.train(*MACHINE) == 0
    text = desk.out
    assert desk.train(*MACHINE, "--seeds", "2") == 0
    output.results(results_of(many_runs()))
    snapshots.check("run", f"{text}\n{desk.out}\n{capsys.readouterr().out}", desk.folder)


def test_the_tables_of_a_task_in_markdown(snapshots: Snapshots) -> None:
    snapshots.check("tables", tables.document(results_of(many_runs())))


def test_the_page(snapshots: Snapshots) -> None:
    snapshots.check("page", page_text(page_of([*many_runs(), *written_runs()])))


def written_runs() -> list[Run]:
    """A base model scored in both ways, and a row that writes."""
    spec = {"task": "toy", "scoring": "generate"}
    picked = make_run("base", 0, 0.5, n=60, spec={"task": "toy"})
    return [picked, make_run("base", 0, 0.2, n=60, spec=spec), make_run("lora", 8, 0.7, n=60, spec=spec)]


def test_calibration(snapshots: Snapshots, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for runs in (make_runs(2, n=120), written_runs(), [make_failed("full")]):
        results = results_of(runs)
        rows = [(section, calibration.rows(section, results.calibrations)) for section in results.sections]
        output.calibration(results.task, rows)
        texts += [capsys.readouterr().out, calibration.as_markdown(results.task, rows)]
    snapshots.check("calibration", "\n".join(texts))


def probed(method: str, right: int, probe: str, chance: float | None = 1 / 3) -> tuple[Record, list[Answer]]:
    """A run that was asked a probe of 60 questions, and its answers to it."""
    answers = [
        Answer(f"q{n}", "", "a", said := "a" if n < right else "b", said, slices={"skill": "copy" if n < 30 else "sum"})
        for n in range(60)
    ]
    untrained = {"learning_rate": 0.0, "epochs": 0.0, "batch_size": 0, "train_examples": 0, "rank": 0}
    spec = make_spec(method=method, probes=(f"{probe}@0",), **(untrained if method == "base" else {}))
    result = ProbeResult("0", "choices", score_answers(answers, [accuracy]), 1.0, chance, "", 0)
    return make_record(spec, probes={probe: result}), answers


def changes_of(runs: Sequence[tuple[Record, list[Answer]]]) -> list[Change]:
    """Set the rows against the base model on the probe, and on a task where all do alike."""
    main_runs = [(replace(r, scores=score_answers(answers, [accuracy])), answers) for r, answers in runs]
    answered = [(record, dict.fromkeys(record.probes, answers)) for record, answers in runs]
    return forgetting_changes(answered, compare_cells(main_runs, METRICS), METRICS)


def test_forgetting(snapshots: Snapshots) -> None:
    lost = [probed("base", 50, "other"), probed("lora", 20, "other"), probed("full", 49, "other")]
    never = [probed("base", 20, "other"), probed("full", 15, "other")]
    unknown = [probed("base", 0, "other", None), probed("full", 0, "other", None)]
    alone = [probed("full", 15, "other")]
    texts = [forgetting.document(changes_of(runs)) for runs in (lost, never, unknown, alone)]
    snapshots.check("forgetting", "\n".join(texts))


def test_robustness(snapshots: Snapshots) -> None:
    texts = []
    for probe, base in ((probes.shifted("toy"), 40), (probes.shifted("toy"), 15), (probes.reordered("toy"), 40)):
        changes = changes_of([probed("base", base, probe), probed("lora", 50, probe), probed("full", 58, probe)])
        same = Interval(0.75, 0.6, 0.9) if probe == probes.reordered("toy") else None
        drops = (Interval(0.1, 0.02, 0.2), Interval(-0.1, -0.2, -0.02), Interval(0.01, -0.05, 0.06))
        whole = [change for change in changes if not change.part]
        rows = [
            robustness.TwinResult(change, None if same else drop, same)
            for change, drop in zip(whole, drops, strict=False)
        ]
        texts.append(twins.document(rows))
    snapshots.check("robustness", "\n".join(texts))


def test_a_comparison(desk: Desk, snapshots: Snapshots) -> None:
    assert desk.train(*MACHINE, "--seeds", "2") == 0
    assert desk.run("compare", "base", "lora-r2") == 0
    text = desk.out
    assert desk.run("compare", "base", "lora-r2", "--output", "md") == 0
    snapshots.check("compare", f"{text}\n{desk.out}", desk.folder)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    publication.without_figures(monkeypatch)
    return publication.publish(tmp_path)


def test_verify(
    published: tuple[Path, Path], tmp_path: Path, snapshots: Snapshots, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tasks_dir = published
    capsys.readouterr()
    assert main(["verify", str(root), "--tasks-dir", str(tasks_dir)]) == 0
    path = next(root.glob("pick/**/full/s0-*/record.json"))
    record = json.loads(path.read_text(encoding="utf-8"))
    record["scores"]["accuracy"]["value"] = 0.123
    path.write_text(json.dumps(record), encoding="utf-8")
    (root / "notes.txt").write_text("hello")
    assert main(["verify", str(root), "--tasks-dir", str(tasks_dir)]) == 1
    snapshots.check("verify", capsys.readouterr().out, tmp_path)


def test_errors(desk: Desk, snapshots: Snapshots) -> None:
    (desk.folder / "bad.jsonl").write_text("{}\n")
    commands = (
        ["--task", "cfaa"],
        ["--task", str(desk.folder / "absent.jsonl")],
        ["--task", str(desk.folder / "bad.jsonl")],
        ["--task", str(desk.task), "--model", str(desk.folder / "none")],
        ["--task", str(desk.task), "--method", "lorra"],
        ["--task", str(desk.task), "--rank", "0"],
        ["report"],
        ["calibration"],
        ["verify"],
        ["compare", "a", "b"],
        ["publish"],
    )
    texts = []
    for words in commands:
        assert desk.run(*words) == 2, words
        texts.append(f"$ {' '.join(words)}\n{desk.err}")
    snapshots.check("errors", "\n".join(texts), desk.folder)

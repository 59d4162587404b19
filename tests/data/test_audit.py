"""Promises of `--gold audited`: wrong gold is corrected, nothing else is, and no run hides which gold it had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.data import audit, loading, registry
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.runs import plan
from harness.runs.inputs import read_again
from harness.schema import Example, Task
from harness.store import records
from harness.verify.checks.answers import arithmetic
from tests.support.cli_runner import Desk, without_torch
from tests.support.tiny_models import toy_examples, toy_task

HEAD = "id,label,recomputed,verdict"
WORDS = ("it rises", "it falls", "it stays")
TASK_FILE = '''"""A task whose source labels every third question wrongly, as its audit says."""
from pathlib import Path
from harness import Example, Source, Task, metrics, prompts
WORDS = ("it rises", "it falls", "it stays")
def load(folder, split):
    for i in range({"train": 30, "validation": 6, "test": 12}[split]):
        yield Example(f"{split}-{i}", f"Filing {i} of {split}?", WORDS[i % 3], WORDS)
TASK = Task(name="audited_toy", version=1, title="Toy", source=Source(str(Path(__file__).parent), revision="0123456789abcdef"), load=load,
            prompt=prompts.multiple_choice, metrics=(metrics.accuracy,), audit=Path(__file__).parent / "audit.csv")
'''


def audit_of(folder: Path, *lines: str) -> Path:
    path = folder / "audit.csv"
    path.write_text("\n".join((HEAD, *lines)) + "\n")
    return path


def line(split: str, i: int) -> str:
    """The audit of a question: the third of three is wrong, the second nobody knows."""
    verdict = ("agrees", "not recomputed", "differs")[i % 3]
    return f"{split}-{i},{WORDS[i % 3]},{'it rises' if verdict == 'differs' else ''},{verdict}"


@pytest.fixture
def tasks_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "audited_toy.py").write_text(TASK_FILE)
    audit_of(folder, *(line(s, i) for s, n in (("train", 30), ("validation", 6), ("test", 12)) for i in range(n)))
    return folder


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


def both(tasks_dir: Path) -> tuple[Task, Task]:
    return TaskSource("audited_toy", (tasks_dir,)).task(), TaskSource(
        "audited_toy", (tasks_dir,), gold="audited"
    ).task()


def test_what_is_wrong_is_corrected_and_the_rest_stays_in_its_order(tasks_dir: Path) -> None:
    source, audited = (loading.load_splits(task) for task in both(tasks_dir))
    for (_, before), (_, after) in zip(source.items(), audited.items(), strict=True):
        assert [replace(e, target="") for e in after] == [replace(e, target="") for e in before]
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            assert new.target == ("it rises" if i % 3 == 2 else old.target)


def test_the_title_says_how_much_was_corrected_and_how_much_nobody_knows(tasks_dir: Path) -> None:
    source, audited = both(tasks_dir)
    assert source.title == "Toy"
    assert audited.title == "Toy; gold audited: 16 corrected, 16 not recomputed and kept"


def test_the_fingerprint_tells_the_gold_even_where_no_label_differs(tasks_dir: Path) -> None:
    source, audited = both(tasks_dir)
    splits = loading.load_splits(source)
    assert loading.fingerprint(source, splits) != loading.fingerprint(audited, splits)
    assert loading.fingerprint(source, splits) == loading.fingerprint(replace(source, audit=None), splits)
    assert audited.name == "audited_toy-audited"


@given(st.lists(st.sampled_from(audit.VERDICTS), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_only_wrong_labels_change_and_every_verdict_is_counted(
    tmp_path_factory: pytest.TempPathFactory, verdicts: list[str]
) -> None:
    examples = [Example(f"q{i}", "?", str(i)) for i in range(len(verdicts))]
    folder = tmp_path_factory.mktemp("audit")
    path = audit_of(folder, *(f"q{i},{i},{-i}.5,{verdict}" for i, verdict in enumerate(verdicts)))
    task = audit.choose(replace(toy_task("generate"), audit=path), "audited")
    found = audit.apply(task, examples)
    wrong = [verdict in ("near", "differs") for verdict in verdicts]
    assert [e.target for e in found] == [f"{-i}.5" if is_wrong else str(i) for i, is_wrong in enumerate(wrong)]
    assert audit.counts(task, examples) == {verdict: verdicts.count(verdict) for verdict in set(verdicts)}


def test_a_task_without_an_audit_refuses_the_flag(desk: Desk) -> None:
    for command in ("check", "plan", "run"):
        words = ["--task", "cfa"] if command != "check" else ["cfa"]
        assert main([command, *words, "--gold", "audited"]) == 2
        assert "this task ships no audit of its gold answers\n  --> task cfa" in desk.capsys.readouterr().err
    assert desk.train("--gold", "audited") == 2
    assert "no audit" in desk.err
    assert audit.counts(toy_task(), toy_examples(3)) == {}


def test_a_misspelt_gold_is_refused(desk: Desk) -> None:
    assert main(["check", "cfa", "--gold", "audit"]) == 2
    assert "did you mean 'audited'?" in desk.capsys.readouterr().err


@pytest.mark.parametrize(
    "lines",
    [
        ["q0,0,,differs"],
        ["q0,0,1,near", "q0,0,1,near"],
        ["q0,0,1,maybe"],
        [",0,1,differs"],
        ["q0,,1,differs"],
        ["q0"],
    ],
)
def test_a_damaged_audit_is_refused_by_its_line(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(HarnessError, match="cannot be used") as caught:
        audit.read(audit_of(tmp_path, *lines))
    assert caught.value.where.endswith(f"line {len(lines) + 1}")


def test_an_audit_of_other_data_is_refused(tmp_path: Path) -> None:
    task = audit.choose(replace(toy_task(), audit=audit_of(tmp_path, "q0,0,1,differs")), "audited")
    with pytest.raises(HarnessError, match="lacks this example"):
        audit.apply(task, [Example("q1", "?", "0")])
    with pytest.raises(HarnessError, match="of another label"):
        audit.apply(task, [Example("q0", "?", "7")])
    with pytest.raises(HarnessError, match="is missing"):
        audit.choose(replace(toy_task(), audit=tmp_path / "none.csv"), "audited")


def train(desk: Desk, tasks_dir: Path, *words: str) -> int:
    flags = ("--model", str(desk.model), "--method", "base,full", "--no-memory", "--tasks-dir", str(tasks_dir))
    code = desk.run("--task", "audited_toy", *flags, *words)
    assert code != 1, desk.out + desk.err  # says which run failed, and why
    return code


def test_runs_of_two_golds_are_kept_apart_and_both_verify(desk: Desk, tasks_dir: Path) -> None:
    assert train(desk, tasks_dir) == 0
    assert "gold audited" not in desk.out
    assert train(desk, tasks_dir, "--gold", "audited", "--seeds", "3") == 0
    assert "gold audited: 16 corrected, 16 not recomputed" in " ".join(desk.out.split("model ")[0].split())
    runs = records.read_all(desk.results)
    assert len({run.record.spec.id for run in runs}) == 6
    by_data = {run.record.spec.data for run in runs}
    assert len(by_data) == 2
    assert {run.record.spec.data for run in runs if "full" in str(run.folder)} == by_data
    assert desk.run("verify", "--tasks-dir", str(tasks_dir)) == 0
    assert "6 runs verified" in desk.out
    assert desk.run("report") == 0
    assert (desk.results / "leaderboard" / "audited_toy-audited.csv").is_file()
    assert desk.run("publish", "--task", "audited_toy", "--gold", "audited", "--tasks-dir", str(tasks_dir)) == 0
    assert "4 new, 0 published before" in desk.out
    a, b = (run.record.spec.id for run in runs if run.record.spec.method == "full" and run.record.spec.seed == 0)
    assert desk.run("compare", a, b) == 0
    assert "scores: not comparable" in " ".join(desk.out.split())


def test_an_audited_run_whose_gold_was_changed_does_not_verify(desk: Desk, tasks_dir: Path) -> None:
    assert train(desk, tasks_dir, "--gold", "audited") == 0
    audit_of(tasks_dir, *(line(s, i) for s, n in (("train", 30), ("validation", 6)) for i in range(n)),
             *(line("test", i).replace("it rises,differs", "it falls,differs") for i in range(12)))  # fmt: skip
    assert desk.run("verify", "--tasks-dir", str(tasks_dir)) == 1
    assert arithmetic.GOLD in desk.out


def test_a_damaged_audit_stops_nobody_else(desk: Desk, tasks_dir: Path) -> None:
    audit_of(tasks_dir, "nonsense")
    assert "audited_toy" in registry.recorded([tasks_dir])
    assert "audited_toy-audited" not in registry.recorded([tasks_dir])
    assert train(desk, tasks_dir) == 0
    assert train(desk, tasks_dir, "--gold", "audited") == 2
    assert "audit.csv, line 2" in desk.err


def test_a_worker_reads_the_gold_that_was_planned(desk: Desk, tasks_dir: Path) -> None:
    from harness.runs.options import Options

    asked = Options(("audited_toy",), ("base",), model=str(desk.model), results=desk.results, tasks_dirs=(tasks_dir,))
    (planned,) = plan.make(replace(asked, gold="audited", memory=False))
    (job,) = planned.jobs()
    assert read_again(job).splits == planned.splits
    with pytest.raises(HarnessError, match="changed since the run was planned"):
        read_again(replace(job, source=replace(job.source, gold="source")))


def test_check_counts_what_the_audit_says(desk: Desk, tasks_dir: Path) -> None:
    assert main(["check", "audited_toy", "--tasks-dir", str(tasks_dir)]) == 0
    said = desk.capsys.readouterr().out
    assert "gold        agrees 16 · differs 16 · not recomputed 16 (as in the source" in said
    assert main(["check", "audited_toy", "--tasks-dir", str(tasks_dir), "--gold", "audited"]) == 0
    assert "(corrected)" in desk.capsys.readouterr().out
    assert main(["check", str(desk.task)]) == 0
    assert "  gold  " not in desk.capsys.readouterr().out

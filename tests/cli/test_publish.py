"""`publish` takes what can be believed and says why it takes nothing else; what it writes follows from the runs."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tests.support.publication as publication
from harness.analysis import compare
from harness.cli.app import main
from harness.data import loading, registry
from harness.record import Record
from harness.report import exports
from harness.report.leaderboard import COLUMNS
from harness.schema import Example
from harness.store import answer_files, records, withhold
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files
from harness.verify.checks.record import provenance, seeds
from tests.support import logged_steps

Desk = tuple[Path, Path]


@pytest.fixture
def desk(publishable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Finished runs that may be published, and the folder of their tasks."""
    publication.without_figures(monkeypatch)
    shutil.copytree(publishable, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results", tmp_path / "tasks"


def publish(desk: Desk, *words: str) -> int:
    return main(["publish", "--results", str(desk[0]), "--tasks-dir", str(desk[1]), *words])


def first(desk: Desk, name: str = "lora-r8", seed: int = 0) -> Path:
    return next((desk[0] / "runs" / "pick" / "tiny" / name).glob(f"s{seed}-*"))


def rewritten(desk: Desk, change: Callable[[Record], Record]) -> None:
    """Write a run anew with another record, in the folder that its spec has."""
    folder = first(desk)
    record = change(records.read_record(folder))
    target = records.run_dir(desk[0], record.spec)
    if target != folder:
        folder.rename(target)
    records.write_record(target, record)


def test_what_is_published_is_everything_a_reader_needs(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(desk) == 0
    published = desk[0] / "published"
    out, listed = capsys.readouterr().out, set(files.read_sums(published))
    assert "20 new, 0 published before" in out
    assert f"git add {published}" in out
    assert listed >= {f"leaderboard/{name}" for task in publication.TASKS for name in
                      (f"{task}.csv", f"{task}.md", f"{task}.card.md", f"{task}.tex", f"{task}.model-index.json")}  # fmt: skip
    assert listed >= {"leaderboard/all.csv", "report.html"}
    assert sum(name.endswith(records.RECORD) for name in listed) == 20
    assert main(["verify", str(published), "--tasks-dir", str(desk[1])]) == 0


def test_the_table_of_all_has_the_rows_of_each(desk: Desk) -> None:
    assert publish(desk) == 0
    folder = desk[0] / "published" / "leaderboard"
    whole = list(csv.reader((folder / "all.csv").open(encoding="utf-8", newline="")))
    parts = [list(csv.reader((folder / f"{t}.csv").open(encoding="utf-8", newline=""))) for t in publication.TASKS]
    assert tuple(whole[0]) == COLUMNS
    assert whole[1:] == [row for part in parts for row in part[1:]]


def test_publishing_again_adds_nothing_and_changes_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(desk, "--task", "pick") == 0
    before = (desk[0] / "published" / files.SUMS).read_text()
    assert publish(desk, "--task", "pick") == 0
    assert "0 new, 10 published before" in capsys.readouterr().out
    assert (desk[0] / "published" / files.SUMS).read_text() == before
    assert publish(desk) == 0
    assert "10 new, 10 published before" in capsys.readouterr().out


def test_tables_are_made_anew_where_no_run_is_new(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(desk) == 0
    shutil.rmtree(desk[0] / "runs")
    path = desk[0] / "published" / "leaderboard" / "pick.md"
    kept = path.read_bytes()
    path.write_bytes(b"as an older version of the code made it")
    assert publish(desk) == 0
    assert "0 new, 0 published before" in capsys.readouterr().out
    assert path.read_bytes() == kept
    assert main(["verify", str(desk[0] / "published"), "--tasks-dir", str(desk[1])]) == 0
    assert publish(desk, "--task", "pick") == 2


def trained(desk: Desk, seed: int = 0) -> Path:
    """Give a run logged steps and an adapter; return its folder below the results."""
    folder = first(desk, seed=seed)
    record = logged_steps.write_adapter(folder, records.read_record(folder))
    logged_steps.write(folder, record, logged_steps.rows_of(record))
    return folder.relative_to(desk[0] / "runs")


def test_steps_and_weights_are_published_and_verified(desk: Desk) -> None:
    run = trained(desk)
    assert publish(desk) == 0
    published = desk[0] / "published"
    names = {f"{run}/{name}" for name in ("steps.jsonl.gz", "adapter/adapter_model.safetensors")}
    assert names <= set(files.read_sums(published))
    assert main(["verify", str(published), "--tasks-dir", str(desk[1])]) == 0
    (published / run / "adapter" / "adapter_config.json").write_text('{"r": 9}')
    assert files.changed_runs(published) == [f"{run}/adapter/adapter_config.json"]
    assert main(["verify", str(published), "--tasks-dir", str(desk[1])]) == 1


@pytest.mark.parametrize("flags", [("--adapters", "none"), ("--adapter-mib", "0")])
def test_weights_can_be_left_out_of_a_publication(desk: Desk, flags: tuple[str, ...]) -> None:
    run = trained(desk)
    assert publish(desk, *flags) == 0
    assert {path.name for path in (desk[0] / "published" / run).iterdir()} == {"record.json", "answers.jsonl.gz", "steps.jsonl.gz"}  # fmt: skip
    assert main(["verify", str(desk[0] / "published"), "--tasks-dir", str(desk[1])]) == 0


def test_weights_of_the_first_seed_alone_can_be_published(desk: Desk) -> None:
    runs = [trained(desk, number) for number in range(3)]
    assert len({run.parent for run in runs}) == 1
    assert publish(desk, "--adapters", "first-seed") == 0
    stored = [(desk[0] / "published" / run / "adapter").exists() for run in runs]
    assert stored == [True, False, False]
    assert main(["verify", str(desk[0] / "published"), "--tasks-dir", str(desk[1])]) == 0


def test_a_run_whose_steps_contradict_its_settings_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    logged_steps.change(desk[0] / "runs" / trained(desk), lambda rows: rows.pop())
    assert publish(desk) == 2
    assert "logged steps follow the settings: 2 steps are logged, the settings plan 3" in capsys.readouterr().err


REFUSED: dict[str, tuple[Callable[[Record], Record], str]] = {
    "a run that was interrupted": (lambda r: replace(r, status="interrupted", scores={}), "a run was cut short"),
    "a run that failed": (lambda r: replace(r, status="failed", scores={}, reason="a bug"), "it is failed, a bug"),
    "code that was not committed": (
        lambda r: replace(r, environment=replace(r.environment, commit=r.environment.commit + "+")),
        provenance.COMMITTED,
    ),
    "a commit of elsewhere": (
        lambda r: replace(r, environment=replace(r.environment, commit="0123456789ab")),
        "0123456789ab",
    ),
    "weights that are not pinned": (lambda r: replace(r, spec=replace(r.spec, model_revision="main")), provenance.MODEL),
    "a rate of its own": (lambda r: replace(r, spec=replace(r.spec, learning_rate=0.5)), "lora-r8"),
    "a score of its own": (
        lambda r: replace(r, scores={**r.scores, "accuracy": replace(r.scores["accuracy"], value=0.123)}),
        arithmetic.SCORES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_believed_is_refused_and_nothing_is_written(
    name: str, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = REFUSED[name]
    rewritten(desk, change)
    assert publish(desk) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "\n  help: " in err
    assert not (desk[0] / "published").exists()


def test_a_working_tree_with_changes_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.environment.commit", lambda: "0123456789ab+")
    assert publish(desk) == 2
    assert "changes that are in no commit" in capsys.readouterr().err
    assert not (desk[0] / "published").exists()


@pytest.mark.parametrize("dropped", [1, 2])
def test_fewer_than_three_seeds_are_refused(dropped: int, desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(next((desk[0] / "runs" / "pick" / "tiny" / "full").glob(f"s{dropped}-*")))
    assert publish(desk) == 2
    err = capsys.readouterr().err
    assert seeds.SEED_COUNT in err
    assert "pick tiny full has 2 seeds" in err
    assert "--task pick --seeds 3" in err


def test_a_table_of_seed_0_alone_is_published_if_a_flag_asks_for_it(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (desk[0] / "runs" / "pick" / "tiny").glob("*/s[12]-*"):
        shutil.rmtree(folder)
    assert publish(desk) == 2
    err = capsys.readouterr().err
    assert "each trained row of this table has 1 seed" in err
    assert "--seeds 3" in err
    assert "--single-seed" in err
    assert not (desk[0] / "published").exists()
    assert publish(desk, "--single-seed") == 0
    assert (
        "With one seed they are about that one trained model"
        in (desk[0] / "published" / "leaderboard" / "pick.md").read_text()
    )
    assert main(["verify", str(desk[0] / "published"), "--tasks-dir", str(desk[1])]) == 0


def test_data_that_is_not_pinned_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    path = desk[1] / "pick.py"
    path.write_text(re.sub(r'sha256="\w+"', 'sha256=""', path.read_text()))
    assert publish(desk) == 2
    assert provenance.DATA in capsys.readouterr().err


def test_a_published_run_that_changed_since_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(desk) == 0
    path = next((desk[0] / "published" / "pick").rglob(records.ANSWERS))
    kept = path.read_bytes()
    path.write_bytes(kept + b"\n")
    assert publish(desk) == 2
    assert "changed or removed since" in capsys.readouterr().err
    path.write_bytes(kept)
    rewritten(desk, lambda r: replace(r, seconds=r.seconds + 1))
    assert publish(desk) == 2
    assert "never overwritten" in capsys.readouterr().err


def test_that_a_method_does_not_fit_into_memory_is_published_as_a_row(desk: Desk) -> None:
    folder = next((desk[0] / "runs" / "pick" / "tiny" / "full").glob("s0-*"))
    record = records.read_record(folder)
    for other in folder.parent.iterdir():
        shutil.rmtree(other)
    changes: dict[str, Any] = {"status": "oom", "scores": {}, "cost": None, "reason": "out of memory", "chance": None}
    records.write_record(folder, replace(record, **changes, parse_rate=0.0, answers_sha256="", final_loss=None))
    assert publish(desk) == 0
    assert ",oom," in (desk[0] / "published" / "leaderboard" / "pick.csv").read_text()
    assert main(["verify", str(desk[0] / "published"), "--tasks-dir", str(desk[1])]) == 0


# --- texts that may not be handed on


def test_weights_that_learned_from_data_that_may_not_be_handed_on_stay_here_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publication.without_figures(monkeypatch)
    desk = tmp_path / "results", publication.write_tasks(tmp_path / "tasks", redistributable=False)
    publication.write_runs(*desk)
    run = trained(desk)
    assert publish(desk) == 0
    assert not (desk[0] / "published" / run / "adapter").exists()
    lines = " ".join("".join(capsys.readouterr()).split())
    assert "withheld the trained weights of 1 run of pick: the licence of the training data" in lines


def test_texts_of_data_that_may_not_be_handed_on_are_left_out_and_the_scores_still_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.without_figures(monkeypatch)
    published, tasks_dir = publication.publish(tmp_path, redistributable=False)
    files = [path for path in published.rglob("*") if path.is_file()]
    packed = [path for path in files if path.suffix == answer_files.SUFFIX]
    texts = "".join(path.read_text(encoding="utf-8") for path in files if path not in packed)
    texts += "".join(answer_files.unpack(path.read_bytes()).decode() for path in packed)
    assert sum(path.name == records.ANSWERS for path in packed) == 20
    assert "Filing" not in texts
    for option in ("it rises", "it falls", "it stays"):
        assert option not in texts
    assert '"target": "107"' in texts  # a number is no text
    assert main(["verify", str(published), "--tasks-dir", str(tasks_dir)]) == 0
    assert main(["publish", "--results", str(tmp_path / "results"), "--tasks-dir", str(tasks_dir)]) == 0


def test_a_flipped_answer_is_found_among_stand_ins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publication.without_figures(monkeypatch)
    published, tasks_dir = publication.publish(tmp_path, redistributable=False)
    folder = next((published / "pick" / "tiny" / "full").glob("s0-*"))
    answers = list(records.read_answers(folder))
    task = registry.task("pick", [tasks_dir])
    examples = loading.load_splits(task).test
    record = records.read_record(folder)
    assert all(check.ok for check in arithmetic.gold_checks(record, answers, task, examples))
    other = next(choice for choice in answers[0].choices if choice != answers[0].target)
    answers[0] = replace(answers[0], target=other)
    checks = arithmetic.gold_checks(record, answers, task, examples)
    assert [check.name for check in checks if not check.ok] == [arithmetic.GOLD]


def test_scores_that_need_the_text_are_not_published_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publication.without_figures(monkeypatch)
    tasks_dir = publication.write_tasks(tmp_path / "tasks", redistributable=False)
    path = tasks_dir / "pick.py"
    path.write_text(
        path.read_text()
        .replace("from harness import Example,", "from harness import Example, Metric,")
        .replace("metrics.accuracy, metrics.macro_f1", 'Metric("letters", "Letters", lambda a: len(a.parsed) / 100),')
    )
    publication.write_runs(tmp_path / "results", tasks_dir)
    assert publish((tmp_path / "results", tasks_dir)) == 2
    assert "lets no text of it be published" in capsys.readouterr().err


def test_a_stand_in_is_equal_where_the_texts_are() -> None:
    assert withhold.stand_in("It  Rises") == withhold.stand_in("it rises") != withhold.stand_in("it falls")
    assert withhold.stand_in(" ") == ""
    example = Example("q", "?", "it rises", ("it rises", "it falls"))
    assert withhold.stand_in_example(example).target == withhold.stand_in_example(example).choices[0]


def test_a_run_that_did_not_finish_is_no_entry_of_the_metadata(desk: Desk) -> None:
    record = records.read_record(first(desk))
    cells = compare.cells([(replace(record, status="oom", scores={}, cost=None), None)])
    assert json.loads(exports.model_index(cells)) == {"model-index": []}

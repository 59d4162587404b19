"""`verify` passes what is sound and names each thing that was tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.metrics.scoring import parse_rate, score_answers
from harness.record import Answer, RunSpec
from harness.schema import Example, Source, Task
from harness.store import records
from harness.verify import embedded
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files
from harness.verify.checks.record import identity
from harness.verify.run import Check, verify
from tests.support import answer_rows
from tests.support import records as made_up
from tests.support.records import make_record, make_spec
from tests.support.run_costs import cost_of

TASK = Task(
    name="toy",
    version=1,
    title="toy",
    source=Source("toy"),
    load=lambda folder, split: [],
    prompt=lambda example: example.question,
    metrics=(metrics.accuracy, metrics.macro_f1),
)


def make_answers(right: int, wrong: int) -> list[Answer]:
    """Return answers with the likelihood of an end token behind each option."""
    return [replace(answer, end_loglik=(-0.1, -0.1, -0.1)) for answer in made_up.make_answers(right, wrong)]


def written() -> list[Answer]:
    """Answers as generated: raw text that the parser still has to read."""
    picked = made_up.make_answers(9, 3)
    return [replace(a, text=f"{a.text.upper()}\nmore", loglik=()) for a in picked[:-1]] + [
        replace(picked[-1], text="who knows", parsed=None, loglik=())
    ]


def sound_spec(**changes: Any) -> RunSpec:
    """Return the spec of a run of the embedded model, with answers as long as the task allows."""
    return make_spec(model_revision=embedded.revision(), max_new_tokens=TASK.max_new_tokens, **changes)


def write(root: Path, answers: list[Answer], **changes: Any) -> Path:
    """Write a sound run and return its folder."""
    spec = sound_spec(test_examples=len(answers), **changes)
    folder = records.run_dir(root, spec)
    digest = records.write_answers(folder, answers)
    scores = score_answers(answers, TASK.metrics)
    cost = cost_of(spec)
    total = 1 + sum(phase.seconds for phase in cost.phases.values())
    record = make_record(spec, scores=scores, answers_sha256=digest, parse_rate=parse_rate(answers), cost=cost)
    record = replace(record, seconds=total)
    records.write_record(folder, record)
    return folder


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.ok]


def edit(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def rewrite(folder: Path, answers: list[Answer]) -> None:
    """Replace the answers and, as a careful forger would, the checksum."""
    digest = records.write_answers(folder, answers)
    edit(folder / "record.json", lambda data: data.update(answers_sha256=digest))


@pytest.mark.parametrize("scoring", ["choices", "generate"])
def test_a_sound_run_passes_every_check(tmp_path: Path, scoring: str) -> None:
    answers = make_answers(9, 0) if scoring == "choices" else written()
    checks = verify(write(tmp_path, answers, scoring=scoring), TASK)
    assert failed(checks) == []
    assert len(checks) == len({check.name for check in checks}) > 20


def test_a_changed_spec_no_longer_hashes_to_the_folders_name(tmp_path: Path) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    edit(folder / "record.json", lambda data: data["spec"].update(learning_rate=0.02))
    found = failed(verify(folder, TASK))
    assert identity.SPEC_ID in found


def test_a_folder_under_another_methods_name_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    moved = folder.parent.with_name("lora-r32") / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    assert failed(verify(moved, TASK)) == [identity.FOLDER_PATH]


def test_another_version_of_the_task_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    assert failed(verify(folder, replace(TASK, version=2))) == [identity.TASK_VERSION]


def test_an_answer_that_was_edited_breaks_the_checksum(tmp_path: Path) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    answer_rows.replace_text(folder / records.ANSWERS, '"group": "g0"', '"group": "gx"')
    assert files.ANSWERS_CHECKSUM in failed(verify(folder, TASK))


def test_a_parsed_form_that_the_raw_text_does_not_give_is_noticed(tmp_path: Path) -> None:
    answers = written()
    folder = write(tmp_path, answers, scoring="generate")
    rewrite(folder, [*answers[:-1], replace(answers[-1], parsed="a")])
    checks = {check.name: check for check in verify(folder, TASK)}
    assert not checks[arithmetic.PARSES].ok
    assert checks[arithmetic.PARSES].detail == "q11"
    assert not checks[arithmetic.SCORES].ok
    assert not checks[arithmetic.PARSE_RATE].ok


def test_a_tasks_own_parser_is_the_one_used(tmp_path: Path) -> None:
    def parse(text: str, example: Example) -> str | None:
        return "a" if text.startswith("A") else None

    folder = write(tmp_path, written(), scoring="generate")
    names = failed(verify(folder, replace(TASK, parse=parse)))
    assert names == [arithmetic.PARSES]


def test_an_option_that_is_not_the_likeliest_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path, [replace(answer, loglik=(-0.5, -1.5, -2.5)) for answer in make_answers(9, 3)])
    assert failed(verify(folder, TASK)) == [arithmetic.TOP_OPTION]


@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_a_polished_score_is_noticed(tmp_path: Path, field: str) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    edit(folder / "record.json", lambda data: data["scores"]["accuracy"].update({field: 0.42}))
    assert failed(verify(folder, TASK)) == [arithmetic.SCORES]


def test_a_score_that_is_missing_or_of_no_metric_is_noticed(tmp_path: Path) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    edit(folder / "record.json", lambda d: d["scores"].update(invented=d["scores"].pop("macro_f1")))
    detail = next(check.detail for check in verify(folder, TASK) if check.name == arithmetic.SCORES)
    assert "invented" in detail
    assert "macro_f1 is missing" in detail


def test_answers_left_out_or_given_twice_are_noticed(tmp_path: Path) -> None:
    answers = make_answers(9, 0)
    folder = write(tmp_path, answers)
    rewrite(folder, [*answers[:-2], answers[0]])
    found = failed(verify(folder, TASK))
    assert arithmetic.ANSWER_COUNT in found
    assert arithmetic.UNIQUE_ANSWERS in found


def test_gold_that_is_not_the_tasks_is_noticed(tmp_path: Path) -> None:
    answers = make_answers(9, 0)
    folder = write(tmp_path, answers)
    examples = [Example(id=a.id, question="?", target=a.target, choices=a.choices, group=a.group) for a in answers]
    assert failed(verify(folder, TASK, examples=examples)) == []
    moved = [replace(examples[0], target="b"), *examples[1:]]
    assert failed(verify(folder, TASK, examples=moved)) == [arithmetic.GOLD]


@pytest.mark.parametrize("name", ["record.json", "answers.jsonl.gz"])
@pytest.mark.parametrize("damage", ["missing", "cut", "binary"])
def test_a_file_that_cannot_be_read_is_a_failed_check_and_no_crash(tmp_path: Path, name: str, damage: str) -> None:
    folder = write(tmp_path, make_answers(9, 0))
    path = folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "cut" else b"\xff\xfe\x00")
    last = verify(folder, TASK)[-1]
    assert not last.ok
    assert last.name == (files.RECORD_READABLE if name == "record.json" else files.ANSWERS_READABLE)
    assert last.detail


def test_a_run_that_did_not_finish_is_checked_for_what_it_claims(tmp_path: Path) -> None:
    spec = sound_spec()
    folder = records.run_dir(tmp_path, spec)
    records.write_record(folder, make_record(spec, status="oom", scores={}, cost=None, reason="too large"))
    assert failed(verify(folder, TASK)) == []
    records.write_record(folder, make_record(spec, status="oom", cost=None, reason="too large"))
    assert failed(verify(folder, TASK)) == [arithmetic.NO_SCORES]


def test_tables_beside_published_runs_are_no_publication_and_tables_without_runs_are(tmp_path: Path) -> None:
    from harness.cli.targets import is_publication

    (tmp_path / "leaderboard").mkdir()
    assert is_publication(tmp_path, itself=True)
    (tmp_path / "published").mkdir()  # as `report` leaves it in a fresh clone
    assert not is_publication(tmp_path, itself=True)

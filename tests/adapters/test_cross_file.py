"""What `adapters score` keeps and draws: answers apart and packed, everything computed again from them."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import tests.support.figure_checks as legible
from harness.adapters import cross_file, retention
from harness.adapters.cross import AdapterScores
from harness.adapters.cross_file import CrossScores
from harness.cli.app import main
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.metrics import scoring
from harness.record import Answer, Score
from harness.report.figures import matrix
from harness.report.figures import style as palette
from harness.schema import Task
from harness.store import codec
from tests.support.sample_inputs import write_task

Capture = pytest.CaptureFixture[str]
LOGLIK = (-0.1, -2.5 / 3)
RIGHT = {"base": (9, 12), "a": (30, 12), "b": (9, 36)}  # of 40 questions of each task


def said(right: int) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            f"q{n}",
            f"g{n // 2}",
            "yes",
            "",
            "yes" if n < right else "no",
            ("yes", "no"),
            LOGLIK if n < right else LOGLIK[::-1],
        )
        for n in range(40)
    )


@pytest.fixture
def tasks(tmp_path: Path) -> dict[str, Task]:
    return {name: TaskSource(str(write_task(tmp_path / f"{name}.jsonl"))).task() for name in ("first", "second")}


@pytest.fixture
def made(tasks: dict[str, Task]) -> CrossScores:
    rows = []
    for name, counts in RIGHT.items():
        for (task, known), right in zip(tasks.items(), counts, strict=True):
            own = {"a": ("first",), "b": ("second",)}.get(name, ())
            answers = said(right)
            scores = scoring.score_answers(answers, known.metrics)
            rows.append(AdapterScores(name, own, (), task, 1, "0", scores, 1.0, answers))
    kept = retention.measure(rows, [("first", "a"), ("second", "b")], tasks)
    return CrossScores("toy", "0" * 12, tuple(rows), tuple(kept))


def test_what_is_written_is_read_again_whole_and_the_document_holds_no_answer(
    tmp_path: Path, made: CrossScores, tasks: dict[str, Task]
) -> None:
    path = tmp_path / "merges" / "x.v1.json"
    files = cross_file.write(path, made)
    assert [file.name for file in files] == ["x.v1.answers.jsonl.gz", "x.v1.json", "x.v1.svg", "x.v1.png"]
    assert cross_file.recompute(path, tasks) == made
    assert '"q0"' not in path.read_text()
    before = [file.read_bytes() for file in files]
    cross_file.write(path, cross_file.recompute(path, tasks))
    assert [file.read_bytes() for file in files] == before


def test_an_older_document_that_holds_its_answers_is_read_and_brought_up_to_date(
    tmp_path: Path, made: CrossScores, tasks: dict[str, Task], capsys: Capture
) -> None:
    path = tmp_path / "old.json"
    stated = {"model": "toy", "model_revision": "0" * 12}
    stated |= {"scored": codec.encode(made.rows), "retention": codec.encode(made.retention)}
    path.write_text(json.dumps(stated))
    assert cross_file.recompute(path, tasks) == made
    files = [word for name in tasks for word in ("--task", str(tmp_path / f"{name}.jsonl"))]
    assert main(["adapters", "matrix", str(path), *files]) == 0
    out = capsys.readouterr().out
    assert "75.0 [" in out
    for name in ("old.answers.jsonl.gz", "old.json", "old.svg", "old.png"):
        assert str(tmp_path / name) in out
    assert "answers" not in json.loads(path.read_text())["scored"][0]
    assert cross_file.recompute(path, tasks) == made


def test_answers_to_one_question_lie_side_by_side_and_any_other_order_is_read_as_well(
    tmp_path: Path, made: CrossScores, tasks: dict[str, Task]
) -> None:
    path = tmp_path / "x.json"
    cross_file.write(path, made)
    packed = cross_file.answers_file(path)
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines(keepends=True)
    asked = [(line["task"], line["answer"]["id"]) for line in map(json.loads, lines)]
    assert len(list(itertools.groupby(asked))) == len(set(asked)) < len(asked)
    packed.write_bytes(gzip.compress("".join(sorted(lines, key=lambda line: json.loads(line)["adapter"])).encode()))
    assert cross_file.recompute(path, tasks) == made


@pytest.mark.parametrize("what", ["answer", "score", "retention", "gone", "task"])
def test_what_does_not_follow_from_the_answers_is_an_error(
    tmp_path: Path, made: CrossScores, tasks: dict[str, Task], what: str
) -> None:
    path = tmp_path / "x.json"
    cross_file.write(path, made)
    packed, stated = cross_file.answers_file(path), json.loads(path.read_text())
    if what == "answer":
        lines = gzip.decompress(packed.read_bytes()).decode().replace('"parsed": "no"', '"parsed": "yes"', 1)
        packed.write_bytes(gzip.compress(lines.encode()))
    elif what == "score":
        stated["scored"][2]["scores"]["acc"]["value"] = 0.76
    elif what == "retention":
        stated["retention"][0]["share"][0] = 0.5
    elif what == "gone":
        packed.unlink()
    path.write_text(json.dumps(stated))
    words = {
        "answer": "checksum",
        "score": "scores of a on first",
        "retention": "retention",
        "gone": "No such file",
        "task": "'first'",
    }[what]
    with pytest.raises(HarnessError, match=words):
        cross_file.recompute(path, {} if what == "task" else tasks)


def test_each_cell_has_its_score_and_a_colour_by_the_base_model_and_own_tasks_are_framed(made: CrossScores) -> None:
    found = cross_file.adapter_matrix(made.rows, "toy")
    assert found.rows == (("base", "untrained"), ("a", "of first"), ("b", "of second"))
    better = [[entry and entry.better for entry in row] for row in found.entries]
    assert better == [[0.0, 0.0], [pytest.approx(21 / 40), 0.0], [0.0, pytest.approx(24 / 40)]]
    framed = [[bool(entry and entry.framed) for entry in row] for row in found.entries]
    assert framed == [[False, False], [True, False], [False, True]]
    joint = [AdapterScores(**(vars(one) | {"trained_on": ("first+second after 0a1b2c",)})) for one in made.rows]
    framed = [
        [bool(entry and entry.framed) for entry in row] for row in cross_file.adapter_matrix(joint, "toy").entries
    ]
    assert framed == [[True, True]] * 3
    alone = cross_file.adapter_matrix([one for one in made.rows if one.adapter == "a"], "toy")
    assert [entry and entry.better for entry in alone.entries[0]] == [None, None]


def money(name: str, value: float) -> AdapterScores:
    cost = Score(value, value - 1, value + 1, 40, 20, "USD per claim", higher_is_better=False)
    return AdapterScores(name, (), (), "cost", 1, "0", {"cost": cost}, 1.0, ())


@pytest.mark.parametrize("wide", [1, 9])
def test_a_matrix_is_legible_whatever_its_width_and_money_has_no_colour(
    made: CrossScores, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    import matplotlib

    rows: Sequence[AdapterScores] = [
        AdapterScores(**(vars(one) | {"task": f"{one.task} {place}"})) for place in range(wide) for one in made.rows
    ]
    found = cross_file.adapter_matrix([*rows, money("base", 1250.0), money("a", 1100.0)], "toy")
    assert [row[-1] and row[-1].better for row in found.entries] == [None, None, None]
    assert found.entries[2][-1] is None  # b was not asked this
    style: Any = palette.STYLE
    with matplotlib.rc_context(style):
        shown = [text.get_text() for text in legible.check(matrix.draw(found), monkeypatch)]
    assert shown.count("75.0") == wide
    assert "1,100.00" in shown
    assert any(re.fullmatch(r"cost\ncost USD per claim", text) for text in shown)

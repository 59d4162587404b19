"""`intruders --scale`: a factor of 1 is the run itself, what comes of the others is kept, shown and drawn."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tests.support.figure_checks as legible
from harness.adapters.intruders import study, study_figure, study_tables
from harness.adapters.intruders.study import Agreement, Study, TaskQuestions
from harness.cli.app import main
from harness.data import registry
from harness.errors import HarnessError
from harness.format import markdown
from harness.record import Answer
from harness.report.figures import style as palette
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import codec, records
from tests.methods.test_more_methods import Ear
from tests.support import answer_rows
from tests.support.sample_inputs import write_task
from tests.support.snapshot import Snapshots
from tests.support.tiny_models import toy_folder, toy_spec

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy model trained for a few steps, probed with another file."""
    place = tmp_path_factory.mktemp("causal")
    other = write_task(place / "other.jsonl", rows=36)
    other.write_text(other.read_text().replace("Filing", "Claim"))
    asked = Options(
        tasks=(str(write_task(place / "toy.jsonl", rows=60)),),
        methods=("base", "lora", "full"),
        ranks=(4,),
        model=str(toy_folder(place / "model")),
        results=place / "results",
        probes=(str(other),),
        epochs=2.0,
        learning_rate=0.02,
        dtype="bf16",  # where another order of rounding shows
        memory=False,
        save_full=True,
        jobs=1,
    )
    (made,) = plan.make(asked)
    for job in made.jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Ear())
        assert records.read_record(job.folder).status == "ok", records.read_record(job.folder).reason
    return place


def scale(desk: Path, *words: str, results: Path | None = None) -> int:
    place = ("--results", str(results or desk / "results"), "--model", str(desk / "model"))
    files = ("--task", str(desk / "toy.jsonl"), "--probe", str(desk / "other.jsonl"))
    return main(["intruders", *words, *files, *place])


def copied(desk: Path, to: Path) -> Path:
    """The runs in a results folder of their own."""
    return Path(shutil.copytree(desk / "results", to / "results", ignore=shutil.ignore_patterns("intruders")))


@pytest.fixture(scope="module")
def scaled(desk: Path) -> dict[str, Any]:
    """What the command left of LoRA's run, asked everything."""
    assert scale(desk, "lora-r4", "--scale", "0.5,0", "--epsilon", "0.5") == 0
    (path,) = (desk / "results" / "intruders").rglob("scaled.json")
    found: dict[str, Any] = codec.strict_json(path.read_text())
    return found | {"folder": path.parent}


def test_a_factor_of_1_gives_the_recorded_answers_to_task_and_probe(desk: Path, scaled: dict[str, Any]) -> None:
    (run,) = [one for one in records.read_all(desk / "results") if one.record.spec.id == scaled["run"]]
    for task, kept in (("toy", run.answers()), ("other", run.probe_answers()["other"])):
        own = records.read_answers(scaled["folder"], f"{task}.as-trained.jsonl.gz")
        assert [(a.id, a.text, a.parsed) for a in own] == [(a.id, a.text, a.parsed) for a in kept]
        assert [a.loglik for a in own] == [b.loglik for b in kept], "to the last digit"
    assert [(one["task"], one["recorded"], one["same"]) for one in scaled["factor_1_against_recorded"]] == [
        ("toy", len(run.answers()), len(run.answers())),
        ("other", len(run.probe_answers()["other"]), len(run.probe_answers()["other"])),
    ]
    (point,) = [one for one in scaled["points"] if one["task"] == "toy" and one["directions"] == "as trained"]
    assert point["scores"]["acc"] == codec.encode(run.record.scores["acc"])
    assert point["change_from_factor_1"] is None


def test_the_base_models_answers_are_those_of_its_run(desk: Path, scaled: dict[str, Any]) -> None:
    (base,) = [one for one in records.read_all(desk / "results") if one.record.spec.method == "base"]
    for task, kept in (("toy", base.answers()), ("other", base.probe_answers()["other"])):
        own = records.read_answers(scaled["folder"], f"{task}.base.jsonl.gz")
        assert [(a.id, a.text) for a in own] == [(a.id, a.text) for a in kept]


def test_the_document_holds_every_factor_with_paired_changes_and_its_answers(scaled: dict[str, Any]) -> None:
    places = [(one["task"], one["directions"], one["factor"]) for one in scaled["points"]]
    rows = [("base", None), ("as trained", 1.0), *((k, f) for k in ("intruders", "control") for f in (0.0, 0.5))]
    assert places == [(task, *row) for task in ("toy", "other") for row in rows]
    assert scaled["directions"]["intruders"] == scaled["directions"]["control"] > 0
    whole = {one["task"]: one["scores"]["acc"]["value"] for one in scaled["points"] if one["factor"] == 1.0}
    for one in scaled["points"]:
        answers = records.read_answers(scaled["folder"], one["answers"])
        assert records.answers_sha256(scaled["folder"], one["answers"]) == one["answers_sha256"]
        right = sum(answer.parsed == answer.target for answer in answers) / len(answers)
        assert one["scores"]["acc"]["value"] == pytest.approx(right)
        if (change := one["change_from_factor_1"]) is not None:
            assert change["value"] == pytest.approx(right - whole[one["task"]])
            assert change["low"] <= change["value"] <= change["high"]
            assert change["p"] <= change["p_holm"] <= 1
    files = [one["answers"] for one in scaled["points"]]
    assert len({(scaled["folder"] / name).read_bytes() for name in files if name.startswith("toy.")}) > 3


def test_tables_figure_and_paths_are_shown_and_few_examples_are_enough(
    desk: Path, capsys: Capture, tmp_path: Path
) -> None:
    results = copied(desk, tmp_path)
    words = ("lora-r4", "full", "--scale", "0,1", "--epsilon", "0.5", "--test-examples", "6")
    assert scale(desk, *words, results=results) == 0
    said = capsys.readouterr()
    assert "6 of 6 recorded answers" in said.out
    assert all(word in said.out for word in ("toy lora r4 s0", "as trained", "intruders", "control", "against other"))
    assert max(map(len, said.out.splitlines())) < 200
    figures = sorted((results / "intruders").rglob("scaled-*"))
    assert [path.suffix for path in figures] == [".png", ".svg"]
    kept = json.loads(next((results / "intruders").rglob("lora-r4/*/scaled.json")).read_text())
    assert [one["questions"] for one in kept["asked"]] == [6, 6]
    assert str(tmp_path) not in json.dumps(kept), "a machine's path"


def test_another_runs_weights_are_refused_before_anything_is_scaled(
    desk: Path, tmp_path: Path, capsys: Capture
) -> None:
    results = copied(desk, tmp_path)
    (run,) = [one for one in records.read_all(results) if one.record.spec.method == "lora"]
    lines = answer_rows.rows(run.folder / records.ANSWERS)
    for line in lines:
        line["text"] = line["parsed"] = next(c for c in line["choices"] if c != line["text"])
    answer_rows.write_rows(run.folder / records.ANSWERS, lines)
    assert scale(desk, "lora-r4", "--scale", "0", "--epsilon", "0.5", results=results) == 2
    said = capsys.readouterr()
    assert f"a factor of 1 gives 0 of {len(lines)}" in said.err
    assert not list((results / "intruders").rglob("scaled.json"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("lora-r4", "--scale", "half"), "not a list of numbers"),
        (("lora-r4", "--scale", "0,,1"), "not a list of numbers"),
        (("lora-r4", "--scale", "0,-1"), "from 0 on"),
        (("lora-r4", "--scale", "nan"), "not a list of numbers"),
        (("lora-r4", "--scale", "0", "--test-examples", "0"), "--test-examples"),
        (("base", "--scale", "0"), "kept no weights"),
        (("lora-r3", "--scale", "0"), "no run is called"),
        (("lora-r4",), "--probe has no part without --scale"),
        (("lora-r4", "--scale", "0", "--epsilon", "0.01"), "no weight has an intruder"),
    ],
)
def test_what_cannot_be_scaled_is_told(desk: Path, capsys: Capture, words: tuple[str, ...], problem: str) -> None:
    assert scale(desk, *words) == 2
    assert problem in capsys.readouterr().err


def test_questions_that_changed_since_are_refused(desk: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "toy.jsonl"
    other.write_text((desk / "toy.jsonl").read_text().replace("Filing", "Report"))
    words = ("--results", str(desk / "results"), "--model", str(desk / "model"), "--task", str(other))
    assert main(["intruders", "lora-r4", "--scale", "0", "--probe", str(desk / "other.jsonl"), *words]) == 2
    assert "other examples or prompts" in capsys.readouterr().err


# --- what is said of it


def test_a_few_other_answers_are_let_pass_and_many_are_not() -> None:
    study.require_agreement(toy_spec(), Agreement("toy", 100, 98, 0.1))
    study.require_agreement(toy_spec(), Agreement("new", 0, 0, 0.0))
    with pytest.raises(HarnessError, match="97 of 100"):
        study.require_agreement(toy_spec(), Agreement("toy", 100, 97, 0.1))


def made_outcome(run: records.Run, probe: str = "other") -> Study:
    """An outcome of made-up answers: intruders cost the task and give back on the probe, the control does nothing."""
    task = replace(registry.task("cfa"), name="toy")
    right = {"base": (10, 30), "as trained": (36, 12), "intruders": (30, 30), "control": (35, 13)}

    def answers(count: int) -> tuple[Answer, ...]:
        return tuple(
            Answer(f"q{i}", f"g{i}", "a", "a" if i < count else "b", "a" if i < count else "b") for i in range(40)
        )

    questions = [
        TaskQuestions(replace(task, name=name), toy_spec(), (), "0", probe=name == probe) for name in ("toy", probe)
    ]
    rows: list[tuple[study.Kind, float]] = [("base", 1.0), ("as trained", 1.0)]
    rows += [(kind, factor) for kind in ("intruders", "control") for factor in (0.0, 0.5)]  # type: ignore[misc]
    said: list[study.Answers] = [
        (kind, factor, [answers(count - round(4 * (1 - factor)) * place) for place, count in enumerate(right[kind])])
        for kind, factor in rows
    ]
    points = study.points(run.record, questions, said)
    return Study(run.record.spec, 14, (9, 9), (0.04, 0.2), (Agreement("toy", 40, 40, 0.0),), points)


def test_the_table_marks_what_a_paired_test_shows_and_the_notes_give_the_size_of_both(
    desk: Path, snapshots: Snapshots
) -> None:
    (run,) = [one for one in records.read_all(desk / "results") if one.record.spec.method == "lora"]
    outcome = made_outcome(run)
    table = study_tables.table(outcome, "toy", "other")
    assert [row[:2] for row in table.rows] == [
        ("base", ""),
        ("as trained", "1"),
        ("intruders", "0"),
        ("intruders", "0.5"),
        ("control", "0"),
        ("control", "0.5"),
    ]
    assert table.rows[2][8] == "+35.0 ▲"
    assert table.rows[4][4] == "-2.5", "one question of 40 shows nothing"
    notes = "\n".join(f"- {line}" for line in study_tables.notes(outcome))
    snapshots.check("intruders-study", f"{table.title}\n\n{markdown(table)}\n\n{notes}\n")


def test_the_figure_is_legible_and_names_every_factor(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    (run,) = [one for one in records.read_all(desk / "results") if one.record.spec.method == "lora"]
    style: Any = palette.STYLE
    with matplotlib.rc_context(style):
        figure = study_figure.draw("toy", [made_outcome(run)])
        shown = [text.get_text() for text in legible.check(figure, monkeypatch)]
    assert shown.count("× 0.5") == shown.count("× 0") == 2
    assert "lora r4 s0 × 1" in shown
    assert any("other against base, points" in text for text in shown)

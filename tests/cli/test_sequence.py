"""Training one task after the other: a stage starts where the last ended, is kept, and everything is read from answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.adapters import cross
from harness.adapters.cross import TrainedAdapter
from harness.analysis import sequence
from harness.cli import app, flags, settings
from harness.cli.app import main
from harness.cli.commands import sequence as sequencing
from harness.data import loading, probes, registry
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.record import Record
from harness.report import sequence as report_sequence
from harness.runs import continuation, plan, worker
from harness.runs.job import Job, Outcome
from harness.runs.options import Options, Start
from harness.runs.plan import Plan
from harness.schema import Task
from harness.store import records as store
from harness.store.codec import decode
from tests.runs.test_worker import Ear
from tests.support import answer_rows
from tests.support.records import make_spec
from tests.support.sample_inputs import write_task
from tests.support.stored_adapters import logits
from tests.support.tiny_models import toy_folder

Capture = pytest.CaptureFixture[str]
JOINT = ("--joint", "--no-memory")


@dataclass
class Desk:
    """A folder with tasks and a toy model, the flags that name them, and the jobs that were done."""

    folder: Path
    done: list[Job]

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def words(self, *more: str) -> list[str]:
        tasks = ",".join(str(self.folder / f"{name}.jsonl") for name in ("first", "second"))
        flags = ["--epochs", "1", "--learning-rate", "0.02", "--dtype", "fp32", "--device", "cpu", "--rank", "4"]
        named = ["--task", tasks, "--model", str(self.folder / "toy"), "--results", str(self.results)]
        return ["sequence", *named, *flags, *more]

    def stages(self) -> list[store.Run]:
        """The base model's run and those of the stages."""
        stated = json.loads(self.file().read_text())
        by_id = {run.record.spec.id: run for run in store.read_with_sequences(self.results)}
        return [by_id[row["run"]] for row in stated["rows"]]

    def file(self) -> Path:
        (path,) = (self.results / store.SEQUENCES).glob("*-joint-*.json")
        return path


def write_tasks(folder: Path) -> None:
    for name, word in (("first", "Filing"), ("second", "Claim")):
        path = write_task(folder / f"{name}.jsonl", rows=60)
        path.write_text(path.read_text().replace("Filing", word))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A finished sequence over two tasks with a joint run, each run done in this process."""
    folder = tmp_path_factory.mktemp("sequence")
    write_tasks(folder)
    toy_folder(folder / "toy")
    made = Desk(folder, [])

    def execute(one: Plan, _: object = None) -> tuple[Sequence[Outcome], bool]:
        for job in one.jobs():
            store.prepare(job.folder)
            worker.run(replace(job, threads=1), Ear())
            made.done.append(job)
        records = [store.read_record(job.folder) for job in one.jobs()]
        return [Outcome(job, r.status, r.reason, r) for job, r in zip(one.jobs(), records, strict=True)], False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cli.commands.run.execute", execute)
        patch.setattr("harness.cli.commands.sequence.plan.check", lambda plans: None)
        assert main(made.words(*JOINT)) == 0
        yield made


def test_a_run_that_starts_at_the_base_model_has_the_id_it_always_had() -> None:
    plain = make_spec()
    assert not {"start", "joined"} & plain.fields().keys()
    assert plain.id == "0419a3c323"
    assert len({plain.id, replace(plain, start="a").id, replace(plain, joined=("b@0",)).id}) == 3


def test_the_stages_are_chained_and_all_tasks_are_asked_the_same_questions_after_each(desk: Desk) -> None:
    base, first, second, joint = desk.stages()
    assert [run.record.spec.start for run in (base, first, second, joint)] == ["", "", first.record.spec.id, ""]
    assert [run.record.spec.task for run in (base, first, second, joint)] == ["first", "first", "second", "first"]
    asked = {
        name: [
            [answer.id for answer in (run.answers() if run.record.spec.task == name else run.probe_answers()[name])]
            for run in (base, first, second, joint)
        ]
        for name in ("first", "second")
    }
    for rows in asked.values():
        assert rows[0]
        assert all(row == rows[0] for row in rows)


def test_the_second_stage_starts_from_the_weights_of_the_first(desk: Desk) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    job = next(job for job in desk.done if job.spec.start)
    kept = load_file(desk.stages()[1].folder / store.ADAPTER / "adapter_model.safetensors")
    method = registry.method("lora")
    begun = continuation.adapt(continuation.load(job, method), job, method)
    fresh = method.adapt(method.load(str(job.model_folder), job.spec), job.spec)
    held = get_peft_model_state_dict(begun)
    assert any("lora_B" in name and weight.abs().max() > 0 for name, weight in kept.items())
    assert held.keys() == kept.keys()
    assert all(held[name].equal(weight) for name, weight in kept.items())
    assert not logits(begun).allclose(logits(fresh), atol=1e-3)


def test_a_stage_gives_other_answers_than_the_same_training_from_the_base_model(desk: Desk, tmp_path: Path) -> None:
    job = next(job for job in desk.done if job.spec.start)
    alone = replace(job, spec=replace(job.spec, start=""), start=None, folder=tmp_path, threads=1)
    worker.run(alone, Ear())
    own, chained = store.read_answers(tmp_path), store.read_answers(job.folder)
    assert [a.loglik for a in own] != [a.loglik for a in chained]


@pytest.mark.parametrize("name", ["full", "bottleneck", "pissa"])
def test_other_methods_go_on_from_their_weights_too(desk: Desk, tmp_path: Path, name: str) -> None:
    asked = Options(
        tasks=(str(desk.folder / "first.jsonl"),),
        model=str(desk.folder / "toy"),
        methods=(name,),
        ranks=(4,),
        results=tmp_path,
        epochs=0.3,
        learning_rate=0.02,
        dtype="fp32",
        device="cpu",
        memory=False,
        save_full=True,
        jobs=1,
    )
    (job,) = plan.make(asked)[0].jobs()
    store.prepare(job.folder)
    worker.run(job, Ear())
    start = Start(job.spec, job.folder)
    (after,) = plan.make(replace(asked, tasks=(str(desk.folder / "second.jsonl"),), start=start))[0].jobs()
    method = registry.method(name)
    begun = logits(continuation.adapt(continuation.load(after, method), after, method))
    if method.adapter:
        ended = logits(
            cross.load(
                TrainedAdapter("x", job.folder / store.ADAPTER, (job.spec,), single=True), job.model_folder, "cpu"
            )[0]
        )
    else:
        ended = logits(method.load(str(job.folder / store.MODEL), job.spec))
    assert begun.allclose(ended, atol=1e-3)
    assert not begun.allclose(logits(method.load(str(job.model_folder), job.spec)), atol=1e-2)


def test_the_joint_run_trains_on_the_examples_of_all_tasks(desk: Desk) -> None:
    _, first, second, joint = (run.record for run in desk.stages())
    assert [key.split("@")[0] for key in joint.spec.joined] == ["second"]
    assert first.cost
    assert second.cost
    assert joint.cost
    assert joint.cost.train_tokens == first.cost.train_tokens + second.cost.train_tokens
    assert set(joint.probes) == {"second"}


def test_the_matrix_is_that_of_the_answers_and_every_run_verifies(desk: Desk, capsys: Capture) -> None:
    stated = json.loads(desk.file().read_text())
    for row, run in zip(stated["matrix"], desk.stages(), strict=False):
        for value, name in zip(row, ("first", "second"), strict=True):
            said = run.answers() if run.record.spec.task == name else run.probe_answers()[name]
            assert value == pytest.approx(sum(a.parsed == a.target for a in said) / len(said), abs=1e-15)
    assert len(stated["matrix"]) == 3
    assert set(stated["measures"]) >= {"average accuracy", "backward transfer", "forward transfer", "forgetting"}
    files = [word for name in ("first", "second") for word in ("--task", str(desk.folder / f"{name}.jsonl"))]
    assert main(["verify", str(desk.results), *files]) == 0, capsys.readouterr().out
    assert "4 runs verified" in capsys.readouterr().out


def test_the_matrix_is_drawn_beside_the_document_and_named(desk: Desk, capsys: Capture) -> None:
    assert main(desk.words(*JOINT)) == 0
    out = capsys.readouterr().out
    figure = desk.file().with_suffix(".svg")
    assert str(figure) in out
    assert str(figure.with_suffix(".png")) in out
    shown = re.findall(r"<!-- (.*?) -->", figure.read_text(), flags=re.DOTALL)
    stated = json.loads(desk.file().read_text())
    for row in stated["rows"]:
        for one in row["scores"].values():
            assert f"{100 * one['value']:.1f}" in shown
            assert f"[{100 * one['low']:.1f}, {100 * one['high']:.1f}]" in shown
    assert "toy · lora r4 s0 · framed: what the row was trained on last · 95 % intervals" in shown


def test_a_record_keeps_the_limit_of_what_was_asked_and_an_older_one_is_found_by_its_fingerprints(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [TaskSource(str(desk.folder / f"{name}.jsonl")).task() for name in ("first", "second")]
    known = {task.name: (task, loading.load_splits(task)) for task in tasks}
    for run in desk.stages():
        asked = {name: known[name] for name in run.record.probes}
        assert [probe.limit for probe in run.record.probes.values()] == [0] * len(asked)  # a sequence asks all
        text = store.record_text(run.record).replace(',\n   "limit": 0', "")
        assert '"limit": 0' not in text
        old = decode(Record, json.loads(text))
        assert old.spec.id == run.record.spec.id
        assert probes.limit_of(old, asked) == probes.MAX_QUESTIONS  # as good: no more questions than that are here
        some = replace(old, probes={n: replace(probe, limit=7) for n, probe in old.probes.items()})
        assert probes.limit_of(some, asked) == 7
        monkeypatch.setattr(probes, "MAX_QUESTIONS", 3)  # fewer than there are
        assert probes.limit_of(old, asked) == 0
        monkeypatch.undo()


def test_what_is_finished_is_kept_and_only_the_rest_is_done_again(desk: Desk, tmp_path: Path, capsys: Capture) -> None:
    copy = Desk(tmp_path, desk.done)
    shutil.copytree(desk.folder, tmp_path, dirs_exist_ok=True)
    second = next(run for run in copy.stages() if run.record.spec.start)
    before = copy.file().read_bytes()
    (second.folder / store.RECORD).unlink()  # as a kill leaves it
    count = len(desk.done)
    assert main(copy.words(*JOINT)) == 0
    assert [job.spec.id for job in desk.done[count:]] == [second.record.spec.id]
    assert copy.file().read_bytes() == before
    assert "score on each task" in capsys.readouterr().out


def test_a_changed_answer_is_an_error_and_no_other_matrix(desk: Desk, tmp_path: Path, capsys: Capture) -> None:
    copy = Desk(tmp_path, desk.done)
    shutil.copytree(desk.folder, tmp_path, dirs_exist_ok=True)
    path = copy.stages()[1].folder / store.probe_file("second")
    rows = answer_rows.rows(path)
    wrong = next(row for row in rows if row["parsed"] != row["target"])
    wrong["loglik"] = [float(choice == wrong["target"]) - 1 for choice in wrong["choices"]]
    wrong["parsed"] = wrong["text"] = wrong["target"]
    answer_rows.write_rows(path, rows)
    assert main(copy.words(*JOINT)) == 2
    assert "its record says" in capsys.readouterr().err


def test_a_stage_whose_start_was_trained_again_is_refused(desk: Desk) -> None:
    base, first, second, _ = desk.stages()
    tasks = [TaskSource(str(desk.folder / f"{name}.jsonl")).task() for name in ("first", "second")]
    later = replace(first, record=replace(first.record, started="2999-01-01T00:00:00+00:00"))
    with pytest.raises(HarnessError, match="trained again after"):
        sequence.read(tasks, [base, later, second])


def test_a_task_that_never_leaves_chance_is_marked(desk: Desk) -> None:
    tasks = [TaskSource(str(desk.folder / f"{name}.jsonl")).task() for name in ("first", "second")]
    found = sequence.read(tasks, desk.stages()[:3])
    low = [tuple(replace(c, score=c.score._replace(low=0.0)) for c in row.cells) for row in found.rows]
    dull = replace(found, rows=tuple(replace(r, cells=c) for r, c in zip(found.rows, low, strict=True)))
    assert dull.at_chance(0)
    last = dull.rows[-1]
    risen = replace(last, cells=(replace(last.cells[0], score=last.cells[0].score._replace(low=0.99)), last.cells[1]))
    lifted = replace(dull, rows=(*dull.rows[:-1], risen))
    assert not lifted.at_chance(0)
    assert report_sequence.task_table(lifted).rows[1][-1] == report_sequence.AT_CHANCE


def test_runs_of_a_sequence_are_in_no_table_and_their_adapters_are_found(desk: Desk, capsys: Capture) -> None:
    _, first, second, joint = (run.record.spec for run in desk.stages())
    assert {run.record.spec.id for run in store.read_all(desk.results)} == {desk.stages()[0].record.spec.id, first.id}
    assert main(["adapters", "list", "--results", str(desk.results)]) == 0
    out = capsys.readouterr().out
    assert f"second after {first.id}" in out
    assert "first+second" in out
    assert main(["adapters", "export", second.id, str(desk.folder / "out"), "--results", str(desk.results)]) == 0
    card = (desk.folder / "out" / "README.md").read_text()
    assert f"the weights of the run `{first.id}`" in card
    assert joint.id in out


def test_a_user_goes_on_from_a_run_with_its_method_and_rank(desk: Desk) -> None:
    first = desk.stages()[1].record.spec
    words = ["--task", "cfa", "--continue-from", first.id, "--results", str(desk.results)]
    found = settings.run_options(app.read("run", words))
    assert (found.methods, found.ranks) == (("base", "lora"), (4,))
    assert found.start
    assert found.start.spec == first


def refused(desk: Desk, capsys: Capture, *words: str) -> str:
    assert main(desk.words(*words, "--no-memory")) == 2
    return capsys.readouterr().err


def test_what_cannot_be_a_sequence_is_refused_before_anything_trains(
    desk: Desk, tmp_path: Path, capsys: Capture
) -> None:
    first = str(desk.folder / "first.jsonl")
    count = len(desk.done)
    assert main(["sequence", "--task", first]) == 2
    assert "two tasks or more" in capsys.readouterr().err
    assert "trains nothing" in refused(desk, capsys, "--method", "base")
    assert "--rank" in refused(desk, capsys, "--rank", "0")
    dealt_anew = Path(first).read_text().replace('"group": "g', '"group": "h')  # groups decide the split
    (tmp_path / "again.jsonl").write_text(dealt_anew)
    assert "trains on a question" in refused(desk, capsys, "--task", str(tmp_path / "again.jsonl"))
    assert len(desk.done) == count


def test_scores_that_are_no_shares_are_not_averaged() -> None:
    tasks: list[Task] = [registry.task("cfa"), registry.task("wikitext")]
    with pytest.raises(HarnessError) as refused:
        sequence.require_shares(tasks)
    assert refused.value.where == "task wikitext"


def test_another_rank_and_weights_that_are_gone_are_refused(desk: Desk, tmp_path: Path) -> None:
    first = desk.stages()[1].record.spec
    start = Start(first, tmp_path)
    with pytest.raises(HarnessError, match="trained with 4, you asked for 8"):
        continuation.check(start, [replace(first, rank=8, start=first.id)])
    continuation.check(start, [replace(first, start=first.id)])
    continuation.check(start, [replace(first, method="base", rank=0)])  # the base model goes on from nothing
    with pytest.raises(HarnessError, match="holds no weights") as refused:
        continuation.require(start)
    assert refused.value.where == str(tmp_path)


def test_the_flags_of_a_sequence_are_those_of_a_run() -> None:
    mine = {row for row in sequencing.FLAGS if row.name not in ("--task", "--method", "--rank", "--seed", "--joint")}
    assert mine <= set(flags.RUN)

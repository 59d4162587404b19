"""A challenger's run is a run like every other: planned, recorded, compared, verified, and never the base model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.analysis.compare import cells
from harness.challengers import BUILT_IN
from harness.data import registry
from harness.errors import HarnessError
from harness.record import Record, RunSpec
from harness.runs import plan, worker
from harness.runs.job import Event
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records
from harness.verify.run import verify
from tests.support.finished_runs import make_run
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_model, write_task


class Ear:
    """A reporter that nobody stops."""

    def tell(self, event: Event) -> None:
        pass

    def should_stop(self) -> bool:
        return False


def planned(folder: Path, *challengers: str, **changes: object) -> Plan:
    options = Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        methods=("base",),
        challengers=challengers or BUILT_IN,
        model=str(write_model(folder / "model")),
        results=folder / "results",
        memory=False,
    )
    (result,) = plan.make(replace(options, **changes))  # type: ignore[arg-type]
    return result


def test_a_run_leaves_a_record_with_answers_and_seconds_that_verifies(tmp_path: Path) -> None:
    for job in planned(tmp_path, "words", "commonest", "nearest").jobs():
        if not job.spec.challenger:
            continue
        worker.run(job, Ear())
        record = records.read_record(job.folder)
        assert (record.status, record.reason) == ("ok", "")
        assert record.spec == job.spec
        assert record.cost is not None
        assert set(record.cost.phases) == {"fit", "evaluate"}
        assert record.cost.weights == record.cost.weights_bytes == 0
        assert "scikit-learn" in record.environment.packages
        assert len(records.read_answers(job.folder)) == record.spec.test_examples
        task = job.source.task()
        checks = verify(job.folder, task, examples=job.source.splits(task).test)
        assert [(check.name, check.detail) for check in checks if not check.ok] == []


def test_all_that_apply_are_planned_once_for_all_seeds_before_what_trains(tmp_path: Path) -> None:
    made = planned(tmp_path, methods=("base", "lora", "full"), ranks=(2,), seeds=(0, 1, 2))
    names = [spec.method for spec in made.specs]
    challengers = [spec.method for spec in made.specs if spec.challenger]
    assert {"commonest", "words", "nearest"} <= set(challengers) <= set(BUILT_IN)
    assert len(set(challengers)) == len(challengers)
    assert names[0] == "base"
    assert names.index("lora") > max(names.index(name) for name in challengers)


def test_the_first_run_of_a_plan_has_a_model_even_without_a_base_row(tmp_path: Path) -> None:
    made = planned(tmp_path, methods=("lora", "full"), ranks=(2,))
    assert [spec.method for spec in made.specs][:2] == ["lora", "commonest"]
    assert {spec.max_tokens for spec in made.preflight(made.specs).specs} == {made.specs[0].max_tokens}


def test_none_plans_none_and_keeps_the_ids_of_all_other_runs(tmp_path: Path) -> None:
    bare = planned(tmp_path, challengers=())
    assert [spec.method for spec in bare.specs] == ["base"]
    assert {spec.id for spec in bare.specs} < {spec.id for spec in planned(tmp_path).specs}


def test_one_that_does_not_apply_is_left_out_by_default_and_refused_by_name(tmp_path: Path) -> None:
    assert "options_only" not in [spec.method for spec in planned(tmp_path).specs]
    with pytest.raises(HarnessError) as caught:
        planned(tmp_path, "options_only")
    assert "does not apply to toy" in caught.value.problem
    assert caught.value.where == "--challengers options_only"


def test_an_unknown_name_is_refused_with_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        planned(tmp_path, "wrods")
    assert "words" in caught.value.fix


def test_the_version_is_part_of_the_id_and_zero_keeps_old_ids() -> None:
    method = make_spec()
    assert "challenger" not in method.fields()
    assert make_spec(challenger=1).id != make_spec(challenger=2).id


def challenger_spec(name: str = "words") -> RunSpec:
    zeros = dict.fromkeys(("rank", "batch_size", "micro_batch", "train_examples", "max_tokens"), 0)
    rates = dict.fromkeys(("alpha", "learning_rate", "warmup", "epochs"), 0.0)
    return make_spec(method=name, challenger=1, **zeros, **rates)


def row(name: str, share: float) -> tuple[Record, list]:  # type: ignore[type-arg]
    """A made-up run of a challenger on the questions of `make_run`."""
    record, answers = make_run("base", 0, share)
    settings = challenger_spec(name)
    spec = replace(record.spec, method=name, challenger=1, max_tokens=0, device=settings.device)
    return replace(record, spec=spec, validation=None), list(answers or ())


def test_it_is_never_the_base_model_at_its_best_and_stands_between_base_and_what_trains() -> None:
    runs = [make_run("lora", 8, 0.5), row("words", 0.9), make_run("base", 0, 0.3), row("commonest", 0.35)]
    headline = [cell for cell in cells(runs) if cell.headline]
    assert [cell.spec.method for cell in headline] == ["base", "commonest", "words", "lora"]
    assert {cell.baseline.method for cell in headline if cell.baseline} == {"base"}
    words = next(cell for cell in headline if cell.spec.method == "words")
    assert words.best_or_tied == "best"
    assert words.vs_base is not None
    assert words.vs_base.p_holm >= words.vs_base.p
    assert words.vs_challenger is None


def test_a_row_is_compared_with_the_challenger_that_it_is_least_clearly_better_than() -> None:
    runs = [make_run("lora", 8, 0.8), row("words", 0.5), make_run("base", 0, 0.3), row("commonest", 0.3)]
    lora = next(cell for cell in cells(runs) if cell.spec.method == "lora" and cell.headline)
    assert lora.challenger is not None
    assert lora.challenger.method == "words"
    assert lora.vs_challenger is not None
    assert 0 < lora.vs_challenger.low < lora.vs_challenger.value


def test_no_challenger_has_the_name_of_a_method() -> None:
    assert not set(registry.challengers()) & set(registry.methods())


def test_verify_reports_settings_of_a_model_in_a_challengers_record(tmp_path: Path) -> None:
    (job,) = [job for job in planned(tmp_path, "commonest").jobs() if job.spec.challenger]
    worker.run(job, Ear())
    record, task = records.read_record(job.folder), job.source.task()
    for changes in ({"epochs": 1.0}, {"device": "cuda"}, {"seed": 3}, {"challenger": 7}):
        spec = replace(record.spec, **changes)  # type: ignore[arg-type]
        folder = records.run_dir(tmp_path / "changed", spec)
        records.prepare(folder)
        records.write_answers(folder, records.read_answers(job.folder))
        records.write_record(folder, replace(record, spec=spec))
        bad = [check.name for check in verify(folder, task) if not check.ok]
        assert "settings fit the method" in bad, changes


def test_a_made_up_record_of_a_challenger_has_no_weights() -> None:
    assert make_record(challenger_spec()).spec.name == "words"

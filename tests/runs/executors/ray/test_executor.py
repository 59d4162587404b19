"""Runs on nodes that a fake of Ray stands for: files there and back, lost nodes, requests to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import environment
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.record import Placement
from harness.runs import runner, worker
from harness.runs.executors.ray.executor import TRIES, RayCluster
from harness.runs.executors.ray.host import End
from harness.runs.executors.ray.pool import Shape
from harness.runs.job import Job, RunEnd
from harness.store import records
from tests.runs.test_runner import Notes
from tests.support.fake_ray import Actor, FakeRay, RayActorError, finish
from tests.support.records import make_spec


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(bytes(1000))
    (folder / "optimizer.pt").write_bytes(bytes(10))
    return folder


@pytest.fixture
def jobs(tmp_path: Path, model: Path) -> list[Job]:
    specs = [make_spec(seed=seed) for seed in range(4)]
    results = tmp_path / "results"
    return [Job(spec, records.run_dir(results, spec), TaskSource("cfa"), model) for spec in specs]


def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Any, **changes: Any) -> RayCluster:
    ray = FakeRay(tmp_path / "node", work, **changes).install(monkeypatch)
    return RayCluster(ray, worker.run, share=False)


def test_files_come_back_and_the_record_says_where_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    place, notes = cluster(tmp_path, monkeypatch, finish), Notes()
    result = runner.run(jobs, place, notes)
    assert [outcome.status for outcome in result.outcomes] == ["ok"] * 4
    assert "progress 1/2" in notes.lines
    for job in jobs:
        record = records.read_record(job.folder)
        assert record.placement is not None
        assert record.placement.node
        assert record.environment.commit == environment.commit()
        assert (job.folder / "log.txt").read_text(encoding="utf-8") == "a line\n"
    assert not list((tmp_path / "node" / "runs").iterdir())


def test_a_model_is_on_a_node_once_by_the_hash_of_its_files_and_without_what_no_run_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job], model: Path
) -> None:
    seen: list[Path] = []

    def look(job: Job, actor: Actor) -> list[Any]:
        seen.append(job.model_folder)
        return finish(job, actor)

    runner.run(jobs, cluster(tmp_path, monkeypatch, look), Notes())
    assert len(set(seen)) == 1
    assert seen[0] != model
    assert sorted(path.name for path in seen[0].iterdir()) == ["config.json", "model.safetensors"]


def test_a_lost_node_is_said_and_its_run_is_placed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    lost: list[int] = []

    def lose_once(job: Job, actor: Actor) -> list[Any]:
        if job.spec.seed == 2 and not lost:
            lost.append(job.spec.seed)
            actor.is_gone = True
            raise RayActorError("the node died")
        return finish(job, actor)

    notes = Notes()
    result = runner.run(jobs, cluster(tmp_path, monkeypatch, lose_once), notes)
    assert [outcome.status for outcome in result.outcomes] == ["ok"] * 4
    assert any("placed again, try 2 of 3" in line for line in notes.lines)
    assert "placed again" in (jobs[2].folder / "log.txt").read_text(encoding="utf-8")


def test_a_run_whose_nodes_are_always_lost_becomes_a_row_after_a_few_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    tries: list[int] = []

    def lose(job: Job, actor: Actor) -> list[Any]:
        if job.spec.seed != 2:
            return finish(job, actor)
        tries.append(1)
        raise RayActorError("the node died")

    result = runner.run(jobs, cluster(tmp_path, monkeypatch, lose), Notes())
    assert len(tries) == TRIES
    (failed,) = [outcome for outcome in result.outcomes if outcome.status == "failed"]
    assert failed.job is jobs[2]
    assert f"lost {TRIES} times" in records.read_record(jobs[2].folder).reason


def test_a_run_that_fails_by_itself_is_a_row_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    tries: list[int] = []

    def fail(job: Job, actor: Actor) -> list[Any]:
        tries.append(job.spec.seed)
        return [End("killed by signal 9")] if job.spec.seed else [RunEnd("failed", "no memory"), End("")]

    runner.run(jobs[:2], cluster(tmp_path, monkeypatch, fail), Notes())
    assert sorted(tries) == [0, 1]
    assert [records.read_record(job.folder).reason for job in jobs[:2]] == ["no memory", "killed by signal 9"]


def test_as_many_runs_are_taken_as_the_nodes_have_cores_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    place = cluster(tmp_path, monkeypatch, finish, cpus=(3, 2))
    assert place.pool.capacity(Shape(2, 0)) == 2
    assert place.pool.capacity(Shape(1, 0)) == 5
    with pytest.raises(HarnessError, match="a run needs 4 CPUs, and no node has them"):
        place.pool.require_room([Shape(4, 0)])
    with pytest.raises(HarnessError, match="and a GPU"):
        place.pool.require_room([Shape(1, 1)])


def test_a_checkpoint_goes_to_the_node_and_is_gone_when_the_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    seen: list[bytes] = []

    def resume(job: Job, actor: Actor) -> list[Any]:
        state = job.folder / "checkpoint" / "state-00000004.pt"
        seen.append(state.read_bytes())
        state.unlink()
        state.parent.rmdir()
        return finish(job, actor)

    state = jobs[0].folder / "checkpoint" / "state-00000004.pt"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"weights")
    (state.parent / "checkpoint.json").write_text("{}", encoding="utf-8")
    place = cluster(tmp_path, monkeypatch, lambda job, actor: resume_without_card(job, actor, resume))
    running = place.start(jobs[0])
    while running.exit_reason() is None:
        place.wait([running], 1.0)
    assert running.exit_reason() == ""
    assert seen == [b"weights"]
    assert not state.parent.exists()
    assert running.placement == Placement(node=running.placement.node if running.placement else "")


def resume_without_card(job: Job, actor: Actor, resume: Any) -> list[Any]:
    (job.folder / "checkpoint" / "checkpoint.json").unlink()
    return resume(job, actor)  # type: ignore[no-any-return]


def test_an_agent_that_became_idle_replaces_one_that_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    pool = cluster(tmp_path, monkeypatch, finish).pool
    busy, waiting = pool.take(Shape(1, 0)), pool.take(Shape(1, 0))
    assert pool.instead(waiting) is None
    pool.give_back(busy)
    assert pool.instead(waiting) is busy
    assert waiting.actor.is_gone
    pool.give_back(busy)
    assert pool.take(Shape(2, 0)) is not busy
    assert busy.actor.is_gone

"""Ways to plant a fault into a publication as a careful forger does: ids, folders and checksums are made anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.metrics.scoring import score_answers
from harness.store import records, training_files
from tests.support import answer_rows, logged_steps
from tests.support.planted import lookup, rewrite
from tests.support.tampering import run

Content = dict[str, Any]
Change = Callable[[Content], object]
Plant = Callable[[Path], object]


def spec(name: str, value: Any, **where: Any) -> Plant:
    """Plant a setting into one run."""
    return record(lambda r: r["spec"].update({name: value}), **where)


def spec_of_all(name: str, value: Any, method: str = "lora-r8", task: str = "pick") -> Plant:
    """Plant a setting into all seeds of a row."""
    return each_seed(lambda r: r["spec"].update({name: value}), method=method, task=task)


def record(change: Change, **where: Any) -> Plant:
    """Plant a change into the record of one run."""
    return lambda root: rewrite(run(root, **where), change)


def each_seed(change: Change, **where: Any) -> Plant:
    """Plant a change into the records of all three seeds of a row."""
    return lambda root: [rewrite(run(root, seed=seed, **where), change) for seed in range(3)]


def field(path: str, value: Any, **where: Any) -> Plant:
    """Plant a value at a dotted path of a record; a function gets the old value."""
    return record(setter(path, value), **where)


def field_of_all(path: str, value: Any, **where: Any) -> Plant:
    """Plant a value at a dotted path into all seeds of a row."""
    return each_seed(setter(path, value), **where)


def setter(path: str, value: Any) -> Change:
    def change(content: Content) -> None:
        *folders, name = path.split(".")
        for folder in folders:
            content = content[folder]
        content[name] = value(content[name]) if callable(value) else value

    return change


def both(*changes: Change) -> Change:
    """Make several changes to one record."""
    return lambda content: [change(content) for change in changes]


def answers(change: Callable[[list[Content]], object], **where: Any) -> Plant:
    """Plant a change into answers and bring the record's checksum up to date."""

    def plant(root: Path) -> None:
        folder = run(root, **where)
        answer_rows.change(folder / records.ANSWERS, change)
        rewrite(folder, lambda r: r.update(answers_sha256=records.answers_sha256(folder)))

    return plant


def every_answer(change: Callable[[Content], object], **where: Any) -> Plant:
    return answers(lambda rows: [change(row) for row in rows], **where)


def copy(source: Content, target: Content, noise: float = 0.0, *, measured: bool = False) -> Plant:
    """Pass the answers of one run off as another's, scores and checksums with them, with noise on likelihoods."""

    def plant(root: Path) -> None:
        origin, folder = run(root, **source), run(root, **target)
        shutil.copy(origin / records.ANSWERS, folder / records.ANSWERS)
        luck = random.Random(1)

        def stir(row: Content) -> object:
            row["loglik"] = [value + luck.gauss(0, noise) for value in row["loglik"]]
            if row["choices"]:
                row["text"] = row["parsed"] = row["choices"][row["loglik"].index(max(row["loglik"]))]
            return row

        answer_rows.change(folder / records.ANSWERS, lambda rows: list(map(stir, rows)))
        old, new = records.read_record(origin), records.read_record(folder)
        given = records.read_answers(folder)
        task = next(task for task in _tasks(root) if task.name == new.spec.task)
        digest = records.answers_sha256(folder)
        scores = score_answers(given, task.metrics)
        changed = replace(new, scores=scores, answers_sha256=digest, parse_rate=old.parse_rate)
        if measured:
            changed = replace(changed, seconds=old.seconds, cost=old.cost, final_loss=old.final_loss)
        records.write_record(folder, changed)

    return plant


def _tasks(root: Path) -> list[Any]:
    return list(lookup(TASKS_DIR[0]).tasks.values())


TASKS_DIR: list[Path] = []  # of the publication, known once it is made


def at(method: str = "lora-r8", seed: int = 0, task: str = "pick") -> Content:
    return {"method": method, "seed": seed, "task": task}


def dropped(method: str, task: str = "pick") -> Plant:
    """Plant nothing where a row was."""
    return lambda root: shutil.rmtree(root / task / "tiny" / method)


def extra_folder(root: Path) -> None:
    """Plant a folder that is of no run."""
    (root / "extra").mkdir()
    (root / "extra" / "data.bin").write_bytes(b"1")


def untrained_copy(method: str, noise: float = 0.0) -> Plant:
    """Plant the base row under another method's name, with noise on likelihoods."""

    def plant(root: Path) -> None:
        folder = run(root, method="base")
        twin = folder.with_name(f"{folder.name}-copy")
        shutil.copytree(folder, twin)
        rewrite(twin, setter("spec.method", method))
        answers(lambda rows: [row.update(loglik=[v - noise for v in row["loglik"]]) for row in rows], method=method)(
            root
        )

    return plant


def file(name: str, content: bytes = b"trust me", **where: Any) -> Plant:
    """Plant a file into a run's folder."""

    def plant(root: Path) -> None:
        path = run(root, **where) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return plant


def with_steps(change: Callable[[list[Content]], object]) -> Plant:
    """Plant a change into the logged steps of a run and bring the record's checksum up to date."""
    return lambda root: logged_steps.change(run(root), change)


def without_steps(root: Path) -> None:
    """Plant nothing where the logged steps were, and no checksum of them in the record."""
    (run(root) / training_files.PACKED_STEPS).unlink()
    field("steps_sha256", "")(root)


def validation_of_one_row(root: Path) -> None:
    """Plant a second untrained row and the result of validation questions into one of both."""
    untrained_copy("calibrated")(root)
    result = {"data": "0" * 16, "scoring": "choices", "scores": {}, "parse_rate": 1.0, "chance": None}
    field("validation", result | {"answers_sha256": "0" * 64, "cut_examples": 0, "limit": 300}, method="base")(root)


def end_tokens_of_one_row(root: Path) -> None:
    """Plant a second untrained row, and other likelihoods of end tokens into one of both."""
    untrained_copy("calibrated")(root)
    every_answer(lambda row: row.update(end_loglik=[v - 0.2 for v in row["end_loglik"]]), method="base")(root)


def qlora_of_one_rank(root: Path) -> None:
    """Plant `qlora` with rank 8 beside `lora` with ranks 2 and 8."""
    for seed in range(3):
        folder = run(root, seed=seed)
        twin = folder.with_name(f"{folder.name}-copy")
        shutil.copytree(folder, twin)
        rewrite(twin, setter("spec.method", "qlora"))


def longer_test_questions(root: Path) -> None:
    """Plant many times the tokens into the test of all runs of a row that has validation answers."""
    score = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 60, "groups": 60, "unit": "share", "higher_is_better": True}

    def change(content: Content) -> None:
        phases = content["cost"]["phases"]
        phases["validation"] = phases["evaluate"] | {"tokens": 60 * 10}
        result = {"data": "0" * 16, "scoring": "choices", "parse_rate": 1.0, "chance": None, "answers_sha256": "0" * 64}
        content["validation"] = result | {"scores": {"acc": score}, "cut_examples": 0, "limit": 300}
        content["spec"]["test_examples"] = 60

    record(change, method="base")(root)


def started_at_once(root: Path) -> None:
    """Plant one start into all runs."""
    for path in sorted(root.rglob(records.RECORD)):
        rewrite(path.parent, setter("started", "2026-01-01T00:00:00+00:00"))


def started_in_order(root: Path) -> None:
    """Plant another package into one of all runs, which start one after the other."""
    for number, path in enumerate(sorted(root.rglob(records.RECORD))):
        rewrite(path.parent, setter("started", f"2026-01-01T00:{number:02}:00+00:00"))
    record(lambda r: r["environment"]["packages"].update(torch="2.1.0"), seed=1)(root)


def long_steps(root: Path) -> None:
    """Plant the same losses and tokens into 24 steps of two seeds."""
    for seed in range(2):
        folder = rewrite(run(root, seed=seed), setter("spec.epochs", 8.0))
        made = records.read_record(folder)
        rows = logged_steps.rows_of(made)
        logged_steps.write(
            folder,
            made,
            [row | {"seconds": 0.5, "loss": 2 - n / 23, "tokens": 40 + n} for n, row in enumerate(rows)],
        )


def now(**shift: float) -> str:
    return (datetime.now(UTC) + timedelta(**shift)).isoformat(timespec="seconds")


def scaled(factor: float) -> Callable[[Any], Any]:
    return lambda value: type(value)(value * factor)


def predicted(content: Content) -> None:
    content["cost"]["predicted_peak_bytes"] = content["cost"]["phases"]["train"]["peak_bytes"]


def moved_part(source: str, target: str, size: int = 100_000) -> Change:
    """Move bytes from one part of the memory to another; the sum stays."""

    def change(content: Content) -> None:
        content["cost"]["parts"][source] -= size
        content["cost"]["parts"][target] += size

    return change


def larger_peak(factor: float) -> Change:
    """Scale the training peak and give the difference to the activations."""

    def change(content: Content) -> None:
        phase, parts = content["cost"]["phases"]["train"], content["cost"]["parts"]
        peak = int(phase["peak_bytes"] * factor)
        parts["activations_and_rest"] += peak - phase["peak_bytes"]
        phase["peak_bytes"] = peak

    return change


def fewer_weights(content: Content) -> None:
    content["cost"]["weights"] -= 1_000


def faster(content: Content) -> None:
    """Double the speed of training, seconds and all."""
    content["cost"]["train_tokens_per_second"] *= 2


def swapped_settings(content: Content) -> None:
    """Pass a run of rank 8 off as one of rank 16, settings only."""
    content["spec"].update(rank=16, alpha=45.0)


def ranks_left_out(root: Path) -> None:
    """Plant a second method with ranks 2 and 4, beside lora with ranks 2 and 8."""
    for rank in (2, 4):
        for seed in range(3):
            folder = run(root, method="lora-r2", seed=seed)
            twin = folder.with_name(f"{folder.name}-copy")
            shutil.copytree(folder, twin)
            rewrite(twin, setter("spec.method", "rslora") if rank == 2 else setter_of_rslora(rank))


def setter_of_rslora(rank: int) -> Change:
    """Return the change of a run's method to rslora of a rank."""
    return both(setter("spec.method", "rslora"), setter("spec.rank", rank))

"""Faults in real runs that only a replay shows: each changes a folder of runs, and the checksums that go with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.record import Answer
from harness.store import records, training_files
from tests.support import logged_steps

Fault = Callable[[Path], object]


def folder_of(runs: Path, row: str = "lora-r4", seed: int = 0) -> Path:
    (path,) = runs.glob(f"*/*/{row}/s{seed}-*")
    return path


def rewrite(folder: Path, edit: Callable[[Answer], Answer], **changes: Any) -> None:
    """Edit every answer of a run, with its checksum in the record, and change fields of the record."""
    record = records.read_record(folder)
    digest = records.write_answers(folder, [edit(answer) for answer in records.read_answers(folder)])
    records.write_record(folder, replace(record, answers_sha256=digest, **changes))


def respecify(folder: Path, **changes: Any) -> None:
    record = records.read_record(folder)
    records.write_record(folder, replace(record, spec=replace(record.spec, **changes)))


def elsewhere(folder: Path) -> None:
    """Let a run come from another machine."""
    record = records.read_record(folder)
    records.write_record(folder, replace(record, environment=replace(record.environment, machine="Another processor")))


def other_commit(runs: Path) -> None:
    """Let all runs come from another commit on this machine, so that their last digits need not be equal."""
    for path in runs.glob("*/*/*/s*"):
        record = records.read_record(path)
        environment = replace(record.environment, commit="0123456789ab")
        records.write_record(path, replace(record, environment=environment))


def nearly(runs: Path) -> None:
    rewrite(folder_of(runs), lambda a: replace(a, loglik=tuple(value + 0.001 for value in a.loglik)))


def slower_rate(runs: Path) -> None:
    folder = folder_of(runs, "full")
    respecify(folder, learning_rate=records.read_record(folder).spec.learning_rate * 0.9)
    logged_steps.change(folder, lambda rows: [row.update(learning_rate=row["learning_rate"] * 0.9) for row in rows])


def swapped_adapter(runs: Path) -> None:
    source, target = folder_of(runs, seed=1), folder_of(runs, seed=0)
    shutil.copytree(source / records.ADAPTER, target / records.ADAPTER, dirs_exist_ok=True)
    record = records.read_record(target)
    records.write_record(target, replace(record, adapter_sha256=training_files.weights_sha256(target)))


def exchanged_seeds(runs: Path) -> None:
    """Exchange everything of two seeds except the specs."""
    first, second = folder_of(runs, seed=0), folder_of(runs, seed=1)
    a, b = records.read_record(first), records.read_record(second)
    shutil.move(first, runs / "aside")
    shutil.move(second, first)
    shutil.move(runs / "aside", second)
    records.write_record(first, replace(b, spec=a.spec))
    records.write_record(second, replace(a, spec=b.spec))


def turned_right(runs: Path) -> None:
    def turn(answer: Answer) -> Answer:
        best = answer.choices.index(answer.target)
        loglik = [*answer.loglik]
        top = loglik.index(max(loglik))
        loglik[best], loglik[top] = loglik[top], loglik[best]
        return replace(answer, text=answer.target, parsed=answer.target, loglik=tuple(loglik))

    rewrite(folder_of(runs), turn)


def sharpened(runs: Path) -> None:
    rewrite(folder_of(runs), lambda a: replace(a, loglik=tuple(1.5 * value for value in a.loglik)))


def other_alpha(runs: Path) -> None:
    respecify(folder_of(runs), alpha=records.read_record(folder_of(runs)).spec.alpha * 2)


def other_rate(runs: Path) -> None:
    """State another rate, with logged rates to match."""
    folder = folder_of(runs)
    respecify(folder, learning_rate=records.read_record(folder).spec.learning_rate * 3)
    logged_steps.change(folder, lambda rows: [row.update(learning_rate=row["learning_rate"] * 3) for row in rows])


def other_batch(runs: Path) -> None:
    respecify(folder_of(runs), batch_size=4)


def other_dtype(runs: Path) -> None:
    respecify(folder_of(runs), dtype="fp32")


def other_decay(runs: Path) -> None:
    respecify(folder_of(runs, "full"), weight_decay=0.5)


def dropout(runs: Path) -> None:
    respecify(folder_of(runs), dropout=0.2)


def another_calibration(runs: Path) -> None:
    pmi, calibrated = folder_of(runs, "pmi"), folder_of(runs, "calibrated")
    shutil.rmtree(calibrated)
    respecify(pmi, method="calibrated")
    shutil.move(pmi, calibrated)


def worse_base(runs: Path) -> None:
    rewrite(folder_of(runs, "base"), lambda a: replace(a, loglik=(a.loglik[0] - 9.0, *a.loglik[1:])))


def better_shots(runs: Path) -> None:
    rewrite(folder_of(runs, "fewshot"), lambda a: replace(a, loglik=tuple(1.2 * value for value in a.loglik)))


def scaled_adapter(runs: Path) -> None:
    change_adapter(runs, lambda weights: {name: 1.1 * values for name, values in weights.items()})


def exchanged_layers(runs: Path) -> None:
    names = {"layers.0.": "layers.1.", "layers.1.": "layers.0."}

    def rename(name: str) -> str:
        return next((name.replace(old, new) for old, new in names.items() if old in name), name)

    change_adapter(runs, lambda weights: {rename(name): values for name, values in weights.items()})


def change_adapter(runs: Path, change: Callable[[Any], Any]) -> None:
    from safetensors.torch import load_file, save_file

    folder = folder_of(runs)
    path = folder / records.ADAPTER / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    record = records.read_record(folder)
    records.write_record(folder, replace(record, adapter_sha256=training_files.weights_sha256(folder)))


def lower_losses(runs: Path) -> None:
    """Lower the losses of all steps that are not taken again, and the final loss with them."""
    folder = folder_of(runs)
    logged_steps.change(folder, lambda rows: [row.update(loss=row["loss"] * 0.7) for row in rows[3:]])
    last = training_files.read_steps(folder)[-1]["loss"]
    records.write_record(folder, replace(records.read_record(folder), final_loss=last))


def invented_losses(runs: Path) -> None:
    logged_steps.change(
        folder_of(runs, "full"), lambda rows: [row.update(loss=5.0 - n / 9) for n, row in enumerate(rows)]
    )


def tokens_of_two_steps(runs: Path) -> None:
    logged_steps.change(folder_of(runs, "full"), lambda rows: rows[0].update(tokens=rows[1]["tokens"] + 1))


def recost(folder: Path, phase: str, **changes: Any) -> None:
    record = records.read_record(folder)
    assert record.cost is not None
    phases = {**record.cost.phases, phase: replace(record.cost.phases[phase], **changes)}
    records.write_record(folder, replace(record, cost=replace(record.cost, phases=phases)))


def lower_peak(runs: Path) -> None:
    folder = folder_of(runs)
    record = records.read_record(folder)
    assert record.cost is not None
    recost(folder, "train", peak_bytes=round(record.cost.phases["train"].peak_bytes * 0.8))


def other_tokens(runs: Path) -> None:
    recost(folder_of(runs, "base"), "evaluate", tokens=12_345)


FAULTS: dict[str, Fault] = {
    "a swapped adapter": swapped_adapter,
    "exchanged seeds": exchanged_seeds,
    "answers turned right": turned_right,
    "sharpened likelihoods": sharpened,
    "another alpha": other_alpha,
    "another rate with steps to match": other_rate,
    "another batch size": other_batch,
    "another dtype": other_dtype,
    "another weight decay": other_decay,
    "dropout": dropout,
    "another calibration": another_calibration,
    "a worse base row": worse_base,
    "better answers after examples": better_shots,
    "a scaled adapter": scaled_adapter,
    "two layers of an adapter exchanged": exchanged_layers,
    "lower losses": lower_losses,
    "invented losses of full": invented_losses,
    "tokens of a step of full": tokens_of_two_steps,
    "a lower peak": lower_peak,
    "other tokens of the test": other_tokens,
}


ROWS_OF = {  # of the faults that are not in lora-r4
    "another weight decay": "full",
    "another calibration": "calibrated",
    "a worse base row": "base",
    "better answers after examples": "fewshot",
    "invented losses of full": "full",
    "tokens of a step of full": "full",
    "other tokens of the test": "base",
}

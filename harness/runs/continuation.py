"""Training that starts from the weights of another run.

A continued run has the same method, rank and base model as the run before it. It loads the adapter or, for full
fine-tuning, the weights that the run before saved. It then trains like any run: optimizer, schedule and data order
begin anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.format import spoken
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs.job import Job
from harness.runs.options import Start
from harness.schema import Method
from harness.store import records

SAME = ("method", "rank", "alpha", "model_revision")  # fields of a spec in which both runs must agree


def check(start: Start, specs: Sequence[RunSpec], model: Checkpoint | None = None) -> None:
    """Refuse a run that cannot continue another although its spec says so.

    Args:
        start: the run to continue.
        specs: the runs that are planned.
        model: their base model, which older records may name by its weights alone.

    Raises:
        HarnessError: method, rank, alpha or base model differ.
    """
    equal = ("model_revision",) if model and model.matches(start.spec.model_revision) else ()
    pairs = [(spec, name) for spec in specs if spec.start for name in SAME if name not in equal]
    difference = next(((spec, name) for spec, name in pairs if getattr(spec, name) != getattr(start.spec, name)), None)
    if difference:
        spec, field = difference
        before, now = getattr(start.spec, field), getattr(spec, field)
        word = field.replace("_", " ")
        problem = f"cannot continue this run with another {word}: it was trained with {before}, you asked for {now}"
        flag, value = ("--model", start.spec.model) if field == "model_revision" else (f"--{field}", before)
        raise HarnessError(problem, where=f"{spoken(start.spec)} ({start.spec.id})", fix=f"{flag} {value}")


def require(start: Start) -> None:
    """Refuse to continue a run whose weights are not in its folder.

    Raises:
        HarnessError: the run saved neither an adapter nor a model.
    """
    if not any((start.folder / name).is_dir() for name in (records.ADAPTER, records.MODEL)):
        problem = f"cannot continue {spoken(start.spec)}: its folder holds no weights"
        fix = "name a run of an adapter, or one of `full` that was trained with --save-full"
        raise HarnessError(problem, where=str(start.folder), fix=fix)


def load(job: Job, method: Method) -> Any:
    """Return the model as its method loads it, with the weights of the run before if that was full fine-tuning.

    Raises:
        HarnessError: the run before saved no weights.
    """
    folder = job.model_folder
    if job.spec.start:
        if job.start is None:
            raise HarnessError("the run to start from is not named", where=job.spec.start, fix="run the command again")
        require(Start(job.spec, job.start))
        folder = folder if method.adapter else job.start / records.MODEL
    return method.load(str(folder), job.spec)


def adapt(model: Any, job: Job, method: Method) -> Any:
    """Return the model ready to train: its trainable weights marked, with the adapter of the run before if there is one.

    Raises:
        HarnessError: that adapter has other weights than this method trains.
    """
    model = method.adapt(model, job.spec)
    if not job.start or not job.spec.start or not method.adapter:
        return model
    return fill(model, method, job.start / records.ADAPTER, job.spec.device)


def fill(model: Any, method: Method, adapter: Path, device: str) -> Any:
    """Return the model from the method's `adapt` with the weights of a stored adapter; the adapter's config is not read.

    Raises:
        HarnessError: that adapter has other weights than this method trains.
    """
    from harness.methods.parts import own_adapter

    return own_adapter.fill(model, adapter) if method.save else _fill(model, adapter, device)


def _fill(model: Any, adapter: Path, device: str) -> Any:
    from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    saved = load_peft_weights(str(adapter), device=device)
    shapes = {name: weight.shape for name, weight in get_peft_model_state_dict(model).items()}
    if shapes != {name: weight.shape for name, weight in saved.items()}:
        fix = "delete that run's folder and train it again"
        raise HarnessError("the stored adapter has other weights than the run trains", where=str(adapter), fix=fix)
    set_peft_model_state_dict(model, saved)
    return model

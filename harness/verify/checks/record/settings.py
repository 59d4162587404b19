"""Checks that a run's settings fit its method, its task and its model.

A method without training has no setting of training; a method with a rank has one. The embedded model is known in
full, so its revision and its window are compared with its files.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Sequence

from harness.data import registry
from harness.metrics import thoughts
from harness.record import Record, RunSpec
from harness.schema import Method, Task
from harness.verify import embedded
from harness.verify.check import Check, check, check_equal
from harness.verify.checks.record.provenance import PINNED

SETTINGS = "settings fit the method"
GUESS = "description of guessing is the task's"
ROOM = "answer length is the task's"
EMBEDDED = "the embedded model's revision and window are its own"
TRAINING = (
    "learning_rate",
    "weight_decay",
    "warmup",
    "epochs",
    "batch_size",
    "micro_batch",
    "train_examples",
    "dropout",
)
WORDS = {"scoring": ("choices", "generate", "perplexity"), "dtype": ("bf16", "fp32"), "device": ("cpu", "cuda", "mps")}
LIMITS = {"max_tokens": 1, "max_new_tokens": 1, "test_examples": 1, "seed": 0, "task_version": 1, "rank": 0, "alpha": 0}
MOST_EPOCHS = 1e6
NEEDLESS = (
    *TRAINING,
    "rank",
    "alpha",
    "rounds",
    "clients",
    "tuned_over",
    "start",
    "joined",
    "checkpointing",
    "validations",
    "seed",
)
BY_CONFIG = re.compile(r"[a-z0-9_]+-[0-9a-f]{8}")  # the name of a method that a PEFT config describes


def run_checks(record: Record, task: Task) -> list[Check]:
    """Return the checks of a run's settings against its method, its task and the embedded model."""
    method = find(record.spec.method)
    known = _method_faults(record.spec, method) if method else _unknown(record.spec)
    faults = [*_value_faults(record.spec), *(_challenger_faults(record.spec) if record.spec.challenger else known)]
    checks = [check(SETTINGS, faults), check_equal(ROOM, record.spec.max_new_tokens, _room(record.spec, task))]
    if record.status == "ok":
        checks.append(check_equal(GUESS, record.guess, task.guess))
    return [*checks, *_embedded_checks(record.spec, method)]


def _room(spec: RunSpec, task: Task) -> int:
    return thoughts.room(task.max_new_tokens, spec.max_tokens, spec.template_args)


def publication_checks(records: Sequence[Record]) -> list[Check]:
    """Return the check that published answers are those of the test split; a trial answers the validation split."""
    specs = [record.spec for record in records if record.spec.split != "test"]
    return [check(SETTINGS, [f"{spec.task} {spec.id} answered the {spec.split} split" for spec in specs])]


@functools.cache
def find(name: str) -> Method | None:
    """Return the method of this name, None if it is not installed here."""
    entry = registry.methods().get(name)
    return entry.value if entry else None


def _unknown(spec: RunSpec) -> list[str]:
    """Return a fault if nothing here has a method's name, which is not that of a PEFT config either."""
    if BY_CONFIG.fullmatch(spec.method):
        return []
    return [f"no method here is called {spec.method!r}; install the package that brings it"]


def _value_faults(spec: RunSpec) -> list[str]:
    """Return a fault for each setting with a value that no run has."""
    faults = [f"{name} is {getattr(spec, name)!r}" for name, words in WORDS.items() if getattr(spec, name) not in words]
    faults += [
        f"{name} is {getattr(spec, name)}, below {low}"
        for name, low in LIMITS.items()
        if getattr(spec, name) < (0 if spec.challenger and name == "max_tokens" else low)
    ]
    numbers = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    faults += [
        f"{name} is {value}" for name, value in numbers.items() if isinstance(value, float) and not math.isfinite(value)
    ]
    faults += [f"{spec.epochs:g} epochs"] if spec.epochs > MOST_EPOCHS else []
    if spec.server and not spec.challenger:
        faults.append(f"{spec.method} has facts of a server, and its model is here")
    if spec.tuned_over and spec.learning_rate not in spec.tuned_over:
        faults.append(f"the rate {spec.learning_rate:g} is none of those that were compared")
    return faults


def _method_faults(spec: RunSpec, method: Method) -> list[str]:
    if not method.trains:
        needless = [name for name in NEEDLESS[:-1] if getattr(spec, name)]
        return [f"{method.name} does not train and has {name} {getattr(spec, name)}" for name in needless]
    faults = [f"{name} is {value:g}" for name in TRAINING if (value := getattr(spec, name)) < 0]
    faults += [f"{name} is 0" for name in ("learning_rate", "epochs", "batch_size", "micro_batch", "train_examples")
               if not getattr(spec, name)]  # fmt: skip
    faults += [f"{name} is {value:g}" for name in ("warmup", "dropout") if (value := getattr(spec, name)) >= 1]
    if spec.micro_batch > spec.batch_size:
        faults.append(f"{spec.micro_batch} examples at once are more than the {spec.batch_size} of a step")
    for name, needed in (("rank", method.ranked), ("alpha", method.ranked), ("rounds", bool(method.rounds))):
        if bool(getattr(spec, name)) != needed:
            faults.append(f"{method.name} has {name} {getattr(spec, name):g}")
    if bool(spec.clients) != bool(spec.rounds) or bool(spec.clients_by) != bool(spec.rounds):
        faults.append(f"{spec.clients} clients by {spec.clients_by or 'nothing'} in {spec.rounds} rounds")
    if spec.dropout and not method.dropout:
        faults.append(f"{method.name} has dropout {spec.dropout:g}")
    return faults


def _challenger_faults(spec: RunSpec) -> list[str]:
    """Return a fault for each setting of training or of a model that a challenger does not have."""
    entry = registry.challengers().get(spec.method)
    challenger = entry.value if entry else None
    faults = [f"a challenger has {name} {getattr(spec, name)}" for name in (*NEEDLESS, "probes") if getattr(spec, name)]
    if challenger is not None and challenger.remote != bool(spec.server):
        faults.append(f"{spec.method} with {len(spec.server)} facts of a server")
    if find(spec.method) is not None:
        faults.append(f"{spec.method} is a method, no challenger")
    if challenger is not None and challenger.version != spec.challenger:
        faults.append(f"version {spec.challenger} of {spec.method}, here is version {challenger.version}")
    if (
        challenger is not None
        and not challenger.embeds
        and (spec.device, spec.dtype, spec.max_tokens) != ("cpu", "fp32", 0)
    ):
        faults.append(f"{spec.method} on {spec.device} in {spec.dtype} with {spec.max_tokens} tokens: it has no model")
    return faults


def _embedded_checks(spec: RunSpec, method: Method | None) -> list[Check]:
    if spec.model != embedded.NAME:
        return []
    faults = []
    if PINNED.fullmatch(spec.model_revision) and spec.model_revision != embedded.revision():
        faults.append(f"revision {spec.model_revision}, the embedded model's is {embedded.revision()}")
    if spec.remote_code:
        faults.append("remote_code is true, and the embedded model has no code of its own")
    room = embedded.window() - (method.window_tokens if method else 0)
    if spec.max_tokens > room:
        faults.append(f"inputs of {spec.max_tokens} tokens, the window has {room}")
    return [check(EMBEDDED, faults)]

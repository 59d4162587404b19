"""What runs leave, as frozen dataclasses: the spec of a run, its answers, scores, cost, environment and record. No logic.

Everything a reader sees is computed from records and answers. `schema` holds what authors write.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

SCHEMA_VERSION = 2  # of a record. Since 2 its answers are compressed (see `store.answer_files`); fields as in 1
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Status = Literal["ok", "oom", "failed", "interrupted"]
Scoring = Literal["choices", "generate", "perplexity"]
GROUP, HASH = "group", "hash"  # values of `RunSpec.clients_by`: each group is a client; groups are dealt by their hash


@dataclass(frozen=True)
class Phase:
    """Cost of one phase (load, train, evaluate, probe), each measured from its own reset.

    `peak_bytes` is what the method comparison uses: live tensor bytes on the CPU, allocated bytes on CUDA.
    `reserved_bytes` is CUDA's, `resident_bytes` the process's own; `seconds` excludes the measured step's overhead.
    """

    seconds: float
    peak_bytes: int
    resident_bytes: int
    reserved_bytes: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Parts:
    """The training peak by part, in bytes; the parts add up to `peak_bytes` of the train phase."""

    frozen_weights: int
    trained_weights: int
    gradients: int
    optimizer_state: int
    activations_and_rest: int


@dataclass(frozen=True)
class Cost:
    """What a run cost. Weights are counts of numbers, `*_bytes` bytes, times seconds."""

    phases: Mapping[str, Phase]
    parts: Parts | None
    predicted_peak_bytes: int
    weights: int
    trained_weights: int
    weights_bytes: int
    adapter_bytes: int
    train_tokens: int
    train_tokens_per_second: float


@dataclass(frozen=True)
class Environment:
    """The machine and the software. `machine` names what memory and time may be compared within.

    `driver` is the version of CUDA's driver (empty on the CPU), `allocator` what hands out memory and how it is set.
    """

    python: str
    platform: str
    machine: str
    device_name: str
    threads: int
    memory_bytes: int
    packages: Mapping[str, str]
    commit: str
    driver: str = ""
    allocator: str = ""


@dataclass(frozen=True)
class Answer:
    """What a model said to one example: the evidence that every score is recomputed from.

    `text` is the raw output (for choices: the option picked). `parsed` is what the task's parser made of it, None where
    it could make nothing. `loglik` holds the log-likelihood in nats of each option, in the order of `choices`; where
    the answer was written, of all of what was written, its end included, as one number; where the text itself is scored
    ("perplexity"), of each token of the target, in order, and `text` and `parsed` are empty. `cut_tokens` is how many
    tokens of the context, or of examples shown before it, did not fit into the model's window. `amount` is the
    example's.
    """

    id: str
    group: str
    target: str
    text: str
    parsed: str | None
    choices: tuple[str, ...] = ()
    loglik: tuple[float, ...] = ()
    slices: Mapping[str, str] = field(default_factory=dict)
    cut_tokens: int = 0
    amount: float = 0.0


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a result, flat and fully resolved before anything runs. `id` names it.

    `batch_size` is examples per optimizer step; `micro_batch` how many of them go through the model at once (memory,
    not results). `rank`, `alpha` and `dropout` are 0 where the method has none. `train_examples` and `test_examples`
    are the numbers used. `data` is the fingerprint of the examples and their rendered prompts.

    `split` is what is answered: `validation` for a trial of `--tune`, which no table shows. `tuned_over` are the rates
    of which `learning_rate` was best there; empty without a search. `checkpointing` says that activations are computed
    again in the backward pass (memory and time, not results). `remote_code` says that Python code which came with the
    model was run, as the user asked for by name. `probes` are tasks that the model is asked as well, as
    `name@fingerprint`; no other answer depends on them. `rounds`, `clients` and `clients_by` (what says whose an
    example is) are of federated training. `start` is the id of the run whose weights training starts from, empty for
    the base model. `joined` are tasks, named alike, whose training examples are mixed in and counted apart.
    """

    task: str
    task_version: int
    data: str
    scoring: Scoring
    model: str
    model_revision: str
    method: str
    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    weight_decay: float
    warmup: float
    epochs: float
    batch_size: int
    micro_batch: int
    max_tokens: int
    max_new_tokens: int
    train_examples: int
    test_examples: int
    seed: int
    dtype: Literal["bf16", "fp32"]
    device: Literal["cpu", "cuda"]
    split: Split = "test"
    tuned_over: tuple[float, ...] = ()
    checkpointing: bool = False
    remote_code: bool = False
    probes: tuple[str, ...] = ()
    rounds: int = 0
    clients: int = 0
    clients_by: str = ""
    start: str = ""
    joined: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """The first ten hex digits of the SHA-256 of the spec's canonical JSON."""
        text = json.dumps(self.fields(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def fields(self) -> dict[str, Any]:
        """What is hashed and stored; what came later, with a default, only where it has another value: old ids stay."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {field.name: value for field, value in values if value != field.default}

    @property
    def name(self) -> str:
        """The words of a run, e.g. `lora-r8`; `base` and `full` have no rank."""
        return f"{self.method}-r{self.rank}" if self.rank else self.method


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval, clustered by group. `n` answers in `groups` groups; fractions, not percent."""

    value: float
    low: float
    high: float
    n: int
    groups: int
    unit: str = "share"
    higher_is_better: bool = True


@dataclass(frozen=True)
class ProbeResult:
    """What a run's model scored on a task that it was only asked, in the words of a `Record`.

    `limit` is how many of that task's test questions were asked at most, 0 for all: with it they are found again. None in
    records from before it was kept, and for a probe that asks what the run's own test asks.
    """

    data: str
    scoring: Scoring
    scores: Mapping[str, Score]
    parse_rate: float
    chance: float | None
    answers_sha256: str
    cut_examples: int
    limit: int | None = None


@dataclass(frozen=True)
class Record:
    """One finished run. `reason` says why a run is not ok; `guess` says in words what scores `chance`."""

    spec: RunSpec
    status: Status
    scores: Mapping[str, Score]
    parse_rate: float
    chance: float | None
    cost: Cost | None
    environment: Environment
    reason: str = ""
    answers_sha256: str = ""
    final_loss: float | None = None
    cut_examples: int = 0
    guess: str = "guessing"
    started: str = ""
    seconds: float = 0.0
    schema: int = SCHEMA_VERSION
    probes: Mapping[str, ProbeResult] = field(default_factory=dict)

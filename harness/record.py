"""The dataclasses of a run: its spec, answers, scores, cost, environment and record. No logic.

All tables, figures and pages are computed from records and answers. `schema` has the dataclasses for authors.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from harness.record_parts import Checkpoints as Checkpoints
from harness.record_parts import Placement as Placement
from harness.record_parts import Selection as Selection
from harness.record_parts import Usage as Usage

# Since version 2 answers are compressed (`store.answer_files`). Since 3 `Answer.end_loglik` is apart from `loglik`.
SCHEMA_VERSION = 3
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Status = Literal["ok", "oom", "failed", "interrupted"]
Scoring = Literal["choices", "generate", "perplexity"]
Device = Literal["cpu", "cuda", "mps"]
# Values of `RunSpec.clients_by`: each group is a client; groups are divided by their hash.
GROUP, HASH = "group", "hash"
LATER = {"later": True}  # of a field: written only if it differs from its default


@dataclass(frozen=True)
class Phase:
    """The cost of one phase (load, train, fit, evaluate, probe), with peaks measured from a reset at its start.

    Methods are compared by `peak_bytes`: live tensor bytes on the CPU, allocated bytes on CUDA. `reserved_bytes` are those of
    CUDA's allocator, `resident_bytes` those of the process; `seconds` excludes the overhead of counting bytes in one step.
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
    """The cost of a run. Weights are counts, `*_bytes` are bytes, and times are seconds.

    `packed_weights` are those stored in 4 or 8 bits, and `idle_weights` those that text never reaches (a vision tower); both
    are 0 in older records. `process_peaks` are the training peaks of all processes of a run over several.
    """

    phases: Mapping[str, Phase]
    parts: Parts | None
    predicted_peak_bytes: int
    weights: int
    trained_weights: int
    weights_bytes: int
    adapter_bytes: int
    train_tokens: int
    train_tokens_per_second: float
    packed_weights: int = field(default=0, metadata=LATER)
    idle_weights: int = field(default=0, metadata=LATER)
    process_peaks: tuple[int, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True)
class Environment:
    """The machine and the software. Memory and time are comparable only between runs with the same `machine`.

    `driver` is CUDA's version, `allocator` the memory allocator with its settings; `backend` connects a run's processes.
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
    backend: str = field(default="", metadata=LATER)


@dataclass(frozen=True)
class Answer:
    """A model's answer to one example, from which every score can be recomputed.

    `text` is the raw output (for choices: the likeliest option), `parsed` the parser's result. `loglik` depends on the
    scoring and is in nats. For choices it is that of each option's own tokens, in the order of `choices`; `end_loglik` is
    that of the end token behind each option. For generation it is one number, that of the generated text with its end token.
    For perplexity it is that of each token of the target, in order, and `text` and `parsed` are empty. `prior` is the
    log-likelihood of each option behind a prompt without content, for methods that calibrate by it (see
    `Method.calibration`). `option_lengths` are the characters of each option, if `choices` stand in for withheld texts, and
    for perplexity the bytes of the target, if that is withheld. `cut_tokens` counts tokens of context and examples shown
    that did not fit into the window; `amount` is the example's.
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
    end_loglik: tuple[float, ...] = ()
    prior: tuple[float, ...] = ()
    option_lengths: tuple[int, ...] = ()


@dataclass(frozen=True)
class RunSpec:
    """All settings that decide a result, flat and fully resolved before the run. `id` identifies them.

    `batch_size` is the number of examples per optimizer step, `micro_batch` how many of them go through the model at once;
    the latter affects memory, not results. `rank`, `alpha` and `dropout` are 0 for methods without them. `train_examples`
    and `test_examples` are the numbers used. `data` is the fingerprint of the examples and their rendered prompts.

    `split` is the split to answer: `validation` for a trial of `--tune`, which no table shows. `tuned_over` are the rates of
    the search, of which `learning_rate` was best; empty without a search. `checkpointing` is True if activations are computed
    again in the backward pass; this affects memory and time, not results. `remote_code` is True if Python code of the model
    was run, as allowed by the user's flag. `probes` are further tasks for the trained model, as `name@fingerprint`; no other
    answer depends on them. `rounds`, `clients` and `clients_by` are for federated training; `clients_by` names the clients'
    slice (or `GROUP` or `HASH`). `start` is the id of the run from whose weights training starts, empty for the base model.
    `joined` are tasks, as `name@fingerprint`, whose training examples are mixed in; `train_examples` does not count them.
    `template_args` are the variables of the model's chat template as `name=value`, `template_date` is the date that it
    prints; both are empty for templates without. `model_format` describes the GGUF file that the model was converted from.
    `base_bits` are the bits of a folder's quantised weights, 0 for plain ones. `challenger` is 0 for methods, else the
    version of the challenger that `method` names, which fits on the training examples without a language model;
    `train_examples` and all settings of training are 0 then. `validations` is how often the validation loss is measured, to
    test the weights of the lowest. `shards` are the processes over which the model is divided. `server` are the facts of the
    server that a challenger asks, as `name=value`: host, model, form of requests, version and the day of the first answer;
    see `harness.endpoint.forms.ServerFacts`. `engine` is the other program that answered.
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
    device: Device
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
    template_args: tuple[str, ...] = ()
    template_date: str = ""
    model_format: str = ""
    base_bits: int = 0
    challenger: int = 0
    server: tuple[str, ...] = ()
    validations: int = 0
    engine: str = ""
    shards: int = 1

    @cached_property
    def id(self) -> str:
        """Return the first ten hex digits of the SHA-256 of the spec's canonical JSON."""
        text = json.dumps(self.fields(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def fields(self) -> dict[str, Any]:
        """Return the fields to hash and store; those with a default only if they differ from it, which preserves old ids."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {field.name: value for field, value in values if value != field.default}

    @property
    def serving(self) -> tuple[str, ...]:
        """Return what decides answers beside the weights: settings of the chat template, another engine with its version."""
        date = [f"date {self.template_date}"] * bool(self.template_date)
        return (*self.template_args, *date, *[self.engine] * bool(self.engine))

    @property
    def name(self) -> str:
        """Return the run's method and rank, such as `lora-r8`; `base` and `full` have no rank."""
        return f"{self.method}-r{self.rank}" if self.rank else self.method


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval, clustered by group. `n` answers in `groups` groups; fractions, not percent.

    If the answers are too few for an interval, it is -infinity to infinity, and `shortage` says what is missing.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int
    unit: str = "share"
    higher_is_better: bool = True
    shortage: str = ""


@dataclass(frozen=True)
class ProbeResult:
    """The scores of a run's model on a probe, a task without training; fields as in `Record`.

    `limit` is the maximum number of the task's test questions, 0 for all; the same questions can be selected by it again. It
    is None in records of older versions, and for a probe with the same questions as the run's own test.
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
class DataFile:
    """The data file of a task without code and the settings of its reading, see `TaskSource`; `columns` are texts `old=new`.

    `path` is relative to the results folder. `further` are the files of other splits, such as `test=../new.csv`.
    """

    path: str
    sha256: str
    labels: tuple[str, ...] = field(default=(), metadata=LATER)
    relabel: tuple[str, ...] = field(default=(), metadata=LATER)
    decimal_comma: bool = field(default=False, metadata=LATER)
    columns: tuple[str, ...] = field(default=(), metadata=LATER)
    drop_bad: bool = field(default=False, metadata=LATER)
    instruction: str = field(default="", metadata=LATER)
    encoding: str = field(default="", metadata=LATER)
    further: tuple[str, ...] = field(default=(), metadata=LATER)
    further_sha256: tuple[str, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True)
class Record:
    """A finished run. `reason` explains a status other than ok; `guess` describes the guessing that scores `chance`.

    `adapter_sha256` is that of the trained weights, `steps_sha256` that of the logged steps (see `store.training_files`).
    Both are empty for runs that stored none, and in records of older versions. `validation` is the result of an untrained
    row on validation questions; by it the base model at its best is selected. `data_file` is that of a task without code,
    `usage` that of a run that asked a server.
    `targets` are the modules that an adapter changes. `neighbours` is how many other runs of the same command ran
    beside the training, on average, and `load` the system's load average for each core at its end; None if unknown.
    `checkpoints` are those written in the training, None if none was. `selection` is the choice of weights by validation loss.
    `placement` is the card or the node that the run was given; None without `--devices` and cluster.
    """

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
    adapter_sha256: str = ""
    steps_sha256: str = ""
    validation: ProbeResult | None = None
    data_file: DataFile | None = field(default=None, metadata=LATER)
    usage: Usage | None = field(default=None, metadata=LATER)
    targets: tuple[str, ...] = field(default=(), metadata=LATER)
    neighbours: float | None = field(default=None, metadata=LATER)
    load: float | None = field(default=None, metadata=LATER)
    checkpoints: Checkpoints | None = field(default=None, metadata=LATER)
    selection: Selection | None = field(default=None, metadata=LATER)
    placement: Placement | None = field(default=None, metadata=LATER)

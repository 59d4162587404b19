"""Every noun of the harness, as a frozen dataclass. No logic, no third-party import: read this first.

A `Task` yields `Example`s. A `Method` says what trains. One run of the two, fixed by a `RunSpec`, ends as a
`Record` with its `Answer`s. Everything a reader sees is computed from records and answers. What was measured on the
machine (`Cost`, `Environment`) is in `measured` and is named here too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from harness.measured import Cost as Cost
from harness.measured import Environment as Environment
from harness.measured import Parts as Parts
from harness.measured import Phase as Phase

SCHEMA_VERSION = 1
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Status = Literal["ok", "oom", "failed", "interrupted"]
Scoring = Literal["choices", "generate", "perplexity"]
Gold = Literal["source", "audited"]


@dataclass(frozen=True)
class Example:
    """One question with its gold answer.

    `group` is the filing, vignette or claim file that several questions share: splits never cut a group in two and
    errors are clustered on it. Empty means that the example is its own group. `context` is what the question is about;
    when an input is too long for the model, only `context` is shortened. `slices` are the breakdowns to report,.
    `amount` is the money at stake, in the task's currency (a claim's amount), for metrics that count money; the model
    does not see it.
    """

    id: str
    question: str
    target: str
    choices: tuple[str, ...] = ()
    group: str = ""
    context: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    amount: float = 0.0


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
class Source:
    """Where a task's data comes from, pinned.

    `uri` is a folder relative to the tasks folder for data that the project ships, `hf:owner/name` for a hub data set,
    `github:owner/name` for files of a repository, `own:name` for files that only the user may have, or an absolute
    path. `sha256` is `harness.data.loading.hash_folder` of the shipped folder, empty where unpinned. `files` are the paths of
    what is read of a published data set, on the hub with `*` and `**`: nothing else is fetched at `revision` (empty:
    all of a hub data set), and a folder that holds one of them, or its name alone where it has no `*`, is taken for a
    copy. `folder` is what the copy is called below `--data DIR` (empty: the last part of the uri).
    """

    uri: str
    revision: str = ""
    sha256: str = ""
    license: str = ""
    redistributable: bool = True
    citation: str = ""
    files: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True)
class Metric:
    """How answers become a number.

    `score` gives the value of one answer (1.0 right, 0.0 wrong or unparsed, or an amount of money). `combine` gives the
    value of a whole set and is used instead of the mean of `score` where that is not what the metric means (macro-F1);
    its interval is then a bootstrap over groups. `unit` is "share", one such as "USD per claim", or empty. `classes`
    maps target and parsed text to the classes whose confusion the tables show. `ready` raises a HarnessError where it
    cannot be computed here, before anything trains.
    """

    name: str
    title: str
    score: Callable[[Answer], float]
    higher_is_better: bool = True
    combine: Callable[[Sequence[Answer]], float] | None = None
    unit: str = "share"
    classes: Callable[[str], str] | None = None
    ready: Callable[[], None] | None = None


@dataclass(frozen=True)
class Task:
    """A file that yields examples.

    `load(folder, split)` reads one split. `prompt(example)` renders the input, the same for training and testing, and
    ends where the answer begins (no trailing blank). `parse(text, example)` turns an output into the form that metrics
    compare, None where it is not an answer. The first metric is the headline. `scoring` is "choices" where the options
    are compared by log-likelihood, "generate" where the model writes, and "perplexity" where the target is a text that
    is read on behind the prompt, token by token, and nothing is answered. `chance(examples)` is what guessing scores on
    the first metric (see `score.chance` for tasks that do not say), and `guess` says in words what guessing is here.
    `audit` is a CSV file that says which gold answers of the source are wrong (see `harness.data.audit`), and `gold` whether
    they are corrected. `splits` are those that there are: a task with a test alone is there to be asked, as a probe,
    and nothing trains on it.
    """

    name: str
    version: int
    title: str
    source: Source
    load: Callable[[Path, Split], Iterable[Example]]
    prompt: Callable[[Example], str]
    metrics: tuple[Metric, ...]
    scoring: Scoring = "choices"
    parse: Callable[[str, Example], str | None] | None = None
    chance: Callable[[Sequence[Example]], float] | None = None
    guess: str = "guessing"
    max_new_tokens: int = 48
    epochs: float = 3.0
    group_name: str = "group"
    audit: Path | None = None
    gold: Gold = "source"
    splits: tuple[Split, ...] = SPLITS


@dataclass(frozen=True)
class Method:
    """A file that says what trains.

    `load(folder_or_id, spec)` returns the model with frozen weights as this method keeps them; `adapt(model, spec)`
    returns the model with what trains marked by `requires_grad`. `learning_rate(hidden_size)` is the default rate,
    `alpha(rank, hidden_size)` the default alpha where a rank applies, None for the usual one. `trains` is False for the
    base row. `ranked` says whether a rank applies. `adapter` says whether the result is a PEFT adapter. `requires`
    lists further packages. `rate_factor(name)` is what the learning rate of the weight of that name is multiplied by,
    None where all are alike. `window_tokens` are the tokens of the model's window that the method takes for itself.
    `shots` are the train examples that it shows in each prompt. `save(model, folder, spec)` writes an adapter that is
    not PEFT's, as `adapter_model.safetensors` with its config; `restore(model, folder)` puts it back on a model that
    `load` returned. `optimizer(groups, learning_rate, betas)` makes an optimizer of the method's own over groups of
    weights, None where it is the AdamW of all. `rounds` is how often clients that keep their examples have their
    adapters averaged, unless asked otherwise; 0: all examples in one place.
    """

    name: str
    title: str
    load: Callable[[str, RunSpec], Any]
    adapt: Callable[[Any, RunSpec], Any]
    learning_rate: Callable[[int], float]
    alpha: Callable[[int, int], float] | None = None
    trains: bool = True
    ranked: bool = False
    adapter: bool = False
    requires: tuple[str, ...] = ()
    frozen_bits: float = 16.0
    rate_factor: Callable[[str], float] | None = None
    window_tokens: int = 0
    shots: int = 0
    save: Callable[[Any, Path, RunSpec], None] | None = None
    restore: Callable[[Any, Path], Any] | None = None
    optimizer: Callable[[Sequence[dict[str, Any]], float, tuple[float, float]], Any] | None = None
    rounds: int = 0


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
class Probe:
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
    probes: Mapping[str, Probe] = field(default_factory=dict)

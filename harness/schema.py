"""The dataclasses for authors: examples, sources, metrics, tasks, methods and challengers. No logic: read this first.

A `Task` yields `Example`s. A `Method` decides which weights train. A `Challenger` answers without a language
model. A `RunSpec` defines one run of a task and a method, and the run's result is a `Record` with its `Answer`s; these are
in `harness.record`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.record import SPLITS, Answer, RunSpec, Scoring, Split

Gold = Literal["source", "audited"]
Calibration = Literal["", "content-free", "domain"]


@dataclass(frozen=True)
class Example:
    """One question with its gold answer.

    `group` is the filing, vignette or claim file that several questions share: splits never divide a group, and errors are
    clustered by it. If it is empty, the example is its own group. `context` is the text that the question is about; if an
    input is too long for the model, only `context` is shortened. `slices` are the breakdowns to report, as {name: value}.
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
class Source:
    """The source of a task's data, pinned to a revision or a hash.

    `uri` is one of these: a folder relative to the tasks folder, for data of the project; `hf:owner/name`, a hub data set;
    `github:owner/name`, files of a repository; `own:name`, files that only the user may have; or an absolute path.
    `sha256` is `harness.data.loading.hash_folder` of the project's folder, empty if not pinned.
    `files` are the paths to read from a published data set; on the hub they may contain `*` and `**`. Nothing else is
    fetched at `revision`; an empty `files` means all of a hub data set. A local folder counts as a copy of the data set if
    it has one of these files; the file's name alone is enough for a path without `*`.
    `folder` is the name of the copy below `--data DIR`; if empty, the last part of the uri.
    `copies` are further paths by which a local folder counts as a copy, in another form of the data set; never fetched.
    """

    uri: str
    revision: str = ""
    sha256: str = ""
    license: str = ""
    redistributable: bool = True
    citation: str = ""
    files: tuple[str, ...] = ()
    folder: str = ""
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A function from answers to a number.

    `score` gives the value of one answer (1.0 right, 0.0 wrong or unparsed, or an amount of money). `combine` gives the value
    of a set of answers, for metrics that are not the mean of `score` (macro-F1); their interval is a bootstrap over groups.
    `unit` is "share", a unit such as "USD per claim", or empty. `classes` maps target and parsed text to the classes of the
    confusion table. `pick(answer)` is the position of the option that counts as the answer, for metrics that compare options
    by log-likelihood; None is the likeliest. `ready` raises a HarnessError before training if the metric cannot be computed on this machine.
    """

    name: str
    title: str
    score: Callable[[Answer], float]
    higher_is_better: bool = True
    combine: Callable[[Sequence[Answer]], float] | None = None
    unit: str = "share"
    classes: Callable[[str], str] | None = None
    ready: Callable[[], None] | None = None
    pick: Callable[[Answer], int] | None = None


@dataclass(frozen=True)
class Task:
    """A file that yields examples.

    `load(folder, split)` reads one split. `prompt(example)` renders the input, the same for training and testing; the answer
    follows directly (no trailing blank). `parse(text, example)` turns an output into the form that metrics compare, or None
    if it is not an answer. The first metric is the headline.
    `scoring` is "choices" if the options are compared by log-likelihood, "generate" if the model writes its answer, and
    "perplexity" if the model reads the target behind the prompt, token by token, without answering.
    `chance(examples)` is the score of guessing on the first metric (for tasks without it see `metrics.scoring.chance`), and
    `guess` describes that guessing in words.
    `epochs` and `batch_size` (examples per optimizer step) are those of its runs unless flags say otherwise.
    `audit` is a CSV file that lists the wrong gold answers of the source (see `harness.data.audit`), and `gold` is "audited"
    if they are corrected. `splits` lists the available splits. A task with only a test split can be evaluated or used as a
    probe, but not trained on. `suites` are names for several tasks at once (`--task finlora`); `list` groups by the first.
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
    batch_size: int = 16
    group_name: str = "group"
    audit: Path | None = None
    gold: Gold = "source"
    splits: tuple[Split, ...] = SPLITS
    suites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """A file that decides which weights train.

    `load(folder_or_id, spec)` returns the model with frozen weights in the method's precision; `adapt(model, spec)` returns
    the model with `requires_grad` set on the weights to train. `learning_rate(hidden_size)` is the default rate, and
    `alpha(rank, hidden_size)` the default alpha for methods with a rank; None is the usual one. `trains` is False for the
    base row. `ranked` is True if the method has a rank, `adapter` if its result is a PEFT adapter. `frozen_bits` are the bits
    of a frozen weight, `trained_bits` those of a trained one under `--dtype bf16`. `requires` lists further packages.
    `rate_factor(name)` multiplies the learning rate of the weight of that name; None if all weights have the same rate.
    `window_tokens` are the tokens of the model's window that the method itself uses. `shots` is the number of train
    examples in each prompt. `calibration` is the correction of options for what a model prefers before it has read the
    question; see `harness.model.calibrate`.
    `save(model, folder, spec)` writes an adapter in another format than PEFT's, as `adapter_model.safetensors` with its
    config; `restore(model, folder)` loads it into a model from `load`. `optimizer(groups, learning_rate, betas)` returns the
    method's own optimizer over groups of weights; None for the usual AdamW. `rounds` is the default number of rounds in which
    clients' adapters are averaged; 0 for methods that train on all examples in one place. `dropout` is True if LoRA's dropout
    applies. `penalty(model)` is a term of the loss beside the targets', and `after_step(model, step, steps)` is called after
    each optimizer step, counted from 1, while the gradients are there; None for methods that need neither.
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
    trained_bits: int = 32
    rate_factor: Callable[[str], float] | None = None
    window_tokens: int = 0
    shots: int = 0
    calibration: Calibration = ""
    save: Callable[[Any, Path, RunSpec], None] | None = None
    restore: Callable[[Any, Path], Any] | None = None
    optimizer: Callable[[Sequence[dict[str, Any]], float, tuple[float, float]], Any] | None = None
    rounds: int = 0
    dropout: bool = False
    penalty: Callable[[Any], Any] | None = None
    after_step: Callable[[Any, int, int], None] | None = None


@dataclass(frozen=True)
class Challenger:
    """A way to answer a task without a language model, which a trained model has to beat.

    `fit(examples, task, seed)` learns from training examples and returns anything that `answer` needs.
    `answer(fitted, examples)` returns one result for each example: a number for each option in the order of its `choices`,
    higher for the likelier one, or a text. It must not read `target`. `applies(task, examples)` returns the reason if the
    challenger does not apply to a task with these training examples, otherwise an empty string; None if it applies to all.
    `version` is raised whenever the answers change: it is part of a run's id. `embeds` is True if `fit` has a fourth
    argument `embed(texts)`, which returns the mean hidden state of the frozen base model for each text, as rows. `remote` is
    True if it is instead a `harness.endpoint.connection.Respondent`: a model behind the address of `--endpoint`, which needs no
    training examples and whose answers nobody can compute again.
    """

    name: str
    title: str
    fit: Callable[..., Any]
    answer: Callable[[Any, Sequence[Example]], Sequence[str | Sequence[float]]]
    applies: Callable[[Task, Sequence[Example]], str] | None = None
    version: int = 1
    embeds: bool = False
    remote: bool = False

"""What authors write, as frozen dataclasses: examples, sources, metrics, tasks and methods. No logic: read this first.

A `Task` yields `Example`s. A `Method` says what trains. One run of the two is fixed by a `RunSpec` and ends as a `Record`
with its `Answer`s; these are in `harness.record`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.record import SPLITS, Answer, RunSpec, Scoring, Split

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

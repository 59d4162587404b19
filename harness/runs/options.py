"""The options of a run, and readers of command-line texts, with errors that give the right command."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.data.probes import MAX_QUESTIONS
from harness.data.source import TaskSource
from harness.errors import HarnessError, did_you_mean
from harness.record import RunSpec, Scoring
from harness.schema import Gold
from harness.store import records

METHODS = ("base", "lora", "qlora", "full")
RANKS = (2, 8, 32)
MOST_SEEDS = 30  # more than anybody means: 42 is then the name of one seed
EXAMPLES = {
    "--rank": "2,8,32",
    "--seeds": "3 or --seeds 0,1,2",
    "--epochs": "3",
    "--batch-size": "16",
    "--micro-batch": "4",
    "--learning-rate": "0.001",
    "--alpha": "32",
    "--tune": "3",
    "--rounds": "10",
    "--train-examples": "500",
    "--test-examples": "200",
    "--max-tokens": "1024",
    "--jobs": "2",
    "--price": "2.50",
    "--share-of-peak": "0.4",
    "--scale": "0,0.25,0.5,0.75,1",
    "--epsilon": "0.5",
    "--k": "10",
    "--max-adapters": "16",
    "--max-queue": "256",
    "--max-batch": "32",
}


@dataclass(frozen=True)
class Start:
    """A run to be continued: its spec and its folder, which may still be missing while planning."""

    spec: RunSpec
    folder: Path


@dataclass(frozen=True)
class Options:
    """The flags of a run. None and empty mean: the default of the task, the method or the machine.

    Attributes:
        tasks: names or data files.
        methods: names, or PEFT configs.
        ranks: of methods with a rank.
        seeds: one run of each method and rank for each.
        model: a folder, a hub id or a short name.
        results: the folder of records and tables.
        data: the folder of data that the project does not ship.
        tasks_dirs: further folders of task files.
        labels, relabel, gold: see `TaskSource`.
        scoring: "both" scores the base model in either way, the others in the task's.
        tune: the number of learning rates tried for each method and rank; 0 for none.
        train_examples, test_examples: at most so many; 0 is all.
        jobs: runs at a time; 0 for the fastest number.
        memory: False for `--no-memory`: planning needs no torch.
        imagined: the plan is for a device of another machine.
        remote_code: the model's own Python code may run.
        probes: tasks to ask as well, see `probes`.
        probe_limit: at most so many questions of each probe; 0 is all.
        rounds, clients_by: of federated methods, see `clients`.
        start: the run that this one continues.
        joined: tasks whose training examples are mixed in.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...] = METHODS
    ranks: tuple[int, ...] = RANKS
    seeds: tuple[int, ...] = (0,)
    model: str = "tiny"
    results: Path = records.DEFAULT_ROOT
    data: Path | None = None
    tasks_dirs: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    relabel: tuple[tuple[str, str], ...] = ()
    gold: Gold = "source"
    scoring: Scoring | Literal["both"] | None = None
    epochs: float | None = None
    batch_size: int | None = None
    micro_batch: int | None = None
    learning_rate: float | None = None
    tune: int = 0
    alpha: float | None = None
    max_tokens: int | None = None
    train_examples: int = 0
    test_examples: int = 0
    dtype: Literal["bf16", "fp32"] | None = None
    device: Literal["cpu", "cuda"] | None = None
    jobs: int = 0
    memory: bool = True
    save_full: bool = False
    checkpointing: bool = False
    imagined: bool = False
    remote_code: bool = False
    probes: tuple[str, ...] = ()
    rounds: int | None = None
    clients_by: str = ""
    probe_limit: int = MAX_QUESTIONS
    start: Start | None = None
    joined: tuple[str, ...] = ()

    def source(self, name: str) -> TaskSource:
        """Return how the examples of one of these tasks are obtained."""
        return TaskSource(
            name=name,
            tasks_dirs=self.tasks_dirs,
            data_dir=self.data,
            labels=self.labels,
            relabel=self.relabel,
            gold=self.gold,
            train_limit=self.train_examples,
            test_limit=self.test_examples,
        )


def words(texts: Iterable[str] | None, flag: str) -> tuple[str, ...]:
    """Split repeated and comma-separated values: `--task a --task b,c` is a, b, c; each once, in order."""
    parts = [part.strip() for text in texts or () for part in text.split(",")]
    values = tuple(dict.fromkeys(part for part in parts if part))
    if texts is not None and not values:
        raise HarnessError(f"{flag} has no value", where=flag, fix=f"{flag} a,b,c")
    return values


def ranks(text: str) -> tuple[int, ...]:
    """Read `--rank 4,16,64`; the upper bound, the layer's size, is checked where the model is known."""
    values = _integers(text, "--rank")
    if low := [value for value in values if value < 1]:
        raise HarnessError(
            f"rank {low[0]} is below 1", where=f"--rank {text}", fix="a rank is 1 or more, for example --rank 2,8,32"
        )
    return values


def seeds(text: str) -> tuple[int, ...]:
    """Read `--seeds`: one number is how many (3 is 0, 1, 2), a list names them (`0,1,2`, or `7,` for one)."""
    values = _integers(text, "--seeds")
    if "," not in text:
        (number,) = values
        if number < 1:
            raise HarnessError(f"--seeds {number} leaves nothing to run", where="--seeds", fix="--seeds 3")
        if number > MOST_SEEDS:
            fix = f"for the one seed {number}: --seeds {number},"
            raise HarnessError(f"--seeds {number} means {number} seeds, 0 to {number - 1}", where="--seeds", fix=fix)
        return tuple(range(number))
    if min(values) < 0:
        raise HarnessError("a seed is 0 or more", where=f"--seeds {text}", fix="--seeds 0,1,2")
    return values


def count(text: str, flag: str) -> int:
    """Read a whole number of 1 or more, such as `--batch-size 32`."""
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or int(text) < 1:
        raise HarnessError(f"{flag} {text} is not a whole number above 0", where=flag, fix=_example(flag))
    return int(text)


def positive(text: str, flag: str) -> float:
    """Read a finite number above 0, such as `--learning-rate 1e-3`."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise HarnessError(f"{flag} {text} is not a number above 0", where=flag, fix=_example(flag))
    return value


def factors(text: str, flag: str) -> tuple[float, ...]:
    """Read finite numbers of 0 or more between commas, such as `--scale 0,0.5,1`, in order and each once."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 <= value < float("inf") for value in values):
        raise HarnessError(f"{flag} {text} is not a list of numbers from 0 on", where=flag, fix=_example(flag))
    return tuple(sorted({value + 0.0 for value in values}))  # no minus zero


def one_of(text: str, known: Sequence[str], flag: str) -> str:
    """Read one of a few words, such as `--dtype bf16`."""
    if text not in known:
        fix = did_you_mean(text, known) or "choose one of " + ", ".join(known)
        raise HarnessError(f"{flag} {text} is unknown", where=flag, fix=fix)
    return text


def relabel(texts: Iterable[str] | None) -> tuple[tuple[str, str], ...]:
    """Read `--relabel positive=neutral,neutral=positive`: (label in the file, label to use)."""
    pairs = []
    for text in words(texts, "--relabel") if texts else ():
        old, sign, new = (part.strip() for part in text.partition("="))
        if not (sign and old and new) or "=" in new:
            raise HarnessError(f"'{text}' is not of the form old=new", where="--relabel", fix="--relabel up=positive")
        pairs.append((old, new))
    if len({old for old, _ in pairs}) < len(pairs):
        raise HarnessError("a label is given two new names", where="--relabel", fix="name each label once")
    return tuple(pairs)


def folder(text: str, flag: str) -> Path:
    """Read the name of a folder that must be there."""
    found = path(text)
    if not found.is_dir():
        problem = f"'{text}' is not a folder" if found.exists() else f"there is no folder '{text}'"
        raise HarnessError(problem, where=flag, fix="check the path")
    if not os.access(found, os.R_OK | os.X_OK):
        raise HarnessError(f"the folder '{text}' may not be read", where=flag, fix="check its permissions")
    return found


def path(text: str) -> Path:
    """Read a path; `~` is the user's own folder, also where the shell left it as it is (`--results=~/x`)."""
    with contextlib.suppress(RuntimeError):  # ~name of a user who is not known here
        return Path(text).expanduser()
    return Path(text)


def _integers(text: str, flag: str) -> tuple[int, ...]:
    """Read whole numbers between commas; a comma may end the list, an empty place is a number forgotten."""
    parts = [part.strip() for part in text.strip().removesuffix(",").split(",")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", part) for part in parts):
        raise HarnessError(f"{flag} {text} is not a list of whole numbers", where=flag, fix=_example(flag))
    return tuple(dict.fromkeys(int(part) for part in parts))


def _example(flag: str) -> str:
    return f"{flag} {EXAMPLES[flag]}"

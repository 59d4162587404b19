"""The settings of runs as plain dataclasses: one field for each flag, as the user names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.data.probes import MAX_QUESTIONS
from harness.data.source import TaskSource
from harness.endpoint.settings import Api, Endpoint, OptionsForm
from harness.methods import COMPARED
from harness.record import Device, RunSpec, Scoring
from harness.schema import Gold
from harness.store import records

if TYPE_CHECKING:
    from harness.runs.executors.inventory import Card

MAX_TOKENS = 4096  # the largest window by default


@dataclass(frozen=True)
class Start:
    """A run to be continued: its spec and its folder, which may still be missing while planning."""

    spec: RunSpec
    folder: Path


@dataclass(frozen=True)
class Options:
    """The settings of a command that runs something. None, 0 and empty mean: the default of task, method or machine.

    Attributes:
        tasks: names or data files.
        methods: names, or PEFT configs.
        challengers: names; the commands `run` and `plan` name those of the harness, and those that do not apply are left out.
        ranks: of methods with a rank.
        seeds: one run of each method and rank for each.
        model: a folder, a hub id or a short name.
        results: the folder of records and tables.
        data: the folder of data that the project does not ship.
        tasks_dirs: further folders of task files.
        labels, relabel, decimal_comma, columns, drop_bad, instruction, encoding, test_data, validation_data, gold: see `TaskSource`.
        scoring: "both" scores the base model in either way, the others in the task's.
        tune: the number of learning rates tried for each method and rank; 0 for none.
        quick: a quarter of the examples of each task, unless `train_examples` or `test_examples` is set.
        train_examples, test_examples: at most so many; 0 is all.
        jobs: runs at a time; 0 for the fastest number.
        devices: cards by number or id, or all; `cards` are those of this machine that they name.
        cluster: `ray` or `ray://HOST:PORT`, where the runs work; empty for this machine.
        memory: False for `--no-memory`: planning needs no torch.
        imagined: the plan is for a device of another machine.
        report: False for `--no-report`: `run` writes neither tables nor figures.
        remote_code: the model's own Python code may run.
        probes: tasks to ask as well, see `probes`.
        probe_limit: at most so many questions of each probe; 0 is all.
        rounds, clients_by: of federated methods, see `clients`.
        start: the run that this one continues.
        shard: the number of processes over which each run is divided.
        keep_best: the weights with the lowest validation loss are tested, not those of the last step.
        checkpoint_minutes: between two checkpoints inside a run; 0 for none.
        joined: tasks whose training examples are mixed in.
        template_args: variables of the model's chat template, as `name=value`.
        engine: the program that computes the answers of the task's models; empty for transformers.
        endpoint, endpoint_model: the address of a server and the name of its model, for the challenger `endpoint`.
        endpoint_api, endpoint_options, endpoint_parallel, endpoint_rate, endpoint_seconds, endpoint_tokens, endpoint_price: see `Endpoint`.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...] = COMPARED
    challengers: tuple[str, ...] = ()
    ranks: tuple[int, ...] = (2, 8, 32)
    seeds: tuple[int, ...] = (0,)
    model: str = "tiny"
    results: Path = records.DEFAULT_ROOT
    data: Path | None = None
    tasks_dirs: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    relabel: tuple[tuple[str, str], ...] = ()
    decimal_comma: bool = False
    columns: tuple[tuple[str, str], ...] = ()
    drop_bad: bool = False
    instruction: str = ""
    encoding: str = ""
    test_data: Path | None = None
    validation_data: Path | None = None
    gold: Gold = "source"
    scoring: Scoring | Literal["both"] | None = None
    epochs: float | None = None
    batch_size: int | None = None
    micro_batch: int | None = None
    learning_rate: float | None = None
    tune: int = 0
    alpha: float | None = None
    dropout: float = 0.0
    max_tokens: int | None = None
    quick: bool = False
    train_examples: int = 0
    test_examples: int = 0
    dtype: Literal["bf16", "fp32"] | None = None
    device: Device | None = None
    jobs: int = 0
    devices: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    cluster: str = ""
    memory: bool = True
    save_full: bool = False
    checkpointing: bool = False
    imagined: bool = False
    report: bool = True
    remote_code: bool = False
    probes: tuple[str, ...] = ()
    rounds: int | None = None
    clients_by: str = ""
    probe_limit: int = MAX_QUESTIONS
    start: Start | None = None
    joined: tuple[str, ...] = ()
    template_args: tuple[str, ...] = ()
    endpoint: str = ""
    endpoint_model: str = ""
    endpoint_api: Api | None = None
    endpoint_options: OptionsForm | None = None
    endpoint_parallel: int = Endpoint.parallel
    endpoint_rate: float = Endpoint.rate
    endpoint_seconds: float = Endpoint.seconds
    endpoint_tokens: int = Endpoint.tokens
    endpoint_price: tuple[float, ...] = ()
    engine: str = ""
    checkpoint_minutes: float = 10.0
    keep_best: bool = False
    shard: int = 1

    @property
    def server(self) -> Endpoint | None:
        """The server of `--endpoint`, None without one."""
        return (
            Endpoint(
                self.endpoint,
                self.endpoint_model,
                api=self.endpoint_api,
                options=self.endpoint_options,
                parallel=self.endpoint_parallel,
                rate=self.endpoint_rate,
                seconds=self.endpoint_seconds,
                tokens=self.endpoint_tokens,
                price=self.endpoint_price,
            )
            if self.endpoint
            else None
        )

    def source(self, name: str) -> TaskSource:
        """Return how the examples of one of these tasks are obtained."""
        return TaskSource(
            name=name,
            tasks_dirs=self.tasks_dirs,
            data_dir=self.data,
            labels=self.labels,
            relabel=self.relabel,
            decimal_comma=self.decimal_comma,
            columns=self.columns,
            drop_bad=self.drop_bad,
            instruction=self.instruction,
            encoding=self.encoding,
            test_data=self.test_data,
            validation_data=self.validation_data,
            gold=self.gold,
            train_limit=self.train_examples,
            test_limit=self.test_examples,
        )

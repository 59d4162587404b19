"""Options to runs: everything is resolved and checked here, before anything expensive starts.

A plan names every run with its whole spec, says which are done already, how much memory the others are predicted to
take and, from earlier records of this machine, how long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import checkpoint, data, defaults, environment, estimate, general, registry, starting, store, tune
from harness.checkpoint import Checkpoint
from harness.data import Splits
from harness.errors import HarnessError
from harness.jobs import Job
from harness.methods.base import ALPHA
from harness.options import Options
from harness.probe import Question, Seen, look_in_own_process
from harness.schema import Method, RunSpec, Task
from harness.score import require

BATCH_SIZE = 16
MAX_TOKENS = 4096
WARMUP = 0.05
WEIGHT_DECAY = 0.0
ANSWER_BYTES = 1024
LOG_BYTES = 2**20

Look = Callable[[Question], Seen]


@dataclass(frozen=True)
class Plan:
    """The runs of one task. `done` holds ids of runs that are finished already; `seen` is None for `--no-memory` and where all is done.

    `seconds` is how long the runs still to do took here before, None where that is not known.

    `probes` are the tasks that the runs' models are asked as well. `asked` are the runs at their default rates. With
    `--tune`, `trials` choose their rates, `specs` are the runs whose rate is known, and `waiting` the others with what
    each waits for.
    """

    task: Task
    reference: str
    splits: Splits
    model: Checkpoint
    specs: tuple[RunSpec, ...]
    asked: tuple[RunSpec, ...]
    methods: tuple[Method, ...]
    done: frozenset[str]
    seen: Seen | None
    seconds: float | None
    options: Options
    trials: tuple[RunSpec, ...] = ()
    waiting: tuple[tuple[RunSpec, str], ...] = ()
    probes: tuple[general.Asked, ...] = ()

    @property
    def ahead(self) -> tuple[RunSpec, ...]:
        """Everything still to do: trials, runs, and runs whose rate is not known yet, at their default rates."""
        trials = tuple(spec for spec in self.trials if spec.id not in self.done)
        return trials + self.todo + tuple(spec for spec, _ in self.waiting)

    @property
    def tuning(self) -> Plan | None:
        """The trials as a plan of their own, None where none is left to do."""
        if all(spec.id in self.done for spec in self.trials):
            return None
        return replace(self, specs=self.trials, trials=(), waiting=(), seconds=None)

    @property
    def todo(self) -> tuple[RunSpec, ...]:
        """The runs still to do, in order."""
        return tuple(spec for spec in self.specs if spec.id not in self.done)

    @property
    def test_groups(self) -> int:
        """How many groups the test examples fall into."""
        return len({example.group or f"\0{example.id}" for example in self.splits.test})

    def predicted(self, spec: RunSpec) -> int:
        """The predicted training peak in bytes; 0 where none was made."""
        if not self.seen:
            return 0
        default = replace(spec, tuned_over=(), learning_rate=0.0)  # memory does not depend on the rate
        alike = (one.id for one in self.asked if replace(one, learning_rate=0.0) == default)
        return self.seen.predicted.get(spec.id) or self.seen.predicted.get(next(alike, ""), 0)

    @property
    def data_dir(self) -> Path | None:
        """Where the task's data lies, if elsewhere; with probes, `--data` may be about theirs alone."""
        return data.nearest(self.task.source, self.options.data) if self.probes else self.options.data

    def about(self, specs: Sequence[RunSpec], *, predict: bool = True) -> Question:
        """What to ask about these runs of what takes torch to know."""
        files = method_files(self.methods, self.options)
        also = [Question.asking(self.model, p.task, p.examples, p.spec(self.asked[0])) for p in self.probes]
        made = Question.about(self.model, self.task, self.splits, specs, predict=predict)
        return replace(made, method_files=files, also=tuple(also))

    def jobs(self) -> list[Job]:
        """The runs still to do, as what a worker needs."""
        options, files = self.options, method_files(self.methods, self.options)
        return [
            Job(
                spec=spec,
                folder=store.run_dir(options.results, spec),
                task=self.reference,
                model_folder=self.model.folder,
                tasks_dirs=options.tasks_dirs,
                data_dir=self.data_dir,
                labels=options.labels,
                relabel=options.relabel,
                gold=options.gold,
                train_limit=options.train_examples,
                test_limit=options.test_examples,
                threads=environment.threads_per_run(options.jobs),
                predicted_peak_bytes=self.predicted(spec),
                save_full=options.save_full,
                method=files.get(spec.method, ""),
                probes=tuple(one.reference for one in self.probes) if spec.probes else (),
                probe_dir=options.data,
                probe_limit=options.probe_limit,
                start=options.start.folder if options.start and spec.start else None,
                joined=options.joined if spec.joined else (),
            )
            for spec in self.todo
        ]


def make(options: Options, *, look: Look = look_in_own_process, model: Checkpoint | None = None) -> list[Plan]:
    """Plan the runs of every task asked for, checking all of them before returning.

    Args:
        options: the flags.
        model: where it is known already, or not here at all.
        look: asks what needs torch: the model's shape and the predicted memory. Replaced in tests.

    Raises:
        HarnessError: whatever would stop a run later and can be known now.
    """
    tasks = [(name, load_task(name, options)) for name in options.tasks]
    methods = tuple(registry.method(name) for name in options.methods)
    model = model or checkpoint.read(options.model, remote_code=options.remote_code)
    store.require_writable(options.results)
    options = replace(options, jobs=options.jobs or defaults.jobs(model, options.device or defaults.device()))
    plans = [_plan(name, task, methods, model, options, look) for name, task in tasks]
    store.require_space(options.results, sum(_disk_bytes(plan) for plan in plans))
    return plans


def check(plans: Sequence[Plan], *, look: Look = look_in_own_process) -> None:
    """Look at the model for plans that were made without, as `--no-memory` makes them: a run must not start in vain.

    Raises:
        HarnessError: as `make`.
    """
    for one in plans:
        if one.ahead:
            look(one.about(one.ahead, predict=False))


def load_task(name: str, options: Options) -> Task:
    """Return the task that `--task NAME_OR_FILE` means, with `--gold` and `--scoring` applied."""
    task = registry.task(name, options.tasks_dirs, options.labels, dict(options.relabel), options.gold)
    require(task.metrics)
    if options.scoring and task.scoring == "perplexity":
        fix = "leave --scoring out"
        raise HarnessError("nothing is answered here: the text itself is scored", where=f"task {task.name}", fix=fix)
    return replace(task, scoring=options.scoring) if options.scoring and options.scoring != "both" else task


def _plan(name: str, task: Task, methods: tuple[Method, ...], model: Checkpoint, options: Options, look: Look) -> Plan:
    probes = general.read_all(options.probes, task, model, options.tasks_dirs, options.data, options.probe_limit)
    where = data.nearest(task.source, options.data) if probes else options.data
    splits = data.load_splits(
        task, data_dir=where, train_limit=options.train_examples, test_limit=options.test_examples
    )
    joined = starting.join(options.joined, options.tasks_dirs, options.data, options.train_examples)
    specs = make_specs(task, splits, methods, model, options, tuple(probe.key for probe in probes))
    specs = tuple(replace(s, joined=tuple(j.key for j in joined)) if s.train_examples else s for s in specs)
    starting.check(options.start, specs)
    made = settled(
        Plan(
            task=task,
            reference=name,
            splits=splits,
            model=model,
            specs=specs,
            methods=methods,
            done=frozenset(),
            seen=None,
            seconds=None,
            options=options,
            asked=specs,
            trials=tune.trials(specs, options.tune, examples=len(splits.validation)),
            probes=probes,
        )
    )
    return replace(made, seen=look(made.about(made.ahead))) if options.memory and made.ahead else made


def method_files(methods: Sequence[Method], options: Options) -> dict[str, str]:
    """Return the files that `--method` named, by the names of the methods that they describe."""
    named = zip(methods, options.methods, strict=True)
    return {method.name: given for method, given in named if method.name != given}


def settled(plan: Plan) -> Plan:
    """Return the plan as the results folder now stands: what is done, and with `--tune` the rates that were chosen."""
    options, examples = plan.options, len(plan.splits.validation)
    found, look = tune.Settled(plan.asked, ()), tune.looking(options.results)
    if options.tune:
        found = tune.settle(plan.asked, options.tune, plan.task.metrics[0], look, examples=examples)
    done = {spec.id for spec in found.specs if store.finished(options.results, spec)}
    done |= {spec.id for spec in plan.trials if tune.ended(look(spec))}
    made = replace(plan, specs=found.specs, waiting=found.waiting, done=frozenset(done))
    threads = environment.threads_per_run(options.jobs)
    return replace(made, seconds=estimate.seconds(made.ahead, options.results, threads=threads))


def make_specs(
    task: Task,
    splits: Splits,
    methods: Sequence[Method],
    model: Checkpoint,
    options: Options,
    probes: tuple[str, ...] = (),
) -> tuple[RunSpec, ...]:
    """Resolve every field of every run: all methods for one seed, then the next, so that a first table is early."""
    device = options.device or defaults.device()
    if device == "cuda" and not options.imagined and not environment.cuda_present():
        raise HarnessError(
            "no CUDA device, or a torch that was built without CUDA", where="--device cuda", fix="--device cpu"
        )
    if model.hidden and (wide := max(options.ranks)) > model.hidden and any(method.ranked for method in methods):
        raise HarnessError(
            f"rank {wide} is above the size of the model's layers ({model.hidden})",
            where=f"--rank {wide}",
            fix=f"choose a rank of at most {model.hidden}",
        )
    max_tokens = options.max_tokens or min(model.window, MAX_TOKENS)
    if max_tokens > model.window:
        raise HarnessError(
            f"the model's window is {model.window} tokens",
            where=f"--max-tokens {max_tokens}",
            fix=f"--max-tokens {model.window}",
        )
    shared = RunSpec(
        task=task.name,
        task_version=task.version,
        data=data.fingerprint(task, splits),
        scoring=task.scoring,
        model=model.name,
        model_revision=model.revision,
        method="",
        rank=0,
        alpha=0.0,
        dropout=0.0,
        learning_rate=0.0,
        weight_decay=0.0,
        warmup=0.0,
        epochs=0.0,
        batch_size=0,
        micro_batch=0,
        max_tokens=max_tokens,
        max_new_tokens=task.max_new_tokens,
        train_examples=0,
        test_examples=len(splits.test),
        seed=0,
        dtype=options.dtype or defaults.dtype(device),
        device=device,
        remote_code=options.remote_code,
        probes=probes,
    )
    specs: list[RunSpec] = []
    for seed in options.seeds:
        for method in methods:
            specs += _method_specs(replace(shared, method=method.name), method, task, splits, model, options, seed)
    return tuple(dict.fromkeys(specs))


def _method_specs(
    shared: RunSpec, method: Method, task: Task, splits: Splits, model: Checkpoint, options: Options, seed: int
) -> list[RunSpec]:
    if not method.trains:  # one run serves every seed and every training flag
        if method.shots:
            return [_with_shots(shared, seed)]
        return [shared] if options.scoring != "both" else [shared, _scored_otherwise(shared, task, splits)]
    if not model.hidden and not options.learning_rate:
        raise HarnessError(
            "the model's config names no hidden_size, from which the default learning rate follows",
            where=str(model.folder / checkpoint.CONFIG),
            fix="correct the config, or pass --learning-rate",
        )
    rate = options.learning_rate or method.learning_rate(model.hidden)
    batch_size = options.batch_size or BATCH_SIZE
    trained = replace(
        shared,
        learning_rate=rate,
        weight_decay=WEIGHT_DECAY,
        warmup=WARMUP,
        epochs=options.epochs or task.epochs,
        batch_size=batch_size,
        micro_batch=min(options.micro_batch or defaults.micro_batch(task, splits, batch_size), batch_size),
        train_examples=len(splits.train),
        seed=seed,
        checkpointing=options.checkpointing,
        start=options.start.spec.id if options.start else "",
    )
    if model.window - method.window_tokens < trained.max_tokens:  # where there is room, all methods read as much
        trained = replace(trained, max_tokens=model.window - method.window_tokens)
    if not method.ranked:
        return [trained]
    alphas = {rank: options.alpha or _alpha(method, rank, model) for rank in options.ranks}
    return [replace(trained, rank=rank, alpha=alpha) for rank, alpha in alphas.items()]


def _alpha(method: Method, rank: int, model: Checkpoint) -> float:
    return method.alpha(rank, model.hidden) if method.alpha else ALPHA


def _with_shots(spec: RunSpec, seed: int) -> RunSpec:
    """Return the run of a method that shows train examples: the seed draws them out of what `data` pins."""
    if spec.scoring == "perplexity":
        fix = "leave --method " + spec.method + " out"
        raise HarnessError("where a text is read there is nothing to show", where=f"task {spec.task}", fix=fix)
    return replace(spec, seed=seed, probes=())  # its model is the base model


def _scored_otherwise(spec: RunSpec, task: Task, splits: Splits) -> RunSpec:
    """Return the run with its answers scored in the other way, which takes options, and a prompt that shows them."""
    for example in splits.test:
        if len(example.choices) < 2 or not all(choice in task.prompt(example) for choice in example.choices):
            raise HarnessError(
                "the base model can be scored both ways only where the prompt shows the options to choose from",
                where=f"--scoring both, task {task.name}, example {example.id!r}",
                fix="leave --scoring both out for this task; `cfa_listed` is `cfa` with the options in the prompt",
            )
    return replace(spec, scoring="generate" if spec.scoring == "choices" else "choices", probes=())


def _disk_bytes(plan: Plan) -> int:
    answers = (len(plan.splits.test) + sum(len(probe.examples) for probe in plan.probes)) * ANSWER_BYTES
    weights = plan.model.weights_bytes if plan.options.save_full else 0
    adapters = {spec.id: plan.seen.adapter_bytes.get(spec.id, 0) if plan.seen else 0 for spec in plan.ahead}
    return sum(answers + LOG_BYTES + weights + adapters[spec.id] for spec in plan.ahead)

"""Options to runs: everything is resolved and checked here, before anything expensive starts.

A plan names every run with its whole spec, says which are done already, how much memory the others are predicted to
take and, from earlier records of this machine, how long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness import environment
from harness.data import loading, registry
from harness.data import probes as general
from harness.data.loading import Splits
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.metrics.scoring import require
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import continuation, defaults, specs, tune
from harness.runs.forecast import history
from harness.runs.forecast.preflight import Question, Seen, look_in_own_process
from harness.runs.job import Job
from harness.runs.options import Options
from harness.schema import Method, Task
from harness.store import records

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
    source: TaskSource
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
                folder=records.run_dir(options.results, spec),
                source=self.source,
                model_folder=self.model.folder,
                threads=environment.threads_per_run(options.jobs),
                predicted_peak_bytes=self.predicted(spec),
                save_full=options.save_full,
                method=files.get(spec.method, ""),
                probes=tuple(one.reference for one in self.probes) if spec.probes else (),
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
    registry.require(methods)
    model = model or checkpoint.read(options.model, remote_code=options.remote_code)
    records.require_writable(options.results)
    options = replace(options, jobs=options.jobs or defaults.jobs(model, options.device or defaults.device()))
    plans = [_plan(name, task, methods, model, options, look) for name, task in tasks]
    records.require_space(options.results, sum(_disk_bytes(plan) for plan in plans))
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
    task = options.source(name).task()
    require(task.metrics)
    if options.scoring and task.scoring == "perplexity":
        fix = "leave --scoring out"
        raise HarnessError("nothing is answered here: the text itself is scored", where=f"task {task.name}", fix=fix)
    return replace(task, scoring=options.scoring) if options.scoring and options.scoring != "both" else task


def _plan(name: str, task: Task, methods: tuple[Method, ...], model: Checkpoint, options: Options, look: Look) -> Plan:
    source = options.source(name)
    splits = source.splits(task)
    probes = general.read_all(options.probes, source, task, splits.test, options.probe_limit, embedded=model.embedded)
    loading.refuse_to_train(task, methods)
    joined = continuation.join(options.joined, source)
    resolved = specs.make(task, splits, methods, model, options, tuple(probe.key for probe in probes))
    keys = tuple(one.key for one in joined)
    asked = tuple(replace(spec, joined=keys) if spec.train_examples else spec for spec in resolved)
    continuation.check(options.start, asked)
    made = settled(
        Plan(
            task=task,
            source=source,
            splits=splits,
            model=model,
            specs=asked,
            methods=methods,
            done=frozenset(),
            seen=None,
            seconds=None,
            options=options,
            asked=asked,
            trials=tune.trials(asked, options.tune, examples=len(splits.validation)),
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
    done = {spec.id for spec in found.specs if records.finished(options.results, spec)}
    done |= {spec.id for spec in plan.trials if tune.ended(look(spec))}
    made = replace(plan, specs=found.specs, waiting=found.waiting, done=frozenset(done))
    threads = environment.threads_per_run(options.jobs)
    return replace(made, seconds=history.seconds(made.ahead, options.results, threads=threads))


def _disk_bytes(plan: Plan) -> int:
    answers = (len(plan.splits.test) + sum(len(probe.examples) for probe in plan.probes)) * ANSWER_BYTES
    weights = plan.model.weights_bytes if plan.options.save_full else 0
    adapters = {spec.id: plan.seen.adapter_bytes.get(spec.id, 0) if plan.seen else 0 for spec in plan.ahead}
    return sum(answers + LOG_BYTES + weights + adapters[spec.id] for spec in plan.ahead)

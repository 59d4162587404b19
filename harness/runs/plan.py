"""Options to runs: everything is resolved and checked here, before anything expensive starts.

A plan lists every run with its whole spec. It knows which runs are finished, how much memory the others are predicted to
take and, from earlier records of this machine, how long.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import environment
from harness.data import loading, registry
from harness.data.loading import Splits
from harness.data.probes import Probe
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.methods import COMPARED
from harness.metrics.scoring import require
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import continuation, defaults, inputs, server, specs, tune
from harness.runs.forecast import duration, history
from harness.runs.forecast.duration import Duration
from harness.runs.forecast.preflight import Findings, Preflight, look_in_own_process
from harness.runs.inputs import Inputs
from harness.runs.job import Job
from harness.runs.options import Options
from harness.runs.server import Announce
from harness.schema import Method, Task
from harness.store import records

ANSWER_BYTES = 1024
LOG_BYTES = 2**20
QUICK_SHARE = 0.25  # of the examples, with `--quick`

Look = Callable[[Preflight], Findings]


@dataclass(frozen=True)
class Plan:
    """The runs of one task.

    Attributes:
        source: how the task's examples are obtained.
        inputs: the task with its examples, probes and joined tasks.
        model: the base model.
        methods: those of the runs, in the order of `--method`.
        options: the flags.
        default_specs: the runs at their default learning rates.
        specs: the runs whose rate is known; without `--tune`, all runs.
        trials: with `--tune`, the runs that choose the rates.
        waiting: with `--tune`, runs without a rate yet, and the trial that each waits for, in words.
        done: the ids of finished runs.
        findings: of the preflight; None with `--no-memory` and if all runs are finished.
        seconds: how long runs like those still to do took on this machine, else by its measured speed; None if unknown.
    """

    source: TaskSource
    inputs: Inputs
    model: Checkpoint
    methods: tuple[Method, ...]
    options: Options
    default_specs: tuple[RunSpec, ...]
    specs: tuple[RunSpec, ...] = ()
    trials: tuple[RunSpec, ...] = ()
    waiting: tuple[tuple[RunSpec, str], ...] = ()
    done: frozenset[str] = frozenset()
    findings: Findings | None = None
    seconds: float | None = None

    @property
    def task(self) -> Task:
        """The task."""
        return self.inputs.task

    @property
    def splits(self) -> Splits:
        """The examples of the task."""
        return self.inputs.splits

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The tasks that the runs' models are asked as well."""
        return self.inputs.probes

    @property
    def ahead(self) -> tuple[RunSpec, ...]:
        """Everything still to do: trials, runs, and runs that wait for a rate, at their default rates."""
        trials = tuple(spec for spec in self.trials if spec.id not in self.done)
        return trials + self.todo + tuple(spec for spec, _ in self.waiting)

    @property
    def tuning(self) -> Plan | None:
        """The trials as a plan of their own, None if none is left to do."""
        if all(spec.id in self.done for spec in self.trials):
            return None
        return replace(self, specs=self.trials, trials=(), waiting=(), seconds=None)

    @property
    def todo(self) -> tuple[RunSpec, ...]:
        """The runs still to do, in order."""
        return tuple(spec for spec in self.specs if spec.id not in self.done)

    @property
    def in_turn(self) -> tuple[RunSpec, ...]:
        """The runs still to do as they start: several at a time, those that train longest first and short ones at the end.

        The short ones fill the cores evenly; a long run that starts last leaves the others idle. The first row stays first.
        Without expected durations, or with one run at a time, the order is the plan's. On cards it is that of memory.
        """
        if self.options.cards:
            from harness.runs.executors import cards

            return cards.order(self.todo, self.peaks)
        first, rest = self.todo[:1], self.todo[1:]
        if self.options.jobs < 2 or not self.durations:
            return self.todo
        trained = [spec for spec in rest if spec.epochs and not spec.challenger]
        short = [spec for spec in rest if spec not in trained]
        trained.sort(key=lambda spec: (spec.seed, -self.durations[spec.id].total, -spec.rank))  # one rank is timed
        return (*first, *trained, *sorted(short, key=lambda spec: -self.durations[spec.id].total))

    @property
    def test_groups(self) -> int:
        """The number of groups among the test examples."""
        return len({example.group or f"\0{example.id}" for example in self.splits.test})

    def predicted(self, spec: RunSpec) -> int:
        """The predicted training peak in bytes, 0 without a prediction."""
        if not self.findings:
            return 0
        peaks = self.findings.predicted
        default = replace(spec, tuned_over=(), learning_rate=0.0)  # memory does not depend on the rate
        equals = (like.id for like in self.default_specs if replace(like, learning_rate=0.0) == default)
        return peaks.get(spec.id) or peaks.get(next(equals, ""), 0)

    @property
    def peaks(self) -> Mapping[str, int]:
        """The predicted training peak of each run still to do, by id; 0 without a prediction."""
        return {spec.id: self.predicted(spec) for spec in self.ahead}

    @functools.cached_property
    def durations(self) -> Mapping[str, Duration]:
        """The expected duration of each run still to do, by id; empty if no speed was measured."""
        speed = self.findings.speed if self.findings else None
        if speed is None:
            return {}
        return duration.expected(self.ahead, self.task, self.splits, speed, method_files(self.methods, self.options))

    def measured_seconds(self) -> float | None:
        """The expected seconds of everything still to do, None if no speed was measured."""
        return sum(run.total for run in self.durations.values()) or None

    def lacks_prediction(self, spec: RunSpec) -> bool:
        """Return whether a run's memory was to be predicted and could not be."""
        return bool(self.findings and spec.train_examples and spec.id not in self.done and not self.predicted(spec))

    def preflight(self, specs: Sequence[RunSpec], *, predict: bool = True) -> Preflight:
        """Return the preflight of these runs: everything about them that takes torch to know."""
        first, specs = self.default_specs[0], [spec for spec in specs if not spec.challenger]
        also = [Preflight.of_examples(self.model, p.task, p.examples, p.spec(first)) for p in self.probes]
        preflight = Preflight.of_runs(self.model, self.task, self.splits, specs, predict=predict)
        threads = environment.threads_per_run(self.options.jobs)
        files = method_files(self.methods, self.options)
        card = self.options.cards[0].id if self.options.cards else ""
        return replace(preflight, method_files=files, also=tuple(also), threads=threads, card=card)

    def jobs(self) -> list[Job]:
        """Return the runs still to do as jobs for workers."""
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
                probes=tuple(probe.reference for probe in self.probes) if spec.probes else (),
                probe_limit=options.probe_limit,
                start=options.start.folder if options.start and spec.start else None,
                joined=options.joined if spec.joined else (),
                endpoint=options.server if spec.server else None,
                checkpoint_minutes=options.checkpoint_minutes,
            )
            for spec in self.in_turn
        ]


def make(
    options: Options,
    *,
    look: Look = look_in_own_process,
    model: Checkpoint | None = None,
    announce: Announce = server.no_announcement,
) -> list[Plan]:
    """Plan the runs of every task of `--task`, checking all of them before returning.

    Args:
        options: the flags.
        model: if it is known already, or is not on this machine at all.
        look: runs a preflight. Replaced in tests.
        announce: is called with what will leave this machine before anything is sent to a server.

    Raises:
        HarnessError: whatever would stop a run later and can be known now.
    """
    tasks = [(name, load_task(name, options)) for name in options.tasks]
    methods = tuple(registry.method(name) for name in options.methods)
    registry.require(methods)
    model = model or checkpoint.read(options.model, remote_code=options.remote_code)
    records.require_writable(options.results)
    limited = [(name, task, _limits(name, task, options)) for name, task in tasks]
    plans = [_plan(limits.source(name), task, methods, model, limits, announce) for name, task, limits in limited]
    if options.memory:
        plans = [_with_findings(p, look(p.preflight(p.ahead))) if _loads(p.ahead) else p for p in plans]
    if options.cards:
        from harness.runs.executors import cards

        for plan in plans:
            cards.require_room(plan.ahead, plan.peaks, options.cards)
    records.require_space(options.results, sum(_disk_bytes(plan) for plan in plans))
    return plans


def _with_findings(plan: Plan, findings: Findings) -> Plan:
    """Return the plan with the findings of its preflight, and with the time by its measured speed if no other is known."""
    plan = replace(plan, findings=findings)
    return replace(plan, seconds=plan.seconds or plan.measured_seconds())


def check(plans: Sequence[Plan], *, look: Look = look_in_own_process) -> None:
    """Run the preflight of plans that were made without, as `--no-memory` makes them: no run may start in vain.

    Raises:
        HarnessError: as `make`.
    """
    for plan in plans:
        if _loads(plan.ahead):
            look(plan.preflight(plan.ahead, predict=False))


def load_task(name: str, options: Options) -> Task:
    """Return the task of `--task NAME_OR_FILE`, with `--gold` and `--scoring` applied."""
    task = options.source(name).task()
    require(task.metrics)
    if options.scoring and task.scoring == "perplexity":
        fix = "leave --scoring out"
        problem = f"--scoring {options.scoring} does not apply to perplexity tasks"
        raise HarnessError(problem, where=f"task {task.name}", fix=fix)
    return replace(task, scoring=options.scoring) if options.scoring and options.scoring != "both" else task


def _limits(name: str, task: Task, options: Options) -> Options:
    """Return the options with the numbers of examples that `--quick` means for a task; others as they are."""
    if not options.quick:
        return options
    splits = options.source(name).splits(task)
    return replace(
        options,
        train_examples=options.train_examples or math.ceil(QUICK_SHARE * len(splits.train)),
        test_examples=options.test_examples or math.ceil(QUICK_SHARE * len(splits.test)),
    )


def _plan(
    source: TaskSource,
    task: Task,
    methods: tuple[Method, ...],
    model: Checkpoint,
    options: Options,
    announce: Announce,
) -> Plan:
    if options.methods == COMPARED:
        methods = _applicable(methods, options.scoring or task.scoring, options)
        options = replace(options, methods=tuple(method.name for method in methods))
    loading.refuse_to_train(task, methods)
    data = inputs.read(source, task, options, embedded=model.embedded)
    challengers = inputs.challengers(data, options)
    facts = server.facts(challengers, data, options, announce)
    default_specs = specs.make(data, methods, model, options, challengers=challengers, server=facts)
    if options.start:
        continuation.check(options.start, default_specs, model)
    jobs = options.jobs or defaults.jobs(model, default_specs[0].device, cards=len(options.cards), shards=options.shard)
    options = replace(options, jobs=jobs)
    plan = Plan(source, data, model, methods, options, default_specs)
    if options.tune:
        trials = tune.trials(default_specs, options.tune, examples=len(data.splits.validation))
        plan = replace(plan, trials=trials)
    return update(plan)


def _loads(specs: Sequence[RunSpec]) -> bool:
    """Return whether one of these runs loads the model; a preflight has nothing to look at otherwise."""
    return any(not spec.challenger for spec in specs)


def update(plan: Plan) -> Plan:
    """Return the plan as the results folder now stands: which runs are finished and, with `--tune`, the chosen rates."""
    results, done = plan.options.results, set[str]()
    plan = replace(plan, specs=plan.default_specs)
    if plan.options.tune:
        read, examples = tune.record_reader(results), len(plan.splits.validation)
        rates = tune.choose_rates(plan.specs, plan.options.tune, plan.task.metrics[0], read, examples=examples)
        plan = replace(plan, specs=rates.specs, waiting=rates.waiting)
        done = {spec.id for spec in plan.trials if tune.is_finished(read(spec))}
    done |= {spec.id for spec in plan.specs if records.finished_run(results, spec)}
    plan = replace(plan, done=frozenset(done))
    threads = environment.threads_per_run(plan.options.jobs)
    known = history.seconds(plan.ahead, results, threads=threads)
    return replace(plan, seconds=plan.measured_seconds() if known is None else known)


def _applicable(methods: tuple[Method, ...], scoring: str, options: Options) -> tuple[Method, ...]:
    """Return the default methods that apply: calibration needs options, examples a question, another engine plain LoRA."""
    return tuple(
        method
        for method in methods
        if not (method.calibration and scoring in ("generate", "perplexity"))
        and not (method.shots and scoring == "perplexity")
        and not (options.engine and method.name in ("qlora", "full"))
        and not (options.device == "mps" and "bitsandbytes" in method.requires)
    )


def method_files(methods: Sequence[Method], options: Options) -> dict[str, str]:
    """Return the files among `--method`, by the names of the methods that they describe."""
    pairs = zip(methods, options.methods, strict=True)
    return {method.name: text for method, text in pairs if method.name != text}


def _disk_bytes(plan: Plan) -> int:
    answers = (len(plan.splits.test) + sum(len(probe.examples) for probe in plan.probes)) * ANSWER_BYTES
    weights = plan.model.weights_bytes if plan.options.save_full else 0
    adapters = plan.findings.adapter_bytes if plan.findings else {}
    return sum(answers + LOG_BYTES + weights + adapters.get(spec.id, 0) for spec in plan.ahead)

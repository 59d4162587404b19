"""`run`: plan every task, run what is to do, show the tables, say what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.analysis.items import Run
from harness.analysis.results import TaskResults, analyze
from harness.cli import flags, next_command, settings
from harness.cli.arguments import Arguments
from harness.cli.terminal import output
from harness.cli.terminal.progress import Watch
from harness.errors import HarnessError
from harness.report.write import write_outputs
from harness.runs import local, plan, runner, worker
from harness.runs.job import Outcome
from harness.runs.local import Target
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records

DONE, DIFFERS, INTERRUPTED = 0, 1, 130
FLAGS = flags.RUN


def main(arguments: Arguments) -> int:
    """Run the methods on tasks."""
    return run(settings.run_options(arguments), arguments.line, work=arguments.work)


def run(options: Options, command: str, *, work: Target | None = None) -> int:
    """Run the tasks one after the other.

    Args:
        options: the settings.
        command: the command as typed, repeated to show how to continue.
        work: does a run, in a process of its own; None for the worker that trains.
    """
    plans = plan.make(options)
    if not options.memory:
        plan.check(plans)
    code = DONE
    analyses: dict[str, TaskResults] = {}
    for planned in plans:
        output.header(planned)
        one, outcomes, interrupted, tuned = _tune_and_run(planned, work)
        code = code if tuned else DIFFERS
        analyses[one.task.name] = analysis = _analyze(one, outcomes)
        output.results(analysis)
        output.conditions(one)
        if interrupted:
            output.say(f"{'continue':<12} {command}")
            return INTERRUPTED
        if any(outcome.status != "ok" for outcome in outcomes):
            code = DIFFERS
    return _finish(plans, analyses, code, command)


def _tune_and_run(one: Plan, work: Target | None) -> tuple[Plan, Sequence[Outcome], bool, bool]:
    """Run the trials of `--tune`, then the runs at the rates that they chose.

    Returns the plan with these rates, how its runs ended, whether the user stopped them, and whether all rates are known.
    """
    if one.tuning is not None:
        _, interrupted = execute(one.tuning, work)
        one = plan.update(one)
        if interrupted:
            return one, (), True, False
        output.untuned(one)
    outcomes, interrupted = execute(one, work)
    return one, outcomes, interrupted, not one.waiting


def execute(one: Plan, work: Target | None = None) -> tuple[Sequence[Outcome], bool]:
    """Do the runs of a plan that are still to do; return how they ended, and whether the user stopped them."""
    jobs = one.jobs()
    if jobs:
        local.warm_up()
    with Watch(one) as watch:
        result = runner.run(jobs, local.LocalProcesses(work or worker.run, slots=one.options.jobs), watch)
    return result.outcomes, result.interrupted


def _analyze(one: Plan, outcomes: Sequence[Outcome]) -> TaskResults:
    """Return the analysis of the plan's runs, and of an earlier run of the base model on the same questions."""
    finished = [run for spec in one.specs if (run := records.finished(one.options.results, spec)) is not None]
    if all(spec.method != "base" for spec in one.specs):
        finished += _earlier_base(one)
    runs: list[Run] = [(run.record, run.answers() or None) for run in finished]
    failed = {outcome.job.spec.id: outcome.record for outcome in outcomes if outcome.record is not None}
    for run in finished:
        failed.pop(run.record.spec.id, None)
    runs += [(failed[spec.id], None) for spec in one.specs if spec.id in failed]
    probed = [run for run in finished if run.record.probes] if one.probes else []
    metrics = {one.task.name: one.task.metrics} | {asked.task.name: asked.task.metrics for asked in one.probes}
    return analyze(one.task.name, runs, metrics, {run.record.spec.id: run.probed() for run in probed})


def _earlier_base(one: Plan) -> list[records.Run]:
    like = one.default_specs[0]
    same = ("data", "scoring", "model", "model_revision", "test_examples", "dtype", "device", "max_tokens")
    earlier = records.read_all(one.options.results, like.task, skip_damaged=True)
    for found in sorted(earlier, key=lambda run: run.record.spec.probes != like.probes):
        spec = found.record.spec
        alike = all(getattr(spec, name) == getattr(like, name) for name in same)
        if found.record.status == "ok" and spec.method == "base" and alike:
            return [found]
    return []


def _finish(plans: Sequence[Plan], analyses: Mapping[str, TaskResults], code: int, command: str) -> int:
    results = plans[0].options.results
    folders = list(dict.fromkeys(records.run_dir(results, spec).parents[2] for one in plans for spec in one.specs))
    views: list[Path] = []
    try:
        tasks = {one.task.name: one.task for one in plans}
        views = write_outputs(results, records.read_all(results), tasks, analyses=analyses)
    except HarnessError as problem:  # the runs are safe; an old record in the way must not hide that
        output.error(problem)
        code = DIFFERS
    output.written([*folders, *views], _next(plans, code, command))
    return code


def _next(plans: Sequence[Plan], code: int, command: str) -> str:
    if code != DONE:
        return f"{command}   (runs again what failed)"
    if len(plans[0].options.seeds) == 1 and "--seeds" not in command:
        return f"{command} --seeds 3   (how much of it is chance in training)"
    return next_command.command("verify", *next_command.task_words(plans[0].options), results=plans[0].options.results)

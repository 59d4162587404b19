"""`sequence`: train on one task after the other, each stage from the weights of the one before, and ask all tasks each time."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import errors
from harness.analysis import sequence
from harness.cli import flags, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.commands import run as running
from harness.cli.terminal import output
from harness.data import loading as data
from harness.data import registry
from harness.data.split import question_key
from harness.errors import HarnessError
from harness.format import spoken
from harness.record import RunSpec
from harness.runs import plan
from harness.runs.local import Target
from harness.runs.options import Options, Start
from harness.runs.plan import Plan
from harness.store import records

DONE, DIFFERS, INTERRUPTED = 0, 1, 130
FLAGS = (
    replace(
        flags.TASK,
        help="two or more tasks or data files, in the order of training",
        metavar="A,B,C",
        example="cfa,sec_qa",
    ),
    Flag(
        "--method",
        "the method that trains",
        parse.single(parse.text),
        field="methods",
        metavar="NAME",
        example="lora",
        default=("lora",),
        group=flags.WHAT,
    ),
    Flag(
        "--rank",
        "rank of LoRA and its like",
        parse.single(parse.count),
        field="ranks",
        example="8",
        default=(8,),
        group=flags.WHAT,
    ),
    Flag(
        "--seed",
        "seed of every stage",
        parse.single(parse.integer(0)),
        field="seeds",
        example="0",
        default=(0,),
        group=flags.WHAT,
    ),
    Flag("--joint", "also train on all tasks at once, as a row to compare with", switch=True, group=flags.WHAT),
    *flags.rows("--model", "--trust-remote-code"),
    *flags.FOLDERS,
    *flags.rows("--epochs", "--batch-size", "--micro-batch", "--learning-rate", "--alpha"),
    *flags.rows("--train-examples", "--test-examples", "--max-tokens", "--dtype", "--device", "--no-memory"),
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Train a sequence of tasks.

    Raises:
        HarnessError: fewer than two tasks, or a method that trains nothing.
    """
    if len(arguments.tasks or ()) < 2:
        raise HarnessError("a sequence has two tasks or more", where="--task", fix="--task cfa,sec_qa,claims")
    options = replace(settings.options(arguments), jobs=1)
    (method,) = options.methods
    if not registry.method(method).trains:
        raise HarnessError(f"{method} trains nothing", where="--method", fix="--method lora")
    return run(options, arguments.line, joint=arguments.joint, work=arguments.work)


def run(options: Options, command: str, *, joint: bool = False, work: Target | None = None) -> int:
    """Train the stages that are still to do, then read all of them, print the tables and write them.

    Args:
        options: the settings of all stages.
        command: the command as typed, repeated to show how to continue.
        joint: whether one more run trains on all tasks at once.
        work: does a run, in a process of its own; None for the worker that trains.
    """
    stages = make(options)
    together = [_joint(options, stages)] if joint else []
    if not options.memory:
        plan.check([*stages, *together])
    _header(stages, together)
    for planned, name in [*zip(stages, _names(stages), strict=True), *((planned, "joint") for planned in together)]:
        output.note(name)
        outcomes, interrupted = running.execute(planned, work)
        if interrupted:
            output.say(f"{'continue':<12} {command}")
            return INTERRUPTED
        if failed := next((outcome for outcome in outcomes if outcome.status != "ok"), None):
            output.say(f"{name} {failed.status}: {failed.reason}")
            output.say(f"{'again':<12} {command}   (finished stages are kept)")
            return DIFFERS
    return _show(options, stages, together)


def make(options: Options) -> list[Plan]:
    """Plan every stage: the base model and the first task, then each task from the weights of the stage before.

    Raises:
        HarnessError: a problem that would stop a stage later; scores without an average; or a task trains on a question
            that another task asks.
    """
    sequence.require_shares([plan.load_task(name, options) for name in options.tasks])
    adapter = registry.method(options.methods[0]).adapter
    options = replace(options, probe_limit=options.test_examples, save_full=not adapter)
    stages: list[Plan] = []
    for name in options.tasks:
        settings_of_stage = replace(options, tasks=(name,), probes=tuple(t for t in options.tasks if t != name))
        if stages:
            before = stages[-1].specs[-1]
            start = Start(before, records.run_dir(options.results, before))
            stages += plan.make(replace(settings_of_stage, start=start), model=stages[0].model)
        else:
            stages += plan.make(replace(settings_of_stage, methods=("base", *options.methods)))
    _refuse_leaks(stages)
    return stages


def _refuse_leaks(stages: Sequence[Plan]) -> None:
    for stage, tested in itertools.product(stages, repeat=2):
        trained = {question_key(example): example.id for example in stage.splits.train}
        if question := next((e for e in tested.splits.test if question_key(e) in trained), None):
            problem = f"{stage.task.name} trains on a question that {tested.task.name} asks"
            ids = f"examples {trained[question_key(question)]!r} and {question.id!r}"
            raise HarnessError(problem, where=ids, fix="leave one of the two tasks out")


def _joint(options: Options, stages: Sequence[Plan]) -> Plan:
    """Plan one run over the training examples of all tasks, as many passes as the stages make together on average.

    Nothing is predicted: the longest of all tasks' examples decide its memory, and a plan looks at one task.
    """
    trained = [stage.specs[-1] for stage in stages]
    passes = math.fsum(spec.epochs * spec.train_examples for spec in trained)
    first, *rest = options.tasks
    settings_of_joint = replace(
        options,
        tasks=(first,),
        probes=tuple(rest),
        joined=tuple(rest),
        probe_limit=options.test_examples,
        epochs=passes / sum(spec.train_examples for spec in trained),
        micro_batch=min(spec.micro_batch for spec in trained),
        max_tokens=min(spec.max_tokens for spec in trained),
        memory=False,
    )
    (planned,) = plan.make(settings_of_joint, model=stages[0].model)
    return planned


def _names(stages: Sequence[Plan]) -> list[str]:
    return [f"stage {number} of {len(stages)}: {stage.task.name}" for number, stage in enumerate(stages, start=1)]


def _header(stages: Sequence[Plan], together: Sequence[Plan]) -> None:
    spec = stages[0].specs[-1]
    sizes = (
        f"{p.task.name} v{p.task.version}, {len(p.splits.train):,} train, {len(p.splits.test):,} test" for p in stages
    )
    done = sum(len(planned.done) for planned in (*stages, *together))
    count = sum(len(planned.specs) for planned in (*stages, *together))
    lines = [
        ("sequence", " → ".join(sizes)),
        ("model", f"{spec.model} @ {spec.model_revision[:7]}… · {spec.dtype} · {spoken(spec)}"),
        ("plan", f"{count} runs, one after the other" + f" · {done} done already" * bool(done)),
        ("asked", "all tasks after every stage, the same questions each time"),
    ]
    lines += [("--data", text) for stage in stages if (text := data.passed_over(stage.task, stage.options.data))]
    if together:
        passes = together[0].specs[-1].epochs
        lines.append(("joint", f"all training examples at once, {passes:.3g} passes, so as many steps as all stages"))
    for first, rest in lines:
        output.say(output.folded(f"{first:<10} ", rest, indent=11))
    output.say()


def _show(options: Options, stages: Sequence[Plan], together: Sequence[Plan]) -> int:
    from harness.report import sequence as report_sequence  # the help loads little
    from harness.report.figures import matrix, write

    base, *_ = stages[0].specs
    specs = [base, *(stage.specs[-1] for stage in stages)]
    joint = _finished(options, together[0].specs[-1]) if together else None
    runs = [_finished(options, spec) for spec in specs]
    scores = sequence.read([stage.task for stage in stages], runs, joint)
    for table in (
        report_sequence.matrix_table(scores),
        report_sequence.task_table(scores),
        report_sequence.measure_table(scores),
    ):
        output.say(table.title)
        output.table(table)
        output.say()
    for line in READING:
        output.say(output.folded("", line, indent=0))
    text = json.dumps(
        sequence.as_document(scores) | {"specs": _specs(runs, joint)}, indent=1, ensure_ascii=False, allow_nan=False
    )
    path = records.write_text(options.results / records.SEQUENCES / _file(stages, together), text + "\n")
    title = f"{specs[-1].model} · {spoken(specs[-1])}"
    figures = write.write_figure(path.with_suffix(""), lambda: matrix.draw(report_sequence.score_matrix(scores, title)))
    output.closing(
        [path, *figures, *(run.folder for run in [*runs, *([joint] if joint else [])])],
        errors.command("verify", str(options.results)),
    )
    return DONE


READING = (
    "backward transfer: the last stage less each task's own stage, below 0 where later tasks cost it. forward transfer: each"
    " task just before its own stage, less base. forgetting: the best stage before the last, less the last; the best of"
    " several is in part luck. Intervals cover other questions, not other seeds or another order of the tasks.",
)


def _finished(options: Options, spec: RunSpec) -> records.Run:
    run = records.finished_run(options.results, spec)
    if run is None:
        raise HarnessError("a finished stage is gone", where=spec.id, fix="run the same command again")
    return run


def _specs(runs: Sequence[records.Run], joint: records.Run | None) -> list[dict[str, object]]:
    return [run.record.spec.fields() | {"id": run.record.spec.id} for run in [*runs, *([joint] if joint else [])]]


def _file(stages: Sequence[Plan], together: Sequence[Plan]) -> Path:
    """Name the file after the tasks and after the last stage, whose id stands for all before it."""
    last = stages[-1].specs[-1]
    words = "-".join(records.path_word(stage.task.name) for stage in stages)[:80]
    joint = f"-joint-{together[0].specs[-1].id}" if together else ""
    return Path(f"{words}.{records.path_word(last.name)}.s{last.seed}-{last.id}{joint}.json")

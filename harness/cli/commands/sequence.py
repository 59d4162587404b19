"""`sequence`: train on one task after the other, each stage from the weights of the one before, and ask all tasks each time."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import errors
from harness.analysis import sequence
from harness.cli import flags as shared
from harness.cli.commands import run as running
from harness.cli.terminal import output
from harness.data import loading as data
from harness.data import registry
from harness.data.split import question_key
from harness.errors import HarnessError
from harness.format import spoken
from harness.record import RunSpec
from harness.report import sequence as report_sequence
from harness.report.figures import matrix, write
from harness.runs import options as read
from harness.runs import plan
from harness.runs.options import Options, Start
from harness.runs.plan import Plan
from harness.store import records

DONE, DIFFERS, INTERRUPTED = 0, 1, 130
NUMBERS = (
    ("--epochs", "passes over the training examples of each task (default: the task's)"),
    ("--batch-size", "examples per optimizer step (default: 16)"),
    ("--micro-batch", "of them at once: memory, not results (default: by how long they are)"),
    ("--learning-rate", "of every stage (default: by method and model width)"),
    ("--alpha", "LoRA's alpha (default: by rank and model width)"),
    ("--train-examples", "use at most so many training examples of each task, whole groups (default: all)"),
    ("--test-examples", "use at most so many test examples of each task, whole groups (default: all)"),
    ("--max-tokens", "window for prompt and answer (default: the model's, 4096 at most)"),
)


def flags(parser: argparse.ArgumentParser) -> None:
    """What `sequence` takes."""
    parser.add_argument(
        "--task", action="append", metavar="A,B,C", help="two or more tasks or data files, in the order of training"
    )
    parser.add_argument("--method", metavar="NAME", default="lora", help="what trains (default lora)")
    parser.add_argument("--rank", metavar="N", default="8", help="of LoRA and its like (default 8)")
    parser.add_argument("--seed", metavar="N", default="0", help="of every stage (default 0)")
    parser.add_argument(
        "--joint", action="store_true", help="also train on all tasks at once, as a row to compare with"
    )
    parser.add_argument("--model", metavar="DIR|ID", default="tiny", help="model folder or hub id (default: tiny)")
    parser.add_argument("--trust-remote-code", action="store_true", help=shared.REMOTE_CODE)
    for flag, text in NUMBERS:
        parser.add_argument(flag, metavar="N", help=text)
    parser.add_argument(
        "--dtype", metavar="bf16|fp32", help="number format (default: bf16 where the processor is fast at it)"
    )
    parser.add_argument("--device", metavar="cpu|cuda", help="where it runs (default: cuda where there is one)")
    parser.add_argument("--no-memory", action="store_true", help="plan without predicting memory")
    shared.folder_flags(parser)
    shared.results_flag(parser)


def read_options(found: argparse.Namespace) -> Options:
    """Turn the flags into `Options` over all tasks, refusing what makes no sense.

    Raises:
        HarnessError: fewer than two tasks, several ranks, or a method that trains nothing.
    """

    def number(name: str) -> int | None:
        text = getattr(found, name)
        return None if text is None else read.count(text, f"--{name.replace('_', '-')}")

    def rate(name: str) -> float | None:
        text = getattr(found, name)
        return None if text is None else read.positive(text, f"--{name.replace('_', '-')}")

    tasks = read.words(found.task, "--task") if found.task else ()
    if len(tasks) < 2:
        raise HarnessError("a sequence has two tasks or more", where="--task", fix="--task cfa,sec_qa,claims")
    if not registry.method(found.method).trains:
        raise HarnessError(f"{found.method} trains nothing", where="--method", fix="--method lora")
    if not (found.seed.isascii() and found.seed.isdigit()):
        raise HarnessError(f"--seed {found.seed} is not a whole number from 0 on", where="--seed", fix="--seed 0")
    tasks_dirs, data = shared.folders(found)
    return Options(
        tasks=tasks,
        methods=(found.method,),
        ranks=(read.count(found.rank, "--rank"),),
        seeds=(int(found.seed),),
        model=found.model,
        results=read.path(found.results),
        data=data,
        tasks_dirs=tasks_dirs,
        remote_code=found.trust_remote_code,
        memory=not found.no_memory,
        epochs=rate("epochs"),
        batch_size=number("batch_size"),
        micro_batch=number("micro_batch"),
        learning_rate=rate("learning_rate"),
        alpha=rate("alpha"),
        train_examples=number("train_examples") or 0,
        test_examples=number("test_examples") or 0,
        max_tokens=number("max_tokens"),
        dtype=None if found.dtype is None else read.one_of(found.dtype, shared.DTYPES, "--dtype"),  # type: ignore[arg-type]
        device=None if found.device is None else read.one_of(found.device, shared.DEVICES, "--device"),  # type: ignore[arg-type]
        jobs=1,
    )


def run(options: Options, command: str, *, joint: bool = False) -> int:
    """Train what is left of the sequence, then read all of it back, print it and write it."""
    stages = make(options)
    together = [_joint(options, stages)] if joint else []
    if not options.memory:
        plan.check([*stages, *together])
    _header(stages, together)
    for one, name in [*zip(stages, _names(stages), strict=True), *((one, "joint") for one in together)]:
        output.note(name)
        outcomes, interrupted = running.execute(one)
        if interrupted:
            output.say(f"{'continue':<12} {command}")
            return INTERRUPTED
        if failed := next((outcome for outcome in outcomes if outcome.status != "ok"), None):
            output.say(f"{name} {failed.status}: {failed.reason}")
            output.say(f"{'again':<12} {command}   (finished stages are kept)")
            return DIFFERS
    return _tell(options, stages, together)


def make(options: Options) -> list[Plan]:
    """Plan every stage: the base model and the first task, then each task from the weights of the stage before.

    Raises:
        HarnessError: whatever would stop a stage later and can be known now; tasks whose scores cannot be averaged, or of
            which one trains on what another asks.
    """
    sequence.require_shares([plan.load_task(name, options) for name in options.tasks])
    adapter = registry.method(options.methods[0]).adapter
    options = replace(options, probe_limit=options.test_examples, save_full=not adapter)
    stages: list[Plan] = []
    for place, name in enumerate(options.tasks):
        others = tuple(other for other in options.tasks if other != name)
        asked = replace(options, tasks=(name,), probes=others)
        if stages:
            before = stages[-1].specs[-1]
            asked = replace(asked, start=Start(before, records.run_dir(options.results, before)))
        else:
            asked = replace(asked, methods=("base", *options.methods))
        stages += plan.make(asked, model=stages[0].model if place else None)
    _refuse_leaks(stages)
    return stages


def _refuse_leaks(stages: Sequence[Plan]) -> None:
    for one in stages:
        trained = {question_key(example): example.id for example in one.splits.train}
        for other in stages:
            if asked := next((e for e in other.splits.test if question_key(e) in trained), None):
                problem = f"{one.task.name} trains on a question that {other.task.name} asks"
                where = f"examples {trained[question_key(asked)]!r} and {asked.id!r}"
                raise HarnessError(problem, where=where, fix="leave one of the two tasks out")


def _joint(options: Options, stages: Sequence[Plan]) -> Plan:
    """Plan one run over the training examples of all tasks, as many passes as the stages make together on average.

    Nothing is predicted: the longest of all tasks' examples decide its memory, and a plan looks at one task.
    """
    trained = [one.specs[-1] for one in stages]
    seen = math.fsum(spec.epochs * spec.train_examples for spec in trained)
    first, *others = options.tasks
    asked = replace(
        options,
        tasks=(first,),
        probes=tuple(others),
        joined=tuple(others),
        probe_limit=options.test_examples,
        epochs=seen / sum(spec.train_examples for spec in trained),
        micro_batch=min(spec.micro_batch for spec in trained),
        max_tokens=min(spec.max_tokens for spec in trained),
        memory=False,
    )
    (made,) = plan.make(asked, model=stages[0].model)
    return made


def _names(stages: Sequence[Plan]) -> list[str]:
    return [f"stage {place} of {len(stages)}: {one.task.name}" for place, one in enumerate(stages, start=1)]


def _header(stages: Sequence[Plan], together: Sequence[Plan]) -> None:
    spec = stages[0].specs[-1]
    sizes = (
        f"{p.task.name} v{p.task.version}, {len(p.splits.train):,} train, {len(p.splits.test):,} test" for p in stages
    )
    done = sum(len(one.done) for one in (*stages, *together))
    count = sum(len(one.specs) for one in (*stages, *together))
    lines = [
        ("sequence", " → ".join(sizes)),
        ("model", f"{spec.model} @ {spec.model_revision[:7]}… · {spec.dtype} · {spoken(spec)}"),
        ("plan", f"{count} runs, one after the other" + f" · {done} done already" * bool(done)),
        ("asked", "all tasks after every stage, the same questions each time"),
    ]
    lines += [("--data", text) for one in stages if (text := data.passed_over(one.task, one.options.data))]
    if together:
        passes = together[0].specs[-1].epochs
        lines.append(("joint", f"all training examples at once, {passes:.3g} passes, so as many steps as all stages"))
    for first, rest in lines:
        output.say(output.folded(f"{first:<10} ", rest, indent=11))
    output.say()


def _tell(options: Options, stages: Sequence[Plan], together: Sequence[Plan]) -> int:
    base, *_ = stages[0].specs
    specs = [base, *(one.specs[-1] for one in stages)]
    joint = _finished(options, together[0].specs[-1]) if together else None
    runs = [_finished(options, spec) for spec in specs]
    found = sequence.read([one.task for one in stages], runs, joint)
    for table in (
        report_sequence.matrix_table(found),
        report_sequence.task_table(found),
        report_sequence.measure_table(found),
    ):
        output.say(table.title)
        output.table(table)
        output.say()
    for line in READING:
        output.say(output.folded("", line, indent=0))
    text = json.dumps(
        sequence.as_document(found) | {"specs": _specs(runs, joint)}, indent=1, ensure_ascii=False, allow_nan=False
    )
    path = records.write_text(options.results / records.SEQUENCES / _file(stages, together), text + "\n")
    made = f"{specs[-1].model} · {spoken(specs[-1])}"
    drawn = write.write_figure(path.with_suffix(""), lambda: matrix.draw(report_sequence.score_matrix(found, made)))
    output.written(
        [path, *drawn, *(run.folder for run in [*runs, *([joint] if joint else [])])],
        errors.command("verify", str(options.results)),
    )
    return DONE


READING = (
    "backward transfer: the last stage less each task's own stage, below 0 where later tasks cost it. forward transfer: each"
    " task just before its own stage, less base. forgetting: the best stage before the last, less the last; the best of"
    " several is in part luck. Intervals cover other questions, not other seeds or another order of the tasks.",
)


def _finished(options: Options, spec: RunSpec) -> records.Run:
    run = records.finished(options.results, spec)
    if run is None:
        raise HarnessError("a finished stage is gone", where=spec.id, fix="run the same command again")
    return run


def _specs(runs: Sequence[records.Run], joint: records.Run | None) -> list[dict[str, object]]:
    return [run.record.spec.fields() | {"id": run.record.spec.id} for run in [*runs, *([joint] if joint else [])]]


def _file(stages: Sequence[Plan], together: Sequence[Plan]) -> Path:
    """Name the file after the tasks and after the last stage, whose id stands for all before it."""
    last = stages[-1].specs[-1]
    words = "-".join(records.path_word(one.task.name) for one in stages)[:80]
    joint = f"-joint-{together[0].specs[-1].id}" if together else ""
    return Path(f"{words}.{records.path_word(last.name)}.s{last.seed}-{last.id}{joint}.json")

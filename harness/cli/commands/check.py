"""`check`: a task or a data file without training: can it be read and scored, and how is its data made up?"""

from __future__ import annotations

from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

from harness import processes
from harness.cli import flags, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.terminal import documents, output, silence, tasks
from harness.data import audit, file_task, loading, profile, published
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.metrics import scoring
from harness.model import checkpoint
from harness.model.checkpoint import Checkpoint
from harness.runs.options import Options
from harness.schema import Task
from harness.verify import check as checks
from harness.verify import shortcuts
from harness.verify import task as oracle
from harness.verify.check import Check

DONE, DIFFERS = 0, 1
HASH_SEEDS = ("1", "2")
FLAGS = (
    Flag(
        "task",
        "tasks by name, or data files",
        parse.words,
        field="tasks",
        metavar="TASK|FILE",
        example="cfa",
        nargs="+",
    ),
    Flag(
        "--model",
        "the model whose window the examples are compared with",
        metavar="DIR|ID",
        example="tiny",
        default=Options.model,
    ),
    *flags.SOURCES,
    flags.JSON,
)


def main(arguments: Arguments) -> int:
    """Check tasks."""
    return check(settings.with_suites(settings.options(arguments)), as_json=arguments.as_json)


def check(options: Options, *, as_json: bool = False) -> int:
    """Check each task as a run would and by the oracle tests; show a prompt and the facts of the data, or a document of all."""
    model = checkpoint.read(options.model)
    tasks_checked: list[dict[str, Any]] = []
    code = max([_check(name, options, model, tasks_checked if as_json else None) for name in options.tasks])
    if as_json:
        documents.show({"passed": code == DONE, "tasks": tasks_checked})
    return code


def _check(name: str, options: Options, model: Checkpoint, entries: list[dict[str, Any]] | None) -> int:
    source = options.source(name)
    with silence.stage(f"reading {name}"):
        task = source.task()
        scoring.require(task.metrics)
        splits = source.splits(task)
        fingerprint = loading.fingerprint(task, splits)
    apart = "; ids, questions and groups are in one split each" if len(task.splits) > 1 else ""
    with silence.stage(f"scoring gold, wrong and shuffled answers of {task.name}, and reading it under two hash seeds"):
        checked = [
            Check(f"every example can be read{apart}", True),
            *oracle.checks(task, splits),
            _stable(source, fingerprint),
        ]
    load = task.load
    left_out = load.left_out(loading.resolve(task.source, options.data)) if isinstance(load, published.Load) else {}
    notes = [
        *file_task.reading_notes(task),
        *_about_gold(task, splits),
        *profile.notes(splits.items(), task.prompt),
        _tokens(task, splits, model),
    ]
    with silence.stage(f"looking for shortcuts in {task.name}: fitting rows without a language model"):
        notes += shortcuts.notes(task, splits)
    if unused := loading.passed_over(task, options.data):
        notes = [("--data", unused), *notes]
    if not splits.train:  # nothing that a test could be too much like
        notes = [(heading, text) for heading, text in notes if heading != "alike"]
    if entries is None:
        tasks.task(task, splits, fingerprint, left_out, notes)
        output.each_check(task.name, checked)
    else:
        entries.append(documents.task(task, splits, fingerprint, left_out, notes, checked))
    return DONE if all(check.ok for check in checked) else DIFFERS


def _about_gold(task: Task, splits: loading.Splits) -> list[tuple[str, str]]:
    """Return the counts of gold answers by the verdict of the task's audit; nothing without an audit."""
    counts = audit.counts(task, [example for _, part in splits.items() for example in part])
    text = " · ".join(f"{verdict} {count:,}" for verdict, count in sorted(counts.items()))
    state = "corrected" if task.gold == "audited" else "as in the source; --gold audited corrects it"
    return [("gold", f"{text} ({state})")] if text else []


def _stable(source: TaskSource, expected: str) -> Check:
    """Check that processes with other hash seeds read the same data: the order of a set must decide nothing."""
    with ExitStack() as stack:
        calls = {}
        for seed in HASH_SEEDS:  # side by side, each in its environment
            with processes.environment_of(PYTHONHASHSEED=seed):
                call = processes.Call(get_context("spawn"), fingerprint, source, silent=True)
                calls[seed] = stack.enter_context(call)
        try:
            results = {seed: call.result() for seed, call in calls.items()}
        except (processes.ProcessEnd, processes.LibraryError) as error:
            raise HarnessError(
                f"the data cannot be read again in a process of its own: {error}",
                where=source.name,
                fix="if it was killed, free some memory; else correct what reads the data",
            ) from error
    faults = [f"{result} under seed {seed}, {expected} here" for seed, result in results.items() if result != expected]
    return checks.check("the data is the same under two hash seeds", faults)


def fingerprint(source: TaskSource) -> str:
    """Return the fingerprint of a task's data as this process reads it; errors as `TaskSource.splits`."""
    task = source.task()
    return loading.fingerprint(task, source.splits(task))


def _tokens(task: Task, splits: loading.Splits, model: Checkpoint) -> tuple[str, str]:
    """Return the lengths of the examples in the model's tokens, and how many exceed its window."""
    from tokenizers import Tokenizer

    path = model.folder / "tokenizer.json"
    if not path.is_file():
        return "tokens", f"{model.name} has no tokenizer.json to count them with"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    examples = [example for _, part in splits.items() for example in part]
    texts = [f"{task.prompt(e)} {max((e.target, *e.choices), key=len)}" for e in examples]
    lengths = sorted(len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts))
    long = sum(length > model.window for length in lengths)
    then = "read in overlapping windows" if task.scoring == "perplexity" else "their context is shortened, and counted"
    fit = (
        f"{long:,} of {len(lengths):,} exceed the {model.window:,} of {model.name}: {then}"
        if long
        else f"all fit {model.name}'s {model.window:,}"
    )
    return "tokens", f"median {lengths[len(lengths) // 2]:,} · longest {lengths[-1]:,} · {fit}"

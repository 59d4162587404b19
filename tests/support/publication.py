"""A publication made for the tests of `verify`: finished runs of two small tasks, published the way a user publishes."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.challengers.parts import answers as challenging
from harness.cli.app import main
from harness.data import loading, registry
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.record import Answer, Cost, Phase, Record, RunSpec
from harness.schema import Example, Task
from harness.store import records
from harness.verify import embedded
from tests.support import logged_steps
from tests.support.cli_runner import clean_commit
from tests.support.records import make_environment, make_record, make_spec
from tests.support.remembered import remember
from tests.support.run_costs import cost_of, start_of, with_written

TASKS = ("pick", "total")
ROWS = (("base", 0, 0.3), ("lora", 2, 0.6), ("lora", 8, 0.8), ("full", 0, 0.9))
SEEDS = 3
SIZES = {"train": 24, "validation": 6, "test": 30}

TASK_FILE = '''"""A small task for the tests."""
from harness import Example, Source, Task, metrics, prompts, read_jsonl


def load(folder, split):
    for row in read_jsonl(folder / f"{{split}}.jsonl"):
        yield Example(row["id"], row["question"], row["answer"], tuple(row["choices"]), group=row["group"],
                      slices={{"topic": row["topic"]}})


TASK = Task(
    name="{name}", version=1, title="{name}, made up", load=load,
    source=Source("data/{name}", sha256="{sha256}", license="CC0-1.0", redistributable={redistributable}),
    prompt=prompts.{prompt}, metrics=({metrics}), scoring="{scoring}",
)
'''


def write_tasks(folder: Path, *, redistributable: bool = True) -> Path:
    """Write the two task files with their data and return the folder: one of options, one of written numbers."""
    for name in TASKS:
        place = folder / "data" / name
        place.mkdir(parents=True)
        for split, count in SIZES.items():
            rows = [_row(name, split, number) for number in range(count)]
            (place / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = name == "pick"
        text = TASK_FILE.format(
            name=name,
            sha256=loading.hash_folder(place),
            redistributable=redistributable,
            prompt="multiple_choice" if options else "question_answer",
            metrics="metrics.accuracy, metrics.macro_f1" if options else "metrics.numeric(), metrics.exact_match",
            scoring="choices" if options else "generate",
        )
        (folder / f"{name}.py").write_text(text)
    return folder


def _row(task: str, split: str, number: int) -> dict[str, object]:
    options = ["it rises", "it falls", "it stays"] if task == "pick" else []
    answer = options[number % 3] if options else str(100 + 7 * number)
    about = f"Filing {number} of {split}: what does {task} say?"
    return {
        "id": f"{split}-{number}",
        "question": about,
        "answer": answer,
        "choices": options,
        "group": f"{split} {number // 2}",
        "topic": ("cash", "debt")[number // 2 % 2],
    }


def write_runs(results: Path, tasks_dir: Path, *, seeds: int = SEEDS, challengers: Sequence[str] = ()) -> list[Record]:
    """Write finished runs of every row and seed of both tasks, and of challengers of the first; the base model runs once."""
    made = []
    for name in TASKS:
        task = registry.task(name, [tasks_dir])
        splits = loading.load_splits(task)
        for method, rank, share in ROWS:
            for seed in range(seeds if method != "base" else 1):
                made.append(write_run(results, task, splits, spec_of(task, splits, method, rank, seed), share))
    task = registry.task(TASKS[0], [tasks_dir])
    return made + [write_challenger(results, task, loading.load_splits(task), name) for name in challengers]


def write_challenger(results: Path, task: Task, splits: loading.Splits, name: str) -> Record:
    """Write the finished run of a challenger, with the answers that it gives."""
    challenger, base = registry.challenger(name), spec_of(task, splits, "base", 0, 0)
    spec = replace(base, method=name, challenger=challenger.version, max_tokens=0)
    answers = challenging.answer(challenger, challenging.fit(challenger, task, splits.train, 0), splits.test, task)
    folder, luck = records.run_dir(results, spec), random.Random(spec.id)
    phases = {phase: Phase(1 + luck.random(), 0, 2**28) for phase in ("fit", "evaluate")}
    record = make_record(
        spec,
        scores=score_answers(answers, task.metrics),
        parse_rate=parse_rate(answers),
        chance=chance(task, splits.test),
        cost=Cost(phases, None, 0, 0, 0, 0, 0, 0, 0.0),
        final_loss=None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=1 + math.fsum(phase.seconds for phase in phases.values()),
        answers_sha256=records.write_answers(folder, answers),
        environment=make_environment(commit=clean_commit()),
    )
    records.write_record(folder, record)
    return record


def spec_of(task: Task, splits: loading.Splits, method: str, rank: int, seed: int) -> RunSpec:
    """Return the spec of a run on these examples."""
    trains = method != "base"
    return make_spec(
        task=task.name,
        model_revision=embedded.revision(),
        max_new_tokens=task.max_new_tokens,
        data=loading.fingerprint(task, splits),
        scoring=task.scoring,
        method=method,
        rank=rank,
        alpha=32.0 if rank else 0.0,
        learning_rate=0.01 if trains else 0.0,
        epochs=1.0 if trains else 0.0,
        batch_size=8 if trains else 0,
        micro_batch=8 if trains else 0,
        warmup=0.1 if trains else 0.0,
        train_examples=len(splits.train) if trains else 0,
        test_examples=len(splits.test),
        seed=seed,
    )


def write_run(results: Path, task: Task, splits: loading.Splits, spec: RunSpec, share: float) -> Record:
    """Write a finished run of which about `share` of the answers are right."""
    answers = make_answers(splits.test, spec, share)
    folder = records.run_dir(results, spec)
    cost, luck = with_written(cost_of(spec), spec, answers), random.Random(spec.id + "loss")
    record = make_record(
        spec,
        scores=score_answers(answers, task.metrics),
        parse_rate=parse_rate(answers),
        chance=chance(task, splits.test),
        cost=cost,
        final_loss=luck.random() if spec.train_examples else None,
        started=start_of(spec),
        seconds=1 + math.fsum(phase.seconds for phase in cost.phases.values()),
        answers_sha256=records.write_answers(folder, answers),
        environment=make_environment(commit=clean_commit()),
        adapter_sha256=hashlib.sha256(spec.id.encode()).hexdigest() if spec.rank else "",
    )
    if spec.train_examples:
        return logged_steps.write(folder, record, logged_steps.rows_of(record))
    records.write_record(folder, record)
    return record


def make_answers(examples: Sequence[Example], spec: RunSpec, share: float) -> list[Answer]:
    """Answer some questions right and the others wrong, in the way that the spec scores."""
    luck = random.Random(f"{spec.method}{spec.rank}{spec.seed}")
    answers = []
    for example in examples:
        right = luck.random() < share
        if spec.scoring == "choices":
            others = [choice for choice in example.choices if choice != example.target]
            said = example.target if right else luck.choice(others)
            loglik = tuple(-0.5 - luck.random() / 8 if c == said else -2.0 - luck.random() for c in example.choices)
            text, parsed = said, said
        else:
            text = f"{example.target}.0\nand more" if right else luck.choice(["nobody knows", "3\n"])
            parsed, loglik = text.split("\n")[0], (-5 * luck.random(),)
        fields = (example.id, example.group, example.target, text, parsed, example.choices, loglik)
        ends = tuple(-luck.random() for _ in example.choices)
        answers.append(Answer(*fields, slices=dict(example.slices), end_loglik=ends))
    return answers


def publish(
    folder: Path, *, redistributable: bool = True, seeds: int = SEEDS, challengers: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Make tasks and runs in a folder and publish them; return the published folder and that of the tasks."""
    tasks_dir = write_tasks(folder / "tasks", redistributable=redistributable)
    write_runs(folder / "results", tasks_dir, seeds=seeds, challengers=challengers)
    words = ["publish", "--results", str(folder / "results"), "--tasks-dir", str(tasks_dir)]
    assert main(words) == 0
    return folder / "results" / "published", tasks_dir


def committed(patch: pytest.MonkeyPatch) -> None:
    """Let the code count as committed while it is being worked on."""
    patch.setattr("harness.environment.commit", clean_commit)


def without_figures(patch: pytest.MonkeyPatch) -> None:
    """As `committed`, no figure is drawn, and the same answers are read and scored once: these take longest.

    Without figures there is little to do for a task, less than a fork of this process takes.
    """
    committed(patch)
    remember(patch)
    patch.setattr("harness.processes._is_fork", True)
    patch.setattr("harness.report.figures.write.write", lambda *_: [])

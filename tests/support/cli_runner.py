"""A desk for the tests of the program: data, a model folder, and workers that finish without torch."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from pathlib import Path

import pytest

from harness import environment
from harness.cli.app import main
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.record import Answer
from harness.runs.job import Job, Reporter
from harness.runs.local import Target
from harness.store import records
from tests.support import logged_steps
from tests.support.records import make_environment, make_record
from tests.support.run_costs import cost_of, start_of
from tests.support.sample_inputs import write_model, write_task

COMMIT = environment.commit()


def clean_commit() -> str:
    """The commit of this code, as if nothing had been changed since: runs of it may be published."""
    return COMMIT.removesuffix("+")


def guess(job: Job, reporter: Reporter) -> None:
    """A worker that trains nothing: what is trained is right, the base model picks the first option."""
    task = job.source.task()
    splits = job.source.unlimited().splits(task)
    answers, luck = [], random.Random(f"{job.spec.method}{job.spec.rank}{job.spec.seed}")
    for example in dict(splits.items())[job.spec.split]:
        said = example.choices[0] if job.spec.method == "base" else example.target
        answers.append(
            Answer(
                id=example.id,
                group=example.group or example.id,
                target=example.target,
                text=said,
                parsed=task.parse(said, example) if task.parse else said,
                choices=example.choices,
                loglik=tuple(0.0 if choice == said else -1.0 - luck.random() for choice in example.choices),
                end_loglik=tuple(-0.1 for _ in example.choices),
                slices=dict(example.slices),
            )
        )
    cost = cost_of(job.spec)
    record = make_record(
        job.spec,
        cost=cost,
        guess=task.guess,
        final_loss=random.Random(job.spec.id).random() if job.spec.train_examples else None,
        started=start_of(job.spec),
        seconds=1 + math.fsum(phase.seconds for phase in cost.phases.values()),
        scores=score_answers(answers, task.metrics),
        parse_rate=parse_rate(answers),
        answers_sha256=records.write_answers(job.folder, answers),
        environment=make_environment(commit=clean_commit()),
        chance=chance(task, splits.test),
    )
    logged_steps.write_all(job.folder, record)


def guess_but_lora_is_killed(job: Job, reporter: Reporter) -> None:
    """As `guess`, and the run of LoRA dies."""
    if job.spec.method == "lora":
        os.kill(os.getpid(), signal.SIGKILL)
    guess(job, reporter)


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody look at the model, and no figure be drawn; a `Desk` lets runs guess."""
    monkeypatch.setattr("harness.cli.commands.run.plan.check", lambda plans: None)
    monkeypatch.setattr("harness.report.figures.write.write", lambda *_: [])
    monkeypatch.setattr("harness.processes._is_fork", True)  # without figures a fork takes longer than its work
    monkeypatch.setattr("harness.environment.commit", clean_commit)


class Desk:
    """A folder with data and a model, and the program run in it without torch; `work` does a run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.task = write_task(folder / "toy.jsonl")
        self.model = write_model(folder / "model")
        self.results = folder / "results"
        self.capsys = capsys
        self.work: Target = guess
        self.out = self.err = ""

    def run(self, *arguments: str) -> int:
        """Run a command on this folder's results, without challengers unless they are named; see `out` and `err`."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("harness.cli.settings.BUILT_IN", ())
            code = main([*arguments, "--results", str(self.results)], work=self.work)
        self.out, self.err = self.capsys.readouterr()
        return code

    def train(self, *arguments: str) -> int:
        """`run` on the toy task: base, LoRA of rank 2 and full."""
        flags = ("--method", "base,lora,full", "--rank", "2", "--no-memory")
        return self.run("--task", str(self.task), "--model", str(self.model), *flags, *arguments)


def base_then_wait(job: Job, reporter: Reporter) -> None:
    """A worker that finishes the base run and waits in any other to be stopped."""
    if job.spec.method == "base":
        return guess(job, reporter)
    (job.folder / "waiting").touch()
    while not reporter.should_stop():
        time.sleep(0.05)
    records.write_record(job.folder, make_record(job.spec, status="interrupted", scores={}, cost=None))

"""One run in one process: load, train, evaluate, score, write; each phase measured from its own reset.

Whatever goes wrong here becomes the run's record: out of memory, a bug, a loss that is not a number, a request to
stop. What kills the process outright is the runner's to tell.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import math
import os
import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import environment
from harness.data import loading, registry
from harness.errors import HarnessError
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.model import meter as memory
from harness.record import Answer, Cost, Phase, ProbeResult, Record, RunSpec, Score, Status
from harness.runs import continuation, worker_probes
from harness.runs.job import Ended, Job, PhaseName, Progress, Reporter, Stopped
from harness.schema import Method, Task
from harness.store import records
from harness.store.redact import redact
from harness.training import clients

if TYPE_CHECKING:
    from harness.training.loop import FitResult, Step

TELL_SECONDS = 0.1  # progress is told at most this often
NO_SPACE = os.strerror(errno.ENOSPC)
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)


@dataclass
class _Found:
    """What a run has found so far; a record of it can be written at any moment."""

    scores: dict[str, Score] = field(default_factory=dict)
    parse_rate: float = 0.0
    chance: float | None = None
    guess: str = "guessing"
    cost: Cost | None = None
    answers_sha256: str = ""
    final_loss: float | None = None
    cut_examples: int = 0
    device_name: str = ""
    probes: dict[str, ProbeResult] = field(default_factory=dict)


def run(job: Job, reporter: Reporter) -> None:
    """Do the run and write its record; never raises for what the run did."""
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    found, status, reason = _Found(), "ok", ""
    try:
        _work(job, found, _Pace(reporter))
    except Stopped:
        status, reason = "interrupted", "stopped by Ctrl-C"
    except Exception as error:
        status, reason = explain(error)
        with contextlib.suppress(OSError):  # the disk may be full, and the record is still to be tried
            traceback.print_exc()
    record = Record(
        spec=job.spec,
        status=status,  # type: ignore[arg-type]
        scores=found.scores,
        parse_rate=found.parse_rate,
        chance=found.chance,
        guess=found.guess,
        cost=found.cost,
        environment=environment.describe(job.spec.device, threads=job.threads, device_name=found.device_name),
        reason=reason,
        answers_sha256=found.answers_sha256,
        final_loss=found.final_loss,
        cut_examples=found.cut_examples,
        started=started,
        seconds=time.perf_counter() - clock,
        probes=found.probes,
    )
    try:
        records.write_record(job.folder, record)
    except HarnessError as error:
        status, reason = "failed", reason or error.problem
    reporter.tell(Ended(status, reason))  # type: ignore[arg-type]


def explain(error: BaseException) -> tuple[Status, str]:
    """Return the status and the one-line reason that an exception gives a run; a reason names no secret and no home."""
    status, reason = _explained(error)
    return status, redact(reason)


def _explained(error: BaseException) -> tuple[Status, str]:
    message = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or OUT_OF_MEMORY.search(message):
        return "oom", message or "out of memory"
    if isinstance(error, HarnessError):
        return "failed", error.problem
    # safetensors and torch write with code of their own, whose errors are no OSErrors
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or NO_SPACE in message:
        return "failed", "no space left on the disk"
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({Path(frame[0].filename).name}:{frame[0].lineno})" if frame else ""
    return "failed", f"{type(error).__name__}: {message}{place}"


class _Pace:
    """Tells progress, not too often, and raises `Stopped` where the run was asked to stop."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._told = 0.0
        self._phase = ""
        self._began = 0.0

    def tell(self, phase: PhaseName, done: int = 0, total: int = 0, loss: float | None = None) -> None:
        """Tell where the run stands."""
        now = time.perf_counter()
        if phase != self._phase:
            self._phase, self._began, self._told = phase, now, 0.0
        if now - self._told >= TELL_SECONDS:
            left = (now - self._began) / done * (total - done) if done else None
            self._reporter.tell(Progress(phase, done, total, loss, left))
            self._told = now

    def should_stop(self) -> bool:
        """Whether the run was asked to stop."""
        return self._reporter.should_stop()

    def check(self) -> None:
        """Stop here if asked to."""
        if self.should_stop():
            raise Stopped


def _work(job: Job, found: _Found, pace: _Pace) -> None:
    import torch

    from harness.model import answer as evaluate
    from harness.model import loading as models
    from harness.model import tokenize

    spec = job.spec
    torch.set_num_threads(job.threads)
    torch.manual_seed(spec.seed)
    repeatable(spec.device)
    pace.tell("load")
    task, splits = _examples(job)
    probes = worker_probes.find(job, task, splits.test)
    asked = dict(splits.items())[spec.split]
    found.chance, found.guess = chance(task, asked), task.guess
    method = registry.method(job.method or spec.method)
    if method.ranked:
        models.check_rank(models.shape(str(job.model_folder), remote_code=spec.remote_code), spec.rank)
    phases: dict[str, Phase] = {}
    with memory.phase(spec.device) as meter:
        tokenizer = models.load_tokenizer(job.model_folder, remote_code=spec.remote_code)
        model = continuation.load(job, method)
        weights = sum(_numbers(weight) for weight in model.parameters())
        model = continuation.adapt(model, job, method)
        meter.note(memory.weights_bytes(model))
        found.device_name = torch.cuda.get_device_name() if spec.device == "cuda" else ""
    phases["load"] = _result(meter)
    held, trained = memory.weights_bytes(model), memory.trained_weights(model)
    pace.check()
    fit = _train(job, task, splits.train, model, tokenizer, method, phases, pace, found)
    saved = _save(job, model, tokenizer, method)
    _tidy(spec.device)
    with memory.phase(spec.device) as meter:
        shown = tokenize.choose_shots(splits.train, method.shots, spec.seed)
        answers = evaluate.answer(
            model, tokenizer, asked, task, spec, shots=shown, on_progress=_answered(pace), meter=meter
        )
    phases["evaluate"] = _result(meter)
    said: worker_probes.Said = []
    if probes:
        _tidy(spec.device)
        said, phases["probe"] = worker_probes.ask(probes, model, tokenizer, job, _answered(pace, "probe"))
    found.cost = Cost(
        phases=phases,
        parts=fit.parts if fit else None,
        predicted_peak_bytes=job.predicted_peak_bytes,
        weights=weights,
        trained_weights=trained,
        weights_bytes=held,
        adapter_bytes=saved,
        train_tokens=fit.tokens if fit else 0,
        train_tokens_per_second=fit.tokens_per_second if fit else 0.0,
    )
    _score(job, task, answers, found)
    found.probes = worker_probes.keep(job, said)


def repeatable(device: str) -> None:
    """Make two runs of a spec give the same answers on CUDA too; the CPU's kernels are repeatable as they are.

    Where CUDA has no deterministic kernel torch warns, into the log, and goes on: a model with such an operation can
    still be run. It then counts on `CUBLAS_WORKSPACE_CONFIG`, see `harness.runs.local`.
    """
    if device != "cuda":
        return
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling costs time, and nothing here reads what it did not write.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _numbers(weight: Any) -> int:
    """How many numbers a weight holds; bitsandbytes packs two of 4 bits into one byte."""
    state = getattr(weight, "quant_state", None)
    return math.prod(state.shape) if state is not None else int(weight.numel())


def _examples(job: Job) -> tuple[Task, loading.Splits]:
    spec = job.spec
    task = replace(job.source.task(), scoring=spec.scoring)
    splits = job.source.splits(task)
    if loading.fingerprint(task, splits) != spec.data:
        raise HarnessError(
            "the task's data or prompt changed since the run was planned",
            where=f"task {task.name}",
            fix="run the same command again",
        )
    return task, splits


def _train(
    job: Job,
    task: Task,
    examples: Sequence[Any],
    model: Any,
    tokenizer: Any,
    method: Method,
    phases: dict[str, Phase],
    pace: _Pace,
    found: _Found,
) -> FitResult | None:
    if not method.trains:
        return None
    from harness.model import tokenize

    spec = job.spec
    with memory.phase(spec.device) as meter, records.open_steps(job.folder) as steps:
        room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
        pairs = tokenize.encode_train(tokenizer, examples, task, spec.max_tokens, room)
        pairs += continuation.encode_joined(job, tokenizer)
        found.cut_examples += sum(pair.cut_tokens > 0 for pair in pairs)

        def on_step(step: Step) -> None:
            records.append_step(steps, asdict(step))
            pace.tell("train", step.step, step.steps, step.loss)

        fit = _loop(spec, method, examples)(
            model,
            tokenizer,
            pairs,
            spec,
            on_step=on_step,
            should_stop=pace.should_stop,
            meter=meter,
            rate_factor=method.rate_factor,
        )
    phases["train"] = _result(meter)
    found.final_loss = fit.losses[-1]
    if fit.stopped:
        raise Stopped
    return fit


def _loop(spec: RunSpec, method: Method, examples: Sequence[Any]) -> Callable[..., FitResult]:
    """Return the training loop over all examples, or that by rounds over the clients that hold them."""
    from harness.training import federated, flower, loop

    if not spec.rounds:
        return partial(loop.fit, make=method.optimizer)
    return partial(federated.fit, holders=clients.holders(examples, spec.clients_by), server=flower.serve)


def _answered(pace: _Pace, phase: PhaseName = "evaluate") -> Any:
    def on_progress(done: int, total: int) -> None:
        pace.tell(phase, done, total)
        pace.check()

    return on_progress


def _save(job: Job, model: Any, tokenizer: Any, method: Method) -> int:
    """Write the adapter, or with `--save-full` the model; return the adapter's bytes."""
    if method.adapter:
        folder = job.folder / records.ADAPTER
        if method.save:
            method.save(model, folder, job.spec)
            return sum(path.stat().st_size for path in folder.glob("adapter_model*"))
        for config in model.peft_config.values():
            config.base_model_name_or_path = job.spec.model  # a name, not a path of this machine
        model.save_pretrained(folder, save_embedding_layers=False)  # "auto" would look the base model up on the hub
        (folder / "README.md").unlink(missing_ok=True)  # a template with nothing filled in
        return sum(path.stat().st_size for path in folder.glob("adapter_model*"))
    if method.trains and job.save_full:
        folder = job.folder / records.MODEL
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return 0


def _score(job: Job, task: Task, answers: Sequence[Answer], found: _Found) -> None:
    found.cut_examples += sum(answer.cut_tokens > 0 for answer in answers)
    found.answers_sha256 = records.write_answers(job.folder, answers)
    found.scores = score_answers(answers, task.metrics)
    found.parse_rate = parse_rate(answers)


def _result(meter: memory.Meter) -> Phase:
    if meter.result is None:
        raise RuntimeError("a phase was read before it ended")
    return meter.result


def _tidy(device: str) -> None:
    """Let go of what the phase before left behind, so that it is not counted in the next."""
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()

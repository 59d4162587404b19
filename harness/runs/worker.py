"""One run in one process: load, train, evaluate, score, write; each phase measured from its own reset.

Whatever goes wrong here becomes the run's record: out of memory, a bug, a loss that is not a number, a request to
stop. If the process itself is killed, the runner writes the record.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from harness import environment
from harness.data import registry
from harness.errors import DIVERGED, HarnessError
from harness.methods.parts import packing
from harness.metrics.scoring import chance, parse_rate, score_answers
from harness.model import meter as memory
from harness.record import Answer, Cost, DataFile, Phase, Record
from harness.runs import continuation, inputs, save_weights, worker_challenger, worker_probes, worker_training
from harness.runs.failure import explain as explain
from harness.runs.inputs import Inputs
from harness.runs.job import Interruption, Job, Note, PhaseName, Progress, Reporter, RunEnd
from harness.runs.run_state import RunState
from harness.schema import Method, Task
from harness.store import checkpoint_files, records, training_files

if TYPE_CHECKING:
    from harness.training.shard import Shards

TELL_SECONDS = 0.1  # between two reports of progress, at least


def run(job: Job, reporter: Reporter) -> None:
    """Do the run and write its record; a failure of the run is a record, never an exception."""
    if job.spec.shards > 1 and job.share is None:
        from harness.runs.shards import group

        return group.run(job, reporter, run)
    start, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    state, status, reason = RunState(start), "ok", ""
    try:
        (_challenge if job.spec.challenger else _work)(job, state, _Pace(reporter))
    except Interruption:
        status, reason = "interrupted", "stopped by Ctrl-C or a signal"
    except Exception as error:
        status, reason = explain(error)
        with contextlib.suppress(OSError):  # the disk may be full, and the record is still to be tried
            traceback.print_exc()
    record = Record(
        spec=job.spec,
        status=status,  # type: ignore[arg-type]
        scores=state.scores,
        parse_rate=state.parse_rate,
        chance=state.chance,
        guess=state.guess,
        cost=state.cost,
        environment=environment.describe(
            job.spec.device,
            threads=job.threads * (job.spec.shards if job.share else 1),
            shards=job.spec.shards,
            device_name=state.device_name,
            further=_further(job),
        ),
        reason=reason,
        answers_sha256=state.answers_sha256,
        final_loss=state.final_loss,
        cut_examples=state.cut_examples,
        started=state.keeper.start if state.keeper else start,
        seconds=time.perf_counter() - clock + (state.keeper.earlier_seconds if state.keeper else 0.0),
        probes=state.probes,
        validation=state.validation,
        adapter_sha256=state.adapter_sha256,
        steps_sha256=state.steps_sha256,
        data_file=_data_file(job),
        usage=state.usage,
        targets=state.targets,
        load=state.load,
        checkpoints=state.keeper.totals if state.keeper else None,
        selection=state.selection,
    )
    try:
        records.write_record(job.folder, record)
        if status == "ok" or DIVERGED in reason:
            checkpoint_files.drop(job.folder)
    except HarnessError as error:
        status, reason = "failed", reason or error.problem
    reporter.tell(RunEnd(status, reason))  # type: ignore[arg-type]


def _further(job: Job) -> tuple[str, ...]:
    """Return further packages that decide the answers of a run."""
    if job.spec.engine and not job.spec.challenger:
        from harness.engines import catalog

        return catalog.package_of(job.spec.engine).names
    return worker_challenger.PACKAGES if job.spec.challenger else ()


def _data_file(job: Job) -> DataFile | None:
    with contextlib.suppress(HarnessError):  # the file is gone, which is the reason of a run that failed
        return job.source.data_file(job.results)
    return None


class _Pace:
    """Reports progress, not too often, and raises `Interruption` if the run is asked to stop."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._phase = ""
        self._phase_start = 0.0
        self._last_report = 0.0

    def tell(self, phase: PhaseName, done: int = 0, total: int = 0, loss: float | None = None) -> None:
        """Report the progress of a phase, unless the last report is too recent."""
        now = time.perf_counter()
        if phase != self._phase:
            self._phase, self._phase_start, self._last_report = phase, now, 0.0
        if now - self._last_report >= TELL_SECONDS:
            left = (now - self._phase_start) / done * (total - done) if done else None
            self._reporter.tell(Progress(phase, done, total, loss, left))
            self._last_report = now

    def say(self, text: str) -> None:
        """Pass a sentence on to the user, and write it into the log."""
        sys.stderr.write(f"{text}\n")
        self._reporter.tell(Note(text))

    def should_stop(self) -> bool:
        """Whether the run was asked to stop."""
        return self._reporter.should_stop()

    def check(self) -> None:
        """Stop here if asked to."""
        if self.should_stop():
            raise Interruption


def _challenge(job: Job, state: RunState, pace: _Pace) -> None:
    """Fit a challenger and let it answer; neither weights nor tokens are counted, as there is no model."""
    pace.tell("fit")
    data = inputs.read_again(job)
    state.chance, state.guess = chance(data.task, data.splits.test), data.task.guess
    answers, phases, state.usage = worker_challenger.answer(job, data, _on_answer(pace))
    state.cost = Cost(phases, None, 0, 0, 0, 0, 0, 0, 0.0)
    _score(job, data.task, answers, state)


def _work(job: Job, state: RunState, pace: _Pace) -> None:
    import torch

    spec = job.spec
    torch.set_num_threads(job.threads)
    torch.manual_seed(spec.seed)
    repeatable(spec.device)
    pace.tell("load")
    data = inputs.read_again(job)
    state.chance, state.guess = chance(data.task, dict(data.splits.items())[spec.split]), data.task.guess
    method = registry.method(job.method or spec.method)
    if not spec.engine:
        model, tokenizer, cost = _prepare(job, data, method, state, pace)
        _test(job, data, method, model, tokenizer, cost, state, pace)
        return
    from harness.runs import worker_engine

    tokenizer, cost = worker_engine.trained(job, state) or _prepare(job, data, method, state, pace)[1:]
    _tidy(spec.device)
    with worker_engine.answering(job, method) as (model, start):
        cost = replace(cost, phases={**cost.phases, "engine": start})
        _test(job, data, method, model, tokenizer, cost, state, pace)


def _prepare(job: Job, data: Inputs, method: Method, state: RunState, pace: _Pace) -> tuple[Any, Any, Cost]:
    """Return the model with its trained weights, its tokenizer, and the cost so far; the weights are written."""
    phases: dict[str, Phase] = {}
    model, tokenizer, counts = _load(job, method, phases, state)
    weights_bytes, trained_weights = memory.weights_bytes(model), memory.trained_weights(model)
    shards = _divide(model, job)
    pace.check()
    fit = None
    if method.trains:
        fit, phases["train"] = worker_training.train(job, data, model, tokenizer, method, state, pace, shards)
    state.load = environment.load()
    with shards.complete(model, frozen=job.save_full) if shards else contextlib.nullcontext():
        adapter_bytes = save_weights.save(job, model, tokenizer, method)
    state.adapter_sha256 = training_files.weights_sha256(job.folder)
    state.targets = training_files.targets(job.folder)
    state.steps_sha256 = training_files.steps_sha256(job.folder)
    cost = Cost(
        phases=phases,
        parts=fit.parts if fit else None,
        predicted_peak_bytes=job.predicted_peak_bytes,
        weights=counts.weights,
        packed_weights=counts.packed,
        idle_weights=counts.idle,
        trained_weights=trained_weights,
        weights_bytes=weights_bytes,
        adapter_bytes=adapter_bytes,
        train_tokens=fit.tokens if fit else 0,
        train_tokens_per_second=fit.tokens_per_second if fit else 0.0,
        process_peaks=tuple(shards.gather(fit.peak_bytes)) if shards and fit else (),
    )
    return model, tokenizer, cost


def _test(
    job: Job, data: Inputs, method: Method, model: Any, tokenizer: Any, cost: Cost, state: RunState, pace: _Pace
) -> None:
    """Let a model answer the test, the probes and, if nothing was trained, the validation questions; score and store."""
    from harness.model import answer as evaluate
    from harness.model import tokenize

    spec, task = job.spec, data.task
    phases = dict(cost.phases)
    _tidy(spec.device)
    with memory.phase(spec.device) as meter:
        shots = tokenize.choose_shots(data.splits.train, method.shots, spec.seed)
        answers = evaluate.answer(
            model,
            tokenizer,
            dict(data.splits.items())[spec.split],
            task,
            spec,
            shots=shots,
            calibration=method.calibration,
            on_progress=_on_answer(pace),
            meter=meter,
        )
    phases["evaluate"] = _result(meter)
    probe_answers: worker_probes.ProbeAnswers = []
    if data.probes:
        _tidy(spec.device)
        probe_answers, phases["probe"] = worker_probes.ask(
            data.probes, model, tokenizer, job, _on_answer(pace, "probe")
        )
    validation = None
    if not method.trains and spec.split == "test" and data.splits.validation:
        _tidy(spec.device)
        ask = partial(worker_probes.validate, job, data, method, model, tokenizer)
        validation, phases["validation"] = ask(_on_answer(pace, "validation"))
    state.cost = replace(cost, phases=phases)
    _score(job, task, answers, state)
    state.validation = validation
    state.probes = worker_probes.store(job, probe_answers)


def _load(job: Job, method: Method, phases: dict[str, Phase], state: RunState) -> tuple[Any, Any, packing.Counts]:
    """Return the model ready to train, its tokenizer, and the counts of the base model's weights."""
    import torch

    from harness.model import loading, reach

    if job.share:  # a card takes its shard only
        job = replace(job, spec=replace(job.spec, device="cpu"))
    spec = job.spec
    with memory.phase(spec.device) as meter:
        tokenizer = loading.tokenizer_of(job.model_folder, spec)
        model = continuation.load(job, method)
        counts = packing.count(model)
        model = continuation.adapt(model, job, method)
        if method.trains:
            model = reach.freeze_idle(model, spec)
        meter.note(memory.weights_bytes(model))
        state.device_name = torch.cuda.get_device_name() if spec.device == "cuda" else ""
    phases["load"] = _result(meter)
    return model, tokenizer, counts


def _divide(model: Any, job: Job) -> Shards | None:
    """Divide the model over the processes of the run; return None if it is a run of one."""
    if job.share is None:
        return None
    from harness.training import shard

    shards = shard.connect(job.share.rank, job.spec.shards, job.spec.device, job.share.store)
    shards.divide(model, job.spec)
    _tidy(job.spec.device)
    return shards


def repeatable(device: str) -> None:
    """Make two runs of a spec give the same answers on CUDA too; the CPU's kernels are repeatable by themselves.

    If CUDA has no deterministic kernel for an operation, torch warns into the log and goes on: the model can still be
    run. It then depends on `CUBLAS_WORKSPACE_CONFIG`, see `harness.runs.local`.
    """
    if device != "cuda":
        return
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling costs time, and the harness reads no memory before it writes it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _on_answer(pace: _Pace, phase: PhaseName = "evaluate") -> Any:
    def on_progress(done: int, total: int) -> None:
        pace.tell(phase, done, total)
        pace.check()

    return on_progress


def _score(job: Job, task: Task, answers: Sequence[Answer], state: RunState) -> None:
    state.cut_examples += sum(answer.cut_tokens > 0 for answer in answers)
    state.answers_sha256 = records.write_answers(job.folder, answers)
    state.scores = score_answers(answers, task.metrics)
    state.parse_rate = parse_rate(answers)


def _result(meter: memory.Meter) -> Phase:
    if meter.result is None:
        raise RuntimeError("a phase was read before it ended")
    return meter.result


def _tidy(device: str) -> None:
    """Free the memory of the phase before, so that the next does not count it."""
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()

"""Task, methods and options to the specs of runs. Every field that decides a result is resolved here."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace

from harness import environment
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.methods.base import ALPHA
from harness.methods.parts import packing
from harness.metrics import thoughts
from harness.model import checkpoint
from harness.model.chat import settings as chat
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import defaults
from harness.runs.inputs import Inputs
from harness.runs.options import MAX_TOKENS, Options
from harness.schema import Challenger, Method, Task
from harness.training import clients

WEIGHT_DECAY = 0.0
VALIDATIONS = 10  # measurements of the validation loss in a training with `--keep-best`


def make(
    inputs: Inputs,
    methods: Sequence[Method],
    model: Checkpoint,
    options: Options,
    *,
    challengers: Sequence[Challenger] = (),
    server: tuple[str, ...] = (),
) -> tuple[RunSpec, ...]:
    """Return the specs of all runs: all methods for one seed, then the next, so that a first table is early.

    Challengers come before the first run that trains: they take seconds, and a table without them lacks a baseline.

    Raises:
        HarnessError: a device, rank, window or scoring that is impossible with this model, task or machine.
    """
    shared = _shared(inputs, methods, model, options)
    if options.shard > 1:
        from harness.runs.shards import group

        group.require(options, methods, device=shared.device)
    specs: list[RunSpec] = []
    for seed in options.seeds:
        for method in methods:
            specs += _method_specs(replace(shared, method=method.name), method, inputs, model, options, seed)
    # Never the first run: of it, plan and header read device, precision and window of the model.
    first_trained = max(1, next((number for number, spec in enumerate(specs) if spec.epochs), len(specs)))
    specs[first_trained:first_trained] = [_challenger_spec(shared, challenger, server) for challenger in challengers]
    return tuple(dict.fromkeys(specs))


def _challenger_spec(shared: RunSpec, challenger: Challenger, server: tuple[str, ...]) -> RunSpec:
    """Return the run of a challenger: one for all seeds; on the CPU in fp32 unless it reads hidden states of the model."""
    spec = replace(shared, method=challenger.name, challenger=challenger.version, probes=(), shards=1)
    spec = replace(spec, server=server) if challenger.remote else spec
    return spec if challenger.embeds else replace(spec, device="cpu", dtype="fp32", max_tokens=0, remote_code=False)


def _shared(inputs: Inputs, methods: Sequence[Method], model: Checkpoint, options: Options) -> RunSpec:
    """Return a spec with the fields in which all runs agree; the others are empty."""
    task, device = inputs.task, options.device or defaults.device()
    if device == "cuda" and not options.imagined and not environment.cuda_present():
        raise HarnessError(
            "no CUDA device was found, or torch was built without CUDA", where="--device cuda", fix="--device cpu"
        )
    if device == "mps":
        _refuse_mps(methods, imagined=options.imagined)
    max_tokens = options.max_tokens or min(model.window, MAX_TOKENS)
    if max_tokens > model.window:
        raise HarnessError(
            f"the model's window is {model.window} tokens",
            where=f"--max-tokens {max_tokens}",
            fix=f"--max-tokens {model.window}",
        )
    template_args = chat.arguments(model.folder, options.template_args)
    scorings = {task.scoring, *["choices"] * (options.scoring == "both")}
    _refuse_thoughts(template_args, scorings, task)
    return RunSpec(
        task=task.name,
        task_version=task.version,
        data=inputs.data,
        scoring=task.scoring,
        model=model.name,
        model_revision=model.revision,
        method="",
        rank=0,
        alpha=0.0,
        dropout=0.0,
        learning_rate=0.0,
        weight_decay=0.0,
        warmup=0.0,
        epochs=0.0,
        batch_size=0,
        micro_batch=0,
        max_tokens=max_tokens,
        max_new_tokens=thoughts.room(task.max_new_tokens, max_tokens, template_args),
        train_examples=0,
        test_examples=len(inputs.splits.test),
        seed=0,
        dtype=options.dtype or defaults.dtype(device),
        device=device,
        remote_code=options.remote_code,
        probes=inputs.probe_keys,
        model_format=model.format,
        template_args=template_args,
        template_date=chat.date(model.folder, template_args),
        shards=options.shard,
        base_bits=model.quantised[1] if model.quantised else 0,
        engine=_engine(methods, model, options) if options.engine else "",
    )


def _refuse_mps(methods: Sequence[Method], *, imagined: bool) -> None:
    """Refuse the GPU of a Mac on another machine, and for methods whose weights bitsandbytes packs.

    Raises:
        HarnessError: either.
    """
    if not imagined and not environment.mps_present():
        system = f"this machine is {platform.system()} on {platform.machine()}, and mps is the GPU of a Mac with arm64"
        raise HarnessError(system, where="--device mps", fix="--device cpu")
    if packed := [method.name for method in methods if "bitsandbytes" in method.requires]:
        problem = (
            f"{', '.join(packed)} needs bitsandbytes, which computes on CUDA and on processors, not on a Mac's GPU"
        )
        raise HarnessError(problem, where="--device mps", fix="leave it out: --method base,lora,full; or --device cpu")


def _engine(methods: Sequence[Method], model: Checkpoint, options: Options) -> str:
    """Return the engine of `--engine` with its version.

    Raises:
        HarnessError: it is not installed, or cannot load the model or the weights of a method.
    """
    from harness.engines import catalog

    names = [method.name for method in methods]
    catalog.refuse(options.engine, names, model.config, quantised=model.quantised is not None)
    return catalog.identity(options.engine)


def _refuse_thoughts(template_args: Sequence[str], scorings: set[str], task: Task) -> None:
    if "choices" in scorings and thoughts.allowed(template_args):
        raise HarnessError(
            "options are scored right behind the prompt, and the model would begin to think there",
            where=f"--template-args {','.join(template_args)}, task {task.name}",
            fix="leave it out, or let the model write: --scoring generate",
        )


def _method_specs(
    shared: RunSpec, method: Method, inputs: Inputs, model: Checkpoint, options: Options, seed: int
) -> list[RunSpec]:
    task, splits = inputs.task, inputs.splits
    if not method.trains:  # one run serves every seed and every training flag
        if method.calibration and shared.scoring != "choices":
            raise HarnessError(
                f"method {method.name} calibrates options, and the answers are scored by {shared.scoring}",
                where=f"task {shared.task}",
                fix=f"leave {method.name} out of --method",
            )
        if method.calibration:
            return [replace(shared, probes=())]  # its model is the base model
        if method.shots:
            return [_with_shots(shared, seed)]
        return [shared] if options.scoring != "both" else [shared, _with_other_scoring(shared, task, splits)]
    if model.quantised and not method.adapter:
        stored = packing.words(model.quantised)
        problem = f"{method.name} trains every weight, and the folder holds them {stored}, which cannot train"
        fix = f"pass the unquantised model, or leave {method.name} out: --method base,lora"
        raise HarnessError(problem, where=f"--model {model.name}", fix=fix)
    if not model.hidden and not options.learning_rate:
        raise HarnessError(
            "the model's config names no hidden_size, from which the default learning rate follows",
            where=str(model.folder / checkpoint.CONFIG),
            fix="correct the config, or pass --learning-rate",
        )
    rate = options.learning_rate or method.learning_rate(model.hidden)
    batch_size = options.batch_size or task.batch_size
    trained = replace(
        shared,
        dropout=options.dropout if method.dropout else 0.0,
        learning_rate=rate,
        weight_decay=WEIGHT_DECAY,
        epochs=options.epochs or task.epochs,
        batch_size=batch_size,
        train_examples=len(splits.train),
        seed=seed,
        checkpointing=options.checkpointing,
        start=options.start.spec.id if options.start else "",
        joined=inputs.joined_keys,
        validations=_validations(method, inputs, options),
    )
    trained = replace(trained, warmup=defaults.warmup(inputs.train_examples, trained))
    if model.window - method.window_tokens < trained.max_tokens:  # if there is room, all methods read as much
        trained = replace(trained, max_tokens=model.window - method.window_tokens)
    micro_batch = options.micro_batch or defaults.micro_batch(
        task, splits, method, model, trained, card_memory=min((card.memory for card in options.cards), default=0)
    )
    trained = replace(trained, micro_batch=min(micro_batch, batch_size))
    if method.rounds:
        by, rounds = options.clients_by, options.rounds
        trained = clients.with_clients(trained, splits.train, by=by, rounds=rounds, default_rounds=method.rounds)
    if not method.ranked:
        return [trained]
    alphas = {rank: options.alpha or _alpha(method, rank, model) for rank in options.ranks}
    return [replace(trained, rank=rank, alpha=alpha) for rank, alpha in alphas.items()]


def _validations(method: Method, inputs: Inputs, options: Options) -> int:
    """Return how often the validation loss is measured in training.

    Raises:
        HarnessError: it is to be measured, and the task has no validation examples or the method no weights to choose from.
    """
    if not options.keep_best:
        return 0
    if not inputs.splits.validation:
        problem = "weights are chosen by the loss on validation examples, and the task has none"
        raise HarnessError(problem, where=f"--keep-best, task {inputs.task.name}", fix="leave --keep-best out")
    if method.rounds or method.after_step:
        problem = f"{method.name} changes more than weights from step to step, so none can be chosen afterwards"
        raise HarnessError(problem, where="--keep-best", fix=f"leave {method.name} out of --method")
    return VALIDATIONS


def _alpha(method: Method, rank: int, model: Checkpoint) -> float:
    return method.alpha(rank, model.hidden) if method.alpha else ALPHA


def _with_shots(spec: RunSpec, seed: int) -> RunSpec:
    """Return the run of a few-shot method: the seed draws its examples from the training split, which `data` pins."""
    if spec.scoring == "perplexity":
        fix = "leave --method " + spec.method + " out"
        problem = f"few-shot examples do not apply to perplexity tasks (method {spec.method})"
        raise HarnessError(problem, where=f"task {spec.task}", fix=fix)
    return replace(spec, seed=seed, probes=())  # its model is the base model


def _with_other_scoring(spec: RunSpec, task: Task, splits: Splits) -> RunSpec:
    """Return the run with the other way of scoring.

    Raises:
        HarnessError: a question without options, or a prompt that does not show them.
    """
    for example in splits.test:
        if len(example.choices) < 2 or not all(choice in task.prompt(example) for choice in example.choices):
            raise HarnessError(
                "the base model can be scored both ways only if the prompt shows the options to choose from",
                where=f"--scoring both, task {task.name}, example {example.id!r}",
                fix="leave --scoring both out for this task; `cfa_listed` is `cfa` with the options in the prompt",
            )
    return replace(spec, scoring="generate" if spec.scoring == "choices" else "choices", probes=())

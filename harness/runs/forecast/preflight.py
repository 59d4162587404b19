"""The part of a plan that needs torch: do model, ranks and examples fit, and how much memory will training take?

A preflight runs in a process of its own. The program that plans and prints tables stays light, and a broken checkpoint
breaks only the preflight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import processes
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import local
from harness.runs.forecast import speed
from harness.runs.forecast.speed import Speed
from harness.schema import Example, Task

if TYPE_CHECKING:
    from harness.model.loading import Shape
    from harness.model.tokenize import Pair

ADAPTER_BYTES = 4  # adapters are stored in fp32
OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError")  # names of exceptions
FAR_LONGER, MIN_WINDOW = 2.0, 64  # times nearly all others; the smallest window that is suggested, in tokens
LONGEST_BARE = 32  # examples; sent by length in characters, which only approximates length in tokens
ALL_CHARACTERS = 8_000_000  # training examples of no more characters are all sent: to tokenise them takes seconds
LOOK_SECONDS, RUN_SECONDS = 600.0, 60.0  # for a look at a model: in all, and more for each run; most take a few seconds
LONGEST_SENT = 2000  # examples, if there are more characters; sent by length in characters, see above

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Preflight:
    """The model folder, the runs, and those of their examples that decide memory and fit.

    Attributes:
        folder: of the model.
        specs: the runs.
        train: the training examples as (prompt, target), in their order; empty if no memory is to be predicted.
        longest_without_context: the examples that stay longest once their context is cut, as (id, prompt, answer).
        method_files: the PEFT configs among `--method`, by the names of the methods.
        also: preflights of other tasks that the models are asked; only `longest_without_context` and one spec count.
        sampled: whether `train` holds only the longest examples, because there are very many.
        options: an example of each set of options, as (id, last line of its prompt, options).
        threads: of a run, for the measured speed.
        card: the id of the card that a measured step may use, empty for the first.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    train: tuple[tuple[str, str], ...] = ()
    longest_without_context: tuple[tuple[str, str, str], ...] = ()
    method_files: Mapping[str, str] = field(default_factory=dict)
    also: tuple[Preflight, ...] = ()
    sampled: bool = False
    options: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    threads: int = 1
    card: str = ""

    @staticmethod
    def of_runs(
        model: Checkpoint, task: Task, splits: Splits, specs: Sequence[RunSpec], *, predict: bool = True
    ) -> Preflight:
        """Return the preflight of these runs of a task; `predict` says whether memory is predicted."""
        train = [(task.prompt(example), example.target) for example in splits.train] if predict else []
        if sampled := sum(len(prompt) + len(target) for prompt, target in train) > ALL_CHARACTERS:
            limit = max(LONGEST_SENT, *(spec.batch_size for spec in specs))
            train = sorted(train, key=lambda pair: -len(pair[0]) - len(pair[1]))[:limit]
        used = {spec.split for spec in specs} | {"train" for spec in specs if spec.train_examples}
        examples = [example for split, part in splits.items() if split in used for example in part]
        longest = _longest_without_context(task, examples)
        options = _options(task, examples)
        return Preflight(model.folder, tuple(specs), tuple(train), longest, sampled=sampled, options=options)

    @staticmethod
    def of_examples(model: Checkpoint, task: Task, examples: Sequence[Example], spec: RunSpec) -> Preflight:
        """Return a preflight that checks only whether examples fit, for a task without training."""
        return Preflight(
            model.folder, (spec,), (), _longest_without_context(task, examples), options=_options(task, examples)
        )


def _longest_without_context(task: Task, examples: Sequence[Example]) -> tuple[tuple[str, str, str], ...]:
    bare = [(e.id, task.prompt(replace(e, context="")), _longest_answer(e)) for e in examples]
    return tuple(sorted(bare, key=lambda texts: -len(texts[1]) - len(texts[2]))[:LONGEST_BARE])


def _options(task: Task, examples: Sequence[Example]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return (id, last line of the prompt, options) of an example for each set of options; options follow that line."""
    if task.scoring != "choices":
        return ()
    first = {example.choices: example for example in reversed(examples)}
    lines = ((example, task.prompt(replace(example, context="")).rsplit("\n", 1)[-1]) for example in first.values())
    return tuple((example.id, line, example.choices) for example, line in lines)


def _longest_answer(example: Example) -> str:
    return max((example.target, *example.choices), key=len)


@dataclass(frozen=True)
class Findings:
    """The model's weights (a count), and per run id the predicted training peak and adapter size in bytes.

    `adapters` is a sentence about layers that adapters leave out, empty if there are none. `speed` is None if it was not
    measured. `long` is the training example far longer than the others, None without such or if not all were sent.
    """

    weights: int
    predicted: Mapping[str, int] = field(default_factory=dict)
    adapter_bytes: Mapping[str, int] = field(default_factory=dict)
    adapters: str = ""
    speed: Speed | None = None
    long: LongExample | None = None


@dataclass(frozen=True)
class LongExample:
    """A training example far longer than nearly all others: its position, its tokens, the median, and a window for the rest.

    `shortened` is the number of examples that lose part of their context with that window.
    """

    position: int
    tokens: int
    median: int
    window: int
    shortened: int


def long_example(totals: Sequence[int]) -> LongExample | None:
    """Return the longest example if it is far longer than all but one in fifty; `totals` are the tokens of each."""
    if not totals:
        return None
    ordered = sorted(totals)
    longest, most = ordered[-1], ordered[-1 - len(ordered) // 50]
    window = 2 ** math.ceil(math.log2(max(most, MIN_WINDOW)))
    if longest < FAR_LONGER * most or window >= longest:
        return None
    shortened = sum(total > window for total in totals)
    return LongExample(totals.index(longest), longest, ordered[len(ordered) // 2], window, shortened)


def look(preflight: Preflight) -> Findings:
    """Check the model folder, the ranks and that the examples fit, and predict each run's memory.

    Raises:
        HarnessError: a broken checkpoint, a rank above the layer's size, another model's tokenizer, or an example
            longer than the window.
    """
    if preflight.card:
        processes.set_environment({"CUDA_VISIBLE_DEVICES": preflight.card})
    from harness.model import loading, tokenize

    folder = str(preflight.folder)
    remote_code = any(spec.remote_code for spec in preflight.specs)
    shape = loading.shape(folder, remote_code=remote_code)
    for rank in sorted({spec.rank for spec in preflight.specs if spec.rank}):
        loading.check_rank(shape, rank)
    tokenizer = loading.tokenizer_of(preflight.folder, preflight.specs[0])
    for part in (preflight, *preflight.also):
        _refuse_unfit(part, tokenizer, shape.vocab)
        _refuse_ambiguity(part, tokenizer)
    encoded = [tokenize.encode_pair(tokenizer, *texts) for texts in preflight.train]
    pairs = [tokenize.Pair(tuple(prompt), tuple(target)) for prompt, target in encoded]
    peaks = _peaks(preflight, pairs)
    adapters = {spec.id: ADAPTER_BYTES * loading.adapter_weights(shape, spec.rank) for spec in preflight.specs}
    predicted = {spec.id: peaks[_memory_fields(spec)] for spec in preflight.specs}
    about = shape.exceptions if any(spec.rank for spec in preflight.specs) else ""
    long = None if preflight.sampled else long_example([len(pair) for pair in pairs])
    return Findings(shape.weights, predicted, adapters, about, _speed(preflight, pairs, shape), long)


def _peaks(preflight: Preflight, pairs: Sequence[Pair]) -> dict[RunSpec, int]:
    """Return the predicted peaks in bytes; runs that differ only in fields without effect on memory share one.

    Raises:
        HarnessError: methods that do not fit the model.
    """
    import torch

    from harness.data import registry
    from harness.runs.forecast import peak_memory

    def peak(spec: RunSpec) -> int | HarnessError:
        method = registry.method(preflight.method_files.get(spec.method, spec.method))
        sharing = [run for run in preflight.specs if _memory_fields(run) == spec]
        rows = pairs if preflight.sampled else _longest_step(pairs, sharing)
        try:
            return peak_memory.training_peak(preflight.folder, spec, method, rows)
        except HarnessError as error:
            return error

    torch.set_num_threads(1)  # the forks start without threads of their own
    distinct = tuple(dict.fromkeys(map(_memory_fields, preflight.specs)))
    peaks: dict[RunSpec, int] = {}
    misfits: dict[str, HarnessError] = {}
    for spec, result in zip(distinct, processes.parallel_map(peak, distinct), strict=True):
        if isinstance(result, HarnessError):
            misfits.setdefault(spec.method, result)
        else:
            peaks[spec] = result
    if misfits:
        raise _misfit(preflight, misfits)
    return peaks


def _speed(preflight: Preflight, pairs: Sequence[Pair], shape: Shape) -> Speed | None:
    """Return the measured speed of this processor; None if no run trains, or if not all training examples are here."""
    trained = next((spec for spec in preflight.specs if spec.epochs and spec.micro_batch), None)
    if trained is None or preflight.sampled:
        return None
    characters = sum(len(prompt) + len(target) for prompt, target in preflight.train)
    return speed.measure(preflight.folder, trained, pairs, shape, characters=characters, threads=preflight.threads)


def _misfit(preflight: Preflight, misfits: Mapping[str, HarnessError]) -> HarnessError:
    """Return one error for all methods that do not fit the model; its fix names the methods that do."""
    first = next(iter(misfits.values()))
    names = [preflight.method_files.get(spec.method, spec.method) for spec in preflight.specs]
    refused = {preflight.method_files.get(name, name) for name in misfits}
    rest = [name for name in dict.fromkeys(names) if name not in refused]
    fix = (
        f"--method {','.join(rest)}" + (f"; or {first.fix}" if len(misfits) == 1 and first.fix else "")
        if rest
        else first.fix
    )
    if len(misfits) == 1:
        return HarnessError(first.problem, where=first.where, fix=fix)
    reasons = "; ".join(f"{name}: {error.problem}" for name, error in misfits.items())
    return HarnessError(
        f"{len(misfits)} methods do not fit this model. {reasons}", where=str(preflight.folder), fix=fix
    )


def _longest_step(pairs: Sequence[Pair], specs: Sequence[RunSpec]) -> Sequence[Pair]:
    """Return the examples of the largest of all seeds' steps, whose bytes a run counts.

    Runs that train on a part of the examples, or on further ones, have other steps: for them, all examples.
    """
    from harness.runs.forecast import peak_memory
    from harness.training import loop

    if not pairs or any(spec.clients or spec.joined or not spec.epochs for spec in specs):
        return pairs
    steps: list[Sequence[Pair]] = []
    for spec in specs:
        rows = [peak_memory.cut(pair, spec.max_tokens) for pair in pairs]
        batches = loop.plan_batches(list(map(len, rows)), spec)
        steps.append([rows[i] for i in batches[loop.counted_step(rows, batches, spec)]])
    return max(steps, key=lambda rows: loop.padded_tokens(rows, specs[0].micro_batch))


def _refuse_unfit(preflight: Preflight, tokenizer: Any, vocab: int) -> None:
    """Refuse another model's tokenizer, and an example that is too long for the window even without its context."""
    from harness.model import tokenize

    for spec in sorted(preflight.specs, key=lambda spec: spec.max_tokens)[:1]:  # the runs differ in nothing else here
        room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
        for name, prompt, answer in preflight.longest_without_context:
            prompt_ids, answer_ids = tokenize.encode_pair(tokenizer, prompt, answer)
            if (highest := max([*prompt_ids, *answer_ids])) >= vocab:
                raise HarnessError(
                    f"tokenizer and model do not fit: it writes token {highest}, and the model knows {vocab} tokens",
                    where=str(preflight.folder),
                    fix="fetch the tokenizer of this model",
                )
            if spec.scoring == "perplexity":  # read in windows, whatever its length
                continue
            budget = spec.max_tokens - max(room, len(answer_ids))
            if len(prompt_ids) > budget:
                raise tokenize.too_long(name, len(prompt_ids), budget, spec.task)


def _refuse_ambiguity(preflight: Preflight, tokenizer: Any) -> None:
    """Refuse options of an example that the tokenizer cannot tell apart."""
    from harness.model import ambiguity, tokenize

    encoded = tokenize.encode_options(tokenizer, [(line, options) for _, line, options in preflight.options])
    for (name, _, options), tokens in zip(preflight.options, encoded, strict=True):
        ambiguity.refuse(name, options, tokens, preflight.specs[0].task)


def _memory_fields(spec: RunSpec) -> RunSpec:
    """Return the spec with the fields reset that have no effect on memory."""
    spec = replace(spec, seed=0, learning_rate=0.0, weight_decay=0.0, epochs=0.0, alpha=1.0, warmup=0.0)
    return replace(spec, split="test", tuned_over=(), test_examples=0, probes=())


def look_in_own_process(preflight: Preflight) -> Findings:
    """Return the findings of `look`, from a process that may die without harm."""
    seconds = LOOK_SECONDS + RUN_SECONDS * len(preflight.specs)
    return in_own_process(look, preflight, where=str(preflight.folder), seconds=seconds)


def in_own_process(
    call: Callable[[Request], Answer], request: Request, *, where: str, seconds: float = LOOK_SECONDS
) -> Answer:
    """Return the result of a function that imports torch, called in a process of its own.

    The files that it looks at may come from anywhere, so it has a time limit: no tokenizer, template or config of somebody else
    may hold the program for ever.

    Raises:
        HarnessError: as the function; also if the process dies or does not end, or a library fails in any other way.
    """
    local.warm_up()
    try:
        with processes.Call(local.context(), call, request, silent=True) as running:
            return running.result(seconds)
    except TimeoutError:
        raise _endless(where, seconds) from None
    except processes.ProcessEnd as end:
        raise HarnessError(
            f"the process that looked at the model died before it was done: {end}",
            where=where,
            fix="free some memory, or plan without predictions: --no-memory",
        ) from None
    except processes.LibraryError as error:  # transformers' code for an architecture may fail in any way
        if error.name in OUT_OF_MEMORY:
            raise HarnessError(
                f"there was not enough memory to look at the model: {error.message}",
                where=where,
                fix="free some memory, or plan without predictions: --no-memory",
            ) from error
        raise HarnessError(
            f"the model cannot be built from its config: {error.name}: {error.message}",
            where=where,
            fix="check config.json; if the model is sound, go without predictions: --no-memory",
        ) from error


def _endless(where: str, seconds: float) -> HarnessError:
    problem = f"the process that looked at the model did not end within {seconds:,.0f} seconds"
    fix = "check the folder's tokenizer and config; for many large runs plan fewer at a time"
    return HarnessError(problem, where=where, fix=fix)

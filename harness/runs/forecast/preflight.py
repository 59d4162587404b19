"""What a plan must know that takes torch to find out, asked in a process of its own.

The program that plans, shows progress and prints tables stays light; a broken checkpoint breaks the probe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.data.loading import Splits
from harness.errors import HarnessError, one_line
from harness.model.checkpoint import Checkpoint
from harness.record import RunSpec
from harness.runs import local
from harness.schema import Example, Task

if TYPE_CHECKING:
    from harness.model.tokenize import Pair

ADAPTER_BYTES = 4  # adapters are kept in fp32
BAREST = 32  # examples are sent: longest in characters is not quite longest in tokens
WHOLE = 8_000_000  # characters of training examples are all sent: to tokenise them takes seconds
LONGEST = 2000  # examples are sent of more characters: what a tokenizer has few words for is long in tokens alone

Asked = TypeVar("Asked")
Told = TypeVar("Told")


@dataclass(frozen=True)
class Question:
    """The model folder, the runs, and what their data asks of the model.

    `trained` are the training examples as (prompt, target), in their order; where they are very many (`sampled`) the
    longest ones; empty where no memory is to be predicted. `barest` are the examples that stay longest once their
    context is cut, as (id, prompt, answer). `method_files` are the PEFT configs that methods were given by, by the methods' names. `also` are questions about other
    tasks' examples, of which only `barest` and one spec are looked at.
    """

    folder: Path
    specs: tuple[RunSpec, ...]
    trained: tuple[tuple[str, str], ...] = ()
    barest: tuple[tuple[str, str, str], ...] = ()
    method_files: Mapping[str, str] = field(default_factory=dict)
    also: tuple[Question, ...] = ()
    sampled: bool = False

    @staticmethod
    def about(
        model: Checkpoint, task: Task, splits: Splits, specs: Sequence[RunSpec], *, predict: bool = True
    ) -> Question:
        """Ask about these runs of a task."""
        trained = [(task.prompt(example), example.target) for example in splits.train] if predict else []
        if sampled := sum(len(prompt) + len(target) for prompt, target in trained) > WHOLE:
            most = max(LONGEST, *(spec.batch_size for spec in specs))
            trained = sorted(trained, key=lambda pair: -len(pair[0]) - len(pair[1]))[:most]
        asked = {spec.split for spec in specs} | {"train" for spec in specs if spec.train_examples}
        examples = [example for split, found in splits.items() if split in asked for example in found]
        return Question(model.folder, tuple(specs), tuple(trained), _barest(task, examples), sampled=sampled)

    @staticmethod
    def asking(model: Checkpoint, task: Task, examples: Sequence[Example], spec: RunSpec) -> Question:
        """Ask only whether examples fit, of a task that is answered and not trained on."""
        return Question(model.folder, (spec,), (), _barest(task, examples))


def _barest(task: Task, examples: Sequence[Example]) -> tuple[tuple[str, str, str], ...]:
    bare = [(e.id, task.prompt(replace(e, context="")), _longest_answer(e)) for e in examples]
    return tuple(sorted(bare, key=lambda one: -len(one[1]) - len(one[2]))[:BAREST])


def _longest_answer(example: Example) -> str:
    return max((example.target, *example.choices), key=len)


@dataclass(frozen=True)
class Seen:
    """The model's weights (a count), and per run id the predicted training peak and adapter size in bytes."""

    weights: int
    predicted: Mapping[str, int] = field(default_factory=dict)
    adapter_bytes: Mapping[str, int] = field(default_factory=dict)


def look(question: Question) -> Seen:
    """Check the model folder, the ranks and that the examples fit, and predict each run's memory.

    Raises:
        HarnessError: a broken checkpoint, a rank above the layer's size, another model's tokenizer, or an example
            longer than the window.
    """
    from harness.data import registry
    from harness.model import loading, tokenize
    from harness.runs.forecast import peak_memory as predict

    folder = str(question.folder)
    remote_code = any(spec.remote_code for spec in question.specs)
    shape = loading.shape(folder, remote_code=remote_code)
    for rank in sorted({spec.rank for spec in question.specs if spec.rank}):
        loading.check_rank(shape, rank)
    tokenizer = loading.load_tokenizer(question.folder, remote_code=remote_code)
    for one in (question, *question.also):
        _refuse_unfit(one, tokenizer, shape.vocab)
    encoded = [tokenize.encode_pair(tokenizer, *texts) for texts in question.trained]
    pairs = [tokenize.Pair(tuple(prompt), tuple(target)) for prompt, target in encoded]
    peaks: dict[RunSpec, int] = {}  # runs that differ in what memory does not depend on share one prediction
    for spec in map(_as_memory_sees_it, question.specs):
        if spec not in peaks:
            method = registry.method(question.method_files.get(spec.method, spec.method))
            alike = [one for one in question.specs if _as_memory_sees_it(one) == spec]
            rows = pairs if question.sampled else _longest_step(pairs, alike)
            peaks[spec] = predict.training_peak(question.folder, spec, method, rows)
    adapters = {spec.id: ADAPTER_BYTES * loading.adapter_weights(shape, spec.rank) for spec in question.specs}
    predicted = {spec.id: peaks[_as_memory_sees_it(spec)] for spec in question.specs}
    return Seen(weights=shape.weights, predicted=predicted, adapter_bytes=adapters)


def _longest_step(pairs: Sequence[Pair], specs: Sequence[RunSpec]) -> Sequence[Pair]:
    """Return the examples of the step that holds the longest ones, of all seeds' steps: whose bytes a run counts.

    Who trains on a part of the examples, or on more than these, has steps of his own: then all examples.
    """
    from harness.runs.forecast import peak_memory as predict
    from harness.training import loop

    if not pairs or any(spec.clients or spec.joined or not spec.epochs for spec in specs):
        return pairs
    found: list[Sequence[Pair]] = []
    for spec in specs:
        rows = [predict.cut(pair, spec.max_tokens) for pair in pairs]
        batches = loop.plan_batches(list(map(len, rows)), spec)
        found.append([rows[i] for i in batches[loop.counted_step(rows, batches, spec)]])
    return max(found, key=lambda rows: loop.padded_tokens(rows, specs[0].micro_batch))


def _refuse_unfit(question: Question, tokenizer: Any, vocab: int) -> None:
    """Refuse another model's tokenizer, and a window that an example does not fit into even without its context."""
    from harness.model import tokenize

    for spec in sorted(question.specs, key=lambda spec: spec.max_tokens)[:1]:  # in all else the runs are alike
        room = tokenize.answer_room(spec.scoring, spec.max_new_tokens)
        for name, prompt, answer in question.barest:
            asked, answered = tokenize.encode_pair(tokenizer, prompt, answer)
            if (highest := max([*asked, *answered])) >= vocab:
                raise HarnessError(
                    f"tokenizer and model do not fit: it writes token {highest}, and the model knows {vocab} tokens",
                    where=str(question.folder),
                    fix="fetch the tokenizer of this model",
                )
            if spec.scoring == "perplexity":  # read in windows, whatever its length
                continue
            budget = spec.max_tokens - max(room, len(answered))
            if len(asked) > budget:
                raise tokenize.too_long(name, len(asked), budget, spec.task)


def _as_memory_sees_it(spec: RunSpec) -> RunSpec:
    alike = replace(spec, seed=0, learning_rate=0.0, weight_decay=0.0, epochs=0.0, alpha=1.0, warmup=0.0)
    return replace(alike, split="test", tuned_over=(), test_examples=0, probes=())


def look_in_own_process(question: Question) -> Seen:
    """`look`, in a process that may die without harm."""
    return in_own_process(look, question, where=str(question.folder))


def in_own_process(call: Callable[[Asked], Told], asked: Asked, *, where: str) -> Told:
    """Return what a function that imports torch answers, from a process of its own.

    Raises:
        HarnessError: as the function; also where the process dies, or a library fails in any other way.
    """
    local.warm_up()
    with ProcessPoolExecutor(1, mp_context=local.context(), initializer=_silence) as pool:
        try:
            return pool.submit(call, asked).result()
        except BrokenProcessPool:
            raise HarnessError(
                "the process that looked at the model died, often for want of memory",
                where=where,
                fix="free some memory, or plan without predictions: --no-memory",
            ) from None
        except HarnessError:
            raise
        except Exception as error:  # transformers' code for an architecture may fail in any way
            raise HarnessError(
                f"the model cannot be built from its config: {type(error).__name__}: {one_line(error)}",
                where=where,
                fix="check config.json; if the model is sound, go without predictions: --no-memory",
            ) from error


def _silence() -> None:
    """Keep libraries' notes out of the terminal; what matters comes back as an error."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)

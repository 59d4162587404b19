"""A model's answers to a task's questions: the likeliest option, or greedy generation and a strict parser.

A perplexity task asks nothing: the model reads each text, and the log-likelihood of every token is the answer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from harness.errors import HarnessError
from harness.metrics import default_parse, thoughts
from harness.metrics.options import pick
from harness.model import calibrate, likelihood, prefill, prefix_tree
from harness.model import generate as generation
from harness.model.batch import make_batches, needed
from harness.model.chat.render import chat_of
from harness.model.loading import precision
from harness.model.meter import Meter
from harness.model.tokenize import EncodedQuestion, answer_room, encode_test, encode_texts, windows
from harness.record import Answer, RunSpec
from harness.schema import Calibration, Example, Task

if TYPE_CHECKING:
    from harness.model.engine_model import EngineModel

# Rows x width of a batch. Writing costs least if many rows share a step. Reading on a processor costs a quarter less in
# batches of 2,048 than of 8,192 (`tiny`, one core): a layer's numbers stay in its cache, and there is less padding.
READ_TOKENS = {"cpu": 2048, "cuda": 8192, "mps": 8192}
WRITE_TOKENS = 16384
TEXT_TOKENS = 2048  # for scoring every token, the vocabulary's width decides: 2048 x 128,000 numbers are 1 GiB

Progress = Callable[[int, int], None]


def answer(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    spec: RunSpec,
    *,
    shots: Sequence[Example] = (),
    only: Collection[int] = (),
    calibration: Calibration = "",
    on_progress: Progress | None = None,
    meter: Meter | None = None,
) -> list[Answer]:
    """Return one `Answer` per example, in the examples' order; another run on the same machine returns the same bytes.

    The model is tested as it was trained: in the spec's precision, adapters not merged, 4-bit weights in 4 bits.

    Args:
        model: the trained model from `fit`, or a model that a method loaded.
        tokenizer: the model's tokenizer.
        examples: the examples of the test split.
        task: renders the prompts and parses generated texts.
        spec: gives scoring, window, precision and device.
        shots: examples shown with their answers in front of each question, see `tokenize.choose_shots`.
        only: the indices of the examples to answer; empty for all. They are answered in the batches of all examples, because
            the last digits depend on the batch; the other examples of these batches are answered too.
        calibration: the correction of options, see `harness.model.calibrate`; for options only.
        on_progress: called after each batch with (answered, all).
        meter: the meter of the enclosing phase; receives the peak of the largest batch and the number of tokens.

    Raises:
        HarnessError: an example has fewer than two options, does not fit, or the model's output is not a number.
    """
    meter = meter or Meter(spec.device)
    model.eval()
    # One autocast context for all batches: what it casts (fp32 weights to bf16) it casts once.
    with torch.inference_mode(), precision(spec):
        if spec.scoring == "perplexity":
            return _read(model, tokenizer, examples, task, spec, only, on_progress, meter)
        room = answer_room(spec.scoring, spec.max_new_tokens)
        questions = encode_test(tokenizer, examples, task, spec.max_tokens, room, shots)
        if spec.scoring == "choices":
            answers = _choose(model, examples, questions, task, spec, only, on_progress, meter)
            return _calibrated(model, tokenizer, examples, answers, task, spec, calibration, meter)
        return _write(model, tokenizer, examples, questions, task, spec, only, on_progress, meter)


def _choose(
    model: Any,
    examples: Sequence[Example],
    questions: Sequence[EncodedQuestion],
    task: Task,
    spec: RunSpec,
    only: Collection[int],
    on_progress: Progress | None,
    meter: Meter,
) -> list[Answer]:
    """Return the option that the headline metric picks as each example's answer."""
    if bare := next((example for example in examples if len(example.choices) < 2), None):
        raise HarnessError(
            f"example '{bare.id}' has {len(bare.choices)} options, at least 2 are needed",
            where=f"task {task.name}",
            fix="score by generation",
        )
    families, scorer = _families(model, questions, spec)
    rows = [_row(questions, family) for family in families]
    tokens = getattr(model, "batch_tokens", READ_TOKENS[spec.device])
    batches = make_batches(list(map(likelihood.tree_length, rows)), tokens)
    batches = needed(batches, only, lambda number: families[number].members)

    def score(batch: Sequence[int]) -> tuple[list[tuple[likelihood.Nats, ...]], int]:
        trees = [rows[number] for number in batch]
        return scorer(model, trees, spec), sum(likelihood.question_length(item) for row in trees for item in row.items)

    answers: list[Answer | None] = [None] * len(examples)
    for batch, scores in _batched(model, batches, score, len(examples), on_progress, meter):
        for i, nats in zip((i for number in batch for i in families[number].members), scores, strict=True):
            loglik, end = zip(*nats, strict=True)
            _refuse_no_number((*loglik, *end), examples[i], spec)
            answer = _answer(examples[i], "", "", questions[i].cut_tokens, loglik)
            answers[i] = _pick(replace(answer, end_loglik=end), task)
    return [result for result in answers if result is not None]


def _pick(answer: Answer, task: Task) -> Answer:
    text = pick(answer, task.metrics)
    return replace(answer, text=text, parsed=text)


def _calibrated(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    answers: list[Answer],
    task: Task,
    spec: RunSpec,
    calibration: Calibration,
    meter: Meter,
) -> list[Answer]:
    """Return the answers with each option's prior, picked anew by what an option gains over it.

    The prompts without content are read in the batches of all examples, as the questions are.
    """
    if not calibration:
        return answers
    part = Meter(spec.device)  # of its own: the phase has counted its largest batch
    logliks: list[list[tuple[float, ...]]] = [[] for _ in answers]
    for blank in calibrate.blanks(examples, task, calibration):
        keys = [(blank.task.prompt(example), example.choices) for example in blank.examples]
        by_id = dict(zip((example.id for example in examples), keys, strict=True))
        distinct = dict(zip(keys, blank.examples, strict=True))
        needed = {by_id[answer.id] for answer in answers}
        only = [number for number, key in enumerate(distinct) if key in needed]
        questions = encode_test(tokenizer, list(distinct.values()), blank.task, spec.max_tokens, 0)
        read = _choose(model, list(distinct.values()), questions, blank.task, spec, only, None, part)
        priors = {answer.id: answer.loglik for answer in read}
        for values, answer in zip(logliks, answers, strict=True):
            values.append(priors[distinct[by_id[answer.id]].id])
    meter.note(part.peak_bytes)
    meter.tokens += part.tokens
    meter.excluded_seconds += part.excluded_seconds
    return [
        _pick(replace(answer, prior=calibrate.mean(values)), task)
        for answer, values in zip(answers, logliks, strict=True)
    ]


def _families(
    model: Any, questions: Sequence[EncodedQuestion], spec: RunSpec
) -> tuple[list[prefix_tree.Family], likelihood.Scorer]:
    """Return the questions in families of one tree each, and the function that scores them.

    If the model cannot take trees, each question is a family of its own.
    """
    prompts = [item.prompt for item in questions]
    if engine := _by_engine(model):
        return prefix_tree.singletons(prompts), engine.score_rows
    families, singletons, limit = (
        prefix_tree.families(prompts),
        prefix_tree.singletons(prompts),
        likelihood.window(model),
    )
    rows = [(family, _row(questions, family)) for family in families]
    inside = [(family, row) for family, row in rows if likelihood.path_length(row) <= limit]
    if not inside:
        return singletons, likelihood.score_rows
    longest = max((row for _, row in inside), key=likelihood.tree_length)
    scorer = likelihood.choose_scorer(model, longest._replace(items=longest.items[:2]), spec)
    if scorer is likelihood.score_rows:
        return singletons, scorer
    if len(inside) == len(rows):
        return families, scorer
    apart = {index for family, row in rows if likelihood.path_length(row) > limit for index in family.members}
    families = [family for family, _ in inside] + [family for family in singletons if family.members[0] in apart]
    return families, likelihood.by_window(limit)


def _by_engine(model: Any) -> EngineModel | None:
    """Return the model if another program computes it; its class is loaded for such runs only."""
    return model if hasattr(model, "batch_tokens") else None


def _row(questions: Sequence[EncodedQuestion], family: prefix_tree.Family) -> likelihood.Row:
    return likelihood.Row([questions[i] for i in family.members], family.shared)


def _read(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    spec: RunSpec,
    only: Collection[int],
    on_progress: Progress | None,
    meter: Meter,
) -> list[Answer]:
    """Return the log-likelihood of every token of each example's text, read in windows (see `tokenize.windows`)."""
    texts = encode_texts(tokenizer, examples, task, spec.max_tokens)
    rows = [(index, row) for index, text in enumerate(texts) for row in windows(text, spec.max_tokens)]
    lengths = [len(row) for _, row in rows]
    score_tokens = (_by_engine(model) or likelihood).score_tokens

    def score(batch: Sequence[int]) -> tuple[list[tuple[float, ...]], int]:
        return score_tokens(model, [rows[i][1] for i in batch], spec), sum(lengths[i] for i in batch)

    by_window: dict[int, tuple[float, ...]] = {}
    batches = needed(make_batches(lengths, TEXT_TOKENS), only, lambda number: rows[number][:1])
    for batch, scores in _batched(model, batches, score, len(rows), on_progress, meter):
        by_window |= dict(zip(batch, scores, strict=True))
    logliks: list[list[float]] = [[] for _ in texts]
    for number, (index, _) in enumerate(rows):  # the windows of a text are in order
        logliks[index] += by_window.get(number, ())
    answers = []
    for index, (example, loglik) in enumerate(zip(examples, logliks, strict=True)):
        if only and index not in only:
            continue
        _refuse_no_number(loglik, example, spec)
        answers.append(_answer(example, "", "", 0, tuple(loglik)))
    return answers


def _refuse_no_number(loglik: Sequence[float], example: Example, spec: RunSpec) -> None:
    if not all(abs(value) < float("inf") for value in loglik):
        raise HarnessError(
            f"the model's output for example '{example.id}' is not a number",
            where=spec.name,
            fix="check the checkpoint; try --dtype fp32",
        )


def _write(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    questions: Sequence[EncodedQuestion],
    task: Task,
    spec: RunSpec,
    only: Collection[int],
    on_progress: Progress | None,
    meter: Meter,
) -> list[Answer]:
    """Return the text that the model writes as each example's answer, up to its end token or the end of the line."""
    stop = generation.end_tokens(model, tokenizer)
    one_line = not any("\n" in example.target for example in examples)
    chat = chat_of(tokenizer)
    if one_line and not (chat and chat.thinks):
        stop |= generation.newline_tokens(tokenizer)
    prompts = [item.prompt for item in questions]
    generate = engine.write if (engine := _by_engine(model)) else generation.choose(model, prompts)

    def write(batch: Sequence[int]) -> tuple[list[generation.Continuation], int]:
        continuations = generate(model, [prompts[i] for i in batch], stop, spec.max_new_tokens)
        read = sum(len(prompts[i]) for i in batch)
        return continuations, read + sum(len(continuation.tokens) for continuation in continuations)

    answers: list[Answer | None] = [None] * len(examples)
    parse = task.parse or default_parse
    lengths = [length + spec.max_new_tokens for length in prefill.lengths(prompts)]
    batches = needed(make_batches(lengths, WRITE_TOKENS), only, lambda number: (number,))
    for batch, texts in _batched(model, batches, write, len(examples), on_progress, meter):
        for i, (ids, loglik) in zip(batch, texts, strict=True):
            _refuse_no_number((loglik,), examples[i], spec)
            text = generation.text_of(tokenizer, ids, prompts[i])
            text = _first_line(text) if one_line else text
            parsed = parse(thoughts.answer(text), examples[i])
            answers[i] = _answer(examples[i], text, parsed, questions[i].cut_tokens, (loglik,))
    return [result for result in answers if result is not None]


def _first_line(text: str) -> str:
    """Return an output up to the end of the answer's first line; thoughts in front of the answer stay."""
    front, answer = thoughts.divide(text)
    return (front + answer.strip().split("\n", 1)[0]).strip()


def _answer(example: Example, text: str, parsed: str | None, cut_tokens: int, loglik: tuple[float, ...]) -> Answer:
    return Answer(
        id=example.id,
        group=example.group or example.id,
        target=example.target,
        text=text,
        parsed=parsed,
        choices=example.choices,
        loglik=loglik,
        slices=example.slices,
        cut_tokens=cut_tokens,
        amount=example.amount,
    )


def _batched(
    model: Any,
    batches: Sequence[Sequence[int]],
    work: Callable[[Sequence[int]], tuple[list[Any], int]],
    total: int,
    on_progress: Progress | None,
    meter: Meter,
) -> Iterator[tuple[Sequence[int], list[Any]]]:
    """Yield (indices, results) batch by batch, longest first so that a lack of memory shows at once; `total` results in all.

    The first batch is the largest. Its bytes are counted, and its seconds are replaced by the cost per token of the others.
    """
    done = counted_tokens = other_tokens = 0
    other_seconds = 0.0
    shards = getattr(model, "shards", None)  # the processes over which it is divided: each answers a batch
    count = shards.count if shards else 1
    for first in range(0, len(batches), count):
        start, part = time.perf_counter(), batches[first : first + count]
        with contextlib.nullcontext() if first else meter.counting(model):
            replies = shards.answers(model, part, work) if shards else [work(batch) for batch in part]
        if first:
            other_tokens += sum(tokens for _, tokens in replies)
            other_seconds += time.perf_counter() - start
        else:
            counted_tokens = sum(tokens for _, tokens in replies)
        for batch, (results, _) in zip(part, replies, strict=True):
            done += len(results)
            if on_progress:
                on_progress(done, total)
            yield batch, results
    meter.tokens += counted_tokens + other_tokens
    if other_tokens:
        meter.restore(counted_tokens * other_seconds / other_tokens)
    else:
        meter.restore(float("inf"))

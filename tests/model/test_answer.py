"""Asking questions: fast paths against the slow and obvious way, the same answers twice, and what counts as an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.methods import lora, qlora
from harness.model import answer as evaluate
from harness.model import batch as model_batch
from harness.model import generate, kv_cache, likelihood
from harness.model import meter as memory
from harness.model.loading import load_tokenizer, precision
from harness.model.tokenize import EncodedQuestion, encode_test
from harness.schema import Calibration
from tests.support.tiny_models import Deaf, toy_examples, toy_folder, toy_model, toy_spec, toy_task, toy_tokenizer

STORIES = Path(__file__).resolve().parents[3] / "shared" / "models" / "stories260K"
needs_stories = pytest.mark.skipif(not STORIES.is_dir(), reason=f"{STORIES.name} is not beside this checkout")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return toy_tokenizer()


@pytest.fixture(scope="module")
def items(tokenizer: Any) -> list[EncodedQuestion]:
    return encode_test(tokenizer, toy_examples(10), toy_task(), 256, 0)


def slow_scores(model: Any, item: EncodedQuestion) -> list[tuple[float, float]]:
    """One pass per option over the bare text, logits everywhere, one token at a time: own tokens and end token."""
    scores = []
    for option in item.options:
        with torch.no_grad():
            table = torch.log_softmax(model(torch.tensor([[*item.prompt, *option]])).logits[0].double(), dim=-1)
        first = len(item.prompt)
        nats = [table[first + i - 1, token].item() for i, token in enumerate(option)]
        scores.append((sum(nats[:-1]), nats[-1]))
    return scores


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("score", [likelihood.score_tree, likelihood.score_rows])
def test_options_score_as_when_each_is_read_alone(
    items: list[EncodedQuestion], score: likelihood.Scorer, attention: str
) -> None:
    model = toy_model()
    model.config._attn_implementation = attention
    with torch.no_grad():
        found = score(model, [likelihood.Row([item]) for item in items], toy_spec())
    for scores, item in zip(found, items, strict=True):
        for fast, slow in zip(scores, slow_scores(model, item), strict=True):
            assert fast == pytest.approx(slow, abs=1e-3)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("score", [likelihood.score_tree, likelihood.score_rows])
def test_questions_about_one_case_score_as_when_each_is_read_alone(score: likelihood.Scorer, attention: str) -> None:
    model, case = toy_model(), tuple(range(1, 41))
    model.config._attn_implementation = attention
    told = [
        EncodedQuestion((*case, 50, n), tuple((7, 8, n, 3)[: 1 + (n + k) % 4] for k in range(2 + n % 2)), 0)
        for n in range(6)
    ]
    rows = [likelihood.Row(told[:1]), likelihood.Row(told[1:3], 41), likelihood.Row(told[3:], 41)]
    assert likelihood.tree_length(likelihood.Row(told[:2], 41)) == 41 + 1 + 1 + sum(
        len(o) - 1 for one in told[:2] for o in one.options
    )
    with torch.no_grad():
        found = score(model, rows, toy_spec())
    for scores, item in zip(found, told, strict=True):
        for fast, slow in zip(scores, slow_scores(model, item), strict=True):
            assert fast == pytest.approx(slow, abs=1e-3)


def test_answers_about_one_case_are_those_of_each_question_alone_in_their_order(tokenizer: Any) -> None:
    case = "Assets equal liabilities and equity. " * 6
    examples = [replace(example, context=case) for example in toy_examples(9)]
    examples[4] = replace(examples[4], context="")
    read: list[int] = []
    model = toy_model()
    model.register_forward_pre_hook(lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True)
    together = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec())
    asked = sum(read)
    alone = [evaluate.answer(model, tokenizer, [example], toy_task(), toy_spec())[0] for example in examples]
    assert [answer.id for answer in together] == [example.id for example in examples]
    assert asked < (sum(read) - asked) / 2
    for one, other in zip(together, alone, strict=True):
        assert replace(one, loglik=(), end_loglik=()) == replace(other, loglik=(), end_loglik=())
        assert one.loglik == pytest.approx(other.loglik, abs=1e-3)
        assert one.end_loglik == pytest.approx(other.end_loglik, abs=1e-3)


@pytest.mark.parametrize("calibration", ["", "content-free", "domain"])
def test_a_part_of_the_questions_is_read_in_the_batches_of_all(tokenizer: Any, calibration: Calibration) -> None:
    examples = [replace(e, choices=(*e.choices, f"number {n}")) for n, e in enumerate(toy_examples(9))]
    read: list[str] = []
    model = toy_model()
    model.register_forward_pre_hook(
        lambda _, __, given: read.append(str(given["input_ids"].tolist())), with_kwargs=True
    )
    whole = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec(), calibration=calibration)
    batches, read[:] = set(read), []
    part = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec(), calibration=calibration, only=[4])
    assert set(read) <= batches
    assert whole[4] in part


def test_in_bf16_the_tree_scores_as_the_rows_up_to_rounding(items: list[EncodedQuestion]) -> None:
    model, spec = toy_model().to(torch.bfloat16), toy_spec(dtype="bf16")
    with torch.no_grad(), precision(spec):
        assert likelihood.choose_scorer(model, likelihood.Row(items[:1]), spec) is likelihood.score_tree
        tree, rows = (
            score(model, [likelihood.Row([one]) for one in items], spec)
            for score in (likelihood.score_tree, likelihood.score_rows)
        )
    for fast, slow in zip(tree, rows, strict=True):
        for a, b in zip(fast, slow, strict=True):
            assert a == pytest.approx(b, rel=0.03, abs=0.3)


def test_a_model_that_ignores_the_mask_is_scored_row_by_row(items: list[EncodedQuestion]) -> None:
    with torch.no_grad():
        assert likelihood.choose_scorer(toy_model(), likelihood.Row(items[:1]), toy_spec()) is likelihood.score_tree
        assert likelihood.choose_scorer(Deaf(), likelihood.Row(items[:1]), toy_spec()) is likelihood.score_rows


def test_a_model_that_refuses_the_mask_is_scored_row_by_row(items: list[EncodedQuestion]) -> None:
    class Strict(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = toy_model()

        def get_output_embeddings(self) -> Any:
            return self.inner.get_output_embeddings()

        def forward(self, input_ids: torch.Tensor, use_cache: bool = False) -> Any:
            return self.inner(input_ids=input_ids, use_cache=use_cache)

    with torch.no_grad():
        assert likelihood.choose_scorer(Strict(), likelihood.Row(items[:1]), toy_spec()) is likelihood.score_rows


def test_the_likeliest_option_is_the_answer_and_all_scores_are_kept(
    tokenizer: Any, items: list[EncodedQuestion]
) -> None:
    examples, model = toy_examples(10), toy_model()
    answers = evaluate.answer(model, tokenizer, examples, toy_task(), toy_spec())
    assert [answer.id for answer in answers] == [example.id for example in examples]
    for answer, example, item in zip(answers, examples, items, strict=True):
        option, end = zip(*slow_scores(model, item), strict=True)
        assert answer.loglik == pytest.approx(option, abs=1e-3)
        assert answer.end_loglik == pytest.approx(end, abs=1e-3)
        assert answer.text == answer.parsed == example.choices[answer.loglik.index(max(answer.loglik))]
        assert (answer.target, answer.choices, answer.group) == (example.target, example.choices, example.id)


@pytest.mark.parametrize("scoring", ["choices", "generate"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_same_question_twice_gets_the_same_answer_byte_for_byte(tokenizer: Any, dtype: str, scoring: str) -> None:
    spec = toy_spec(dtype=dtype, scoring=scoring)
    runs = [
        json.dumps([asdict(a) for a in evaluate.answer(toy_model(), tokenizer, toy_examples(12), toy_task(), spec)])
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("limit", [1, 2, 40])
def test_generation_writes_what_transformers_generate_writes(items: list[EncodedQuestion], limit: int) -> None:
    model = toy_model()
    prompts = [item.prompt for item in items]
    stop = {0, *range(20, 60)}  # many stops, so that rows end at different steps
    assert generate.fits_loop(model)
    with torch.no_grad():
        ours = generate.greedy(model, prompts, stop, limit)
        theirs = generate.by_generate(model, prompts, stop, limit)
        alone = [generate.by_generate(model, [prompt], stop, limit)[0] for prompt in prompts]
    assert tokens(ours) == tokens(theirs) == tokens(alone)
    for found in (ours, theirs):
        assert [one.loglik for one in found] == pytest.approx([one.loglik for one in alone], abs=1e-3)
    for prompt, one in zip(prompts, alone, strict=True):
        assert one.loglik == pytest.approx(slow_loglik(model, prompt, one.tokens), abs=1e-3)
    if limit == 40:
        assert len({len(row) for row in tokens(ours)}) > 1, "all rows ended together: dropping was not tried"


def tokens(written: list[generate.Continuation]) -> list[list[int]]:
    return [one.tokens for one in written]


def slow_loglik(model: Any, prompt: Sequence[int], answer: list[int]) -> float:
    """The log-likelihood of an answer after a prompt, from one forward pass over both."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1]
    return float(logits.log_softmax(-1)[range(len(answer)), answer].sum())


def test_generation_runs_through_adapters_and_four_bits(tmp_path: Path, items: list[EncodedQuestion]) -> None:
    folder = toy_folder(tmp_path)
    for method in (lora.METHOD, qlora.METHOD):
        spec = toy_spec(method=method.name, rank=2, alpha=32.0)
        model = method.adapt(method.load(str(folder), spec), spec).eval()
        prompts = [item.prompt for item in items[:4]]
        assert generate.fits_loop(model)
        with torch.no_grad():
            ours = generate.greedy(model, prompts, {0}, 6)
            assert tokens(ours) == tokens(generate.by_generate(model, prompts, {0}, 6))


def test_a_store_with_room_holds_what_was_appended_also_after_rows_were_dropped() -> None:
    pieces = [torch.randn(3, 2, length, 4) for length in (5, 1, 1, kv_cache.ROOM + 8, 1)]
    rows = [0, 1, 2]
    store = shown = pieces[0][:, :, :0]
    for step, piece in enumerate(pieces):
        store, shown = kv_cache._append(store, shown, piece[rows])
        assert torch.equal(shown, torch.cat(pieces[: step + 1], dim=2)[rows])
        if step == 1:
            rows, shown = [0, 2], shown[[0, 2]]


def test_writing_stops_at_the_end_of_the_line(tokenizer: Any) -> None:
    newline = tokenizer("\n")["input_ids"][0]
    assert newline in generate.newline_tokens(tokenizer)
    assert tokenizer("a")["input_ids"][0] not in generate.newline_tokens(tokenizer)


def test_all_end_tokens_of_a_chat_model_end_an_answer(tokenizer: Any) -> None:
    model = toy_model()
    model.generation_config.eos_token_id = [5, 6]
    assert generate.end_tokens(model, tokenizer) == {0, 5, 6}


class Scripted:
    """Stands for generation: writes the same text to every prompt."""

    def __init__(self, tokenizer: Any, text: str) -> None:
        self.ids = tokenizer(text)["input_ids"]

    def __call__(self, model: Any, prompts: list[Any], stop: set[int], limit: int) -> list[generate.Continuation]:
        return [generate.Continuation(self.ids, -0.5) for _ in prompts]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [(" Rises", "rises"), ("rises<end>", "rises"), (" rises\nfalls a little", "rises"), ("it rises", None), ("", None)],
)
def test_what_is_written_counts_only_where_it_is_an_answer(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, text: str, parsed: str | None
) -> None:
    monkeypatch.setattr(generate, "greedy", Scripted(tokenizer, text))
    found = evaluate.answer(toy_model(), tokenizer, toy_examples(3), toy_task(), toy_spec(scoring="generate"))
    assert [answer.parsed for answer in found] == [parsed] * 3
    assert {answer.loglik for answer in found} == {(-0.5,)}


def test_a_tasks_own_parser_is_asked(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "greedy", Scripted(tokenizer, "Decision: PAY"))
    task = replace(toy_task("generate"), parse=lambda text, example: text.split(": ")[1].lower())
    found = evaluate.answer(toy_model(), tokenizer, toy_examples(2), task, toy_spec(scoring="generate"))
    assert [answer.parsed for answer in found] == ["pay", "pay"]
    assert found[0].text == "Decision: PAY"


def test_answers_of_several_lines_are_read_whole(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "greedy", Scripted(tokenizer, "pay\n950"))
    example = replace(toy_examples(1)[0], target="deny\n0", choices=())
    task = replace(toy_task("generate"), parse=lambda text, example: text)
    found = evaluate.answer(toy_model(), tokenizer, [example], task, toy_spec(scoring="generate"))
    assert found[0].parsed == "pay\n950"


def test_choosing_without_options_is_refused_by_name(tokenizer: Any) -> None:
    bare = replace(toy_examples(1)[0], choices=())
    with pytest.raises(HarnessError, match="'q0' has 0 options"):
        evaluate.answer(toy_model(), tokenizer, [bare], toy_task(), toy_spec())


def test_scores_that_are_not_numbers_are_an_error_and_not_an_answer(tokenizer: Any) -> None:
    model = toy_model()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(HarnessError, match="is not a number"):
        evaluate.answer(model, tokenizer, toy_examples(3), toy_task(), toy_spec())


def test_cut_contexts_are_told(tokenizer: Any) -> None:
    long = replace(toy_examples(1)[0], context="Filler and more filler. " * 40)
    answers = evaluate.answer(toy_model(), tokenizer, [long, *toy_examples(2)], toy_task(), toy_spec(max_tokens=200))
    assert answers[0].cut_tokens > 0
    assert [answer.cut_tokens for answer in answers[1:]] == [0, 0]


def test_progress_and_cost_are_told(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "READ_TOKENS", {"cpu": 600})
    told: list[tuple[int, int]] = []
    with memory.phase("cpu") as meter:
        evaluate.answer(
            toy_model(),
            tokenizer,
            toy_examples(12),
            toy_task(),
            toy_spec(),
            on_progress=lambda done, total: told.append((done, total)),
            meter=meter,
        )
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == (12, 12)
    assert meter.result is not None
    asked = encode_test(tokenizer, toy_examples(12), toy_task(), 256, 0)
    assert meter.result.tokens == sum(likelihood.tree_length(likelihood.Row([item])) for item in asked)
    assert meter.result.peak_bytes > memory.weights_bytes(toy_model())


@given(lengths=st.lists(st.integers(1, 400), max_size=300), tokens=st.integers(400, 3000))
@settings(max_examples=50, deadline=None)
def test_batches_hold_everything_once_longest_first_within_the_budget(lengths: list[int], tokens: int) -> None:
    batches = model_batch.make_batches(lengths, tokens)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    flat = [lengths[i] for batch in batches for i in batch]
    assert flat == sorted(lengths, reverse=True)
    assert all(len(batch) * lengths[batch[0]] <= tokens and len(batch) <= model_batch.BATCH_ROWS for batch in batches)


@needs_stories
@pytest.mark.parametrize("scoring", ["choices", "generate"])
def test_a_model_made_by_others_answers(scoring: str) -> None:
    from transformers import AutoModelForCausalLM

    model, tokenizer = AutoModelForCausalLM.from_pretrained(STORIES), load_tokenizer(STORIES)
    spec = toy_spec(scoring=scoring, max_tokens=512)
    answers = evaluate.answer(model, tokenizer, toy_examples(6), toy_task(), spec)
    assert len(answers) == 6
    if scoring == "choices":
        item = encode_test(tokenizer, toy_examples(1), toy_task(), 512, 0)[0]
        assert answers[0].loglik == pytest.approx([option for option, _ in slow_scores(model, item)], abs=1e-2)

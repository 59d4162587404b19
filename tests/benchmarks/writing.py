"""Writing answers: our batched loop against lm-eval's `generate_until`, and against one `generate` a question.

Two kinds of work: `sec_qa`, where an excerpt is read for a few tokens of answer, so that all ways mostly read; and the
skills of the embedded model, where prompts are as short as answers. And labels as FinLoRA's evaluation asks for them: one
question at a time, where a label counts if it occurs in what is written; we compare the log-likelihoods of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness.model import answer as evaluate
from tests.benchmarks import subjects
from tests.benchmarks.timing import Comparison, in_turn, keep

BATCHES = (1, 32)
ONE_BY_ONE = "generate(), one question at a time"


def compare(name: str, task_name: str, count: int, rounds: int) -> Comparison:
    """Measure on the first `count` test questions of a task whose answers are written."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model, tokenizer = subjects.tiny()
    task, examples, spec = subjects.questions(task_name, count)
    prompts = [task.prompt(example) for example in examples]
    settings = {"until": ["\n"], "max_gen_toks": spec.max_new_tokens, "do_sample": False}
    asked = [Instance("generate_until", {}, (prompt, dict(settings)), n) for n, prompt in enumerate(prompts)]

    def theirs(batch_size: int) -> list[str]:
        backend = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", device="cpu", batch_size=batch_size)
        return [text.strip() for text in backend.generate_until(asked, disable_tqdm=True)]

    ways: dict[str, Callable[[], list[str]]] = {
        "ours": lambda: [answer.text for answer in evaluate.answer(model, tokenizer, examples, task, spec)]
    }
    for size in BATCHES:
        ways[f"lm-eval, batch of {size}"] = lambda size=size: theirs(size)  # type: ignore[misc]
    ways[ONE_BY_ONE] = lambda: [
        text.partition("\n")[0].strip() for text in _one_by_one(model, tokenizer, prompts, spec.max_new_tokens)
    ]
    seconds, found = in_turn(ways, rounds=rounds)
    others = list(ways)[1:]
    same = {other: sum(a == b for a, b in zip(found["ours"], found[other], strict=True)) for other in others}
    tokens = [sum(len(ids) for ids in tokenizer(texts)["input_ids"]) / count for texts in (prompts, found["ours"])]
    return Comparison(
        name,
        f"{count} answers to `{task_name}`, {tokens[0]:.0f} tokens of prompt and {tokens[1]:.0f} of answer in the mean, "
        f"{spec.max_new_tokens} at most, tiny, fp32",
        seconds,
        dict(zip(others, (1.5, 1.5, 6.0), strict=True)),
        "the same text: " + ", ".join(f"{other} {number} of {count}" for other, number in same.items()),
        packages=subjects.versions(("torch", "transformers", "lm_eval")),
    )


def labels(count: int, rounds: int) -> Comparison:
    """Measure on the first `count` test questions of `cfa_listed`, whose options stand in the prompt."""
    model, tokenizer = subjects.tiny()
    task, examples, spec = subjects.questions("cfa_listed", count)
    limit = subjects.questions("cfa_listed", count, scoring="generate")[2].max_new_tokens
    prompts = [task.prompt(example) for example in examples]
    ways: dict[str, Callable[[], list[str]]] = {
        "ours": lambda: [answer.text for answer in evaluate.answer(model, tokenizer, examples, task, spec)],
        ONE_BY_ONE: lambda: _one_by_one(model, tokenizer, prompts, limit),
    }
    seconds, found = in_turn(ways, rounds=rounds)
    right = sum(text == example.target for text, example in zip(found["ours"], examples, strict=True))
    counted = sum(example.target in text for text, example in zip(found[ONE_BY_ONE], examples, strict=True))
    return Comparison(
        "labels",
        f"{count} labels of `cfa_listed`: ours the likeliest, theirs found in what is written, {limit} tokens at most, "
        "tiny, fp32",
        seconds,
        {ONE_BY_ONE: 6.0},
        f"not the same question: {right} right by log-likelihood, {counted} where the label occurs in the text",
        packages=subjects.versions(("torch", "transformers")),
    )


def _one_by_one(model: Any, tokenizer: Any, prompts: Sequence[str], limit: int) -> list[str]:
    texts = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            out = model.generate(ids, max_new_tokens=limit, do_sample=False, pad_token_id=2)
        texts.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
    return texts


def main(rounds: int = 2) -> None:
    """Measure with the embedded model."""
    keep(compare("writing-long", "sec_qa", 150, rounds))
    keep(compare("writing-short", "tiny_skills", 300, rounds))
    keep(labels(300, rounds))

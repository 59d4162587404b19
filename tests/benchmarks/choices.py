"""Scoring options: our tree of prompt and options against lm-eval's backend, which runs prompt and option once an option.

lm-eval is given token ids, so that both score the same; its tokenizing is left out of its time, ours is in ours.
"""

from __future__ import annotations

from typing import Any

from harness.model import answer as evaluate
from harness.model.tokenize import encode_test
from tests.benchmarks import subjects
from tests.benchmarks.timing import Comparison, in_turn, keep

BATCHES = (16, 64)  # the best of them is "at its best"


def compare(name: str, made: tuple[Any, Any], count: int, rounds: int) -> Comparison:
    """Measure on the first `count` test questions of `cfa`."""
    from lm_eval.models.huggingface import HFLM

    model, tokenizer = made
    task, examples, spec = subjects.questions("cfa", count)
    encoded = encode_test(tokenizer, examples, task, spec.max_tokens, 0)
    requests = [(("", ""), list(item.prompt), list(option)) for item in encoded for option in item.options]

    def theirs(batch_size: int) -> list[float]:
        backend = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", device="cpu", batch_size=batch_size)
        return [value for value, _ in backend._loglikelihood_tokens(requests, disable_tqdm=True)]

    ways: dict[str, Any] = {"ours": lambda: evaluate.answer(model, tokenizer, examples, task, spec)}
    ways["lm-eval, default batch of 1"] = lambda: theirs(1)
    for size in BATCHES:
        ways[f"lm-eval, batch of {size}"] = lambda size=size: theirs(size)
    seconds, found = in_turn(ways, rounds=rounds)
    same = alike = 0
    for other in list(ways)[1:]:
        values = iter(found[other])
        for answer in found["ours"]:
            scores = [next(values) for _ in answer.loglik]
            same += answer.choices[scores.index(max(scores))] == answer.text
            alike += max(abs(a - b) for a, b in zip(scores, answer.loglik, strict=True)) < 1e-3
    total = len(examples) * (len(ways) - 1)
    return Comparison(
        name,
        f"{count} questions of `cfa`, three options each, {name.partition('-')[2]} model, fp32",
        seconds,
        dict.fromkeys(list(ways)[1:], 4.0),
        f"{same} of {total} choices are the same; {alike} of {total} log-likelihoods within 0.001",
        packages=subjects.versions(("torch", "transformers", "lm_eval")),
    )


def main(count: int = 600, rounds: int = 2) -> None:
    """Measure with the embedded model and with a wide vocabulary."""
    keep(compare("choices-tiny", subjects.tiny(), count, rounds))
    keep(compare("choices-wide", subjects.wide(), count // 4, rounds))

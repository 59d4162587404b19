"""Writing answers: our batched loop against lm-eval's `generate_until`, and against one `generate` a question.

The last is how FinLoRA's evaluation asks: batch of one, and a label counts where it occurs in the output.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks import subjects
from benchmarks.timing import Comparison, in_turn, keep
from harness import evaluate

BATCHES = (1, 32)


def compare(count: int, rounds: int) -> Comparison:
    """Measure on the first `count` test questions of `sec_qa`."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model, tokenizer = subjects.tiny()
    task, examples, spec = subjects.questions("sec_qa", count)
    prompts = [task.prompt(example) for example in examples]
    settings = {"until": ["\n"], "max_gen_toks": spec.max_new_tokens, "do_sample": False}
    asked = [Instance("generate_until", {}, (prompt, dict(settings)), n) for n, prompt in enumerate(prompts)]

    def theirs(batch_size: int) -> list[str]:
        backend = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", device="cpu", batch_size=batch_size)
        return [text.strip() for text in backend.generate_until(asked, disable_tqdm=True)]

    def one_by_one() -> list[str]:
        texts = []
        for prompt in prompts:
            ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                out = model.generate(ids, max_new_tokens=spec.max_new_tokens, do_sample=False, pad_token_id=2)
            texts.append(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).partition("\n")[0].strip())
        return texts

    ways: dict[str, Any] = {
        "ours": lambda: [answer.text for answer in evaluate.answer(model, tokenizer, examples, task, spec)]
    }
    for size in BATCHES:
        ways[f"lm-eval, batch of {size}"] = lambda size=size: theirs(size)
    ways["generate(), one question at a time"] = one_by_one
    seconds, found = in_turn(ways, rounds=rounds)
    others = list(ways)[1:]
    same = {name: sum(a == b for a, b in zip(found["ours"], found[name], strict=True)) for name in others}
    return Comparison(
        "writing",
        f"{count} answers to `sec_qa`, {spec.max_new_tokens} tokens at most, tiny, fp32",
        seconds,
        dict(zip(others, (1.5, 1.5, 6.0), strict=True)),
        "the same text: " + ", ".join(f"{name} {number} of {count}" for name, number in same.items()),
        packages=subjects.versions(("torch", "transformers", "lm_eval")),
    )


def main(count: int = 150, rounds: int = 2) -> None:
    """Measure with the embedded model."""
    keep(compare(count, rounds))

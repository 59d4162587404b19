"""A script that writes the model card of `tiny` from the training log, the suite and the base rows of the tasks.

python -m harness.tiny.card [--results results]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness.tiny.tokenizer import FOLDER

TEXT = """---
license: apache-2.0
library_name: transformers
tags: [base-model, synthetic]
---

# tiny

The embedded base model of the benchmark, so that its first run needs no download. It has learned general skills on
generated text (copying from a context, reading tables and records, comparing numbers and dates, gauging a number of a
question against one of a text, applying rules, concluding from what a text says of a name, writing answers in a form) and
nothing about finance or insurance. It serves to show the machinery and the differences between methods; conclusions about real
models need real models.

| | |
|---|---|
| architecture | Llama: {layers} layers, width {width}, {heads} heads, feed-forward {feed_forward}, vocabulary {vocabulary}, tied embeddings |
| weights | {weights:,}, stored in bf16 |
| window | {window:,} tokens |
| tokenizer | byte-pair encoding with byte fallback, digits split; learned from `words.txt` alone |
| text | `skills.py`: {skills} skills over random words and numbers; repeated random tokens; then `consequences.py` and `gauge.py`; no fact of any kind |
| start | random, but for heads that copy and heads that pool, which stay as they start (`circuit.py`) |
| training | {tokens:,} tokens in {steps:,} steps of {step_tokens:,}, AdamW {rate:g} with cosine decay, seed {seed}, bf16 autocast |
| further training | {more_tokens:,} tokens in {more_steps:,} steps of {more_step_tokens:,}, {consequences:.0%} of the texts from `consequences.py`, {gauge:.0%} from `gauge.py`, the others as before; AdamW {more_rate:g} with cosine decay |
| machine | one NVIDIA H200, 2.5 minutes at 1.8 million tokens a second; then about an hour and a half of one shared CPU core |
| loss | {loss:.3f} nats (weighted, last 50 steps or so), {more_loss:.3f} at the end of the further training, on another mixture; `loss.jsonl` and `loss_further.jsonl` have all of it |
| licence | Apache-2.0 |

Made by `python -m harness.tiny.tokenizer`, `python -m harness.tiny.pretrain --steps {steps} --device cuda --workers 12` and
`python -m harness.tiny.further --steps {more_steps}`, which resume where they were stopped. The batches come out the same
everywhere; the gradients of a GPU are added up in no fixed order, so that a run from scratch gives weights like these, not
these.

## Held-out general suite

Exactly right by greedy decoding, {each} questions a skill with seeds that training never uses
(`python -m harness.tiny.suite`):

| skill | right |
|---|---|
{suite}

## On the built-in tasks, untrained

{tasks}
"""


def suite_rows(suite: dict[str, Any]) -> str:
    """Return the suite as Markdown table rows."""
    return "\n".join(f"| {name.replace('_', ' ')} | {share:.1%} |" for name, share in suite["right"].items())


def task_rows(results: Path) -> str:
    """Return the published base rows of `results` as a Markdown table, or a sentence if there are none."""
    from harness.store import records

    rows = []
    for run in records.read_published(results):
        spec = run.record.spec
        if spec.method == "base" and spec.model == "tiny" and run.record.status == "ok":
            metric, score = next(iter(run.record.scores.items()))
            chance = "" if run.record.chance is None else f"{run.record.chance:.1%}"
            interval = f"{score.value:.1%} [{score.low:.1%}, {score.high:.1%}]"
            rows.append(f"| {spec.task} | {metric} | {interval} | {chance} | {run.record.parse_rate:.1%} |")
    if not rows:
        return "Not measured yet."
    return "\n".join(["| task | metric | value | chance | parsed |", "|---|---|---|---|---|", *sorted(rows)])


def main() -> None:
    """Write README.md beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    from transformers import AutoModelForCausalLM

    from harness.tiny import batches, further, pretrain, skills

    model = AutoModelForCausalLM.from_pretrained(FOLDER / "model")
    last, more = (
        json.loads((FOLDER / "model" / name).read_text(encoding="utf-8").splitlines()[-1])
        for name in (pretrain.LOG, further.LOG)
    )
    suite = json.loads((FOLDER / "model" / "suite.json").read_text(encoding="utf-8"))
    text = TEXT.format(
        layers=model.config.num_hidden_layers,
        width=model.config.hidden_size,
        heads=model.config.num_attention_heads,
        feed_forward=model.config.intermediate_size,
        vocabulary=model.config.vocab_size,
        skills=len(skills.SKILLS),
        window=model.config.max_position_embeddings,
        weights=model.num_parameters(),
        tokens=last["tokens"],
        steps=last["step"],
        step_tokens=batches.TOKENS,
        loss=last["loss"],
        rate=pretrain.PEAK_RATE,
        seed=batches.SEED,
        more_tokens=more["tokens"],
        more_steps=more["step"],
        more_step_tokens=further.TOKENS,
        more_rate=further.PEAK_RATE,
        more_loss=more["loss"],
        consequences=further.CONSEQUENCES,
        gauge=further.GAUGE,
        each=suite["questions_per_skill"],
        suite=suite_rows(suite),
        tasks=task_rows(arguments.results),
    )
    (FOLDER / "model" / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

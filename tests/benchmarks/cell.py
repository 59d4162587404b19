"""One cell of a grid as people script it: a process that trains with TRL, then scores the options with lm-eval.

    python tests/benchmarks/cell.py METHOD RANK TRAIN.jsonl TEST.jsonl

Trains on rows of prompt and completion, scores rows of prompt, options and target, and prints one line of JSON with the
accuracy and the most memory that the process had. TRL and lm-eval as they come, but for what makes the work the same:
the rate, alpha, the passes, the examples per step and the number format are those of the harness.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:1] = [str(Path(__file__).resolve().parents[2])]

from harness.model.meter import resident_peak
from tests.benchmarks import subjects


def load(method: str) -> Any:
    """Return the embedded model, in 4 bits for QLoRA."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    settings: dict[str, Any] = {}
    if method == "qlora":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    return AutoModelForCausalLM.from_pretrained(subjects.tiny_folder(), dtype=torch.float32, **settings)


def train(model: Any, tokenizer: Any, method: str, rank: int, rows: list[dict[str, Any]], settings: Any) -> Any:
    """Train with `SFTTrainer` on prompts and completions."""
    import datasets
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    peft = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", r=rank, lora_alpha=settings["alpha"], lora_dropout=0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            num_train_epochs=settings["epochs"],
            learning_rate=settings["learning_rate"],
            per_device_train_batch_size=settings["batch_size"],
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
        )
        trainer = SFTTrainer(
            model,
            args=config,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=None if method == "full" else peft,
        )
        trainer.train()
        return trainer.model


def score(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> float:
    """Return the share of questions whose likeliest option, by lm-eval's own log-likelihood, is the target."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    backend = HFLM(pretrained=model.eval(), tokenizer=tokenizer, backend="causal", device="cpu", batch_size=1)
    model.train()  # no dropout here; and bitsandbytes' kernel for eval on the CPU refuses widths that 64 does not divide
    asked = [(row["prompt"], f" {option}{tokenizer.eos_token}") for row in rows for option in row["options"]]
    found = backend.loglikelihood([Instance("loglikelihood", {}, pair, 0) for pair in asked], disable_tqdm=True)
    values = iter(value for value, _ in found)
    right = 0
    for row in rows:
        scores = [next(values) for _ in row["options"]]
        right += row["options"][scores.index(max(scores))] == row["target"]
    return right / len(rows)


def main(method: str, rank: int, train_file: Path, test_file: Path) -> None:
    """Do one cell."""
    from transformers import AutoTokenizer

    given = json.loads(train_file.read_text(encoding="utf-8"))
    tokenizer: Any = AutoTokenizer.from_pretrained(subjects.tiny_folder())
    model = load(method)
    if method != "base":
        model = train(model, tokenizer, method, rank, given["rows"], given["settings"][method])
    accuracy = score(model, tokenizer, json.loads(test_file.read_text(encoding="utf-8")))
    print(json.dumps({"accuracy": accuracy, "resident_bytes": resident_peak()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))

"""LoRA of rank 8: our loop against TRL's `SFTTrainer` (its defaults, then its best settings here) and PEFT's plain way.

The model has the embedded one's shape with a vocabulary of 50,304; lengths are log-normal, as those of instructions are.
All see the same examples in the same order, 16 a step, in fp32, without dropout, at one rate.
"""

from __future__ import annotations

import random
import tempfile
from typing import Any

import torch

from benchmarks import subjects
from benchmarks.timing import Comparison, in_turn, keep, peaks
from harness import train
from harness.encode import Pair
from harness.methods import lora
from harness.schema import RunSpec

BATCH = 16
RATE = 1e-3
TARGET = 12  # tokens of an answer


def pairs(count: int, vocabulary: int) -> list[Pair]:
    """Return examples of random tokens whose prompts' lengths are log-normal (median 60, at most 500 tokens)."""
    rng = random.Random(3)
    lengths = [min(500, max(8, round(rng.lognormvariate(4.1, 0.7)))) for _ in range(count)]
    return [
        Pair(tuple(rng.choices(range(300, vocabulary), k=n)), tuple(rng.choices(range(300, vocabulary), k=TARGET)))
        for n in lengths
    ]


def adapted(spec: RunSpec) -> Any:
    """Return the wide model with the harness's LoRA."""
    model, _ = subjects.wide()
    return lora.adapt(model.requires_grad_(False), spec)


def with_peft() -> Any:
    """Return the wide model with PEFT's LoRA as it comes."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=8, lora_alpha=32.0, lora_dropout=0.0)
    return get_peft_model(subjects.wide()[0], config)


def ours(rows: list[Pair], spec: RunSpec) -> list[float]:
    """Train with the harness's loop; returns the loss of every step."""
    _, tokenizer = subjects.wide()
    return list(train.fit(adapted(spec), tokenizer, rows, spec).losses)


def plain(rows: list[Pair], order: list[list[int]]) -> list[float]:
    """Train as PEFT's examples do: every batch padded to its longest row, logits everywhere."""
    model = with_peft()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=RATE)
    losses = []
    for batch in order:
        chosen = [rows[i] for i in batch]
        width = max(map(len, chosen))
        ids = torch.tensor([[*p.prompt, *p.target, *[0] * (width - len(p))] for p in chosen])
        labels = torch.tensor([[-100] * len(p.prompt) + [*p.target, *[-100] * (width - len(p))] for p in chosen])
        mask = torch.tensor([[1] * len(p) + [0] * (width - len(p)) for p in chosen])
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def trl(rows: list[Pair], **best: Any) -> list[float]:
    """Train with TRL on the token ids; `best` overrides its defaults."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    table = datasets.Dataset.from_list(
        [
            {"input_ids": [*p.prompt, *p.target], "completion_mask": [0] * len(p.prompt) + [1] * len(p.target)}
            for p in rows
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=RATE,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            max_length=1024,
            **best,
        )
        model = with_peft()
        trainer = SFTTrainer(model, args=config, train_dataset=table, processing_class=subjects.wide()[1])
        trainer.train()
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


def compare(count: int, rounds: int) -> Comparison:
    """Measure one epoch over `count` examples."""
    _, _, base = subjects.questions("cfa", 1)
    spec = RunSpec(
        **vars(base)
        | {"method": "lora", "rank": 8, "alpha": 32.0, "learning_rate": RATE, "epochs": 1.0, "batch_size": BATCH}
        | {"micro_batch": BATCH, "train_examples": count, "warmup": 0.0}
    )
    rows = pairs(count, 8000)
    order = train.plan_batches([len(row) for row in rows], spec)
    steps = {"per_device_train_batch_size": BATCH, "gradient_accumulation_steps": 1}
    best = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length", **steps}

    def ways(rows: list[Pair], order: list[list[int]]) -> dict[str, Any]:
        return {
            "ours": lambda: ours(rows, spec),
            "TRL, its defaults": lambda: trl(rows),
            "TRL, at its best": lambda: trl(rows, **best),
            "PEFT, plain loop": lambda: plain(rows, order),
        }

    seconds, found = in_turn(ways(rows, order), rounds=rounds)
    longest = sorted(rows, key=len)[-BATCH:]
    last = {name: sum(losses[-3:]) / len(losses[-3:]) for name, losses in found.items()}
    return Comparison(
        "training",
        f"LoRA r8, {count} examples with log-normal lengths, vocabulary {subjects.WIDE:,}, one epoch, fp32",
        seconds,
        {"TRL, its defaults": 3.0, "TRL, at its best": 1.3, "PEFT, plain loop": 3.0},
        "loss of the last three steps: " + ", ".join(f"{name} {value:.3f}" for name, value in last.items()),
        notes=("loading the model and building the trainer are in the time of every way", "peaks: the longest batch"),
        packages=subjects.versions(("torch", "transformers", "peft", "trl")),
        peaks=peaks(ways(longest, [list(range(BATCH))])),
    )


def main(count: int = 160, rounds: int = 2) -> None:
    """Measure with the wide vocabulary."""
    keep(compare(count, rounds))

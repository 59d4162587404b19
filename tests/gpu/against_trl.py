"""The same LoRA in TRL's `SFTTrainer`: the same shape, rows and tokens, with its defaults or its best settings here."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from harness.model import checkpoint, loading
from harness.model import meter as memory
from tests.gpu.cells import Cell
from tests.gpu.measure import Found, build, expected, method_of, pairs, seen, spec_of, tidy, usable

BEST = {"bf16": True, "gradient_checkpointing": False, "optim": "adamw_torch_fused"}


def sft(cell: Cell) -> Found:
    """Train a few steps; peak and steps are read as for ours, by a callback."""
    import datasets
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    spec, method = spec_of(cell), method_of(cell)
    found = expected(cell, spec, method)
    held = 2 * found["weights"]
    if held > usable(cell):
        return {"status": "does not fit", "reason": "the weights alone are more than the device holds"}
    model = build(cell, spec, method)
    tidy(cell.device)
    counted = cell.device == "cpu"
    count = cell.warmup + cell.steps + counted
    rows = [
        {"input_ids": [*pair.prompt, *pair.target], "completion_mask": [0] * len(pair.prompt) + [1] * len(pair.target)}
        for pair in pairs(cell, cell.rows * count)
    ]
    with tempfile.TemporaryDirectory() as folder, memory.phase(cell.device) as meter:
        config = SFTConfig(
            output_dir=folder,
            max_steps=count,
            per_device_train_batch_size=cell.rows,
            learning_rate=spec.learning_rate,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=counted,
            **(BEST if cell.best else {}),
        )
        trainer = SFTTrainer(
            model,
            args=config,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=loading.load_tokenizer(checkpoint.read("tiny").folder),
            peft_config=LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=cell.rank, lora_alpha=32),
        )
        clock = watch(meter, counted=counted, last=count)
        trainer.add_callback(clock)
        trainer.train()
    took = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)][cell.warmup - 1 :]
    settings = {name: _word(getattr(trainer.args, name)) for name in BEST}
    trained = memory.trained_weights(trainer.model)
    known = {"weights": found["weights"], "flops_per_token": found["flops_per_token"]}
    return known | {"trained_weights": trained, "settings": settings} | seen(cell, meter, took[: cell.steps])


def _word(setting: Any) -> str:
    return str(getattr(setting, "value", setting))


def watch(meter: memory.Meter, *, counted: bool, last: int) -> Any:
    """Return a callback that notes when steps end; with `counted` the last step runs under the byte-counter."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ends: list[float] = []
            self.counter: Any = None

        def on_step_begin(self, args: Any, state: Any, control: Any, **things: Any) -> None:
            if counted and state.global_step == last - 1:
                self.counter = meter.counting(things["model"], things["optimizer"])
                self.counter.__enter__()

        def on_step_end(self, args: Any, state: Any, control: Any, **things: Any) -> None:
            if self.counter is not None:
                self.counter.__exit__(None, None, None)
                self.counter = None
            memory.cuda_peaks(meter.device)  # waits for the device
            self.ends.append(time.perf_counter())

    return Clock()

"""What is measured: the embedded model, one of the same shape with a wide vocabulary, and the tasks' questions."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness.data import loading, registry
from harness.model.checkpoint import read
from harness.record import RunSpec
from harness.runs import plan, specs
from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.schema import Example, Task

WIDE = 50_304  # entries of a vocabulary as GPT-2's, rounded up as usual
PACKAGES = ("torch", "transformers", "peft", "lm_eval", "trl")


def tiny() -> tuple[Any, Any]:
    """Return the embedded model in fp32 and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_folder()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def tiny_folder() -> Path:
    """Return the folder of the embedded model."""
    return read("tiny").folder


def wide() -> tuple[Any, Any]:
    """Return a random model of the embedded one's shape with a vocabulary of 50,304, in fp32, and tiny's tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config: Any = AutoConfig.from_pretrained(tiny_folder())
    config.vocab_size = WIDE
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(tiny_folder())


def questions(name: str, count: int, **options: Any) -> tuple[Task, list[Example], RunSpec]:
    """Return a task, its first test questions and the spec of the base model's run on them in fp32 on the CPU."""
    asked = Options(tasks=(name,), methods=("base",), device="cpu", dtype="fp32", **options)
    task = plan.load_task(name, asked)
    splits = loading.load_splits(task)
    (spec,) = specs.make(Inputs(task, splits), (registry.method("base"),), read("tiny"), asked)
    return task, list(splits.test[:count]), spec


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of the packages that took part."""
    return {name: importlib.metadata.version(name) for name in names}

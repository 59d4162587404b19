"""Methods of PEFT that change while they train: they need work after each step, or a term of their own in the loss.

AdaLoRA (Zhang et al. 2023, arXiv:2303.10512) drops directions from all layers until `target_r` for each are left, and keeps
the others orthogonal. Without that work it would be another method under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.record import RunSpec
from harness.schedule import planned_steps

KINDS = ("ADALORA", "ADAMSS")  # PEFT's methods with `update_and_allocate`
NEED_DATA = ("eva", "corda", "lora_ga")  # starts of LoRA that are computed from examples before PEFT adapts the model


def with_steps(settings: Mapping[str, Any], spec: RunSpec) -> dict[str, Any]:
    """Return AdaLoRA's settings with the number of steps of the run, over which the budget falls.

    Raises:
        HarnessError: the settings have another number of steps, or no direction is to be dropped.
    """
    steps = planned_steps(spec.train_examples, spec)
    wanted, start, end = settings.get("total_step"), settings.get("init_r", 12), settings.get("target_r", 8)
    if spec.joined:
        problem = "AdaLoRA needs the number of steps, which joined tasks change"
        raise HarnessError(problem, where=spec.method, fix="run it without --with")
    if wanted not in (None, steps):
        problem = f"the adapter's config has total_step {wanted}, and this run takes {steps} steps"
        fix = f'"total_step": {steps}, or leave it out of the file: then it is the number of steps of the run'
        raise HarnessError(problem, where=spec.method, fix=fix)
    if not isinstance(start, int) or not isinstance(end, int) or not 0 < end < start:
        problem = f"AdaLoRA drops directions from init_r to target_r, and these are {start} and {end}"
        raise HarnessError(problem, where=spec.method, fix="choose a target_r from 1 to init_r - 1")
    first, last = settings.get("tinit", 0), settings.get("tfinal", 0)
    if isinstance(first, int) and isinstance(last, int) and first >= steps - last:
        problem = f"AdaLoRA has no steps to drop directions in: tinit {first} and tfinal {last} of {steps} steps"
        raise HarnessError(problem, where=spec.method, fix="lower tinit or tfinal in the file, or train for more steps")
    return {**settings, "total_step": steps}


def refuse_unstarted(settings: Mapping[str, Any], spec: RunSpec) -> None:
    """Raise an error for a start that PEFT computes from examples, which no run does: the row would be plain LoRA.

    Raises:
        HarnessError: with the start.
    """
    start = settings.get("init_lora_weights")
    if isinstance(start, str) and start.lower() in NEED_DATA:
        problem = f"init_lora_weights {start!r} is computed from examples before the adapter is made, which no run does"
        raise HarnessError(problem, where=spec.method, fix='choose another start, such as true or "pissa"')


def allocate(model: Any, step: int, steps: int) -> None:
    """Drop the least important directions after a step, as many as the method's schedule says."""
    model.base_model.update_and_allocate(step)


def orthogonality(model: Any) -> Any:
    """Return AdaLoRA's regulariser: how far the directions are from orthogonal, the mean over matrices, times its weight."""
    import torch

    distances = []
    for name, weight in model.named_parameters():
        if weight.requires_grad and ("lora_A" in name or "lora_B" in name):
            products = weight @ weight.T if "lora_A" in name else weight.T @ weight
            distances.append(torch.linalg.norm(products - torch.eye(len(products), device=products.device)))
    (config,) = model.peft_config.values()
    return config.orth_reg_weight * torch.stack(distances).mean()

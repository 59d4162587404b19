"""The methods of the harness, one small file each with a value `METHOD`. None imports torch at the top; `lora_kernel`,
which is no method, does.

Methods differ in the weights that they train. The loop, the order and the loss of all are in `harness.training.loop`, and
so is the optimizer, except for `full8`, whose point is the optimizer's state.
"""

COMPARED = ("base", "calibrated", "fewshot", "lora", "qlora", "full")  # by default
FIRST = ("base", "calibrated", "pmi", "fewshot", "lora", "qlora", "full")  # wherever methods are listed


BEFORE_TRAINED = FIRST.index("lora") - 0.5  # the place of rows between the untrained model's and the trained ones


def position(name: str) -> tuple[int, str]:
    """Return the sort key of a method: the untrained model's rows, LoRA, QLoRA, full, then the others by name."""
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)

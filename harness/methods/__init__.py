"""The methods of the harness, one small file each with a value `METHOD`. None imports torch at the top.

Methods differ in the weights that they train. The loop, the order and the loss of all are in `harness.training.loop`, and
so is the optimizer, except for `full8`, whose point is the optimizer's state.
"""

BUILT_IN = (
    "base",
    "lora",
    "qlora",
    "lora8",
    "dora",
    "rslora",
    "lora-fa",
    "lora+",
    "pissa",
    "ia3",
    "prompt",
    "prefix",
    "bottleneck",
    "lora+prefix",
    "lora+bottleneck",
    "fedlora",
    "full",
    "full8",
    "fewshot",
)

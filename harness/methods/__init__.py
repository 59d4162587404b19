"""Methods that come with the harness, one small file each; each holds a value `METHOD`. None imports torch at the top.

A method differs in what trains, never in how: the loop, the order and the loss are `harness.training.loop`'s, and so is the
optimizer but for `full8`, whose point is what the optimizer keeps.
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

"""Methods that come with the harness, one small file each; each holds a value `METHOD`. None imports torch at the top.

A method differs in what trains, never in how: the loop, the order, the loss and the optimizer are `harness.train`'s.
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
    "full",
    "fewshot",
)

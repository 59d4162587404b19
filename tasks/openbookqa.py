"""OpenBookQA: elementary science, four options, without the book; each option is scored as a continuation.

A local copy may be the `test.json` of LLM-Adapters. It has the test only, which is then split 60/10/30.
"""

from dataclasses import replace

from harness import Source, published
from tasks import arc

FILES: published.Files = {
    "train": ("main/train-*.parquet",),
    "validation": ("main/validation-*.parquet",),
    "test": ("main/test-*.parquet", "**/openbookqa/test.json"),
}

TASK = replace(
    arc.TASK,
    name="openbookqa",
    title="OpenBookQA: elementary science",
    source=Source(
        "hf:allenai/openbookqa",
        revision="388097ea7776314e93a529163e0fea805b8a6454",
        license="Apache-2.0 (its repository; the hub names none)",
        citation="Mihaylov et al. 2018, Can a Suit of Armor Conduct Electricity?, arXiv:1809.02789",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, arc.example),
)

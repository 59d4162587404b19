"""ARC-Easy: science questions for grades 3 to 9 that simple methods answer, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `arc_easy` (version 1.0), zero-shot; prompt, scoring and differences as in
`arc_challenge`. A local copy may be the `test.json` of LLM-Adapters.
"""

from dataclasses import replace

from harness import published
from tasks import arc_challenge

FILES: published.Files = {
    "train": ("ARC-Easy/train-*.parquet",),
    "validation": ("ARC-Easy/validation-*.parquet",),
    "test": ("ARC-Easy/test-*.parquet", "**/ARC-Easy/test.json"),
}

TASK = replace(
    arc_challenge.TASK,
    name="arc_easy",
    version=1,
    title="ARC-Easy: easier science questions",
    source=replace(arc_challenge.TASK.source, files=published.patterns(FILES)),
    load=published.Load(FILES, arc_challenge.example),
)

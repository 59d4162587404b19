"""OpenBookQA: elementary science, four options, without the book, in the form of published numbers.

Protocol: lm-evaluation-harness 0.4.13, task `openbookqa` (version 1.0), zero-shot: the prompt is the question stem
alone, without a cue, and each option's text is scored as its continuation; the headline is `acc_norm`.

Differences: blanks around stems and options are removed, repeated questions are omitted. A local copy may be the
`test.json` of LLM-Adapters. It has the test only, which is then split 60/10/30.
"""

from dataclasses import replace

from harness import Source, prompts, published
from tasks import arc_challenge

FILES: published.Files = {
    "train": ("main/train-*.parquet",),
    "validation": ("main/validation-*.parquet",),
    "test": ("main/test-*.parquet", "**/openbookqa/test.json"),
}

TASK = replace(
    arc_challenge.TASK,
    name="openbookqa",
    title="OpenBookQA: elementary science",
    source=Source(
        "hf:allenai/openbookqa",
        revision="388097ea7776314e93a529163e0fea805b8a6454",
        license="Apache-2.0 (its repository; the hub names none)",
        citation="Mihaylov et al. 2018, Can a Suit of Armor Conduct Electricity?, arXiv:1809.02789",
        files=published.patterns(FILES),
    ),
    load=published.Load(FILES, arc_challenge.example),
    prompt=prompts.bare_question,
)

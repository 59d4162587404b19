"""Name the US GAAP tag that a filer used for a line: 108 questions over XBRL fragments of 10-Ks by six issuers.

Source and splits as in `xbrl_value`. A tag must match completely, with or without its prefix `us-gaap:`, and case counts,
as in the taxonomy: `us-gaap:AssetsCurrent` is not `us-gaap:Assets`.
"""

import re
from dataclasses import replace

from harness import Answer, Example, commonest, metrics, published
from tasks import xbrl_value

FILES: published.Files = {"test": ("data/test/xbrl_xbrl_tags_test.jsonl",)}
TAG = re.compile(r"(?:us-gaap:)?([A-Z][A-Za-z0-9]+)")


def parse(text: str, example: Example) -> str | None:
    """Return the first line as a tag with its prefix, or None if it is not a single tag."""
    match = TAG.fullmatch(text.strip().partition("\n")[0].strip())
    return f"us-gaap:{match[1]}" if match else None


def score(answer: Answer) -> float:
    """Return 1.0 if the tag is the target, including case."""
    return float(answer.parsed == answer.target)


TASK = replace(
    xbrl_value.TASK,
    name="xbrl_tag",
    title="XBRL: name the tag of a line",
    source=xbrl_value.source(FILES),
    load=published.Load(FILES, xbrl_value.example),
    metrics=(replace(metrics.accuracy, score=score),),
    parse=parse,
    chance=commonest,
    guess="always naming the commonest tag",
    max_new_tokens=48,
)

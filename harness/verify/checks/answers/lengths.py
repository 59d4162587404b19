"""The check of tokens that a test read and wrote: without the written texts' tokens, all rows read the same prompts.

The embedded model's tokenizer is here, so its texts are counted to the token: each has its own tokens and the token that
ended it, unless it ended at the limit. Honest runs of `tiny` agree exactly (`claims`, seven runs of 100 questions). A model
may write a text in other tokens than its tokenizer would, so a few are allowed. Texts of other models are left to
`verify --replay`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from harness.errors import HarnessError
from harness.record import Answer, Record
from harness.store import withhold
from harness.store.records import Run
from harness.verify import embedded
from harness.verify.check import Check, check
from harness.verify.checks.record import rows

WRITTEN = "rows read the same prompts beside the tokens that they wrote"
REWRITTEN = 0.05  # tokens an answer that a model may have written in another way


def publication_checks(runs: Sequence[Run]) -> list[Check]:
    """Return the check of the tokens of written answers of all runs of the embedded model."""
    groups: defaultdict[Hashable, list[tuple[Record, int]]] = defaultdict(list)
    for run in runs:
        record = run.record
        test = record.cost.phases.get("evaluate") if record.cost else None
        answers = _texts(run) if record.spec.scoring == "generate" and record.spec.model == embedded.NAME else ()
        if test and answers:
            read = test.tokens - tokens_of(answers, record.spec.max_new_tokens)
            groups[(*rows.reader(record), record.spec.test_examples)].append((record, read))
    return [check(WRITTEN, [fault for group in groups.values() for fault in _faults(group)])]


def tokens_of(answers: Sequence[Answer], limit: int) -> int:
    """Return the tokens of texts that the embedded model wrote, `limit` of each at most."""
    return sum(min(count + 1, limit) for count in embedded.lengths([answer.text for answer in answers]))


def _texts(run: Run) -> Sequence[Answer]:
    if run.record.status != "ok":
        return ()
    try:
        answers = run.answers()
    except (HarnessError, OSError):
        return ()
    return () if answers and withhold.is_withheld(answers[0]) else answers


def _faults(group: Sequence[tuple[Record, int]]) -> Iterable[str]:
    """Yield a fault for each run whose prompts would have other tokens than those of most runs."""
    counts = [count for _, count in group]
    usual = max(counts, key=counts.count)
    for record, count in group:
        if abs(count - usual) > REWRITTEN * record.spec.test_examples:
            spec = record.spec
            yield f"{spec.task} {spec.name} seed {spec.seed}: {count:,} tokens of prompts, other rows {usual:,}"

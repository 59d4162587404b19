"""Triage claims by their signs of fraud: clean, under review, flagged or confirmed fraud.

Source: the fraud cases of the GCC Insurance Intelligence Lab's synthetic sets (MIT). The file holds 235 rows, of which
162 repeat another one in every cell: they are dropped, 73 cases are left, and intervals are wide. The README of the
source speaks of 250 rows. The labels stand as they are. Macro-F1 counts answers that cannot be read as a class of
their own.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness import Example, Split, Task, deal, metrics, prompts, read_rows
from tasks import coverage_qa

FILE = "fraud_cases_synthetic.csv"
LABELS = ("Clean", "Under Review", "Flagged", "Confirmed Fraud")
SHOWN = {
    "policy_type": "Claim",
    "claimant_profile_risk": "Risk profile of the claimant",
    "incident_pattern": "Pattern",
    "document_consistency_score": "Consistency of the documents, 0 to 1",
    "anomaly_score": "Anomaly score, 0 to 1",
}


def load(folder: Path, split: Split) -> list[Example]:
    """Return one split of the distinct cases."""
    asked = f"What is the state of this case: {'; '.join(LABELS)}?"
    distinct = {tuple(row.cells.values()): row for row in reversed(read_rows(folder / FILE))}  # the first one is kept
    examples = []
    for row in sorted(distinct.values(), key=lambda row: row.place):
        lines = "\n".join(f"{title}: {row.cells[name]}" for name, title in SHOWN.items())
        label = row.cells["synthetic_flag_label"]
        examples.append(Example(f"case-{row.place - 1}", asked, label, LABELS, context=lines))
    return deal(examples, split)


def chance(examples: Sequence[Example]) -> float:
    """Return what always giving the commonest state scores."""
    return max(Counter(example.target for example in examples).values()) / len(examples)


TASK = Task(
    name="gcc_claims",
    version=1,
    title="Claims: signs of fraud",
    source=coverage_qa.source(FILE),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy, metrics.macro_f1),
    chance=chance,
    guess="always giving the commonest state",
)

"""Triage claims by their signs of fraud: clean, under review, flagged or confirmed fraud.

Source: the fraud cases of the GCC Insurance Intelligence Lab's synthetic sets (MIT). The file has 235 rows (the source's
README says 250). 162 of them repeat another row in every cell and are omitted; 73 cases remain, and intervals are wide. The
labels are unchanged. The file has no amounts, so confusion is shown by line of business and not in money. Macro-F1 counts
unreadable answers as a class of their own.
"""

from harness import Example, Task, commonest, metrics, prompts, published
from tasks import coverage_qa

FILES: published.Files = {"test": ("data/fraud_cases_synthetic.csv",)}
LABELS = ("Clean", "Under Review", "Flagged", "Confirmed Fraud")
FIELDS = {
    "policy_type": "Claim",
    "claimant_profile_risk": "Risk profile of the claimant",
    "incident_pattern": "Pattern",
    "document_consistency_score": "Consistency of the documents, 0 to 1",
    "anomaly_score": "Anomaly score, 0 to 1",
}


def example(cells: published.Cells, id: str) -> Example:
    """Return a case as an example."""
    question = f"What is the state of this case: {'; '.join(LABELS)}?"
    lines = "\n".join(f"{title}: {cells[name]}" for name, title in FIELDS.items())
    line = {"line": cells["policy_type"].lower()}
    return Example(id, question, cells["synthetic_flag_label"], LABELS, context=lines, slices=line)


TASK = Task(
    name="gcc_claims",
    version=1,
    title="Claims: signs of fraud",
    source=coverage_qa.source(FILES),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.acc, metrics.macro_f1, metrics.acc_norm),
    chance=commonest,
    guess="always giving the commonest state",
    suites=("insurance",),
)

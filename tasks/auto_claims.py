"""Triage motor claims: settle in the normal course, or refer to the investigators?

Source: the synthetic claims and customers of Amazon SageMaker's fraud detection example (A. Arsanjani 2021, MIT), joined
by policy. Of 5,000 claims 164 are marked as fraud, so that always settling would be 97 % right; each of these is joined
by one other claim, chosen by the hash of its policy number, and 4,672 claims are left out. Postcode, gender and
education are not shown. Amounts are rounded to whole dollars; "N/A" is shown as "not applicable". Macro-F1 counts
answers that cannot be read as a class of their own.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import Example, Source, Split, Task, deal, metrics, prompts, read_rows

SETTLE, REFER = "settle", "refer to investigators"
CLAIM = {
    "incident_type": "Incident",
    "collision_type": "Collision",
    "incident_severity": "Severity",
    "driver_relationship": "Driver is the insured's",
    "authorities_contacted": "Authorities contacted",
    "num_vehicles_involved": "Vehicles involved",
    "num_injuries": "Injured",
    "num_witnesses": "Witnesses",
    "police_report_available": "Police report",
    "incident_hour": "Hour of the day",
    "injury_claim": "Claimed for injury, USD",
    "vehicle_claim": "Claimed for the vehicle, USD",
    "customer_age": "Age of the insured",
    "months_as_customer": "Months insured here",
    "num_claims_past_year": "Claims in the past year",
    "num_insurers_past_5_years": "Insurers in the past five years",
    "policy_deductable": "Deductible, USD",
    "policy_annual_premium": "Annual premium, USD",
    "policy_liability": "Liability limits, thousand USD",
    "auto_year": "Year of the car",
}


def balanced(claims: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return every claim marked as fraud and as many others, in the order of the file."""
    others = sorted(
        (c["policy_id"] for c in claims if c["fraud"] == "0"), key=lambda i: hashlib.sha256(i.encode()).digest()
    )
    taken = set(others[: sum(c["fraud"] == "1" for c in claims)])
    return [c for c in claims if c["fraud"] == "1" or c["policy_id"] in taken]


def cell(text: str) -> str:
    """Return a cell as it is shown: amounts in whole numbers."""
    return "not applicable" if text == "N/A" else f"{float(text):.0f}" if "." in text else text


def load(folder: Path, split: Split) -> list[Example]:
    """Return one split; each claim is of a policy of its own, which is its group."""
    customers = {row.cells["policy_id"]: row.cells for row in read_rows(folder / "customers.csv")}
    examples = []
    for claim in balanced([row.cells for row in read_rows(folder / "claims.csv")]):
        known = {**customers[claim["policy_id"]], **claim}
        lines = "\n".join(f"{title}: {cell(known[name])}" for name, title in CLAIM.items())
        target = REFER if claim["fraud"] == "1" else SETTLE
        asked = f"Should this claim be handled as '{SETTLE}' or '{REFER}'?"
        policy = f"policy {claim['policy_id']}"
        examples.append(Example(f"claim-{claim['policy_id']}", asked, target, (SETTLE, REFER), policy, lines))
    return deal(examples, split)


TASK = Task(
    name="auto_claims",
    version=1,
    title="Motor claims: settle or investigate (balanced)",
    source=Source(
        uri="github:aws/amazon-sagemaker-examples",
        revision="2d519b52c3a2c2361f2b87f0d3de46fd6c0232a5",
        license="MIT",
        citation="A. Arsanjani 2021, SageMaker example of fraud detection, synthetic data",
        files=(" archived/fraud_detection/data/claims.csv", " archived/fraud_detection/data/customers.csv"),
        folder="sagemaker_auto_claims",
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy, metrics.macro_f1),
    chance=lambda examples: max(sum(e.target == one for e in examples) for one in (SETTLE, REFER)) / len(examples),
    guess="always giving the commonest decision",
    group_name="policy",
)

"""Triage motor claims: settle in the normal course, or refer to the investigators?

Source: the synthetic claims and customers of Amazon SageMaker's fraud detection example (A. Arsanjani 2021, MIT), joined
by policy. The source marks 164 of 5,000 claims as fraud, so that always settling would be 97 % right. The task balances
them with 164 other claims, selected by the hash of the policy number, and omits 4,672 claims. Postcode, gender and education
are not shown. Amounts are rounded to whole dollars; "N/A" is shown as "not applicable". Macro-F1 counts unreadable answers
as a class of their own.

For the metrics in money, the amount at stake is the claim above the deductible. Leakage is money paid on fraud; wrongly
withheld is money held back on sound claims; an unreadable answer refers the claim to the investigators. The cost of errors
weighs the two: settled fraud costs the claim, a referred sound claim costs a twentieth of it, in work and goodwill. The
twentieth is this project's assumption: put your own into `COSTS`.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness import Example, Metric, Source, Task, commonest, metrics, prompts, published

FOLDER = " archived/fraud_detection/data"
FILES: published.Files = {"test": (f"{FOLDER}/claims.csv",)}
SETTLE, REFER = "settle", "refer to investigators"
COSTS = {(REFER, SETTLE): 1.0, (SETTLE, REFER): 0.05}  # (correct, predicted) to a share of the amount at stake
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


def balanced(claims: Sequence[published.Cells]) -> set[str]:
    """Return the policies of all claims marked as fraud and of as many others."""
    fraud = {claim["policy_id"] for claim in claims if claim["fraud"] == "1"}
    remaining = {claim["policy_id"] for claim in claims} - fraud
    return fraud | set(sorted(remaining, key=lambda policy: hashlib.sha256(policy.encode()).digest())[: len(fraud)])


def read(path: Path) -> Iterator[published.Cells]:
    """Yield the claims, each with its customer's data and whether it belongs to the balanced selection."""
    customers = {row["policy_id"]: row for row in published.read_cells(path.with_name("customers.csv"))}
    claims = list(published.read_cells(path))
    selection = balanced(claims)
    for claim in claims:
        yield {**customers[claim["policy_id"]], **claim, "taken": claim["policy_id"] in selection}


def cell(text: str) -> str:
    """Return a cell's text in the prompt: amounts are rounded to whole numbers."""
    return "not applicable" if text == "N/A" else f"{float(text):.0f}" if "." in text else text


def example(claim: published.Cells, id: str) -> Example | str:
    """Return a claim as an example; each has its own policy, which is its group."""
    if not claim["taken"]:
        return "for balance"
    lines = "\n".join(f"{title}: {cell(claim[name])}" for name, title in CLAIM.items())
    target = REFER if claim["fraud"] == "1" else SETTLE
    question = f"Should this claim be handled as '{SETTLE}' or '{REFER}'?"
    amount = max(0.0, round(float(claim["total_claim_amount"]) - float(claim["policy_deductable"]), 2))
    line = {"line": claim["incident_type"].lower()}
    return Example(id, question, target, (SETTLE, REFER), f"policy {claim['policy_id']}", lines, line, amount)


def money(name: str, title: str, costs: Mapping[tuple[str, str], float]) -> Metric:
    """Return the metric of the cost of errors, as shares of the amounts at stake; unreadable answers refer the claim."""
    return metrics.cost_of(costs, unread=REFER, name=name, title=title, unit="USD per claim", of_amount=True)


TASK = Task(
    name="auto_claims",
    version=2,
    title="Motor claims: settle or investigate (balanced; a table: trees are made for it)",
    source=Source(
        uri="github:aws/amazon-sagemaker-examples",
        revision="2d519b52c3a2c2361f2b87f0d3de46fd6c0232a5",
        license="MIT",
        citation="A. Arsanjani 2021, SageMaker example of fraud detection, synthetic data",
        files=(*published.patterns(FILES), f"{FOLDER}/customers.csv"),
        folder="sagemaker_auto_claims",
    ),
    load=published.Load(FILES, example, read),
    prompt=prompts.question_answer,
    metrics=(
        metrics.acc,
        metrics.macro_f1,
        money("leakage", "Paid on fraud", {(REFER, SETTLE): 1.0}),
        money("wrongly_withheld", "Wrongly withheld", {(SETTLE, REFER): 1.0}),
        money("cost", "Cost of errors", COSTS),
    ),
    chance=commonest,
    guess="always giving the commonest decision",
    group_name="policy",
    suites=("insurance",),
)

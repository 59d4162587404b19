"""Credit scoring: is an applicant for consumer credit a good or a bad risk? A table, which trees are made for.

Its rows show what a language model costs against boosted trees (`trees`) on the same columns of real applicants.

Source: the Statlog German credit data (H. Hofmann 1994, CC BY 4.0), 1,000 applicants, as FinBen publishes them
(Xie et al. 2024, arXiv:2402.12659) with codes such as "X1: A11"; the prompts have words instead of codes. Sex with marital
status (X9) and whether the applicant is a foreign worker (X20) are not shown: in many countries they must not decide about
credit. Seven of ten are good risks. The cost of errors is the data's own: a bad risk with credit costs five times as much as
a good risk without. An unreadable answer refuses credit.
"""

import re

from harness import Example, Source, Task, commonest, metrics, prompts, published

FILES: published.Files = {
    "train": ("data/train-*.parquet", "train.jsonl"),
    "validation": ("data/valid*-*.parquet", "valid.jsonl"),
    "test": ("data/test-*.parquet", "test.jsonl"),
}
GOOD, BAD = "good", "bad"
COSTS = {(BAD, GOOD): 5.0, (GOOD, BAD): 1.0}  # (correct, predicted); the data's own cost matrix
ATTRIBUTE = re.compile(r"\bX(\d{1,2})\b\W*(?:is\s+)?(A\d{2,3}|\d+(?:\.\d+)?)")
NAMES = {
    1: "Checking account",
    2: "Duration, months",
    3: "Credit history",
    4: "Purpose",
    5: "Amount, DM",
    6: "Savings",
    7: "Employed for",
    8: "Instalment, % of disposable income",
    10: "Other parties",
    11: "At this address for, years",
    12: "Property",
    13: "Age",
    14: "Other instalment plans",
    15: "Housing",
    16: "Credits at this bank",
    17: "Job",
    18: "People to maintain",
    19: "Telephone",
}
CODES = {
    "A11": "overdrawn", "A12": "below 200 DM", "A13": "200 DM or more, or salary paid in", "A14": "none",
    "A30": "no credits, or all paid back", "A31": "all credits here paid back", "A32": "paid back duly so far",
    "A33": "paid late in the past", "A34": "critical, or credits elsewhere",
    "A40": "new car", "A41": "used car", "A42": "furniture", "A43": "radio or television", "A44": "appliances",
    "A45": "repairs", "A46": "education", "A47": "holiday", "A48": "retraining", "A49": "business", "A410": "other",
    "A61": "below 100 DM", "A62": "100 to 500 DM", "A63": "500 to 1,000 DM", "A64": "1,000 DM or more",
    "A65": "none known", "A71": "unemployed", "A72": "less than a year", "A73": "1 to 4 years", "A74": "4 to 7 years",
    "A75": "7 years or more", "A101": "none", "A102": "co-applicant", "A103": "guarantor", "A121": "real estate",
    "A122": "savings agreement or life insurance", "A123": "car or other", "A124": "none known", "A141": "bank",
    "A142": "stores", "A143": "none", "A151": "rents", "A152": "owns", "A153": "lives free",
    "A171": "unskilled, not resident", "A172": "unskilled, resident", "A173": "skilled or official",
    "A174": "management or self-employed", "A191": "none", "A192": "yes",
}  # fmt: skip


def example(cells: published.Cells, id: str) -> Example:
    """Return an applicant as an example."""
    attributes = {int(number): value for number, value in ATTRIBUTE.findall(str(cells["text"]))}
    lines = [f"{name}: {attribute_text(attributes[number])}" for number, name in NAMES.items()]
    question = f"Is this applicant a {GOOD} or a {BAD} credit risk?"
    return Example(id, question, str(cells["answer"]).strip().lower(), (GOOD, BAD), context="\n".join(lines))


def attribute_text(value: str) -> str:
    """Return a code in words, or a number without needless decimals."""
    return CODES[value] if value.startswith("A") else f"{float(value):g}"


TASK = Task(
    name="credit",
    version=1,
    title="Credit: good or bad risk (a table: trees are made for it)",
    source=Source(
        uri="hf:TheFinAI/flare-german",
        license="CC-BY-4.0 (Statlog German credit data)",
        citation="H. Hofmann 1994, Statlog (German Credit Data), UCI, doi:10.24432/C5NC77; Xie et al. 2024, FinBen",
        files=published.patterns(FILES),
        folder="flare_german",
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(
        metrics.acc,
        metrics.macro_f1,
        metrics.cost_of(COSTS, unread=BAD, name="cost", title="Cost of errors", unit="points per applicant"),
    ),
    chance=commonest,
    guess="always giving the commonest class",
    suites=("finance",),
)

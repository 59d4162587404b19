"""Place an applicant for medical cover in a band of expected yearly charges: a table, which trees are made for.

Its rows show what a language model costs against boosted trees (`trees`) on the same columns, in money too.

Source: the simulated US policyholders of B. Lantz, "Machine Learning with R" (public domain according to the
repository). The bands, in USD, are this project's: below 5,000; 5,000 to 10,000; 10,000 to 20,000; 20,000 and above.
Sex is not shown: in many countries it must not decide the price of cover. Seven of 1,338 people are omitted because they
equal another person in all shown fields: three are in the same band, four are not. Macro-F1 counts unreadable answers as a
class of their own.

For the metrics in money, undercharged is the amount by which the charges exceed the top of the answer's band, overcharged
the amount by which its bottom exceeds the charges. An unreadable answer goes to an underwriter and costs nothing.
"""

import itertools
import math

from harness import Answer, Example, Metric, Task, commonest, metrics, prompts, published
from tasks import _policyholders

BANDS = {5_000: "below 5,000", 10_000: "5,000 to 10,000", 20_000: "10,000 to 20,000"}
TOP = "20,000 and above"
LABELS = (*BANDS.values(), TOP)
LIMITS = dict(zip(LABELS, itertools.pairwise((0.0, *BANDS, math.inf)), strict=True))  # USD; the upper limit is outside


def band(charges: float) -> str:
    """Return the band of yearly charges in USD; a limit belongs to the band above it."""
    return next((name for limit, name in BANDS.items() if charges < limit), TOP)


def example(person: published.Cells, id: str) -> Example:
    """Return an applicant as an example."""
    profile = (
        f"Age: {person['age']}\nBody mass index: {person['bmi']}\nChildren: {person['children']}\n"
        f"Smoker: {person['smoker']}\nRegion: {person['region']}"
    )
    question = f"Which band will this person's yearly medical charges be in, in USD: {'; '.join(LABELS)}?"
    charges = float(person["charges"])
    slices = {"smoker": person["smoker"]}
    return Example(id, question, band(charges), LABELS, context=profile, slices=slices, amount=charges)


def undercharged(answer: Answer) -> float:
    """Return the USD by which the charges exceed the answer's band."""
    return max(0.0, answer.amount - LIMITS[answer.parsed][1]) if answer.parsed else 0.0


def overcharged(answer: Answer) -> float:
    """Return the USD by which the answer's band exceeds the charges."""
    return max(0.0, LIMITS[answer.parsed][0] - answer.amount) if answer.parsed else 0.0


TASK = Task(
    name="medical_charges",
    version=1,
    title="Medical cover: band of yearly charges (a table: trees are made for it)",
    source=_policyholders.SOURCE,
    load=published.Load(_policyholders.FILES, example),
    prompt=prompts.question_answer,
    metrics=(
        metrics.acc,
        metrics.macro_f1,
        Metric("undercharged", "Undercharged", undercharged, higher_is_better=False, unit="USD per person"),
        Metric("overcharged", "Overcharged", overcharged, higher_is_better=False, unit="USD per person"),
    ),
    chance=commonest,
    guess="always giving the commonest band",
    suites=("insurance",),
)

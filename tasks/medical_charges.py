"""Place an applicant for medical cover in a band of expected yearly charges.

Source: the simulated US policyholders of B. Lantz, "Machine Learning with R" (public domain according to the
repository). The bands, in USD, are this project's: below 5,000; 5,000 to 10,000; 10,000 to 20,000; 20,000 and above.
Sex is not shown: it may not decide the price of cover in many places. Of 1,338 people seven are left out, who look like
another one in all that is shown: three who are in the same band as well, and four who are not. Macro-F1 counts answers
that cannot be read as a class of their own.

In money, undercharged is by how much the charges exceed the top of the band that was named, overcharged by how much its
bottom exceeds them; an answer that cannot be read goes to an underwriter and costs neither.
"""

import itertools
import math

from harness import Answer, Example, Metric, Task, commonest, metrics, prompts, published
from tasks import _policyholders

BANDS = {5_000: "below 5,000", 10_000: "5,000 to 10,000", 20_000: "10,000 to 20,000"}
TOP = "20,000 and above"
LABELS = (*BANDS.values(), TOP)
LIMITS = dict(zip(LABELS, itertools.pairwise((0.0, *BANDS, math.inf)), strict=True))  # USD; the upper one is outside


def band(charges: float) -> str:
    """Return the band of yearly charges in USD; a limit belongs to the band above it."""
    return next((name for limit, name in BANDS.items() if charges < limit), TOP)


def example(person: published.Cells, id: str) -> Example:
    """Return an applicant as an example."""
    shown = (
        f"Age: {person['age']}\nBody mass index: {person['bmi']}\nChildren: {person['children']}\n"
        f"Smoker: {person['smoker']}\nRegion: {person['region']}"
    )
    asked = f"Which band will this person's yearly medical charges be in, in USD: {'; '.join(LABELS)}?"
    charges = float(person["charges"])
    slices = {"smoker": person["smoker"]}
    return Example(id, asked, band(charges), LABELS, context=shown, slices=slices, amount=charges)


def undercharged(answer: Answer) -> float:
    """Return the USD by which the charges exceed the band named."""
    return max(0.0, answer.amount - LIMITS[answer.parsed][1]) if answer.parsed else 0.0


def overcharged(answer: Answer) -> float:
    """Return the USD by which the band named exceeds the charges."""
    return max(0.0, LIMITS[answer.parsed][0] - answer.amount) if answer.parsed else 0.0


TASK = Task(
    name="medical_charges",
    version=1,
    title="Medical cover: band of yearly charges",
    source=_policyholders.SOURCE,
    load=published.Load(_policyholders.FILES, example),
    prompt=prompts.question_answer,
    metrics=(
        metrics.accuracy,
        metrics.macro_f1,
        Metric("undercharged", "Undercharged", undercharged, higher_is_better=False, unit="USD per person"),
        Metric("overcharged", "Overcharged", overcharged, higher_is_better=False, unit="USD per person"),
    ),
    chance=commonest,
    guess="always giving the commonest band",
)

"""Place an applicant for medical cover in a band of expected yearly charges.

Source: the simulated US policyholders of B. Lantz, "Machine Learning with R" (public domain according to the
repository). Of 1,338 rows one occurs twice and is dropped once. The bands, in USD, are this project's: below 5,000;
5,000 to 10,000; 10,000 to 20,000; 20,000 and above. Sex is not shown: it may not decide the price of cover in many
places. Macro-F1 counts answers that cannot be read as a class of their own.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness import Example, Source, Split, Task, deal, metrics, prompts, read_rows

BANDS = {5_000: "below 5,000", 10_000: "5,000 to 10,000", 20_000: "10,000 to 20,000"}
TOP = "20,000 and above"
LABELS = (*BANDS.values(), TOP)


def band(charges: float) -> str:
    """Return the band of yearly charges in USD; a limit belongs to the band above it."""
    return next((name for limit, name in BANDS.items() if charges < limit), TOP)


def load(folder: Path, split: Split) -> list[Example]:
    """Return one split; applicants who look the same in all that is shown stay together."""
    examples, seen = [], set()
    for row in read_rows(folder / "insurance.csv"):
        person = row.cells
        if tuple(person.values()) in seen:
            continue
        seen.add(tuple(person.values()))
        shown = (
            f"Age: {person['age']}\nBody mass index: {person['bmi']}\nChildren: {person['children']}\n"
            f"Smoker: {person['smoker']}\nRegion: {person['region']}"
        )
        asked = f"Which band will this person's yearly medical charges be in, in USD: {'; '.join(LABELS)}?"
        examples.append(
            Example(f"person-{row.place - 1}", asked, band(float(person["charges"])), LABELS, context=shown)
        )
    return deal(examples, split)


def chance(examples: Sequence[Example]) -> float:
    """Return what always giving the commonest band scores."""
    return max(Counter(example.target for example in examples).values()) / len(examples)


TASK = Task(
    name="underwriting",
    version=1,
    title="Underwriting: band of medical charges",
    source=Source(
        uri="github:stedy/Machine-Learning-with-R-datasets",
        revision="ff933238d9c30da179b7e3ad4b6ca938d67efc53",
        license="public domain (README)",
        citation="B. Lantz, Machine Learning with R, Packt",
        files=("insurance.csv",),
        folder="medical_insurance_charges",
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(metrics.accuracy, metrics.macro_f1),
    chance=chance,
    guess="always giving the commonest band",
)

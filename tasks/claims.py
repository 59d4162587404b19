"""Insurance claims: read a policy schedule and a claim report, then decide, compute and cite, in one line.

The answer has the form `pay in part; 1240.00; clause 4`. Gold comes from `data/claims/adjudicate.py`; the texts from
`data/claims/make.py`. A policy states the order in which its clauses apply. Three tiers are told apart: one rule counts for a
claim, exactly two do, or the policy is a file of many clauses. Metrics count right answers for each of the three parts and for all together, and money: the amount
paid above what is due, and the amount withheld. Claims of one file share a policy.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from harness import Answer, Example, Metric, Source, Split, Task, metrics, parse_number, prompts, read_jsonl

FORM = re.compile(r"(pay|pay in part|deny|refer); ?([$usd0-9., ]+); ?clause ([0-9]{1,3})\.?", re.IGNORECASE)
PARTS = ("decision", "amount", "clause")


def load(folder: Path, split: Split) -> Iterator[Example]:
    """Yield the claims of one split; the group is the claim file."""
    for row in read_jsonl(folder / f"{split}.jsonl"):
        slices = {key: row[key] for key in ("tier", "line", "reason")}
        yield Example(row["id"], row["question"], row["answer"], (), row["file"], row["context"], slices)


def parse(text: str, example: Example) -> str | None:
    """Return the first line as `decision; amount; clause N`, or None if it has another form.

    Words and their order must match exactly; the amount is any number of whole cents, so `$1,240` is `1240.00`.
    """
    match = FORM.fullmatch(text.strip().partition("\n")[0].strip())
    amount = parse_number(match[2].strip()) if match else None
    if match is None or amount is None or amount >= 10**12 or amount * 100 % 1:
        return None
    return f"{match[1].lower()}; {amount:.2f}; clause {int(match[3])}"


def part(text: str, name: str) -> str:
    """Return one of the three parts of an answer in canonical form."""
    return text.split("; ")[PARTS.index(name)]


def share(name: str, title: str) -> Metric:
    """Return the metric of the share of answers with one part right."""

    def right(answer: Answer) -> float:
        return float(answer.parsed is not None and part(answer.parsed, name) == part(answer.target, name))

    return Metric(name, title, right)


def paid(text: str | None) -> Decimal:
    """Return the amount that an answer pays, in USD: 0 if it denies, refers or could not be parsed."""
    return Decimal(part(text, "amount")) if text and part(text, "decision").startswith("pay") else Decimal(0)


def money(name: str, title: str, sign: int) -> Metric:
    """Return the metric of USD per claim paid above the amount due (`sign` 1), or due and not paid (-1)."""

    def score(answer: Answer) -> float:
        return float(max(sign * (paid(answer.parsed) - paid(answer.target)), Decimal(0)))

    return Metric(name, title, score, higher_is_better=False, unit="USD per claim")


def chance(examples: Sequence[Example]) -> float:
    """Return the share of the commonest decision, the score of always giving it."""
    return max(Counter(part(example.target, "decision") for example in examples).values()) / len(examples)


TASK = Task(
    name="claims",
    version=3,
    title="Insurance claims: decision, amount, clause",
    source=Source(
        "data/claims", sha256="2dad502cbe86de71648a25b1e1c940d7156a52383e7292eeecac3c806e2d4788", license="CC-BY-4.0"
    ),
    load=load,
    prompt=prompts.question_answer,
    metrics=(
        share("decision", "Decision"),
        share("amount", "Amount, to the cent"),
        share("clause", "Clause"),
        Metric("all_three", "Decision, amount and clause", metrics.exact_match.score),
        metrics.macro_f1_of(lambda text: part(text, "decision"), name="decision_f1", title="Decision, macro-F1"),
        money("overpaid", "Overpaid", 1),
        money("wrongly_withheld", "Wrongly withheld", -1),
    ),
    scoring="generate",
    parse=parse,
    chance=chance,
    guess="always giving the commonest decision",
    max_new_tokens=40,
    epochs=3.0,
    group_name="claim file",
    suites=("insurance",),
)

"""The choice of a filing's wording of a line, which depends on the sign of its figures."""

from __future__ import annotations

import random

from tasks.data.sec_qa.filer import ALLOWANCE, CASH_CHANGE, WORN
from tasks.data.sec_qa.lexicon import WORDINGS

# Printed with a minus in an ordinary year.
_OUTFLOWS = frozenset(
    {
        "NetCashProvidedByUsedInInvestingActivities",
        "NetCashProvidedByUsedInFinancingActivities",
        "InterestExpense",
        ALLOWANCE,
        WORN,
    }
    | {key for key in WORDINGS if key.startswith(("Payments", "Repayments"))}
)
# Lines with a wording that does not depend on the sign.
_NEUTRAL = frozenset(key for key in WORDINGS if key.startswith(("IncreaseDecrease", CASH_CHANGE)))


def draw(rng: random.Random, key: str, split: str, lowest: float, highest: float) -> str:
    """Return a random wording of a line with printed figures between `lowest` and `highest`."""
    wordings = WORDINGS[key][1 if split == "test" else 0]
    usual = key in _NEUTRAL or (highest < 0 if key in _OUTFLOWS else lowest >= 0)
    return rng.choice([text for text in wordings if usual or "(" in text] or list(wordings))

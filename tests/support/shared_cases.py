"""The folder of cases that lies beside the checkout: an input each, with the right value in its README."""

from __future__ import annotations

from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(name: str) -> Path:
    """Return the folder of a case; the test is skipped if there are no cases here."""
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here")
    return CASES / name

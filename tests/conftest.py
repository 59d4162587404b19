"""What holds for all tests: processes start without loading torch, which most of them do not need."""

from __future__ import annotations

import pytest

from harness import local


@pytest.fixture(autouse=True, scope="session")
def no_preload() -> None:
    """Keep the fork server empty: it starts in milliseconds, and a process that needs torch imports it itself."""
    local.PRELOAD = []

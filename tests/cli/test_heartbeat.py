"""A long step says every few seconds that it lives; a short one says nothing."""

from __future__ import annotations

import time

import pytest

from harness.cli.terminal.heartbeat import SECONDS, heartbeat
from harness.errors import HarnessError
from harness.runs.forecast import gpu
from harness.runs.forecast.gpu import Price


def test_a_long_step_prints_what_is_done_and_a_short_one_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = 0
    with heartbeat(lambda: f"looked at {done} of 2 runs", seconds=0.05):
        while "looked at 0 of 2 runs" not in (said := capsys.readouterr().err):
            time.sleep(0.01)
        done = 1
        while "looked at 1 of 2 runs" not in (said := said + capsys.readouterr().err):
            time.sleep(0.01)
    with heartbeat(lambda: "never", seconds=60):
        pass
    assert "never" not in capsys.readouterr().err
    assert SECONDS < 5


@pytest.mark.parametrize(
    ("text", "price"),
    [("2.50", Price(2.5)), ("2.50USD", Price(2.5, "USD")), ("$2", Price(2, "$")), ("3 eur", Price(3, "EUR"))],
)
def test_a_price_has_a_currency_if_one_is_named(text: str, price: Price) -> None:
    assert gpu.price(text, "--price", "2.50USD") == price
    assert price.title == f"cost {price.currency}".strip()


@pytest.mark.parametrize("text", ["free", "0", "-1", "$2EUR", ""])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="not a number above 0"):
        gpu.price(text, "--price", "2.50USD")

"""Pauses between attempts, and the header by which a server asks for one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from harness.endpoint import pace
from harness.endpoint.pace import Pace, Stopped, retry_after


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3), ("0.5", 0.5), ("-1", 0), ("inf", 0), ("nan", 0), ("soon", 0), ("", 0), (None, 0)]
)
def test_retry_after_is_a_number_of_seconds(value: str | None, seconds: float) -> None:
    assert retry_after(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert 3000 < retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)) <= 3600
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)) == 0


def test_a_pause_doubles_up_to_a_bound_and_half_of_it_is_drawn() -> None:
    for attempt in range(12):
        longest = min(pace.LONGEST_PAUSE, 0.5 * 2**attempt)
        drawn = {pace.pause(0.5, attempt) for _ in range(50)}
        assert longest / 2 <= min(drawn) < max(drawn) <= longest


def test_a_limit_a_minute_keeps_requests_apart() -> None:
    limited, start = Pace(rate=60 / 0.02), time.monotonic()
    for _ in range(6):
        limited.wait()
    assert time.monotonic() - start >= 5 * 0.02


def test_a_hold_of_the_server_stops_all_and_a_stop_ends_the_wait() -> None:
    held, start = Pace(), time.monotonic()
    held.hold(0.05)
    held.wait()
    assert time.monotonic() - start >= 0.05
    held.hold(10_000)
    held.stop.set()
    with pytest.raises(Stopped):
        held.wait()

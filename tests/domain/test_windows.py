"""Deployment windows, over weekends and clock changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.errors import Invalid
from domain.windows import next_open, parse_window

OFFICE = parse_window("Mon-Thu 09:00-16:00 Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),  # Monday, nine in Berlin: open
        ("2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z"),
        ("2026-11-23T14:59:59Z", "2026-11-23T14:59:59Z"),
        ("2026-11-23T15:00:00Z", "2026-11-24T08:00:00Z"),  # four in Berlin: closed until tomorrow
        ("2026-11-26T15:00:00Z", "2026-11-30T08:00:00Z"),  # Thursday evening: until Monday
        ("2026-03-27T12:00:00Z", "2026-03-30T07:00:00Z"),  # over the change to summer time
        ("2026-10-23T12:00:00Z", "2026-10-26T08:00:00Z"),  # and back
    ],
)
def test_next_opening_follows_the_clocks_of_the_zone(now: str, opens: str) -> None:
    """Open now, later today, or after the weekend."""
    found = next_open(OFFICE, datetime.fromisoformat(now))

    assert found == datetime.fromisoformat(opens)
    assert found.tzinfo is UTC


def test_window_may_go_over_the_weekend() -> None:
    """Sat-Mon is three days."""
    assert parse_window("Sat-Mon 00:00-23:59 UTC").days == {5, 6, 0}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "Mon-Thu 9-16 UTC",
        "Mon-Thu 09:00-16:00",
        "Mon-Thu 16:00-09:00 UTC",
        "Mon 09:00-25:00 UTC",
        "Mon-Fri 09:00-10:00 Europe/Nowhere",
        "Mon-Fri 09:00-10:00 ../etc",
    ],
)
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    """The message says what was expected."""
    with pytest.raises(Invalid, match=r"expected (days, hours and a time zone|hours of one day)"):
        parse_window(text)

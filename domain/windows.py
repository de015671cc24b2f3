"""Deployment windows: the hours of the week in which an environment may be deployed to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.errors import Invalid

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(
    rf"(?P<first>{'|'.join(DAYS)})(?:-(?P<last>{'|'.join(DAYS)}))? "
    r"(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d) (?P<zone>[A-Za-z0-9_+/-]+)"
)


@dataclass(frozen=True)
class Window:
    """Days of the week (0 is Monday), from `opens` until before `closes`, by the clocks of `zone`."""

    text: str
    days: frozenset[int]
    opens: time
    closes: time
    zone: ZoneInfo


def parse_window(text: str) -> Window:
    """Read "Mon-Thu 09:00-16:00 Europe/Berlin". Raises Invalid saying what was expected."""
    expected = f'{text!r} is no window; expected days, hours and a time zone: "Mon-Thu 09:00-16:00 Europe/Berlin"'
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise Invalid(expected)
    try:
        opens, closes = time.fromisoformat(found["opens"]), time.fromisoformat(found["closes"])
        zone = ZoneInfo(found["zone"])
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise Invalid(f"{expected} ({error})") from error
    if opens >= closes:
        raise Invalid(f"{text!r} closes before it opens; expected hours of one day, the earlier one first")
    first, last = DAYS.index(found["first"]), DAYS.index(found["last"] or found["first"])
    days = frozenset((first + number) % 7 for number in range((last - first) % 7 + 1))
    return Window(text, days, opens, closes, zone)


def next_open(window: Window, now: datetime) -> datetime:
    """Return `now` while the window is open, else the next moment at which it opens, in UTC.

    Clock changes are the zone's: an opening time that a night skips is the moment the clocks jump to.
    """
    for ahead in range(9):
        day = now.astimezone(window.zone).date() + timedelta(days=ahead)
        if day.weekday() not in window.days:
            continue
        opens, closes = (
            datetime.combine(day, hour, window.zone).astimezone(UTC) for hour in (window.opens, window.closes)
        )
        if now < closes:
            return max(now, opens).astimezone(UTC)
    raise Invalid(f"{window.text!r} never opens")  # pragma: no cover - every window has a day

"""Schedules of timer triggers: NCRONTAB expressions and timespans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from croniter import CroniterBadDateError, croniter

_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_TIMESPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)(?:\.\d{1,7})?")
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?", re.ASCII)
_HOUR = 2  # its place among the fields
_LEAP_CYCLE = 40  # years in which every combination of date and weekday comes up, also around 2100


class ScheduleError(ValueError):
    """A schedule cannot be read; the message says which part and what is allowed."""


class Schedule(Protocol):
    """Says when to run."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first run strictly later than `moment` (both aware), None when there is none."""


@dataclass(frozen=True)
class Field:
    """One of the six fields of an expression."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first stands for `low`


_FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, tuple(_MONTHS)),
    Field("day of week", 0, 6, tuple(_DAYS)),
)


@dataclass(frozen=True)
class Cron:
    """An NCRONTAB expression as lists of numbers, in the machine's local time."""

    fields: tuple[tuple[int, ...], ...]  # in the order of _FIELDS, each sorted

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first occurrence strictly later than `moment`, in whole seconds, None when there is none."""
        local = moment.astimezone()
        wall = local.replace(tzinfo=None)
        every_hour = len(self.fields[_HOUR]) == 24
        while True:
            found = self._next_on_the_wall(wall)
            if found is None:
                return None
            # "Every five minutes" goes on through the hour that summer time's end repeats; "at 02:30" runs once.
            soon = every_hour and found - wall <= timedelta(hours=1)
            occurrence = found.replace(tzinfo=local.tzinfo).astimezone() if soon else _on_the_clock(found)
            if occurrence > moment:
                return occurrence
            wall = found  # the hour that is repeated when summer time ends

    def _next_on_the_wall(self, wall: datetime) -> datetime | None:
        second, minute, hour, day, month, weekday = (",".join(map(str, values)) for values in self.fields)
        expression = f"{second} {minute} {hour} {day} {month} {weekday}"
        # Day and weekday must both match; croniter joins them with "or" unless told otherwise.
        search = croniter(
            expression, wall, second_at_beginning=True, day_or=False, max_years_between_matches=_LEAP_CYCLE
        )
        try:
            found: datetime = search.get_next(datetime)
        except CroniterBadDateError:
            return None  # 30 February
        return found


@dataclass(frozen=True)
class Interval:
    """A timespan: a run each time it has passed."""

    length: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return the moment one interval later."""
        return moment + self.length


def parse_schedule(text: str) -> Schedule:
    """Read an expression of five or six fields, or a timespan `[d.]hh:mm:ss`. Raises ScheduleError."""
    found = _TIMESPAN.fullmatch(text.strip())
    if found:
        return _interval(text, {name: int(value or 0) for name, value in found.groupdict().items()})
    parts = text.split()
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) != 6:
        raise ScheduleError(
            f"'{text}' is neither a timespan (hh:mm:ss) nor an NCRONTAB expression"
            " of six fields (second minute hour day month day-of-week)"
        )
    try:
        return Cron(tuple(_values(part, field) for part, field in zip(parts, _FIELDS, strict=True)))
    except ScheduleError as error:
        raise ScheduleError(f"'{text}': {error}") from error


def comes_more_than_once_a_minute(schedule: Schedule, now: datetime) -> bool:
    """Tell whether a schedule is too frequent for its runs to be recorded and caught up."""
    first = schedule.next_after(now)
    second = first and schedule.next_after(first)
    return first is not None and second is not None and second - first < timedelta(minutes=1)


def _on_the_clock(wall: datetime) -> datetime:
    moment = wall.astimezone()
    if moment.replace(tzinfo=None) == wall:
        return moment
    # Summer time skips this hour; as in .NET, the offset before it still counts: 02:30 becomes 03:30.
    offset = (wall - timedelta(hours=3)).astimezone().tzinfo
    return wall.replace(tzinfo=offset).astimezone()


def _interval(text: str, parts: dict[str, int]) -> Interval:
    if parts["hours"] > 23 or parts["minutes"] > 59 or parts["seconds"] > 59:
        # .NET would read 24:00:00 as 24 days.
        raise ScheduleError(f"'{text}': write a timespan of a day or more as days.hh:mm:ss, for example 1.00:00:00")
    length = timedelta(**parts)
    if not length:
        raise ScheduleError(f"'{text}': a timespan must be longer than zero")
    return Interval(length)


def _values(text: str, field: Field) -> tuple[int, ...]:
    values: set[int] = set()
    for part in text.split(","):
        values |= set(_part(part, field))
    return tuple(sorted(values))


def _part(text: str, field: Field) -> range:
    found = _PART.fullmatch(text)
    if not found or (found["first"] == "*" and found["last"]):
        raise ScheduleError(
            f"'{text}' cannot be read as {field.name}: use *, a, a-b, a/n, a-b/n, */n or a list of these"
        )
    step = int(found["step"] or 1)
    if step == 0:
        raise ScheduleError(f"'{text}' cannot be read as {field.name}: the step must be at least 1")
    if found["first"] == "*":
        return range(field.low, field.high + 1, step)
    first = _number(found["first"], field)
    if found["last"]:
        low, high = sorted((first, _number(found["last"], field)))
        return range(low, high + 1, step)
    return range(first, field.high + 1, step) if found["step"] else range(first, first + 1)


def _number(text: str, field: Field) -> int:
    if text.isdigit():
        number = int(text)
        if not field.low <= number <= field.high:
            raise ScheduleError(f"{text} is not a {field.name}: {field.low} to {field.high}")
        return number
    fitting = [index for index, name in enumerate(field.names) if name.startswith(text.lower())]
    if not fitting:
        raise ScheduleError(
            f"'{text}' is not a {field.name}: {field.low} to {field.high}{' or its name' * bool(field.names)}"
        )
    return field.low + fitting[0]

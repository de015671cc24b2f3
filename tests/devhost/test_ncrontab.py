"""NCRONTAB expressions and timespans."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devhost.ncrontab import Cron, ScheduleError, comes_more_than_once_a_minute, parse_schedule

NOON = "2024-03-01 12:00:00"  # a Friday
NEXT = [
    ("0 */5 * * * *", NOON, "2024-03-01 12:05:00"),
    ("*/5 * * * *", NOON, "2024-03-01 12:05:00"),
    ("* * * * * *", NOON, "2024-03-01 12:00:01"),
    ("0 0 12 * * *", NOON, "2024-03-02 12:00:00"),
    ("5/20 * * * * *", NOON, "2024-03-01 12:00:05"),
    ("5/20 * * * * *", "2024-03-01 12:00:05", "2024-03-01 12:00:25"),
    ("5/20 * * * * *", "2024-03-01 12:00:45", "2024-03-01 12:01:05"),
    ("10-30/10 * * * * *", "2024-03-01 12:00:20", "2024-03-01 12:00:30"),
    ("0 0 17-9 * * *", NOON, "2024-03-01 13:00:00"),
    ("0 0 0 13 * fri", NOON, "2024-09-13 00:00:00"),
    ("0 0 0 * * Su", NOON, "2024-03-03 00:00:00"),
    ("0 0 0 * * 0", NOON, "2024-03-03 00:00:00"),
    ("0 30 9 * JAN,sept mon-fri", NOON, "2024-09-02 09:30:00"),
    ("0 0 0 1 june *", NOON, "2024-06-01 00:00:00"),
    ("0 0 0 29 2 *", NOON, "2028-02-29 00:00:00"),
    ("0 0 0 29 2 1", NOON, "2044-02-29 00:00:00"),
    ("0 0 0 31 * *", NOON, "2024-03-31 00:00:00"),
    ("00:00:30", NOON, "2024-03-01 12:00:30"),
    ("1.06:00:00", NOON, "2024-03-02 18:00:00"),
]


@pytest.fixture
def zone():
    """Set the machine's time zone for one test."""
    before = os.environ.get("TZ")

    def set_zone(name: str) -> None:
        os.environ["TZ"] = name
        time.tzset()

    yield set_zone
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(("text", "moment", "expected"), NEXT)
def test_next_run(text, moment, expected):
    """The next run is strictly later, and day and weekday must both fit."""
    assert parse_schedule(text).next_after(at(moment)) == at(expected)


def test_impossible_date_never_comes():
    """30 February is a valid expression without occurrences."""
    assert parse_schedule("0 0 0 30 2 *").next_after(at(NOON)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0 * * 7", "7 is not a day of week: 0 to 6"),
        ("60 * * * * *", "60 is not a second: 0 to 59"),
        ("0 0 24 * * *", "24 is not a hour: 0 to 23"),
        ("0 0 0 0 * *", "0 is not a day: 1 to 31"),
        ("0 0 0 ? * *", r"'\?' cannot be read as day"),
        ("0 0 0 L * *", "'L' is not a day: 1 to 31"),
        ("0 0 0 15W * *", "'15W' is not a day"),
        ("0 0 0 * * 1#2", "'1#2' cannot be read as day of week"),
        ("0 0 0 * foo *", "'foo' is not a month: 1 to 12 or its name"),
        ("*/0 * * * * *", "the step must be at least 1"),
        ("1,,2 * * * * *", "'' cannot be read as second"),
        ("@daily", "neither a timespan"),
        ("* * *", "six fields"),
        ("24:00:00", "write a timespan of a day or more as days.hh:mm:ss"),
        ("00:00:00", "longer than zero"),
        ("", "neither a timespan"),
    ],
)
def test_bad_schedule_is_refused_with_the_reason(text, message):
    """The message quotes the schedule and says which part is wrong."""
    with pytest.raises(ScheduleError, match=message):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "frequent"), [("*/30 * * * * *", True), ("0 * * * * *", False), ("00:00:59", True), ("00:01:00", False)]
)
def test_schedule_of_less_than_a_minute_is_too_frequent_to_record(text, frequent):
    """The host keeps no record of runs that come more than once a minute."""
    assert comes_more_than_once_a_minute(parse_schedule(text), at(NOON)) is frequent


def test_hour_that_summer_time_skips_is_run_after_it(zone):
    """02:30 does not exist on the last Sunday of March in Berlin: the run comes an hour later on the clock."""
    zone("Europe/Berlin")

    following = parse_schedule("0 30 2 * * *").next_after(datetime(2024, 3, 31, 0, 0, tzinfo=UTC))

    assert following == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


def test_hour_that_comes_twice_gives_one_run(zone):
    """02:30 comes twice on the last Sunday of October in Berlin: a daily job still runs once."""
    zone("Europe/Berlin")
    schedule = parse_schedule("0 30 2 * * *")

    first = schedule.next_after(datetime(2024, 10, 26, 12, 0, tzinfo=UTC))
    assert first is not None
    second = schedule.next_after(first)

    assert first == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert second == datetime(2024, 10, 28, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("day", [datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 27, tzinfo=UTC)])
def test_frequent_runs_keep_their_distance_when_the_clock_changes(zone, day):
    """Every five minutes stays every five minutes, also in the hour that is skipped or repeated."""
    zone("Europe/Berlin")
    schedule = parse_schedule("0 */5 * * * *")

    runs = [day]
    while len(runs) < 40:
        following = schedule.next_after(runs[-1])
        assert following is not None
        runs.append(following)

    assert {second - first for first, second in pairwise(runs)} == {timedelta(minutes=5)}


FIELDS = st.tuples(
    *(
        st.sampled_from(["*", "*/7", "0", "5", "3-6", "10/3", "1,4"]),
        st.sampled_from(["*", "*/15", "0", "59", "3-6"]),
        st.sampled_from(["*", "0", "23", "9-17", "*/6"]),
        st.sampled_from(["*", "1", "31", "28-31", "13"]),
        st.sampled_from(["*", "1", "2", "jun-aug", "*/3"]),
        st.sampled_from(["*", "0", "mon-fri", "6"]),
    )
)
MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))


@settings(max_examples=60, deadline=None)
@given(FIELDS, MOMENTS)
def test_next_run_is_later_and_fits_every_field(fields, moment):
    """Whatever the expression, the next run is strictly later, in whole seconds, and each field allows it."""
    schedule = parse_schedule(" ".join(fields))
    assert isinstance(schedule, Cron)

    following = schedule.next_after(moment)

    if following is not None:
        local = following.astimezone()
        parts = (local.second, local.minute, local.hour, local.day, local.month, local.isoweekday() % 7)
        assert following > moment
        assert following.microsecond == 0
        assert all(part in allowed for part, allowed in zip(parts, schedule.fields, strict=True))


@settings(max_examples=60, deadline=None)
@given(FIELDS, MOMENTS)
def test_nothing_is_left_out_between_a_moment_and_the_next_run(fields, moment):
    """Starting from just before a run finds that run again."""
    schedule = parse_schedule(" ".join(fields))

    following = schedule.next_after(moment)

    if following is not None:
        assert schedule.next_after(following - timedelta(seconds=1)) == following

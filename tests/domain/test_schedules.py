"""When the nightly run is due, who may ask for an evaluation, and of what."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain import schedules
from domain.errors import BadRequest, DrawbridgeError, Forbidden
from domain.schedules import due

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
PEOPLE = {"maria": "maria@acme.example", "Sam-A": "sam"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        ("2026-11-23T00:59", "2026-11-22", None),  # 01:59 in Berlin
        ("2026-11-23T01:00", "2026-11-22", "2026-11-23"),  # 02:00
        ("2026-11-23T01:00", "2026-11-23", None),  # done
        ("2026-11-23T22:59", "2026-11-22", "2026-11-23"),  # the app was down all day
        ("2026-11-23T23:30", "2026-11-23", None),  # already the 24th in Berlin, not yet 02:00
        ("2026-11-27T12:00", "2026-11-22", "2026-11-27"),  # down for days: only the newest
        ("2026-11-27T00:30", "2026-11-22", "2026-11-26"),
        ("2026-11-23T01:00", None, "2026-11-23"),
    ],
)
def test_a_date_is_due_once_its_hour_has_come(now: str, last: str | None, expected: str | None) -> None:
    """By the clocks of the zone; missed ones are not made up for, except the newest."""
    found = due(utc(now), time(2), BERLIN, date.fromisoformat(last) if last else None)

    assert found == (date.fromisoformat(expected) if expected else None)


def test_date_is_that_of_the_zone() -> None:
    """Just after midnight in Berlin it is still yesterday in UTC."""
    assert due(utc("2026-11-22T23:45"), time(0, 30), BERLIN, date(2026, 11, 22)) == date(2026, 11, 23)


@pytest.mark.parametrize("at", [time(0), time(1, 59), time(2), time(2, 30), time(3), time(23, 45)])
@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"])
def test_every_date_is_run_once_when_the_clocks_change(change: str, at: time) -> None:
    """In spring an hour is missing, in autumn one comes twice; each date is still started exactly once, in order."""
    day = date.fromisoformat(change)
    now, last, started = utc(f"{day - timedelta(days=2)}T00:00"), day - timedelta(days=3), []
    while now < utc(f"{day + timedelta(days=3)}T00:00"):
        found = due(now, at, BERLIN, last)
        if found:
            started.append(found)
            last = found
        now += QUARTER

    assert started == sorted(set(started))
    assert set(started) >= {day - timedelta(days=1), day, day + timedelta(days=1)}


@pytest.mark.parametrize(
    ("day", "first"),
    [
        ("2026-03-29", "2026-03-29T01:30"),  # 02:30 does not exist: the clocks show 03:30
        ("2026-10-25", "2026-10-25T00:30"),  # 02:30 comes twice: the first one
    ],
)
def test_an_hour_that_is_missing_or_doubled_has_one_moment(day: str, first: str) -> None:
    """A minute earlier it is still the day before's turn."""
    before = date.fromisoformat(day) - timedelta(days=1)

    assert due(utc(first) - timedelta(minutes=1), time(2, 30), BERLIN, before) is None
    assert due(utc(first), time(2, 30), BERLIN, before) == date.fromisoformat(day)


def test_a_clock_an_hour_ahead_runs_no_date_twice() -> None:
    """One host starts early, the other one finds the date done; after midnight the slow one does not go back."""
    fast, right = utc("2026-11-23T01:00"), utc("2026-11-23T00:00")
    started = due(fast, time(2), BERLIN, date(2026, 11, 22))

    assert started == date(2026, 11, 23)
    assert due(right, time(2), BERLIN, started) is None
    assert due(right + timedelta(hours=1), time(2), BERLIN, started) is None


def test_a_date_written_by_a_clock_of_another_year_does_not_stop_the_nights() -> None:
    """Nobody waits for 2099; that a date runs once does not hang on what was noted last."""
    assert due(utc("2026-11-23T02:00"), time(2), BERLIN, date(2099, 1, 1)) == date(2026, 11, 23)


def test_a_clock_that_was_a_day_ahead_is_waited_for() -> None:
    """Tomorrow's night was run already."""
    assert due(utc("2026-11-23T02:00"), time(2), BERLIN, date(2026, 11, 24)) is None


@pytest.mark.parametrize(
    ("permission", "may"),
    [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False), ("none", False)],
)
def test_write_access_is_needed(permission: str, may: bool) -> None:
    """An evaluation costs hours of compute and runs beside the model's key."""
    assert schedules.may_write(permission) is may


@pytest.mark.parametrize(("name", "login"), [("Maria@acme.example", "maria"), ("sam", "Sam-A"), ("jonas", "jonas")])
def test_who_signs_in_has_a_login(name: str, login: str) -> None:
    """From the people known here, or else the same name."""
    assert schedules.login_of(name, PEOPLE) == login


@pytest.mark.parametrize("name", ["maria", "MARIA", "sam-a"])
def test_nobody_takes_the_login_of_somebody_else(name: str) -> None:
    """Whoever signs in as `maria` is not the one whose login that is."""
    with pytest.raises(Forbidden) as refused:
        schedules.login_of(name, PEOPLE)

    assert str(refused.value) == (
        f"You are signed in as {name}, which is the GitHub login of somebody else here. Have your own login put into "
        "DRAWBRIDGE_PEOPLE by who runs this app."
    )


@pytest.mark.parametrize(
    ("check", "text", "words"),
    [
        (schedules.check_kind, "nightly", "There is no evaluation 'nightly': ask for kind minimal or full."),
        (schedules.check_kind, "", "There is no evaluation ''"),
        (schedules.check_ref, "", "'' cannot be the name of a branch or tag: write it as in GitHub, such as main."),
        (schedules.check_ref, "../../user", "cannot be the name"),
        (schedules.check_ref, "a b", "cannot be the name"),
        (schedules.check_ref, "main\n", "cannot be the name"),
        (schedules.check_ref, "x" * 300, "cannot be the name"),
        (schedules.check_ref, "main@{1}", "cannot be the name"),
        (schedules.check_sha, "main", "'main' is not a commit: expected at least 7 of its 40 hexadecimal digits."),
        (schedules.check_sha, "c0ffee", "is not a commit"),
        (schedules.check_sha, "c0ffeec0ffee\n", "is not a commit"),
    ],
)
def test_what_nobody_can_ask_for_is_told(check: object, text: str, words: str) -> None:
    """In words that say what is expected."""
    with pytest.raises(BadRequest) as refused:
        check(text)  # type: ignore[operator]
    assert words in str(refused.value)
    assert isinstance(refused.value, DrawbridgeError)


@pytest.mark.parametrize("ref", ["main", "alex/12-answer", "v1.2.0", "release/2026.11", "dependabot/pip/x-1.0"])
def test_what_is_a_branch_or_tag_is_taken(ref: str) -> None:
    """Whole names too."""
    assert schedules.check_ref(ref) == schedules.check_ref(f"refs/heads/{ref}") == ref

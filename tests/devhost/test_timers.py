"""Timer triggers: when they run, what they are told, what is remembered."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from devhost.environment import StartError
from devhost.loader import Function
from devhost.ncrontab import parse_schedule
from devhost.timers import Timer, TimerListener, timers_of

NOW = datetime.fromisoformat("2024-03-01 12:00:00").astimezone()
HOURLY = "0 0 * * * *"


class Notes:
    """Keeps texts as the task hub does."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.error: Exception | None = None

    async def note(self, name: str) -> str | None:
        return self.kept.get(name)

    async def set_note(self, name: str, text: str) -> None:
        if self.error:
            raise self.error
        self.kept[name] = text


class Ticker:
    """Remembers what each run was told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[dict[str, Any]] = []
        self.error = error

    async def tick(self, function: Function, timer_json: str) -> None:
        self.told.append(json.loads(timer_json))
        if self.error:
            raise self.error


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def ticker():
    return Ticker()


@pytest.fixture
def clock():
    return Clock()


def timer(text: str = HOURLY, *, run_on_startup: bool = False, monitored: bool = True) -> Timer:
    function = Function("nightly", print, [], {}, is_async=False)
    return Timer(function, parse_schedule(text), text, run_on_startup, monitored)


async def start(notes: Notes, ticker: Ticker, clock: Clock, **kinds: Any) -> TimerListener:
    """Start as a host does."""
    listener = TimerListener(timer(**kinds), ticker, notes, clock)
    await listener.start()
    return listener


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_new_timer_does_not_run_at_start_but_is_remembered(notes, ticker, clock):
    """The first occurrence is written down, so that missing it is noticed."""
    run(start(notes, ticker, clock))

    assert ticker.told == []
    assert json.loads(notes.kept["timer nightly"]) == {
        "Last": "0001-01-01T00:00:00",
        "Next": (NOW + timedelta(hours=1)).isoformat(),
        "LastUpdated": NOW.isoformat(),
    }


def test_case_38_missed_run_is_made_up_once_and_flagged(notes, ticker, clock):
    """A host that was down over several occurrences runs the timer once at start, as past due."""
    run(start(notes, ticker, clock))
    clock.now += timedelta(hours=5, minutes=3)
    run(start(notes, ticker, clock))
    run(start(notes, ticker, clock))

    assert [told["IsPastDue"] for told in ticker.told] == [True]
    assert ticker.told[0]["ScheduleStatus"]["Next"] == (NOW + timedelta(hours=1)).isoformat()


def test_past_due_run_replaces_the_run_at_startup(notes, ticker, clock):
    """One run at start is enough."""
    run(start(notes, ticker, clock))
    clock.now += timedelta(hours=2)
    run(start(notes, ticker, clock, run_on_startup=True))

    assert [told["IsPastDue"] for told in ticker.told] == [True]


def test_case_38_run_on_startup_runs_once(notes, ticker, clock):
    """It runs at each start, not as past due."""
    run(start(notes, ticker, clock, run_on_startup=True))

    assert [told["IsPastDue"] for told in ticker.told] == [False]


def test_changed_schedule_is_not_past_due(notes, ticker, clock):
    """What another schedule would have run before does not count."""
    run(start(notes, ticker, clock))
    clock.now += timedelta(hours=5)
    run(start(notes, ticker, clock, text="0 30 * * * *"))

    assert ticker.told == []
    assert json.loads(notes.kept["timer nightly"])["Next"] == (clock.now + timedelta(minutes=30)).isoformat()


def test_early_run_does_not_get_the_same_occurrence_again(notes, ticker, clock):
    """A timer that fires a moment too soon is counted for the occurrence it was meant for."""
    listener = run(start(notes, ticker, clock))
    due = NOW + timedelta(hours=1)
    clock.now = due - timedelta(milliseconds=20)
    run(listener.invoke(scheduled=due))

    status = json.loads(notes.kept["timer nightly"])
    assert status["Last"] == due.isoformat()
    assert status["Next"] == (due + timedelta(hours=1)).isoformat()


def test_failing_run_is_logged_and_counts_as_run(notes, clock, caplog):
    """An error never stops the schedule."""
    listener = run(start(notes, Ticker(ValueError("on purpose")), clock))
    clock.now += timedelta(hours=1)
    run(listener.invoke(scheduled=clock.now))

    assert "Function 'nightly' failed" in caplog.text
    assert json.loads(notes.kept["timer nightly"])["Last"] == clock.now.isoformat()


def test_run_that_cannot_be_recorded_does_not_stop_the_schedule(notes, ticker, clock, caplog):
    """A full disk is logged, and the next run comes all the same."""
    listener = run(start(notes, ticker, clock))
    notes.error = OSError("database or disk is full")
    clock.now += timedelta(hours=1)
    run(listener.invoke(scheduled=clock.now))
    run(listener.invoke(scheduled=clock.now + timedelta(hours=1)))

    assert len(ticker.told) == 2
    assert "the last run of timer nightly could not be saved" in caplog.text
    assert "disk is full" in caplog.text


def test_unmonitored_timer_is_told_no_status_and_keeps_none(notes, ticker, clock):
    """A timer without monitor never catches up."""
    run(start(notes, ticker, clock, run_on_startup=True, monitored=False))

    assert ticker.told == [{"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}]
    assert notes.kept == {}


CODE = """
import azure.functions as func
app = func.FunctionApp()
@app.timer_trigger(arg_name="timer", schedule={schedule!r}{more})
def nightly(timer: func.TimerRequest) -> None:
    pass
"""


def test_case_38_schedule_comes_from_a_setting(load):
    """%NAME% is looked up in the settings."""
    app = load(CODE.format(schedule="%CRON%", more=""))

    (found,) = timers_of(app, {"CRON": "0 0 3 * * *"})
    assert (found.text, found.monitored, found.run_on_startup) == ("0 0 3 * * *", True, False)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [("%CRON%", "Function 'nightly': '%CRON%' does not resolve, set CRON"), ("0 0 3 * * 8", "8 is not a day of week")],
)
def test_case_38_bad_schedule_stops_the_start(load, schedule, message):
    """The message names the function and what is wrong."""
    with pytest.raises(StartError, match=message):
        timers_of(load(CODE.format(schedule=schedule, more="")), {})


@pytest.mark.parametrize(("schedule", "more"), [("*/10 * * * * *", ""), (HOURLY, ", use_monitor=False")])
def test_frequent_and_unmonitored_timers_are_not_recorded(load, schedule, more):
    """More than once a minute there is nothing to catch up."""
    (found,) = timers_of(load(CODE.format(schedule=schedule, more=more)), {})

    assert not found.monitored

"""Run timer triggers: on schedule, at start when asked, and once when a run was missed while the host was down."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from devhost.environment import StartError
from devhost.invoker import log_failure
from devhost.keys import Notes
from devhost.loader import App, Function
from devhost.ncrontab import Schedule, ScheduleError, comes_more_than_once_a_minute, parse_schedule

log = logging.getLogger("devhost.timers")

_LONGEST_SLEEP = 30.0  # seconds; the wall clock is looked at again after that, for a laptop may have slept
_NEVER = "0001-01-01T00:00:00"


class Ticker(Protocol):
    """Runs timer functions."""

    async def tick(self, function: Function, timer_json: str) -> None:
        """Run it or raise what it raised."""


@dataclass(frozen=True)
class Status:
    """What is remembered of a timer between two starts of the host."""

    last: datetime | None
    next: datetime | None
    updated: datetime

    def as_json(self) -> dict[str, str]:
        """Write it as functions see it."""
        return {
            "Last": self.last.isoformat() if self.last else _NEVER,
            "Next": self.next.isoformat() if self.next else _NEVER,
            "LastUpdated": self.updated.isoformat(),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, str]) -> Status:
        """Read what `as_json` wrote."""
        return cls(_moment(saved["Last"]), _moment(saved["Next"]), datetime.fromisoformat(saved["LastUpdated"]))


@dataclass(frozen=True)
class Timer:
    """One timer function and when it runs."""

    function: Function
    schedule: Schedule
    text: str
    run_on_startup: bool
    monitored: bool


def timers_of(app: App, env: Mapping[str, str] = os.environ) -> list[Timer]:
    """List the app's timers. Raises StartError for a schedule that cannot be read."""
    return [_timer(function, env) for function in app.with_trigger("timerTrigger")]


def _timer(function: Function, env: Mapping[str, str]) -> Timer:
    trigger = function.trigger
    text = _resolved(function, str(trigger["schedule"]), env)
    try:
        schedule = parse_schedule(text)
    except ScheduleError as error:
        raise StartError(f"Function '{function.name}': the schedule {error}") from error
    frequent = comes_more_than_once_a_minute(schedule, datetime.now().astimezone())
    monitored = trigger.get("useMonitor", True) and not frequent
    return Timer(function, schedule, text, bool(trigger.get("runOnStartup")), monitored)


def _resolved(function: Function, text: str, env: Mapping[str, str]) -> str:
    setting = re.fullmatch("%([^%]+)%", text.strip())
    if not setting:
        return text
    if not env.get(setting[1]):
        raise StartError(f"Function '{function.name}': '%{setting[1]}%' does not resolve, set {setting[1]}")
    return env[setting[1]]


class TimerListener:
    """Runs one timer; its runs never overlap and its errors never stop it."""

    def __init__(self, timer: Timer, ticker: Ticker, notes: Notes, now: Callable[[], datetime]) -> None:
        self._timer = timer
        self._ticker = ticker
        self._notes = notes
        self._now = now
        self._note = f"timer {timer.function.name}"
        self._status: Status | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self._timer.function.name

    async def run(self) -> None:
        """Catch up, then follow the schedule until cancelled."""
        await self.start()
        while (due := self._timer.schedule.next_after(self._now())) is not None:
            await self._sleep_until(due)
            await self.invoke(scheduled=due)
        log.warning("Timer '%s': no date fits '%s', it will never run", self.name, self._timer.text)

    async def start(self) -> None:
        """Run at once when a run was missed, else when the function asks for a run at start-up."""
        now = self._now()
        if self._timer.monitored and await self._is_past_due(now):
            await self.invoke(past_due=True)
        elif self._timer.run_on_startup:
            await self.invoke()

    async def invoke(self, *, past_due: bool = False, scheduled: datetime | None = None) -> None:
        """Run the function and remember the run."""
        started = self._now()
        try:
            await self._ticker.tick(self._timer.function, self._info(past_due))
            log.info("timer %s ran%s", self.name, " (past due)" if past_due else "")
        except Exception as error:
            log_failure(self._timer.function, error)
        # A timer that fired a little early must not get the same occurrence as its next one.
        last = max(started, scheduled) if scheduled else started
        await self._remember(Status(last, self._timer.schedule.next_after(last), last))

    async def _is_past_due(self, now: datetime) -> bool:
        saved = await self._notes.note(self._note)
        after = self._timer.schedule.next_after
        if saved is None:
            await self._remember(Status(None, after(now), now))
            return False
        self._status = status = Status.from_json(json.loads(saved))
        since = status.last or status.updated
        expected = after(since)
        if status.next != expected:  # the schedule was changed: what it would have run before does not count
            since = now if expected is None or now > expected else since
            status = Status(None, after(since), since)
            await self._remember(status)
        return status.next is not None and now > status.next

    async def _remember(self, status: Status) -> None:
        self._status = status
        if not self._timer.monitored:
            return
        try:
            await self._notes.set_note(self._note, json.dumps(status.as_json()))
        except Exception:  # a disk that is full must not stop the schedule
            log.exception("the last run of timer %s could not be saved", self.name)

    def _info(self, past_due: bool) -> str:
        status = self._status.as_json() if self._timer.monitored and self._status else None
        return json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due})

    async def _sleep_until(self, due: datetime) -> None:
        while (left := (due - self._now()).total_seconds()) > 0:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(min(left, _LONGEST_SLEEP))


class Timers:
    """Runs all timers of the app. One host runs them, for a task hub belongs to one process at a time."""

    def __init__(self, timers: list[Timer], ticker: Ticker, notes: Notes) -> None:
        self._listeners = [TimerListener(timer, ticker, notes, _local_now) for timer in timers]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every timer."""
        self._tasks = [asyncio.create_task(listener.run()) for listener in self._listeners]
        for task in self._tasks:
            task.add_done_callback(_report)

    def run_now(self, name: str) -> bool:
        """Run a timer in the background, beside its schedule; returns False when there is none of that name."""
        listener = next((each for each in self._listeners if each.name.lower() == name.lower()), None)
        if listener:
            self._tasks.append(asyncio.create_task(listener.invoke()))
        return listener is not None

    async def stop(self) -> None:
        """Stop every timer; a run that is under way goes on in its thread."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a timer stopped", exc_info=error)


def _local_now() -> datetime:
    return datetime.now().astimezone()


def _moment(text: str) -> datetime | None:
    return None if text == _NEVER else datetime.fromisoformat(text)

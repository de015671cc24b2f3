"""Replays a history against the SDK's actions as the Durable extension does, and tells what is new.

The SDK answers every episode with all actions since the generation began. A pump invokes them one after the other
while the history is walked; what the history does not have yet when it ends are the new decisions.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from devhost.durable.actions import HTTP_ACTIVITY, Action, ActionType, Response
from devhost.durable.errors import NonDeterminism, NotSupported
from devhost.durable.failures import non_deterministic
from devhost.durable.history import KIND_NAMES, Event, Kind, read_timestamp
from devhost.durable.tasks import Group, Task


@dataclass(frozen=True)
class Decision:
    """Something the orchestrator asked for that has a sequence number."""

    kind: Kind  # TASK_SCHEDULED, CHILD_CREATED or TIMER_CREATED
    id: int
    name: str = ""
    input: str | None = None  # as the SDK wrote it
    instance_id: str | None = None
    version: str | None = None
    fire_at: datetime | None = None

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} {self.name!r}" if self.name else _WORDS[self.kind]


@dataclass
class Outcome:
    """Where the orchestration stands at the end of its history."""

    decisions: list[Decision]
    cancelled_timers: set[int]
    finished: bool  # nothing is open and every action was waited for
    next_id: int
    continue_input: str | None  # set when the orchestrator continues as new
    carried_events: list[Event]
    warnings: dict[str, str] = field(default_factory=dict)  # by kind, so that each is said once


_WORDS = {
    Kind.TASK_SCHEDULED: "activity",
    Kind.CHILD_CREATED: "sub-orchestration",
    Kind.TIMER_CREATED: "timer",
    Kind.EVENT_SENT: "sent event",
}
_RESOLVING = {
    Kind.TASK_COMPLETED: ("TaskScheduledId", False),
    Kind.TASK_FAILED: ("TaskScheduledId", True),
    Kind.CHILD_COMPLETED: ("TaskScheduledId", False),
    Kind.CHILD_FAILED: ("TaskScheduledId", True),
    Kind.TIMER_FIRED: ("TimerId", False),
}


def replay(response: Response, history: Iterable[Event], max_actions: int = 100_000) -> Outcome:
    """Walk `history` with the actions of `response`. Raises NonDeterminism, NotSupported."""
    walk = _Walk(response, max_actions)
    try:
        for event in history:
            walk.take(event)
    except NonDeterminism as error:
        error.warnings = walk.warnings
        raise
    return walk.outcome()


class _Walk:
    """One pass over a history; also the parent of whichever top-level action the pump waits for."""

    def __init__(self, response: Response, max_actions: int) -> None:
        self._response = response
        self._max_actions = max_actions
        self._elements: Iterator[Action] = iter(response.actions)
        self._waiting_for: Task | None = None
        self._exhausted = False
        self._left = len(response.actions)
        self._next_id = 0
        self._now = ""
        self._new: dict[int, Decision] = {}
        self._open: dict[int, tuple[Decision, Callable[[bool], None]]] = {}
        self._cancelled: set[int] = set()
        self._waits: defaultdict[str, list[Task]] = defaultdict(list)
        self._buffered: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._continue_input: str | None = None
        self._carried: list[Event] = []
        self.warnings: dict[str, str] = {}

    def take(self, event: Event) -> None:
        """Apply one event."""
        kind = event["EventType"]
        if kind in _RESOLVING:
            self._resolve(event, *_RESOLVING[kind])
        elif kind in _WORDS:
            self._match(event)
        elif kind == Kind.EVENT_RAISED:
            self._raise_event(event)
        elif kind == Kind.ORCHESTRATOR_STARTED:
            self._now = event["Timestamp"]
        elif kind == Kind.EXECUTION_STARTED:
            self._pump()

    def outcome(self) -> Outcome:
        """Say where things stand; call it once, after the last event."""
        done = self._response.is_done or self._response.error is not None
        finished = done and self._exhausted and not self._open
        if done and not finished:
            self._warn_of_stall()
        self._warn_of_misspelt_events()
        self._warn_of_drifting_retries()
        return Outcome(
            decisions=list(self._new.values()),
            cancelled_timers=self._cancelled,
            finished=finished,
            next_id=self._next_id,
            continue_input=self._continue_input,
            carried_events=self._carried,
            warnings=self.warnings,
        )

    def child_finished(self, task: Task) -> None:
        """Go on with the next action: the one waited for has an outcome."""
        if task is self._waiting_for:
            self._pump()

    def _pump(self) -> None:
        for action in self._elements:
            self._left -= 1
            task = self._invoke(action)
            if not task.done:
                self._waiting_for = task
                task.parent = self
                return
        self._waiting_for = None
        self._exhausted = True

    def _invoke(self, action: Action) -> Task:
        kind = action["actionType"]
        if kind in (ActionType.WHEN_ALL, ActionType.WHEN_ANY):
            group = Group(
                [self._invoke(child) for child in action["compoundActions"]], wait_for_all=kind == ActionType.WHEN_ALL
            )
            if group.done and not group.wait_for_all and _retries(group):
                self._warn_of_lost_place()
            return group
        if kind in (ActionType.CALL_ACTIVITY_WITH_RETRY, ActionType.CALL_SUB_ORCHESTRATOR_WITH_RETRY):
            return _Retry(self, action)
        if kind == ActionType.CREATE_TIMER:
            return self._timer(action)
        if kind == ActionType.WAIT_FOR_EXTERNAL_EVENT:
            return self._wait(action["externalEventName"])
        if kind == ActionType.CONTINUE_AS_NEW:
            self._take_id()
            self._continue_input = json.dumps(action["input"])
            return Task(done=True)
        task = Task()
        self.call(action, task.finish)
        return task

    def call(self, action: Action, resolved: Callable[[bool], None]) -> None:
        """Schedule an activity or a sub-orchestration under the next sequence number."""
        kind = action["actionType"]
        number = self._take_id()
        if kind in (ActionType.CALL_ACTIVITY, ActionType.CALL_ACTIVITY_WITH_RETRY):
            decision = Decision(Kind.TASK_SCHEDULED, number, action["functionName"], action.get("input"))
        elif kind == ActionType.CALL_HTTP:
            decision = Decision(Kind.TASK_SCHEDULED, number, HTTP_ACTIVITY, json.dumps(action["httpRequest"]))
        elif kind in (ActionType.CALL_SUB_ORCHESTRATOR, ActionType.CALL_SUB_ORCHESTRATOR_WITH_RETRY):
            decision = Decision(
                Kind.CHILD_CREATED,
                number,
                action["functionName"],
                action.get("input"),
                instance_id=action.get("instanceId") or None,
                version=action.get("version"),
            )
        else:
            raise NotSupported(_no_such_action(action))
        self._schedule(decision, resolved)

    def set_timer(self, fire_at: datetime, resolved: Callable[[bool], None]) -> int:
        """Schedule a timer under the next sequence number, which is returned."""
        number = self._take_id()
        self._schedule(Decision(Kind.TIMER_CREATED, number, fire_at=fire_at), resolved)
        return number

    @property
    def now(self) -> datetime:
        """The start of the episode being walked."""
        return read_timestamp(self._now)

    def _timer(self, action: Action) -> Task:
        task = Task()
        number = self.set_timer(read_timestamp(action["fireAt"]), task.finish)
        if action["isCanceled"]:
            del self._open[number]
            self._cancelled.add(number)
            task.finish()
        return task

    def _wait(self, name: str) -> Task:
        if self._buffered[name]:
            self._buffered[name].popleft()
            return Task(done=True)
        task = Task()
        self._waits[name].append(task)
        return task

    def _schedule(self, decision: Decision, resolved: Callable[[bool], None]) -> None:
        self._new[decision.id] = decision
        self._open[decision.id] = (decision, resolved)

    def _take_id(self) -> int:
        if self._next_id >= self._max_actions:
            raise NotSupported(
                f"More than {self._max_actions} actions: raise maxOrchestrationActions or continue as new"
            )
        self._next_id += 1
        return self._next_id - 1

    def _match(self, event: Event) -> None:
        decision = self._new.pop(event["EventId"], None)
        name = event.get("Name") or ""
        if decision is None:
            raise NonDeterminism(non_deterministic(_WORDS[event["EventType"]], event["EventId"], name))
        if decision.kind != event["EventType"] or decision.name.casefold() != name.casefold():
            raise NonDeterminism(non_deterministic(_WORDS[event["EventType"]], event["EventId"], name, str(decision)))

    def _resolve(self, event: Event, key: str, failed: bool) -> None:
        opened = self._open.pop(event[key], None)
        if opened:
            opened[1](failed)
        elif event[key] not in self._cancelled:
            kind = KIND_NAMES[Kind(event["EventType"])]
            self.warnings["duplicate"] = f"{kind} for sequence number {event[key]} came although nothing waits for it"

    def _raise_event(self, event: Event) -> None:
        name = event["Name"]
        if self._continue_input is not None:
            self._carried.append(event)
        elif self._waits[name]:
            self._waits[name].pop().finish()  # parallel waits are filled last-created first
        else:
            self._buffered[name].append(event)

    def _warn_of_stall(self) -> None:
        if self._open:
            tasks = ", ".join(str(decision) for decision, _ in list(self._open.values())[:5])
            self.warnings["open"] = (
                f"has returned, but stays Running while {len(self._open)} of its tasks are open ({tasks}); "
                "cancel a timer that lost its race"
            )
            return
        names = sorted(name for name, waits in self._waits.items() if any(not task.done for task in waits))
        self.warnings["stalled"] = (
            f"has returned, but the host still waits for event {', '.join(map(repr, names))}: an event raised before "
            "its wait is handed to every later wait of that name (azure-functions-durable-python#507); it stalls, "
            "as on Azure, until another such event comes. Give each wait an event name of its own"
        )

    def _warn_of_misspelt_events(self) -> None:
        waited = {name.casefold(): name for name, tasks in self._waits.items() if tasks}
        for name, events in self._buffered.items():
            wanted = waited.get(name.casefold())
            if events and wanted and wanted != name:
                self.warnings[f"case {name}"] = (
                    f"got event {name!r} while it waits for {wanted!r}: the SDK compares names exactly, "
                    "so on Azure the event is lost"
                )

    def _warn_of_lost_place(self) -> None:
        # A cancelled timer counts as finished as soon as it is invoked, so on replay the race is over at once and what
        # comes next gets the numbers that the retries had.
        self.warnings["race"] = (
            "raced a call with retries against something that was over at once, such as a timer it cancelled: when "
            "that call is retried, replay fails as non-deterministic, on Azure too. Put the retrying call into a "
            "sub-orchestration and race that"
        )

    def _warn_of_drifting_retries(self) -> None:
        waiting = self._waiting_for
        if isinstance(waiting, Group) and waiting.wait_for_all and self._left and _retries(waiting):
            self.warnings["retries"] = (
                "went on from a task_all that failed while another of its calls may still be retried: from here on "
                "the sequence numbers of host and SDK drift apart and results may reach the wrong task. "
                "Let the activity return an error value instead"
            )


class _Retry(Task):
    """A call that the host repeats; the SDK counts the same attempts and timers."""

    def __init__(self, walk: _Walk, action: Action) -> None:
        super().__init__()
        self._walk = walk
        self._action = action
        options = action["retryOptions"]
        self._attempts_left = int(options["maxNumberOfAttempts"])
        self._interval = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
        self._attempt()

    def _attempt(self) -> None:
        self._attempts_left -= 1
        self._walk.call(self._action, self._attempted)

    def _attempted(self, failed: bool) -> None:
        if not failed:
            self.finish()
            return
        # After the last failure too: the SDK fails the call only when one more timer has fired.
        interval = self._interval if self._attempts_left > 0 else timedelta()
        self._walk.set_timer(self._walk.now + interval, self._waited)

    def _waited(self, _failed: bool) -> None:
        if self._attempts_left > 0:
            self._attempt()
        else:
            self.finish(failed=True)


def _retries(task: Task) -> bool:
    """Whether a call with retries is unfinished somewhere below."""
    if isinstance(task, Group):
        return any(_retries(child) for child in task.children)
    return isinstance(task, _Retry) and not task.done


def _no_such_action(action: Action) -> str:
    if action["actionType"] in (ActionType.CALL_ENTITY, ActionType.SIGNAL_ENTITY, ActionType.SCHEDULED_SIGNAL_ENTITY):
        return f"Entities are not supported by this host: {action.get('operation')} on {action.get('instanceId')}"
    return f"The SDK asked for action type {action['actionType']}, which this host does not know"

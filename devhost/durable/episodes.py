"""Turns messages and the SDK's answer into what one episode changes. No I/O."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from devhost.durable.actions import HTTP_ACTIVITY, Response
from devhost.durable.errors import NonDeterminism, NotSupported, UnknownFunction
from devhost.durable.failures import orchestrator_failed, unknown_function
from devhost.durable.history import (
    Event,
    Kind,
    Status,
    event,
    now,
    read_timestamp,
    timestamp,
)
from devhost.durable.records import Commit, Instance, Message, Parent, Turn, WorkItem
from devhost.durable.replay import Decision, Outcome, replay

_LARGEST_CUSTOM_STATUS = 16 * 1024  # bytes of UTF-16
_STARTED = Kind.ORCHESTRATOR_STARTED
_MARKER = "$OutOfProcData$:"


@dataclass
class Generation:
    """What is known in memory of one generation of an instance: its history, as text and parsed."""

    execution_id: str
    texts: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    started: str = ""  # when the last episode started
    size: int = 0  # characters of history
    dropped_timers: set[int] = field(default_factory=set)
    warned: set[str] = field(default_factory=set)

    def append(self, texts: list[str], events: list[Event]) -> None:
        """Take committed events."""
        self.texts += texts
        self.events += events
        self.size += sum(map(len, texts))
        self.started = max([self.started, *(e["Timestamp"] for e in events if e["EventType"] == _STARTED)])


class Names:
    """Durable names the app has, compared without case."""

    def __init__(self, orchestrators: Collection[str], activities: Collection[str]) -> None:
        self._orchestrators = {name.casefold(): name for name in orchestrators}
        self._activities = {name.casefold(): name for name in activities}

    def check_orchestrator(self, name: str) -> None:
        """Raise UnknownFunction when there is no such orchestrator."""
        if name.casefold() not in self._orchestrators:
            raise UnknownFunction(unknown_function(name, "orchestrator", self._orchestrators.values()))

    def check_activity(self, name: str) -> None:
        """Raise UnknownFunction when there is no such activity."""
        if name.casefold() not in self._activities and name != HTTP_ACTIVITY:
            raise UnknownFunction(unknown_function(name, "activity", self._activities.values()))

    def check(self, decision: Decision) -> None:
        """Raise UnknownFunction when the decision calls something that is not there."""
        if decision.kind == Kind.TASK_SCHEDULED:
            self.check_activity(decision.name)
        elif decision.kind == Kind.CHILD_CREATED:
            self.check_orchestrator(decision.name)


@dataclass
class Episode:
    """One turn of an instance, from its messages to its commit."""

    turn: Turn
    generation: Generation
    at: str  # the episode's clock
    consumed: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)  # new messages, in order
    suspended: bool = False
    terminated: Event | None = None

    @property
    def instance(self) -> Instance:
        """The instance as the turn found it."""
        return self.turn.instance

    @property
    def needs_orchestrator(self) -> bool:
        """Whether the orchestrator has something to see."""
        controls = (Kind.EXECUTION_SUSPENDED, Kind.EXECUTION_RESUMED)
        return self.terminated is None and any(each["EventType"] not in controls for each in self.events)

    def opening(self) -> list[Event]:
        """Return the events that open the episode."""
        return [event(Kind.ORCHESTRATOR_STARTED, self.at), *self.events]


def open_episode(turn: Turn, generation: Generation) -> Episode:
    """Sort the messages of a turn: what is taken now, what waits until the instance is resumed."""
    episode = Episode(turn, generation, _clock(turn, generation), suspended=turn.instance.status == Status.SUSPENDED)
    held: list[tuple[int, Event]] = []
    for number, message in turn.messages:
        kind = message["EventType"]
        if kind == Kind.EXECUTION_TERMINATED:
            episode.consumed.append(number)
            episode.terminated = message
            break
        if kind in (Kind.EXECUTION_SUSPENDED, Kind.EXECUTION_RESUMED):
            episode.suspended = kind == Kind.EXECUTION_SUSPENDED
            _take(episode, [(number, message)])
            if not episode.suspended:
                _take(episode, held)
                held = []
        elif episode.suspended:
            held.append((number, message))
        else:
            _take(episode, [(number, message)])
    return episode


def close_without_orchestrator(episode: Episode) -> Commit:
    """Commit an episode that only terminates, suspends or resumes."""
    commit = _commit(episode, custom_status=episode.instance.custom_status)
    if episode.terminated:
        reason = episode.terminated["Input"]
        closing = [episode.terminated, _completed(episode, Status.TERMINATED, reason, -1)]
        _append(commit, [*episode.opening(), *closing, event(Kind.ORCHESTRATOR_COMPLETED, episode.at)])
        _finish(commit, episode, Status.TERMINATED, reason)
    elif episode.events:
        _append(commit, [*episode.opening(), event(Kind.ORCHESTRATOR_COMPLETED, episode.at)])
    return commit


def close(episode: Episode, response: Response, names: Names, max_actions: int, store_inputs: bool) -> Commit:
    """Commit what the SDK answered. Raises nothing: what cannot go on fails the instance."""
    try:
        history = [*episode.generation.events, *episode.opening()]
        outcome = replay(response, history, max_actions)
        for decision in outcome.decisions:
            names.check(decision)
        custom_status = _custom_status(response)
    except (NonDeterminism, NotSupported, UnknownFunction) as error:
        commit = fail(episode, orchestrator_failed(episode.instance.name, str(error)))
        commit.warnings["failed"] = f"failed: {error}"
        if isinstance(error, NonDeterminism):
            commit.warnings |= error.warnings
        if isinstance(error, UnknownFunction):
            commit.warnings["unknown"] = "called a function that is not there; on Azure the instance hangs instead"
        return commit
    commit = _commit(episode, custom_status=custom_status)
    commit.warnings = outcome.warnings
    _decide(commit, episode, outcome, response, store_inputs)
    return commit


def fail(episode: Episode, output: str) -> Commit:
    """Commit an instance that cannot go on."""
    commit = _commit(episode, custom_status=episode.instance.custom_status)
    completed = _completed(episode, Status.FAILED, output, -1)
    _append(commit, [*episode.opening(), completed, event(Kind.ORCHESTRATOR_COMPLETED, episode.at)])
    _finish(commit, episode, Status.FAILED, output)
    return commit


def read_failure(error: BaseException) -> Response | None:
    """Read the actions and the error that the SDK hides in its exception; None when it has none."""
    _, marker, state = str(error).rpartition(_MARKER)
    if not marker:
        return None
    try:
        return Response.read(state)
    except (ValueError, KeyError):
        return None


def new_execution_id() -> str:
    """Make the id of a generation."""
    return uuid.uuid4().hex


def _decide(commit: Commit, episode: Episode, outcome: Outcome, response: Response, store_inputs: bool) -> None:
    scheduled = [_schedule(commit, episode, decision, outcome, store_inputs) for decision in outcome.decisions]
    known = {decision.id for decision in outcome.decisions} | episode.generation.dropped_timers
    commit.cancelled_timers = sorted(outcome.cancelled_timers - known)
    completed = []
    if outcome.finished:
        status, result = _result(episode, outcome, response)
        completed = [_completed(episode, status, result, outcome.next_id)]
        if status == Status.CONTINUED_AS_NEW:
            _continue(commit, episode, outcome)
        else:
            _finish(commit, episode, status, result)
    _append(commit, [*episode.opening(), *scheduled, *completed, event(Kind.ORCHESTRATOR_COMPLETED, episode.at)])


def _schedule(commit: Commit, episode: Episode, decision: Decision, outcome: Outcome, store_inputs: bool) -> Event:
    instance = episode.instance
    shown_input = {"Input": decision.input} if store_inputs else {}
    if decision.kind == Kind.TASK_SCHEDULED:
        text = decision.input or "null"
        commit.work.append(WorkItem(instance.id, instance.execution_id, decision.id, decision.name, text))
        return event(decision.kind, episode.at, decision.id, Name=decision.name, Version=None, **shown_input)
    if decision.kind == Kind.CHILD_CREATED:
        child = _child(instance, decision, episode.at)
        commit.children.append(child)
        fields = {"Name": child.name, "InstanceId": child.id, "Version": child.version} | shown_input
        return event(decision.kind, episode.at, decision.id, **fields)
    assert decision.fire_at  # noqa: S101 the third kind is a timer, which always has it
    fire_at = timestamp(decision.fire_at)
    if decision.id not in outcome.cancelled_timers:
        fired = event(Kind.TIMER_FIRED, fire_at, TimerId=decision.id, FireAt=fire_at)
        due = decision.fire_at.timestamp()
        commit.messages.append(Message(instance.id, fired, instance.execution_id, due, timer_id=decision.id))
    return event(decision.kind, episode.at, decision.id, FireAt=fire_at)


def _child(instance: Instance, decision: Decision, at: str) -> Instance:
    return Instance(
        id=decision.instance_id or f"{instance.execution_id}:{decision.id}",
        name=decision.name,
        execution_id=new_execution_id(),
        input=json.dumps(decision.input),
        version=decision.version,
        created=at,
        updated=at,
        parent=Parent(instance.id, instance.execution_id, decision.id),
    )


def _result(episode: Episode, outcome: Outcome, response: Response) -> tuple[Status, str | None]:
    if response.error is not None:
        return Status.FAILED, orchestrator_failed(episode.instance.name, response.error)
    if outcome.continue_input is not None:
        return Status.CONTINUED_AS_NEW, outcome.continue_input
    return Status.COMPLETED, None if response.output is None else json.dumps(response.output)


def _finish(commit: Commit, episode: Episode, status: Status, output: str | None) -> None:
    commit.status, commit.output = status, output
    parent = episode.instance.parent
    if parent is None:
        return
    if status == Status.COMPLETED:
        told = event(Kind.CHILD_COMPLETED, episode.at, TaskScheduledId=parent.task_id, Result=output)
    else:
        told = event(Kind.CHILD_FAILED, episode.at, TaskScheduledId=parent.task_id, Reason=output, Details=None)
    commit.messages.append(Message(parent.instance_id, told, parent.execution_id))


def _continue(commit: Commit, episode: Episode, outcome: Outcome) -> None:
    following = replace(
        episode.instance,
        execution_id=new_execution_id(),
        input=outcome.continue_input,
        updated=episode.at,
        status=commit.status,  # Running, or Suspended in this very episode
        custom_status=commit.custom_status,
    )
    commit.next_generation = following
    commit.messages += [Message(following.id, each, following.execution_id, rank=1) for each in outcome.carried_events]


def _commit(episode: Episode, custom_status: str | None) -> Commit:
    started = bool(episode.generation.events) or bool(episode.events)
    running = Status.RUNNING if started else Status.PENDING
    return Commit(
        instance=episode.instance,
        status=Status.SUSPENDED if episode.suspended else running,
        updated=episode.at,
        consumed=episode.consumed,
        position=len(episode.generation.texts),
        custom_status=custom_status,
    )


def _append(commit: Commit, events: list[Event]) -> None:
    commit.events, commit.texts = events, [json.dumps(each) for each in events]


def _completed(episode: Episode, status: Status, result: str | None, event_id: int) -> Event:
    fields = {"OrchestrationStatus": int(status), "Result": result, "FailureDetails": None}
    return event(Kind.EXECUTION_COMPLETED, episode.at, event_id, **fields)


def _custom_status(response: Response) -> str | None:
    if response.custom_status is None:
        return None
    text = json.dumps(response.custom_status)
    if len(text.encode("utf-16-le")) > _LARGEST_CUSTOM_STATUS:
        raise NotSupported("The size of the JSON-serialized custom status must not exceed 16 KB of UTF-16 text.")
    return text


def _take(episode: Episode, messages: list[tuple[int, Event]]) -> None:
    for number, message in messages:
        episode.consumed.append(number)
        begun = bool(episode.generation.events) or bool(episode.events)
        # An instance that is suspended before it began has no history yet, and ExecutionStarted must come first.
        if begun or message["EventType"] == Kind.EXECUTION_STARTED:
            episode.events.append(message)


def _clock(turn: Turn, generation: Generation) -> str:
    fired = [message["FireAt"] for _, message in turn.messages if message["EventType"] == Kind.TIMER_FIRED]
    return timestamp(max([now(), *map(read_timestamp, [generation.started] * bool(generation.started) + fired)]))

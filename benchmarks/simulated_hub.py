"""A task hub in memory with a virtual clock: the SDK's real replay, without waiting and without a disk.

Every message is an episode of its own, which is the worst case: a real hub sometimes hands over several at once.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from devhost.durable.actions import Response
from devhost.durable.history import Event, Kind, event, execution_started, request, timestamp
from devhost.durable.replay import Decision, Outcome, replay

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@dataclass
class SimulatedHub:
    """Runs orchestrations to their end and measures what the SDK spends on replaying them."""

    orchestrators: Mapping[str, Callable[[str], str]]  # by lower-case name: request JSON -> response JSON
    activities: Mapping[str, Callable[[Any], Any]]
    now: datetime = START
    cpu: float = 0.0  # seconds in the SDK and the orchestrators
    episodes: int = 0
    events: int = 0  # replayed, over all episodes: what the SDK spends grows with them
    generations: int = 0
    largest_history: int = 0  # bytes of JSON, over all instances and generations

    def run(self, name: str, payload: Any, instance: str = "root") -> Any:
        """Start an orchestration and return its output."""
        return self._instance(name, json.dumps(json.dumps(payload)), instance)

    def _instance(self, name: str, stored_input: str, instance: str, parent: str | None = None) -> Any:
        while True:
            generation = _Generation(self, name, stored_input, instance, parent)
            outcome, response = generation.play()
            self.generations += 1
            self.largest_history = max(self.largest_history, len(generation.body().encode()))
            if response.error is not None:
                raise RuntimeError(f"{name} failed: {response.error}")
            if outcome.continue_input is None:
                return response.output
            stored_input = outcome.continue_input

    def episode(self, name: str, body: str) -> Response:
        """Let the SDK replay a history."""
        orchestrate = self.orchestrators[name.lower()]
        started = time.process_time()
        text = orchestrate(body)
        self.cpu += time.process_time() - started
        self.episodes += 1
        return Response.read(text)

    def child(self, decision: Decision, parent: str) -> Any:
        """Run a sub-orchestration to its end."""
        return self._instance(
            decision.name, json.dumps(decision.input), decision.instance_id or f"{parent}:{decision.id}", parent
        )


@dataclass
class _Generation:
    """One instance from its start, or from where it continued as new."""

    hub: SimulatedHub
    name: str
    stored_input: str
    instance: str
    parent: str | None
    history: list[Event] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def play(self) -> tuple[Outcome, Response]:
        """Run episodes until nothing is open."""
        inbox: deque[Event] = deque([self._start()])
        timers: list[Decision] = []
        while True:
            if not inbox:
                inbox.append(self._next_timer(timers))
            self._append(event(Kind.ORCHESTRATOR_STARTED, self._clock()), inbox.popleft())
            self.hub.events += len(self.history)
            response = self.hub.episode(self.name, self.body())
            outcome = replay(response, self.history)
            self._append(*(self._scheduled(decision) for decision in outcome.decisions))
            self._append(event(Kind.ORCHESTRATOR_COMPLETED, self._clock()))
            if outcome.finished:
                return outcome, response
            timers = [timer for timer in timers if timer.id not in outcome.cancelled_timers]
            for decision in outcome.decisions:
                if decision.kind == Kind.TIMER_CREATED:
                    timers.append(decision)
                else:
                    inbox.append(self._completed(decision))

    def body(self) -> str:
        """Write what the SDK is handed: the whole history."""
        return request(self.instance, self.parent, self.stored_input, self.texts)

    def _start(self) -> Event:
        return execution_started(
            self._clock(),
            name=self.name,
            instance_id=self.instance,
            execution_id=self.instance,
            stored_input=self.stored_input,
            version=None,
            parent_id=self.parent,
        )

    def _append(self, *events: Event) -> None:
        self.history.extend(events)
        self.texts.extend(json.dumps(one) for one in events)

    def _clock(self) -> str:
        self.hub.now += timedelta(milliseconds=1)
        return timestamp(self.hub.now)

    def _scheduled(self, decision: Decision) -> Event:
        at = self._clock()
        if decision.kind == Kind.TIMER_CREATED:
            assert decision.fire_at is not None  # noqa: S101  a timer has a time
            return event(decision.kind, at, decision.id, FireAt=timestamp(decision.fire_at))
        return event(
            decision.kind, at, decision.id, Name=decision.name, Input=decision.input, InstanceId=decision.instance_id
        )

    def _completed(self, decision: Decision) -> Event:
        if decision.kind == Kind.CHILD_CREATED:
            result = self.hub.child(decision, self.instance)
            return event(Kind.CHILD_COMPLETED, self._clock(), TaskScheduledId=decision.id, Result=json.dumps(result))
        answer = self.hub.activities[decision.name.lower()](json.loads(decision.input or "null"))
        return event(Kind.TASK_COMPLETED, self._clock(), TaskScheduledId=decision.id, Result=json.dumps(answer))

    def _next_timer(self, timers: list[Decision]) -> Event:
        timers.sort(key=lambda timer: timer.fire_at or START)
        timer = timers.pop(0)
        assert timer.fire_at is not None  # noqa: S101  a timer has a time
        self.hub.now = max(self.hub.now, timer.fire_at)
        return event(Kind.TIMER_FIRED, self._clock(), TimerId=timer.id, FireAt=timestamp(timer.fire_at))

"""A stage to play orchestrators on: their generators, run with fake activities on a virtual clock.

It stands in for the Durable engine where a test is about the story. What the engine does to a story is tested with the
real one: by replaying recorded histories, and on the development host.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.durable_functions.models.Task import TaskState

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def name_of(handle: Any) -> str:
    """Return the name that the SDK sends for an activity or orchestrator handle."""
    return handle if isinstance(handle, str) else str(handle._function._name)


def generator_of(handle: Any) -> Callable[[Any], Generator[Any, Any, Any]]:
    """Return the plain generator function behind a decorated orchestrator."""
    generator: Callable[[Any], Generator[Any, Any, Any]] = handle.build().get_user_function().orchestrator_function
    return generator


@dataclass(eq=False)
class Task:
    """What an orchestrator yields. `settle` decides what becomes of it."""

    kind: str  # activity | child | timer | event | any | all
    name: str = ""
    payload: Any = None
    instance: str = ""
    fire_at: datetime = START
    children: list[Task] = field(default_factory=list)
    state: TaskState = TaskState.RUNNING
    result: Any = None
    cancelled: bool = False

    def settle(self, result: Any) -> None:
        self.result = result
        self.state = TaskState.FAILED if isinstance(result, Exception) else TaskState.SUCCEEDED

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Stage:
    """Fake activities, scripted events and a clock. It remembers everything that was asked for."""

    activities: dict[str, Any]
    children: dict[str, Any] = field(default_factory=dict)  # instead of playing them
    events: list[tuple[timedelta, str]] = field(default_factory=list)  # when, name
    now: datetime = START
    asked: list[tuple[str, Any]] = field(default_factory=list)
    statuses: list[Any] = field(default_factory=list)
    timers: list[Task] = field(default_factory=list)
    generations: int = 1
    pace: timedelta = timedelta(0)  # how long an activity takes
    last_first: bool = False  # of several tasks that could end, let the last one end first

    def play(self, orchestrator: Any, payload: Any, instance: str = "instance") -> Any:
        """Run an orchestrator to its end and return its output."""
        while True:
            context = Context(self, json.loads(json.dumps(payload)), instance)
            story = generator_of(orchestrator)(context)
            output = self._follow(story)
            if context.next_input is None:
                return output
            payload, self.generations = context.next_input, self.generations + 1

    def payloads(self, activity: str) -> list[Any]:
        """Return what an activity was asked, each time."""
        return [payload for name, payload in self.asked if name == activity]

    def _follow(self, story: Generator[Any, Any, Any]) -> Any:
        try:
            task = next(story)
            while True:
                self._run(task)
                task = story.throw(task.result) if task.state is TaskState.FAILED else story.send(task.result)
        except StopIteration as end:
            return end.value

    def _run(self, task: Task) -> None:
        if task.kind == "all":
            for child in task.children:
                self._run(child)
            task.settle([child.result for child in task.children])
            return
        if task.kind != "any":
            self._settle(task)
            return
        ready = [child for child in task.children if child.state is not TaskState.RUNNING]
        work = [child for child in task.children if child.kind in {"activity", "child"}]
        if not ready and work:
            first = work[-1] if self.last_first else work[0]
            self._settle(first)
            ready = [first]
        winner = ready[0] if ready else self._earliest(task.children)
        self._settle(winner)
        task.settle(winner)

    def _settle(self, task: Task) -> None:
        if task.state is not TaskState.RUNNING:
            return
        if task.kind == "timer":
            self.now = max(self.now, task.fire_at)
            task.settle(None)
        elif task.kind == "event":
            self.now = max(self.now, task.fire_at)
            task.settle({})
        else:
            try:
                task.settle(self._answer(task))
            except Exception as error:
                task.settle(error)

    def _answer(self, task: Task) -> Any:
        payload = json.loads(json.dumps(task.payload))
        self.asked.append((task.name, payload))
        self.now += self.pace
        answers = self.children if task.kind == "child" else self.activities
        return json.loads(json.dumps(answers[task.name](payload)))

    def _earliest(self, children: list[Task]) -> Task:
        for when, name in self.events:
            for child in children:
                if child.kind == "event" and child.name == name:
                    child.fire_at = START + when
        never = datetime.max.replace(tzinfo=UTC)
        scripted = {name for _, name in self.events}

        def due(child: Task) -> datetime:
            return never if child.kind == "event" and child.name not in scripted else child.fire_at

        return min(children, key=due)


class Context:
    """What an orchestrator sees of the engine."""

    def __init__(self, stage: Stage, payload: Any, instance: str) -> None:
        self.stage = stage
        self.payload = payload
        self.instance_id = instance
        self.next_input: Any = None

    @property
    def current_utc_datetime(self) -> datetime:
        return self.stage.now

    def get_input(self) -> Any:
        return self.payload

    def set_custom_status(self, status: Any) -> None:
        self.stage.statuses.append(json.loads(json.dumps(status)))

    def call_activity(self, handle: Any, payload: Any = None) -> Task:
        return Task("activity", name_of(handle), payload)

    def call_activity_with_retry(self, handle: Any, retries: Any, payload: Any = None) -> Task:
        return Task("activity", name_of(handle), payload)

    def call_sub_orchestrator(self, handle: Any, payload: Any = None, instance: str = "") -> Task:
        return Task("child", name_of(handle), payload, instance)

    def create_timer(self, fire_at: datetime) -> Task:
        timer = Task("timer", fire_at=fire_at)
        self.stage.timers.append(timer)
        return timer

    def wait_for_external_event(self, name: str) -> Task:
        return Task("event", name)

    def task_any(self, tasks: list[Task]) -> Task:
        return Task("any", children=tasks)

    def task_all(self, tasks: list[Task]) -> Task:
        return Task("all", children=tasks)

    def continue_as_new(self, payload: Any) -> None:
        self.next_input = payload

"""A durable engine in memory, on a virtual clock: the app's real orchestrators and activities, many instances at once.

The tasks are the SDK's own: each generation of an instance has the SDK's executor, which is fed one history event
after the other, as an episode of its own. What the executor asks for is kept beside the history. When the instance is
rebuilt, at a restart and once more when a generation ends, a fresh executor reads the same history and must ask for
exactly the same: anything else is non-determinism and fails the test.

What is ready to happen next, activities to run and messages to deliver, is a bag: whoever drives the engine picks.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.durable_functions.models.actions.NoOpAction import NoOpAction
from azure.durable_functions.models.DurableOrchestrationContext import DurableOrchestrationContext
from azure.durable_functions.models.history import HistoryEvent, HistoryEventType
from azure.durable_functions.models.Task import AtomicTask, RetryAbleTask, TimerTask
from azure.durable_functions.models.TaskOrchestrationExecutor import TaskOrchestrationExecutor

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday

Orchestrator = Callable[[Any], Generator[Any, Any, Any]]


class Crash(BaseException):
    """The process dies here. What it did stays done; what it was about to say is lost."""


class NonDeterminism(AssertionError):
    """A story told again went another way."""


@dataclass(frozen=True)
class Functions:
    """The app's functions by name."""

    orchestrators: dict[str, Orchestrator]
    activities: dict[str, Callable[..., Any]]
    handlers: dict[str, Callable[..., Any]] = field(default_factory=dict)  # of HTTP requests and of timers

    @classmethod
    def of_app(cls) -> Functions:
        """Find everything that function_app registers, and nothing else."""
        import function_app  # noqa: PLC0415 - only worlds that run the whole app need it

        found = cls({}, {})
        for builder in function_app.app._function_builders:
            function, kind = builder._function, type(builder._function._trigger).__name__
            if kind == "OrchestrationTrigger":
                found.orchestrators[function._name] = function._func.orchestrator_function
            elif kind == "ActivityTrigger":
                found.activities[function._name] = function._func
            else:
                found.handlers[function._name] = getattr(function._func, "client_function", function._func)
        return found


@dataclass(frozen=True)
class Event:
    """One entry of a history: a message that an episode began with."""

    kind: HistoryEventType
    at: datetime
    fields: dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """What an orchestrator asked for, by sequence number."""

    number: int
    kind: str  # activity | child | timer
    name: str = ""
    text: str = ""  # the input as the SDK wrote it
    instance: str = ""
    fire_at: datetime | None = None


@dataclass(frozen=True)
class Work:
    """Something that can happen now: an activity to run, or a message to deliver."""

    instance: str
    execution: int
    event: Event | None = None
    activity: Decision | None = None


@dataclass
class Instance:
    """One instance: the history of its generation, and what it has asked for."""

    id: str
    name: str
    execution: int
    text: str  # the input, JSON
    parent: tuple[str, int, int] | None = None  # instance, execution, sequence number
    history: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    open: set[int] = field(default_factory=set)  # sequence numbers of activities, children and timers under way
    carried: list[Event] = field(default_factory=list)  # events that came after continue_as_new
    status: str = "Running"
    output: Any = None
    play: Play | None = None


class _Context(DurableOrchestrationContext):  # type: ignore[misc]
    """The SDK's context, which also tells what gets a sequence number."""

    def __init__(self, told: Callable[[AtomicTask], None], **fields: Any) -> None:
        super().__init__(**fields)
        self._told = told

    def _add_to_open_tasks(self, task: Any) -> None:
        fresh = isinstance(task, AtomicTask) and not task._is_scheduled and task.id is None
        super()._add_to_open_tasks(task)
        if fresh:
            self._told(task)


class Play:
    """One generation of an instance as the SDK plays it."""

    def __init__(self, orchestrator: Orchestrator, instance: Instance) -> None:
        self.decisions: list[Decision] = []
        self.timers: dict[int, TimerTask] = {}
        began = instance.history[0]
        opening = [
            _wire(HistoryEventType.ORCHESTRATOR_STARTED, began.at),
            _wire(began.kind, began.at, **began.fields),
        ]
        self.context = _Context(
            self._told,
            history=opening,
            instanceId=instance.id,
            isReplaying=False,
            parentInstanceId=instance.parent[0] if instance.parent else None,
            input=instance.text,
            upperSchemaVersion=1,
            upperSchemaVersionNew=2,
        )
        self.executor = TaskOrchestrationExecutor()
        self.executor.context = self.context
        self.executor._is_processing_new_events = True
        self.executor.generator = orchestrator(self.context)
        for event in instance.history:
            self.take(event)

    @property
    def done(self) -> bool:
        return bool(self.executor.has_execution_completed)

    def take(self, event: Event) -> None:
        """Play one episode."""
        if not self.done:
            self.executor.process_event(_history_event(HistoryEventType.ORCHESTRATOR_STARTED, event.at, {}))
            self.executor.process_event(_history_event(event.kind, event.at, event.fields))

    def cancelled(self, number: int) -> bool:
        return number in self.timers and bool(self.timers[number].is_cancelled)

    def continue_input(self) -> str:
        (last,) = [action for action in self.context._actions[0] if type(action).__name__ == "ContinueAsNewAction"]
        return str(last.input_)

    def _told(self, task: AtomicTask) -> None:
        self.decisions.append(self._decision(task))
        if isinstance(task, TimerTask):
            self.timers[task.id] = task

    def _decision(self, task: AtomicTask) -> Decision:
        action = task.action_repr
        if isinstance(task, TimerTask):
            return Decision(task.id, "timer", fire_at=action.fire_at)
        if isinstance(action, NoOpAction):
            return self._retry(task.id, task.parent, task)
        if hasattr(action, "instance_id"):
            return Decision(task.id, "child", action.function_name, action._input, action.instance_id or "")
        return Decision(task.id, "activity", action.function_name, action.input_)

    def _retry(self, number: int, whole: RetryAbleTask, task: AtomicTask) -> Decision:
        """Say what the host does about a retry: the SDK only keeps the numbers free."""
        options, action = whole.retry_options, whole.children[0].action_repr
        if task.action_repr.metadata == "rescheduled task":
            return Decision(number, "activity", action.function_name, action.input_)
        last = whole.num_attempts >= options.max_number_of_attempts
        pause = timedelta(0) if last else timedelta(milliseconds=options.first_retry_interval_in_milliseconds)
        return Decision(number, "timer", fire_at=self.context.current_utc_datetime + pause)


class Engine:
    """All instances, what is ready for them, and the clock. Drive it with `ready`, `run` and `now`."""

    def __init__(self, functions: Functions, now: datetime = START) -> None:
        self.functions = functions
        self.now = now
        self.instances: dict[str, Instance] = {}
        self.starts: list[tuple[str, str]] = []  # every start by a client: orchestrator, instance
        self.ready: list[Work] = []
        self.dies_after: Callable[[str], bool] = _never  # does the process die before this activity's result is kept?
        self._timers: list[tuple[datetime, int, Work, int]] = []
        self._executions = itertools.count(1)
        self._order = itertools.count()

    def start(self, name: str, instance: str, payload: Any) -> None:
        """Start an instance as a client does. Raises ValueError for one that runs or a name that nobody has."""
        if name not in self.functions.orchestrators:
            raise ValueError(f"there is no orchestrator {name}")
        if instance in self.instances and not self.finished(instance):
            raise ValueError(f"{instance} runs already")
        self.starts.append((name, instance))
        self._begin(name, instance, json.dumps(payload), None)

    def finished(self, instance: str) -> bool:
        """Say whether no further episode can run."""
        return self.instances[instance].status != "Running"

    def raise_event(self, instance: str, name: str, payload: Any) -> None:
        """Send an event as a client does. Raises LookupError when nobody can receive it."""
        if instance not in self.instances or self.finished(instance):
            raise LookupError(f"{instance} does not run")
        # The SDK's client encodes twice, and only one layer is taken off on the way.
        fields = {"Name": name, "Input": json.dumps(json.dumps(payload))}
        self._send(self.instances[instance], HistoryEventType.EVENT_RAISED, fields)

    def terminate(self, instance: str, reason: str) -> None:
        """End an instance at once. Its children go on; what its activities answer is dropped."""
        if instance not in self.instances or self.finished(instance):
            raise LookupError(f"{instance} does not run")
        self._finish(self.instances[instance], "Terminated", reason)

    def status(self, instance: str) -> Any:
        """Return the custom status."""
        play = self.instances[instance].play
        return play.context.custom_status if play else None

    def running(self) -> list[str]:
        """Return the instances that have not finished."""
        return [name for name, instance in self.instances.items() if instance.status == "Running"]

    def next_timer(self) -> datetime | None:
        """Return when the next timer is due that nobody has cancelled."""
        while self._timers and self._is_stale(self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def ring(self) -> None:
        """Move every timer that is due to what is ready."""
        while (due := self.next_timer()) is not None and due <= self.now:
            self.ready.append(heapq.heappop(self._timers)[2])

    def run(self, number: int) -> None:
        """Let one thing happen of what is ready."""
        work = self.ready.pop(number)
        instance = self.instances[work.instance]
        if work.activity:  # also for one that was terminated: Durable does not call back what it has handed out
            self._run_activity(instance, work, work.activity)
        elif work.event and instance.execution == work.execution and not self.finished(work.instance):
            self._deliver(instance, work.event)

    def restart(self) -> None:
        """Lose everything but the histories, and build every running instance again from its own."""
        for instance in self.instances.values():
            if instance.play and instance.status == "Running":
                instance.play = self._replayed(instance)

    def adopt(self, other: Engine) -> None:
        """Take over what another engine has finished."""
        self.instances = {name: one for name, one in other.instances.items() if one.status != "Running"}
        self.starts = list(other.starts)

    def _begin(self, name: str, instance: str, text: str, parent: tuple[str, int, int] | None) -> None:
        made = Instance(instance, name, next(self._executions), text, parent)
        self.instances[instance] = made
        fields = {"Name": name, "Version": None, "Input": json.dumps(text)}
        self._send(made, HistoryEventType.EXECUTION_STARTED, fields)

    def _run_activity(self, instance: Instance, work: Work, asked: Decision) -> None:
        number = {"TaskScheduledId": asked.number}
        try:
            result = json.dumps(self.functions.activities[asked.name](json.loads(asked.text)))
        except Crash:
            self.ready.append(work)  # it never told what it did, so it runs again
            raise
        except AssertionError:
            raise  # somebody who looks on has seen what must not be
        except Exception as error:
            reason = f"Activity function '{asked.name}' failed:  {type(error).__name__}: {error}"
            told = {**number, "Reason": reason, "Details": ""}
            self._send(instance, HistoryEventType.TASK_FAILED, told, work.execution)
            return
        if self.dies_after(asked.name):
            self.ready.append(work)
            raise Crash(asked.name)
        self._send(instance, HistoryEventType.TASK_COMPLETED, {**number, "Result": result}, work.execution)

    def _send(self, instance: Instance, kind: HistoryEventType, fields: dict[str, Any], execution: int = 0) -> None:
        self.ready.append(Work(instance.id, execution or instance.execution, Event(kind, self.now, fields)))

    def _deliver(self, instance: Instance, event: Event) -> None:
        """Play one episode: its clock is when it happens, not when its message was sent."""
        event = Event(event.kind, self.now, event.fields)
        instance.open.discard(event.fields.get("TaskScheduledId", event.fields.get("TimerId", -1)))
        if instance.play and instance.play.done:
            if event.kind == HistoryEventType.EVENT_RAISED:
                instance.carried.append(event)
        else:
            instance.history.append(event)
            if instance.play:
                instance.play.take(event)
            else:
                instance.play = Play(self.functions.orchestrators[instance.name], instance)
            self._schedule(instance, instance.play)
        self._close_if_done(instance, instance.play)

    def _schedule(self, instance: Instance, play: Play) -> None:
        for decision in play.decisions[len(instance.decisions) :]:
            instance.decisions.append(decision)
            if decision.kind == "timer":
                if play.cancelled(decision.number):
                    continue
                fired = {"TimerId": decision.number, "FireAt": ""}
                work = Work(instance.id, instance.execution, Event(HistoryEventType.TIMER_FIRED, self.now, fired))
                fire_at = decision.fire_at or self.now
                heapq.heappush(self._timers, (fire_at, next(self._order), work, decision.number))
            elif decision.kind == "child":
                self._start_child(instance, decision)
            else:
                self.ready.append(Work(instance.id, instance.execution, activity=decision))
            instance.open.add(decision.number)
        instance.open = {number for number in instance.open if not play.cancelled(number)}

    def _start_child(self, parent: Instance, decision: Decision) -> None:
        name = decision.instance or f"{parent.id}:{parent.execution}:{decision.number}"
        if decision.name not in self.functions.orchestrators:
            raise AssertionError(
                f"{parent.name} calls {decision.name}, which nobody registered: on Azure it would hang"
            )
        if name in self.instances and not self.finished(name):
            raise AssertionError(f"{parent.id} starts its child {name}, which runs already")
        self._begin(decision.name, name, decision.text, (parent.id, parent.execution, decision.number))

    def _close_if_done(self, instance: Instance, play: Play) -> None:
        """Finish a generation, unless something it began is still open."""
        if not play.done or instance.open:
            return
        self._replayed(instance)  # whatever it did must follow from its history
        if play.executor.exception is not None:
            words = f"Orchestrator function '{instance.name}' failed: {play.executor.exception}"
            self._finish(instance, "Failed", words)
        elif play.context.will_continue_as_new:
            self._continue(instance, play.continue_input())
        else:
            self._finish(instance, "Completed", play.executor.output)

    def _continue(self, instance: Instance, text: str) -> None:
        self._begin(instance.name, instance.id, text, instance.parent)
        following = self.instances[instance.id]
        for event in instance.carried:
            self._send(following, event.kind, event.fields)

    def _finish(self, instance: Instance, status: str, output: Any) -> None:
        instance.status, instance.output = status, output
        if instance.parent is None:
            return
        name, execution, number = instance.parent
        parent = self.instances[name]
        if parent.execution != execution:
            return
        if status == "Completed":
            fields = {"TaskScheduledId": number, "Result": json.dumps(output)}
            self._send(parent, HistoryEventType.SUB_ORCHESTRATION_INSTANCE_COMPLETED, fields)
        else:
            fields = {"TaskScheduledId": number, "Reason": output, "Details": None}
            self._send(parent, HistoryEventType.SUB_ORCHESTRATION_INSTANCE_FAILED, fields)

    def _replayed(self, instance: Instance) -> Play:
        """Tell the story again from its history. Raises NonDeterminism when it does not ask for the same."""
        again = Play(self.functions.orchestrators[instance.name], instance)
        for before, now in itertools.zip_longest(instance.decisions, again.decisions):
            if before != now:
                raise NonDeterminism(f"{instance.id} asked for {before}, and told again for {now}")
        first = instance.play
        if first and (first.done, first.executor.output) != (again.done, again.executor.output):
            raise NonDeterminism(f"{instance.id} ended otherwise when it was told again")
        return again

    def _is_stale(self, timer: tuple[datetime, int, Work, int]) -> bool:
        *_, work, number = timer
        instance = self.instances[work.instance]
        if instance.execution != work.execution or instance.status != "Running":
            return True
        return bool(instance.play and instance.play.cancelled(number))


def _never(_activity: str) -> bool:
    return False


def _wire(kind: HistoryEventType, at: datetime, **fields: Any) -> dict[str, Any]:
    return {"EventType": kind, "EventId": -1, "IsPlayed": False, "Timestamp": at.isoformat(), **fields}


def _history_event(kind: HistoryEventType, at: datetime, fields: dict[str, Any]) -> HistoryEvent:
    # Its constructor parses a text into the time that is at hand here, and that would be most of an episode's cost.
    event = HistoryEvent.__new__(HistoryEvent)
    known = {"_event_type": kind, "_event_id": -1, "_is_played": False, "_timestamp": at, "_is_processed": False}
    event.__dict__.update(known, Name=None, Input=None, Reason=None, Details=None, TaskScheduledId=None)
    event.__dict__.update(fields)
    return event

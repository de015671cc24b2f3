"""History events as the Durable extension writes them, and the JSON layers of every payload."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

Event = dict[str, Any]


class Kind(IntEnum):
    """Numbers of the history event types."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


KIND_NAMES = {
    Kind.EXECUTION_STARTED: "ExecutionStarted",
    Kind.EXECUTION_COMPLETED: "ExecutionCompleted",
    Kind.EXECUTION_TERMINATED: "ExecutionTerminated",
    Kind.TASK_SCHEDULED: "TaskScheduled",
    Kind.TASK_COMPLETED: "TaskCompleted",
    Kind.TASK_FAILED: "TaskFailed",
    Kind.CHILD_CREATED: "SubOrchestrationInstanceCreated",
    Kind.CHILD_COMPLETED: "SubOrchestrationInstanceCompleted",
    Kind.CHILD_FAILED: "SubOrchestrationInstanceFailed",
    Kind.TIMER_CREATED: "TimerCreated",
    Kind.TIMER_FIRED: "TimerFired",
    Kind.ORCHESTRATOR_STARTED: "OrchestratorStarted",
    Kind.ORCHESTRATOR_COMPLETED: "OrchestratorCompleted",
    Kind.EVENT_SENT: "EventSent",
    Kind.EVENT_RAISED: "EventRaised",
    Kind.EXECUTION_SUSPENDED: "ExecutionSuspended",
    Kind.EXECUTION_RESUMED: "ExecutionResumed",
}


class Status(IntEnum):
    """Numbers of the instance states; the names in `STATUS_NAMES` are what people see."""

    RUNNING = 0
    COMPLETED = 1
    CONTINUED_AS_NEW = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    PENDING = 6
    SUSPENDED = 7

    @property
    def finished(self) -> bool:
        """Whether no further episode can run."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.TERMINATED)


STATUS_NAMES = {
    Status.RUNNING: "Running",
    Status.COMPLETED: "Completed",
    Status.CONTINUED_AS_NEW: "ContinuedAsNew",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
    Status.TERMINATED: "Terminated",
    Status.PENDING: "Pending",
    Status.SUSPENDED: "Suspended",
}


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """Write a time as events carry it, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_timestamp(text: str) -> datetime:
    """Read a time of an event or an action; a time without an offset is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def event(kind: Kind, at: str, event_id: int = -1, **fields: Any) -> Event:
    """Build an event with the four keys the SDK insists on."""
    return {"EventType": int(kind), "EventId": event_id, "IsPlayed": False, "Timestamp": at, **fields}


def execution_started(
    at: str,
    *,
    name: str,
    instance_id: str,
    execution_id: str,
    stored_input: str | None,
    version: str | None,
    parent_id: str | None = None,
) -> Event:
    """Build the event that begins a generation."""
    return event(
        Kind.EXECUTION_STARTED,
        at,
        Name=name,
        Version=version,  # the SDK needs the key even when there is no version
        Input=stored_input,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        ParentInstance={"OrchestrationInstance": {"InstanceId": parent_id}} if parent_id else None,
        Tags=None,
    )


def request(instance_id: str, parent_id: str | None, stored_input: str | None, history: list[str]) -> str:
    """Write the SDK's request around events that are JSON text already; the stored input loses one JSON layer."""
    # The two timer durations are left out on purpose: with them the SDK splits long timers and hides cancellation.
    head = json.dumps(
        {
            "instanceId": instance_id,
            "isReplaying": False,
            "parentInstanceId": parent_id,
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,
            "defaultHttpAsyncRequestSleepTimeMillseconds": 30000,
        }
    )
    return f'{head[:-1]}, "input": {stored_input or "null"}, "history": [{",".join(history)}]}}'


def decoded(text: str | None) -> Any:
    """Take one JSON layer off a stored payload for people to see; what is not JSON is shown as it stands."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text

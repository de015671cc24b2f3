"""Instances and histories as the HTTP API shows them."""

from __future__ import annotations

from typing import Any

from devhost.durable.history import KIND_NAMES, STATUS_NAMES, Event, Kind, decoded, read_timestamp
from devhost.durable.records import Instance

_HIDDEN = {Kind.ORCHESTRATOR_STARTED, Kind.ORCHESTRATOR_COMPLETED}
_SCHEDULED_BY = {
    Kind.TASK_COMPLETED: ("TaskScheduledId", Kind.TASK_SCHEDULED),
    Kind.TASK_FAILED: ("TaskScheduledId", Kind.TASK_SCHEDULED),
    Kind.CHILD_COMPLETED: ("TaskScheduledId", Kind.CHILD_CREATED),
    Kind.CHILD_FAILED: ("TaskScheduledId", Kind.CHILD_CREATED),
    Kind.TIMER_FIRED: ("TimerId", Kind.TIMER_CREATED),
}
_KINDS_THAT_SCHEDULE = {kind for _, kind in _SCHEDULED_BY.values()}
_DROPPED = ("EventId", "IsPlayed", "TaskScheduledId", "TimerId")


def shown(instance: Instance, show_input: bool = True) -> dict[str, Any]:
    """Show one instance; payloads lose one JSON layer."""
    return {
        "name": instance.name,
        "instanceId": instance.id,
        "runtimeStatus": STATUS_NAMES[instance.status],
        "input": decoded(instance.input) if show_input else None,
        "customStatus": decoded(instance.custom_status),
        "output": decoded(instance.output),
        "createdTime": _seconds(instance.created),
        "lastUpdatedTime": _seconds(instance.updated),
    }


def shown_history(events: list[Event], show_output: bool) -> list[dict[str, Any]]:
    """Show a history as people read it: what was scheduled is folded into how it ended."""
    scheduled = {event["EventId"]: event for event in events if event["EventType"] in _KINDS_THAT_SCHEDULE}
    ended = {event[_SCHEDULED_BY[event["EventType"]][0]] for event in events if event["EventType"] in _SCHEDULED_BY}
    return [
        _shown_event(event, scheduled, show_output)
        for event in events
        if event["EventType"] not in _HIDDEN
        and not (event["EventType"] in _KINDS_THAT_SCHEDULE and event["EventId"] in ended)
    ]


def _shown_event(event: Event, scheduled: dict[int, Event], show_output: bool) -> dict[str, Any]:
    kind = Kind(event["EventType"])
    fields = {key: value for key, value in event.items() if key not in _DROPPED}
    fields["EventType"] = KIND_NAMES[kind]
    if kind in _SCHEDULED_BY:
        origin = scheduled.get(event[_SCHEDULED_BY[kind][0]])
        if origin:
            fields["ScheduledTime"] = origin["Timestamp"]
            fields |= {"FunctionName": origin["Name"]} if "Name" in origin else {}
    if kind == Kind.EXECUTION_STARTED:
        fields["FunctionName"] = fields.pop("Name")
    if kind == Kind.EXECUTION_COMPLETED:
        fields["OrchestrationStatus"] = _status_name(event["OrchestrationStatus"])
    if "Result" in fields:
        result = fields.pop("Result")
        fields |= {"Result": decoded(result)} if show_output else {}
    return fields


def _status_name(number: int) -> str:
    return next(name for status, name in STATUS_NAMES.items() if status == number)


def _seconds(at: str) -> str:
    return read_timestamp(at).strftime("%Y-%m-%dT%H:%M:%SZ")

"""From an action to what runs for it, at most once: the one way for webhooks, for polling and for the reconciler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import azure.durable_functions as df

from adapters import changes
from adapters.blobs import Blobs
from domain import git_flow
from domain.errors import Ignored
from domain.git_flow import Action, Ask, EndChange, Event, GroupRequest, LookAgain, LookAtLabel, ToggleOptOut
from domain.models import ChangeRequest, EvaluationRequest, ReleaseRequest
from settings import Settings
from triggers.start import start_once

ENDED = "ended"


@dataclass(frozen=True)
class Answer:
    """What became of an action: `started`, `already started` or `ended`, under which instance, shown where."""

    decision: str
    instance: str = ""
    url: str = ""


@dataclass(frozen=True)
class Start:
    """An orchestration that an action asks for, and where people see it ("" when it has no page of its own)."""

    orchestrator: str
    instance: str
    payload: dict[str, Any]
    page: str = ""


async def take(
    client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, event: Event
) -> tuple[Answer, ...]:
    """Decide about an event and act. Raises Ignored, and Unavailable when what it asks for could not be started."""
    actions = git_flow.decide(event, settings.repositories, *settings.branches(event.repository))
    return tuple([await act(client, blobs, settings, action) for action in actions])


async def act(client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, action: Action) -> Answer:
    """Do what an action asks for; asking again finds it done. Raises Ignored when that is nothing, and Unavailable."""
    if isinstance(action, EndChange):
        await asyncio.to_thread(changes.end, blobs, action.repository, action.key, action.why)
        return Answer(ENDED)
    if isinstance(action, LookAgain):
        again = await asyncio.to_thread(changes.turn_green, blobs, action.repository, action.sha, action.name)
        if not again:
            raise Ignored(f"no change failed at {action.sha[:7]} for {action.name} alone")
        return [await act(client, blobs, settings, request) for request in again][-1]
    if isinstance(action, ChangeRequest):
        # Which attempt this is depends on what ended before: reopened, ready again, forced back.
        action = await asyncio.to_thread(changes.begin, blobs, action)
    start = starts(action)
    decision = await start_once(client, blobs, start.orchestrator, start.instance, start.payload)
    page = f"{settings.public_url}/api/{start.page}/{start.instance}" if start.page else ""
    return Answer(decision, start.instance, page)


def starts(action: Action) -> Start:
    """Name the orchestration that an action starts."""
    orchestrator, name, page = _STARTED_BY[type(action)]
    return Start(orchestrator, name(action), asdict(action), page)


# Its orchestrator, the name of its instance, and where people see it.
_STARTED_BY: dict[type[Any], tuple[str, Callable[[Any], str], str]] = {
    ReleaseRequest: ("release", lambda it: git_flow.release_id(it.repository, it.sha), "releases"),
    ChangeRequest: ("pull_request", git_flow.change_id, "changes"),
    GroupRequest: ("merge_group", git_flow.group_id, "changes"),
    LookAtLabel: ("opt_out_preview", git_flow.label_id, ""),
    EvaluationRequest: ("scheduled_evaluation", git_flow.evaluation_id, "evaluations"),
    Ask: ("asked", git_flow.ask_id, ""),
    ToggleOptOut: ("toggle", git_flow.toggle_id, ""),
}

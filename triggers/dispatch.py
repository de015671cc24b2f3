"""From an action to what runs for it, at most once: the one way for webhooks, for polling and for the reconciler."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

import azure.durable_functions as df

from adapters import changes
from adapters.blobs import Blobs
from domain import git_flow
from domain.git_flow import Action, Ask, EndChange, Event, LookAtLabel, ToggleOptOut
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
    """Do what an action asks for; asking again finds it done. Raises Unavailable."""
    if isinstance(action, EndChange):
        await asyncio.to_thread(changes.end, blobs, action.repository, action.number, action.why)
        return Answer(ENDED)
    if isinstance(action, ChangeRequest):
        # Which attempt this is depends on what ended before: reopened, ready again, forced back.
        action = await asyncio.to_thread(changes.begin, blobs, action)
    start = starts(action)
    decision = await start_once(client, blobs, start.orchestrator, start.instance, start.payload)
    page = f"{settings.public_url}/api/{start.page}/{start.instance}" if start.page else ""
    return Answer(decision, start.instance, page)


def starts(action: Action) -> Start:
    """Name the orchestration that an action starts."""
    match action:
        case ReleaseRequest():
            return Start("release", git_flow.release_id(action.repository, action.sha), asdict(action), "releases")
        case ChangeRequest():
            return Start("pull_request", git_flow.change_id(action), asdict(action), "changes")
        case LookAtLabel():
            return Start("opt_out_preview", git_flow.label_id(action), asdict(action))
        case EvaluationRequest():
            return Start("scheduled_evaluation", git_flow.evaluation_id(action), asdict(action), "evaluations")
        case Ask():
            return Start("asked", git_flow.ask_id(action), asdict(action))
        case ToggleOptOut():
            return Start("toggle", git_flow.toggle_id(action), asdict(action))
    raise TypeError(f"{action} starts nothing")

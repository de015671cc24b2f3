"""The environments of each repository, and the way to let promotion go on after a rollback."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import audit, connect, lanes, release_index
from adapters.blobs import Blobs
from domain import blob_names
from domain.approvals import clean_comment
from domain.errors import Conflict, DrawbridgeError, Forbidden, NotFound
from domain.lanes import Hold, Lane
from domain.models import ApprovalRequest
from settings import Settings, current
from triggers import forms, rights
from triggers.answers import action_of_people, done, page, page_for_people, structured
from triggers.identity import Person, person
from triggers.traces import keep_refusal
from triggers.views import Link, environments_page, message_page

bp = df.Blueprint()
log = logging.getLogger("drawbridge.environments")


@bp.route(route="environments", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def environments(req: func.HttpRequest) -> func.HttpResponse:
    """Show what runs in each environment, who deploys, who waits and why, and which is held."""

    async def show() -> func.HttpResponse:
        settings = current()
        who = person(req.headers, settings.authentication)
        known = await asyncio.to_thread(_in_order, connect.blobs(settings))

        def lift(lane: Lane) -> tuple[str, str]:
            if who is None or not rights.perhaps(who, lane.approvers, settings):
                return "", ""
            action = lift_action(lane.repository, lane.environment)
            return action, forms.seal(settings, who, action)

        return page("environments.html", environments_page(known, datetime.now(UTC), lift=lift))

    return await page_for_people(log, req, show)


@bp.route(route="environments/{repository}/{environment}/lift", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def lift_hold(req: func.HttpRequest) -> func.HttpResponse:
    """Let releases be promoted to an environment again, of the repository written as owner.name."""

    async def act(who: Person) -> func.HttpResponse:
        settings = current()
        repository = _configured(req.route_params["repository"], settings)
        environment = req.route_params["environment"]
        fields = forms.read_fields(req, settings, who, lift_action(repository, environment))
        await asyncio.to_thread(_lift, connect.blobs(settings), settings, repository, environment, who, fields)
        structured(log, "hold-lifted", repository=repository, environment=environment, principal=who.name)
        sentence = f"Releases are promoted to {environment} of {repository} again, the first in line at its next look."
        view = message_page("Hold lifted", sentence, links=(Link("Environments", "/api/environments"),))
        body = {"decision": "lifted", "repository": repository, "environment": environment, "reason": sentence}
        return done(req, body, view)

    return await action_of_people(log, req, "lift", act)


def lift_action(repository: str, environment: str) -> str:
    """Return where the form to lift a hold is sent."""
    return f"/api/environments/{_flat(repository)}/{environment}/lift"


def _in_order(blobs: Blobs) -> list[Lane]:
    """Read all lanes, those of one repository in the order in which its newest release passes them."""
    newest, _, _ = release_index.read_page(blobs, 1)
    order: dict[str, list[str]] = {}
    for row in newest:
        deploys = [name.removeprefix("deploy-") for name, _ in row.stages if name.startswith("deploy-")]
        order.setdefault(row.repository.casefold(), deploys)

    def place(lane: Lane) -> tuple[str, int, str]:
        known = order.get(lane.repository.casefold(), [])
        at = known.index(lane.environment) if lane.environment in known else len(known)
        return lane.repository.casefold(), at, lane.environment

    return sorted(lanes.all_lanes(blobs), key=place)


def _lift(
    blobs: Blobs, settings: Settings, repository: str, environment: str, who: Person, fields: dict[str, str]
) -> None:
    place = f"{_flat(repository)}:{environment}:lift"
    lane = lanes.read(blobs, repository, environment) if blob_names.is_id(environment) else None
    try:
        if lane is None or not rights.may(who, lane.approvers, settings, _asked(blobs, lane)):
            raise Forbidden(f"Only the approvers of {environment} may lift its hold: ask one of them.")
        held = _hold(lane, fields.get("hold"))
        # Before it is lifted: whoever is cut off in between sends the form again, and is recorded once.
        audit.record(
            blobs,
            key=f"{place}:{held.at}:{who.name}",
            what="hold-lifted",
            who=who.name,
            subject=held.release,
            details={
                "repository": repository,
                "environment": environment,
                "held": f"by {held.by} since {held.at}: {held.reason}",
                "comment": clean_comment(fields.get("reason", "")),
            },
        )
        lanes.change(blobs, repository, environment, lambda found: _without(found, held))
    except DrawbridgeError as error:
        keep_refusal(blobs, error, place=place, who=who.name, subject=f"{repository}:{environment}", of="lift")
        raise


def _asked(blobs: Blobs, lane: Lane) -> list[ApprovalRequest]:
    releases = {found.release for found in (lane.hold, lane.current) if found}
    return rights.asked(blobs, releases, [lane.environment])


def _hold(lane: Lane, seen: str | None) -> Hold:
    """Return the hold that was seen. Raises Conflict when there is none, or another one by now."""
    if lane.hold is None:
        raise Conflict(f"{lane.environment} is not held any more: there is nothing to lift.")
    if seen and seen != lane.hold.at:
        raise Conflict(
            f"{lane.hold.by} holds {lane.environment} since, for another reason. Look again before you lift it."
        )
    return lane.hold


def _without(lane: Lane, held: Hold) -> Lane:
    _hold(lane, held.at)
    return replace(lane, hold=None)


def _configured(flat: str, settings: Settings) -> str:
    for repository in settings.repositories:
        if _flat(repository) == flat.casefold():
            return repository
    raise NotFound("There is no such repository here: write it as owner.name, as on the page of the environments.")


def _flat(repository: str) -> str:
    return repository.lower().replace("/", ".")

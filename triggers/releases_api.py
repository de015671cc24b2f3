"""What people do to a release besides voting: go back to it, or cancel it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import audit, closing, connect, lanes, records
from adapters.blobs import Blobs
from domain import blob_names, release_news, timeline
from domain.approvals import clean_comment, sign_in_name
from domain.errors import BadRequest, Conflict, DrawbridgeError, Forbidden, Unavailable
from domain.messages_promotion import nothing_to_go_back_to, short
from domain.models import ApprovalRequest, Outcome, ReleaseRecord, Stage
from settings import Settings, current
from triggers import forms, rights
from triggers.answers import action_of_people, done, structured
from triggers.identity import Person
from triggers.start import start_once
from triggers.traces import keep_refusal
from triggers.views import Link, message_page, release_url

ENDED = {"Completed", "Failed", "Canceled", "Terminated"}  # what Durable calls an instance that has ended

bp = df.Blueprint()
log = logging.getLogger("drawbridge.releases")


@bp.route(route="releases/{id}/rollback", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def ask_for_rollback(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Go back to this release in {"environment"}, because of {"reason"}; promotion is held until somebody lifts it."""

    async def act(who: Person) -> func.HttpResponse:
        settings, release = current(), req.route_params["id"]
        blobs = connect.blobs(settings)
        fields = forms.read_fields(req, settings, who, rollback_action(release))
        wanted = await asyncio.to_thread(_want_rollback, blobs, settings, release, fields, who)
        instance = await _next_rollback(client, release, wanted["environment"])
        decision = await start_once(client, blobs, "rollback", instance, wanted)
        await asyncio.to_thread(_trace_rollback, blobs, instance, wanted)
        structured(log, "rollback", decision=decision, instance=instance, principal=who.name)
        url = f"{settings.public_url}/api/environments"
        sentence = (
            f"{wanted['environment']} goes back to {short(release)} as soon as nothing else is deployed there. Nobody "
            "is promoted to it until somebody lifts the hold."
        )
        page = message_page("Rollback", sentence, links=(Link("Follow it", "/api/environments"),))
        return done(req, {"decision": decision, "instance": instance, "url": url}, page)

    return await action_of_people(log, req, "rollback", act)


@bp.route(route="releases/{id}/cancel", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def cancel_release(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """End a release that is on its way, because of {"reason"}. What is deployed stays; nothing that deploys is cut."""

    async def act(who: Person) -> func.HttpResponse:
        settings, release = current(), req.route_params["id"]
        blobs = connect.blobs(settings)
        fields = forms.read_fields(req, settings, who, cancel_action(release))
        record = await asyncio.to_thread(_want_cancel, blobs, settings, release, who)
        reason = clean_comment(fields.get("reason", ""))
        why = f"Cancelled by {who.name}" + (f": {reason}" if reason else ".")
        await _end_instances(client, record, why)
        await asyncio.to_thread(_close, blobs, settings, release, why, who)
        structured(log, "cancel", release=release, principal=who.name)
        view = message_page(
            "Cancelled", f"{why} What is deployed stays.", links=(Link("Release", release_url(release)),)
        )
        return done(req, {"decision": "cancelled", "release": release}, view)

    return await action_of_people(log, req, "cancel", act)


def rollback_action(release: str) -> str:
    """Return where the form to go back to a release is sent."""
    return f"{release_url(release)}/rollback"


def cancel_action(release: str) -> str:
    """Return where the form to cancel a release is sent."""
    return f"{release_url(release)}/cancel"


def may_cancel(who: Person, record: ReleaseRecord, approvers: Iterable[str], settings: Settings) -> bool:
    """Say whether a page offers to cancel a release: to its authors, and to who may be one of the approvers."""
    return _wrote(who, record, settings) or rights.perhaps(who, tuple(approvers), settings)


def _want_rollback(
    blobs: Blobs, settings: Settings, release: str, fields: dict[str, str], who: Person
) -> dict[str, str]:
    """Return what the rollback is to do. Raises Forbidden, Conflict, BadRequest in words for the person."""
    record = records.need_record(blobs, release)
    environment, reason = fields.get("environment", ""), clean_comment(fields.get("reason", ""))
    if not blob_names.is_id(environment):
        raise BadRequest("Say in which environment to go back.")
    with _traced(blobs, who, release, f"rollback of {environment}"):
        lane = lanes.read(blobs, record.repository, environment)
        asked = _asked(blobs, {release, lane.current.release if lane.current else release}, [environment])
        if not rights.may(who, lane.approvers, settings, asked):
            raise Forbidden(f"Only the approvers of {environment} may roll it back: {_names(lane.approvers)}.")
        if not blobs.exists(blob_names.deployed(release, environment)):
            raise Conflict(f"{nothing_to_go_back_to(release, environment)}.")
        if lane.current and lane.current.release == release:
            raise Conflict(f"{short(release)} runs in {environment} already: open the release to go back to.")
        if not reason:
            raise BadRequest("Give a reason: everybody whose promotion is held reads it.")
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"release": release, "environment": environment, "by": who.name, "reason": reason, "at": at}


async def _next_rollback(client: df.DurableOrchestrationClient, release: str, environment: str) -> str:
    """Name the rollback to start: the first that has not ended, so that a form sent twice is one rollback."""
    number = 1
    while True:
        instance = f"{release}.rollback-{environment}-{number}"
        if not await _has_ended(client, instance):
            return instance
        number += 1


def _trace_rollback(blobs: Blobs, instance: str, wanted: dict[str, str]) -> None:
    audit.record(
        blobs,
        key=f"{instance}:asked",
        what="rollback-asked",
        who=wanted["by"],
        subject=wanted["release"],
        details={"environment": wanted["environment"], "reason": wanted["reason"]},
        at=wanted["at"],
    )


def _want_cancel(blobs: Blobs, settings: Settings, release: str, who: Person) -> ReleaseRecord:
    """Return the release to cancel. Raises Forbidden, Conflict in words for the person."""
    record = records.need_record(blobs, release)
    with _traced(blobs, who, release, "cancel"):
        known = lanes.all_lanes(blobs, record.repository)
        approvers = {name for lane in known for name in lane.approvers}
        asked = _asked(blobs, {release}, [lane.environment for lane in known])
        if not (_wrote(who, record, settings) or rights.may(who, approvers, settings, asked)):
            raise Forbidden("Only its authors and the approvers of its environments may cancel a release.")
        if record.outcome is not Outcome.RUNNING:
            raise Conflict(f"This release is over: {record.outcome.value}. There is nothing to cancel.")
        _refuse_while_deploying(blobs, record)
    return record


def _refuse_while_deploying(blobs: Blobs, record: ReleaseRecord) -> None:
    for lane in lanes.all_lanes(blobs, record.repository):
        if lane.holder and lane.holder.release == record.id:
            raise Conflict(
                f"It is being deployed to {lane.environment} right now, and half a deployment helps nobody. Cancel it "
                "when that is over; it rolls back by itself when the deployment goes wrong."
            )


async def _end_instances(client: df.DurableOrchestrationClient, record: ReleaseRecord, why: str) -> None:
    """Terminate the release, and what waits for its turn or for people: Durable does not end the children with it.

    Evaluations and the validation see by themselves that they are cancelled, or end soon: they have jobs to stop.
    """
    waiting = [stage.instance for stage in timeline.current_stages(record) if _waits(stage)]
    for instance in (record.id, *waiting):
        try:
            await client.terminate(instance, why)
        except Exception as error:  # the SDK has no narrower class; also for what ended a moment ago
            if not await _has_ended(client, instance, absent=True):
                raise Unavailable("The release could not be ended yet: send the form again.") from error


def _waits(stage: Stage) -> bool:
    return bool(stage.instance) and stage.name.startswith(
        (timeline.deploy(""), timeline.approve(""), timeline.OVERRIDE)
    )


async def _has_ended(client: df.DurableOrchestrationClient, instance: str, absent: bool = False) -> bool:
    """Say whether an instance is over; `absent` is the answer for one that is not there."""
    try:
        status = await client.get_status(instance)
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(f"nobody knows whether {instance} still runs: try again") from error
    if not status or status.runtime_status is None:
        return absent
    return getattr(status.runtime_status, "name", "") in ENDED


def _close(blobs: Blobs, settings: Settings, release: str, why: str, who: Person) -> None:
    record = records.need_record(blobs, release)  # as its story left it
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    closed = closing.close_release(blobs, record, why, by=who.name, at=at)
    running = [stage.name for stage in timeline.current_stages(record)]
    connect.outbox(settings).post(*release_news.news(closed, running, f"{settings.public_url}/api", {}))


def _asked(blobs: Blobs, releases: Iterable[str], environments: Iterable[str]) -> list[ApprovalRequest]:
    places = [(release, environment) for release in releases for environment in environments]
    return [found for place in places if (found := records.read_request(blobs, *place))]


def _wrote(who: Person, record: ReleaseRecord, settings: Settings) -> bool:
    return who.name.casefold() in {sign_in_name(author, settings.people) for author in record.authors}


def _names(approvers: Iterable[str]) -> str:
    return ", ".join(f"@{name}" for name in approvers) or "its configuration names none"


@contextlib.contextmanager
def _traced(blobs: Blobs, who: Person, release: str, what: str) -> Iterator[None]:
    try:
        yield
    except DrawbridgeError as error:
        keep_refusal(blobs, error, place=f"{release}:{what}", who=who.name, subject=release, of=what)
        raise

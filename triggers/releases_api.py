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
from domain import blob_names, timeline
from domain.approvals import clean_comment, sign_in_name
from domain.errors import BadRequest, Conflict, DrawbridgeError, Forbidden, Unavailable
from domain.lanes import Bar, rollback_name
from domain.messages_promotion import cancelled, going_back, nothing_to_go_back_to, short
from domain.models import Outcome, ReleaseRecord, Stage
from settings import Settings, current
from triggers import forms, rights
from triggers.answers import action_of_people, done, structured
from triggers.identity import Person
from triggers.start import DUPLICATE, next_number, runs, start_once
from triggers.traces import keep_refusal
from triggers.views import Link, message_page, release_url

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
        name = rollback_name(release, wanted["environment"])
        # The first that is not over, so that a form sent twice is one rollback.
        instance = f"{name}-{await next_number(client, blobs, name)}"
        # Before it starts: whoever is cut off in between sends the form again.
        await asyncio.to_thread(_trace_rollback, blobs, instance, wanted)
        decision = await start_once(client, blobs, "rollback", instance, wanted)
        structured(log, "rollback", decision=decision, instance=instance, principal=who.name)
        url = f"{settings.public_url}/api/environments"
        sentence = going_back(release, wanted["environment"], again=decision == DUPLICATE)
        page = message_page("Rollback", sentence, links=(Link("Follow it", "/api/environments"),))
        return done(req, {"decision": decision, "instance": instance, "url": url, "reason": sentence}, page)

    return await action_of_people(log, req, "rollback", act)


@bp.route(route="releases/{id}/cancel", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def cancel_release(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """End a release that is on its way, because of {"reason"}. What is deployed stays; nothing that deploys is cut."""

    async def act(who: Person) -> func.HttpResponse:
        settings, release = current(), req.route_params["id"]
        blobs = connect.blobs(settings)
        fields = forms.read_fields(req, settings, who, cancel_action(release))
        reason = clean_comment(fields.get("reason", ""))
        why = f"Cancelled by {who.name}" + (f": {reason}" if reason else ".")
        record = await asyncio.to_thread(_want_cancel, blobs, settings, release, why, who)
        await _end_instances(client, blobs, release, why)
        closed = await asyncio.to_thread(_close, blobs, settings, record, why, who)
        structured(log, "cancel", release=release, principal=who.name, outcome=closed.outcome)
        if closed.outcome is not Outcome.CANCELLED:
            raise _over(closed)
        sentence = cancelled(closed.id, closed.reason)
        view = message_page("Cancelled", sentence, links=(Link("Release", release_url(release)),))
        return done(req, {"decision": "cancelled", "release": release, "reason": sentence}, view)

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
        asked = rights.asked(blobs, {release, lane.current.release if lane.current else release}, [environment])
        if not rights.may(who, lane.approvers, settings, asked):
            names = _names(lane.approvers)
            raise Forbidden(f"Only the approvers of {environment} may roll it back; ask one of them: {names}.")
        if not blobs.exists(blob_names.deployed(release, environment)):
            raise Conflict(f"{nothing_to_go_back_to(release, environment)}.")
        if lane.current and lane.current.release == release:
            raise Conflict(f"{short(release)} runs in {environment} already: open the release to go back to.")
        if not reason:
            raise BadRequest("Give a reason: everybody whose promotion is held reads it.")
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"release": release, "environment": environment, "by": who.name, "reason": reason, "at": at}


def _trace_rollback(blobs: Blobs, instance: str, wanted: dict[str, str]) -> None:
    audit.record(
        blobs,
        key=f"{instance}:asked:{wanted['at']}",
        what="rollback-asked",
        who=wanted["by"],
        subject=wanted["release"],
        details={"environment": wanted["environment"], "reason": wanted["reason"]},
        at=wanted["at"],
    )


def _want_cancel(blobs: Blobs, settings: Settings, release: str, why: str, who: Person) -> ReleaseRecord:
    """Return the release to cancel, which gets into no lane any more. Raises Forbidden, Conflict for the person.

    One that is cancelled is cancelled again, as far as that did not come to its end.
    """
    record = records.need_record(blobs, release)
    with _traced(blobs, who, release, "cancel"):
        known = lanes.all_lanes(blobs, record.repository)
        approvers = {name for lane in known for name in lane.approvers}
        asked = rights.asked(blobs, {release}, [lane.environment for lane in known])
        if not (_wrote(who, record, settings) or rights.may(who, approvers, settings, asked)):
            raise Forbidden("Only its authors and the approvers of its environments may cancel it: ask one of them.")
        if record.outcome not in (Outcome.RUNNING, Outcome.CANCELLED):
            raise _over(record)
        bar = Bar(record.id, why, datetime.now(UTC).isoformat(), who.name)
        lanes.bar(blobs, record.repository, timeline.environments(record), bar)
    return record


def _over(record: ReleaseRecord) -> Conflict:
    return Conflict(
        f"This release is over: {record.outcome.value}. There is nothing to cancel; to undo it "
        "where it was deployed, go back to an earlier release on that release's page."
    )


async def _end_instances(client: df.DurableOrchestrationClient, blobs: Blobs, release: str, why: str) -> None:
    """Terminate the release, then what waits for its turn or for people: Durable does not end the children with it.

    Evaluations and the validation see by themselves that they are cancelled, or end soon: they have jobs to stop.
    """
    await _end(client, release, why)
    record = await asyncio.to_thread(records.need_record, blobs, release)  # with what it began last
    for stage in timeline.current_stages(record):
        if _waits(stage):
            await _end(client, stage.instance, why)


async def _end(client: df.DurableOrchestrationClient, instance: str, why: str) -> None:
    try:
        await client.terminate(instance, why)
    except Exception as error:  # the SDK has no narrower class; also for what ended a moment ago
        if await runs(client, instance):
            raise Unavailable("The release could not be ended yet: send the form again.") from error


def _waits(stage: Stage) -> bool:
    return bool(stage.instance) and stage.name.startswith(
        (timeline.deploy(""), timeline.approve(""), timeline.OVERRIDE)
    )


def _close(blobs: Blobs, settings: Settings, record: ReleaseRecord, why: str, who: Person) -> ReleaseRecord:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    closed = closing.close_release(blobs, record, why, by=who.name, at=at)
    closing.tell(blobs, connect.outbox(settings), closed, f"{settings.public_url}/api")
    return closed


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

"""Approval links: looking changes nothing, deciding is a form that only the right, signed-in person can send."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

import azure.durable_functions as df
import azure.functions as func

from adapters import connect, records
from adapters.blobs import Blobs
from domain import approvals, blob_names
from domain.errors import BadRequest, Conflict, DrawbridgeError, Forbidden, TooLarge, Unauthorized, Unavailable
from domain.models import ApprovalRequest, Evidence, Vote
from domain.wire import read
from settings import Settings, current
from triggers.answers import page, refusal_page, refused, structured
from triggers.identity import principal, refuse_cross_site
from triggers.views import approval_page, message_page, sign_in_page

MAX_FORM = 64 * 1024  # bytes

bp = df.Blueprint()
log = logging.getLogger("drawbridge.approvals")


@dataclass(frozen=True)
class Case:
    """An approval link that was believed: what it asks, on what evidence, and of whom."""

    token: str
    number: int  # of the approver in the request
    approver: str
    principal: str
    request: ApprovalRequest
    evidence: Evidence


@bp.route(route="approvals/{token}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def approval_form(req: func.HttpRequest) -> func.HttpResponse:
    """Show the evidence and a form. Mail scanners and previews may open this as often as they like."""
    settings, token = current(), req.route_params["token"]
    try:
        return await asyncio.to_thread(_show, req, settings, token)
    except DrawbridgeError as error:
        return _refuse(req, settings, error, "approval-page")


@bp.route(route="approvals/{token}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def approval_vote(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Record one vote, once, and ring for the orchestration that waits."""
    settings, token = current(), req.route_params["token"]
    try:
        refuse_cross_site(req.headers, settings.public_url)
        blobs = connect.blobs(settings)
        case = await asyncio.to_thread(_believe, req, settings, token, blobs)
        vote = _read_vote(req, case, settings)
        open_still = await asyncio.to_thread(_record, case, vote, blobs)
        if open_still:
            # A vote that is recorded counts, even if nobody hears this ring: the deadline reads all votes again.
            await _ring(client, case)
    except DrawbridgeError as error:
        return _refuse(req, settings, error, "vote")
    structured(log, "vote", link=_public_part(token), decision=vote.decision, principal=vote.principal)
    done = "approved" if vote.decision == approvals.APPROVE else "rejected"
    then = "The release goes on from here by itself." if open_still else "The decision has been taken meanwhile."
    sentence = f"You {done} the deployment to {case.request.environment}. {then}"
    return page("message.html", message_page("Recorded", sentence))


async def _ring(client: df.DurableOrchestrationClient, case: Case) -> None:
    bell = approvals.doorbell(case.request.environment, case.number)
    try:
        await client.raise_event(case.request.instance, bell, {"approver": case.approver})
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(
            "Your vote is recorded, but the release could not be told yet. Send the form again."
        ) from error


def _show(req: func.HttpRequest, settings: Settings, token: str) -> func.HttpResponse:
    blobs = connect.blobs(settings)
    case = _believe(req, settings, token, blobs, may_vote=False)
    view = approval_page(
        case.evidence,
        case.request,
        records.read_votes(blobs, case.request),
        datetime.now(UTC),
        viewer=case.approver,
        action=f"/api/approvals/{token}",
        csrf=approvals.form_seal(token, case.principal, case.request.digest, settings.link_secret),
        rows=records.rows_behind(blobs, case.evidence.evaluations),
    )
    return page("approval.html", view)


def _believe(req: func.HttpRequest, settings: Settings, token: str, blobs: Blobs, may_vote: bool = True) -> Case:
    """Check everything about the link and the person before anything is shown or counted."""
    name = principal(req.headers, settings.authentication)
    if not name:
        raise Unauthorized("Sign in to see and decide this approval.")
    link = approvals.read_link(token)
    request = records.read_request(blobs, link.release, link.environment)
    approver = approvals.check_link(link, request, settings.link_secret)
    assert request is not None  # noqa: S101 - check_link refuses a link without a request
    approvals.check_person(approver, name, settings.people)
    if may_vote:
        approvals.check_eligible(name, request, settings.people)
    stored = blobs.read_json(blob_names.evidence(link.release, link.environment, request.round))
    return Case(token, link.approver, approver, name, request, approvals.check_evidence(stored, request))


def _read_vote(req: func.HttpRequest, case: Case, settings: Settings) -> Vote:
    form = _form(req)
    expected = approvals.form_seal(case.token, case.principal, case.request.digest, settings.link_secret)
    if not approvals.same_form(form.get("csrf", ""), expected):
        raise Forbidden("This form is not valid any more. Open the approval link again and use its buttons.")
    if form.get("decision") not in {approvals.APPROVE, approvals.REJECT}:
        raise BadRequest("Choose approve or reject.")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    vote = Vote(
        approver=case.approver,
        principal=case.principal,
        decision=form["decision"],
        comment=approvals.clean_comment(form.get("comment", "")),
        digest=form.get("digest", ""),
        at=now,
    )
    approvals.check_vote(vote, case.request, now)
    return vote


def _record(case: Case, vote: Vote, blobs: Blobs) -> bool:
    """Keep the vote, once, and say whether somebody still waits for it.

    The same form sent twice is one vote. Raises Conflict when the person voted otherwise, or the question is closed.
    """
    where = case.request.release, case.request.environment
    name = blob_names.vote(*where, case.request.round, case.principal)
    door = blob_names.approval_outcome(*where, case.request.round)
    outcome = blobs.read_json(door)
    if outcome is None and blobs.create_json(name, asdict(vote)):
        if blobs.exists(door):
            raise Conflict("The votes were being counted when yours arrived. The release page says whether it counted.")
        return True
    kept = blobs.read_json(name)
    if kept is None:
        raise Conflict(f"The deployment to {case.request.environment} is already decided: {outcome['decision']}.")
    first = read(Vote, kept)
    if (first.decision, first.comment, first.digest) != (vote.decision, vote.comment, vote.digest):
        raise Conflict(f"You have voted already, at {first.at}: {first.decision}. The first vote counts.")
    return outcome is None


def _form(req: func.HttpRequest) -> dict[str, str]:
    body = req.get_body()
    if len(body) > MAX_FORM:
        raise TooLarge("The form is too large: shorten the comment.")
    try:
        fields: dict[str, list[str]] = parse_qs(body.decode("utf-8"), max_num_fields=20, strict_parsing=False)
    except ValueError as error:
        raise BadRequest("The form cannot be read. Open the approval link again and use its buttons.") from error
    return {key: values[0] for key, values in fields.items()}


def _refuse(req: func.HttpRequest, settings: Settings, error: DrawbridgeError, event: str) -> func.HttpResponse:
    """Log who was refused what, and tell the person; who is not signed in can do that and come back."""
    token = req.route_params["token"]
    who = principal(req.headers, settings.authentication)
    refused(log, error, event=event, link=_public_part(token), principal=who)
    if isinstance(error, Unauthorized):
        return page("sign_in_needed.html", sign_in_page(f"/api/approvals/{token}", "decide this approval"), 401)
    return refusal_page(error)


def _public_part(token: str) -> str:
    """Return a link without its secret, for logs; of what is not a whole link, nothing: the secret may be anywhere."""
    parts = token.split("~")
    return "~".join(parts[:3]) if len(parts) == 4 else ""

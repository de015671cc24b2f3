"""What approval and override links share: looking changes nothing; deciding is a form that the right person sends."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial

import azure.durable_functions as df
import azure.functions as func

from adapters import branch_order, connect, debts, lanes, records, votes
from adapters.blobs import Blobs
from domain import approvals, blob_names, evidence_news
from domain.errors import BadRequest, Conflict, DrawbridgeError, Expired, NotFound, Unauthorized, Unavailable
from domain.models import ApprovalRequest, Debt, Evidence, Outcome, ReleaseRecord, Vote
from domain.wire import read
from settings import Settings
from triggers import forms
from triggers.answers import page, refusal_page, refused, structured
from triggers.fresh import Fresh
from triggers.identity import Person, person, principal, refuse_cross_site
from triggers.traces import keep_refusal
from triggers.views import Viewer, approval_page, message_page, replaced_page, sign_in_page

log = logging.getLogger("drawbridge.approvals")
shown: Fresh[func.HttpResponse] = Fresh()


@dataclass(frozen=True)
class Kind:
    """Approval links or override links: where they are, and the words that differ."""

    path: str
    event: str  # in logs and in the audit
    purpose: str
    about: str  # what was decided, for the page that says it is recorded

    def takes(self, environment: str) -> bool:
        """Say whether a question is of this kind."""
        return (environment == approvals.OVERRIDE) is (self.event == "override")


@dataclass(frozen=True)
class Case:
    """A link that was believed: what it asks, on what evidence, and of whom."""

    token: str
    number: int  # of the approver in the request
    approver: str
    person: Person
    request: ApprovalRequest
    evidence: Evidence
    record: ReleaseRecord | None
    debt: Debt | None  # as it stands now


class Replaced(Expired):
    """A link of an earlier round, opened by somebody who is asked again."""

    def __init__(self, request: ApprovalRequest, news: tuple[str, ...], voted: Vote | None, newest: str) -> None:
        super().__init__("New evidence has replaced the one that this link was for.")
        self.request, self.news, self.voted, self.newest = request, news, voted, newest


async def show(req: func.HttpRequest, settings: Settings, kind: Kind) -> func.HttpResponse:
    """Show the evidence and a form. Mail scanners and previews may open this as often as they like."""
    try:
        who = _signed_in(req, settings, kind)
        key = connect.blobs(settings), kind, req.route_params["token"], who
        return await shown.get(key, partial(asyncio.to_thread, _show, req, settings, kind))
    except DrawbridgeError as error:
        return _refuse(req, settings, kind, error, f"{kind.path.removesuffix('s')}-page")


async def take(
    req: func.HttpRequest, client: df.DurableOrchestrationClient, settings: Settings, kind: Kind
) -> func.HttpResponse:
    """Record one vote, once, and ring for the orchestration that waits."""
    token = req.route_params["token"]
    try:
        blobs = connect.blobs(settings)
        case = await asyncio.to_thread(_believe_vote, req, settings, kind, blobs)
        vote, open_still = await asyncio.to_thread(_decide, req, case, settings, kind, blobs)
        if open_still:
            await _ring(client, case)
    except DrawbridgeError as error:
        return _refuse(req, settings, kind, error, kind.event)
    finally:
        shown.forget()
    structured(log, kind.event, link=_public_part(token), decision=vote.decision, principal=vote.principal)
    return page("message.html", _recorded(case, vote, kind, open_still))


def own_number(request: ApprovalRequest, who: Person, settings: Settings) -> int | None:
    """Return which of a request's links is for a person, theirs before one of a group; None when there is none."""
    mine = [
        number
        for number, approver in enumerate(request.approvers)
        if approvals.is_for(approver, who.name, settings.people, who.groups)
    ]
    return min(mine, key=lambda number: request.approvers[number].startswith(approvals.GROUP)) if mine else None


async def _ring(client: df.DurableOrchestrationClient, case: Case) -> None:
    """Wake who waits for the vote. It counts even if nobody hears this: whoever waits looks at all votes by itself.

    A link may be used a moment before the orchestration that waits has begun; that reads the votes first.
    """
    bell = approvals.doorbell(case.request.environment, case.number)
    try:
        await client.raise_event(case.request.instance, bell, {"approver": case.approver})
    except Exception as error:  # the SDK has no narrower class
        log.warning("nobody heard the vote on %s yet: %s", case.request.instance, error)


def _show(req: func.HttpRequest, settings: Settings, kind: Kind) -> func.HttpResponse:
    blobs, token = connect.blobs(settings), req.route_params["token"]
    case = _believe(req, settings, kind, blobs, may_vote=False)
    action = f"/api/{kind.path}/{token}"
    view = approval_page(
        case.evidence,
        case.request,
        records.read_votes(blobs, case.request),
        datetime.now(UTC),
        viewer=_viewer(case, settings),
        action=action,
        csrf=_seal(case, settings),
        rows=records.rows_behind(blobs, case.evidence.evaluations),
        record=case.record,
        debt=case.debt,
    )
    return page("approval.html", view)


def _viewer(case: Case, settings: Settings) -> Viewer:
    name = case.person.name
    return Viewer(case.approver, name, approvals.is_excluded(name, case.request, settings.people))


def _believe(req: func.HttpRequest, settings: Settings, kind: Kind, blobs: Blobs, may_vote: bool = True) -> Case:
    """Check everything about the link and the person before anything is shown or counted."""
    who = _signed_in(req, settings, kind)
    link = approvals.read_link(req.route_params["token"])
    if not kind.takes(link.environment):
        raise NotFound("This link is not complete. Open it again from the pull request's comment.")
    request = records.read_request(blobs, link.release, link.environment)
    try:
        approver = approvals.check_link(link, request, settings.link_secret)
    except NotFound:
        _refuse_replaced(request, who, settings, blobs)
        raise
    assert request is not None  # noqa: S101 - check_link refuses a link without a request
    approvals.check_person(approver, who.name, settings.people, who.groups)
    if may_vote:
        approvals.check_eligible(who.name, request, settings.people)
    stored = blobs.read_json(blob_names.evidence(link.release, link.environment, request.round))
    evidence = approvals.check_evidence(stored, request)
    kept = blobs.read_json(blob_names.record(link.release))
    record = read(ReleaseRecord, kept) if kept else None
    owed = _owed(request, evidence, settings, blobs) if request.debt_open else None
    token = req.route_params["token"]
    return Case(token, link.approver, approver, who, request, evidence, record, owed or evidence.debt)


def _owed(request: ApprovalRequest, evidence: Evidence, settings: Settings, blobs: Blobs) -> Debt | None:
    """Return the debt and what it stands on, both as of now: it is asked about on the way to production only."""
    owed = debts.find(blobs, evidence.repository, evidence.commit.sha)
    production = lanes.read(blobs, evidence.repository, request.environment)
    asked = branch_order.Asked(lambda: connect.github(settings), evidence.repository)
    return debts.stacked(blobs, owed, production, asked) if owed else None


def _believe_vote(req: func.HttpRequest, settings: Settings, kind: Kind, blobs: Blobs) -> Case:
    """Check everything before a vote is taken, and keep who was refused with a link of ours."""
    try:
        case = _believe(req, settings, kind, blobs)
        refuse_cross_site(req.headers, settings.public_url)
        return case
    except (Unauthorized, NotFound, Unavailable):
        raise  # no trace of links that are not ours: anybody could fill the audit log with them
    except DrawbridgeError as error:
        link = approvals.read_link(req.route_params["token"])
        request = records.need_request(blobs, link.release, link.environment)
        _keep_refusal(blobs, error, _signed_in(req, settings, kind), request, kind)
        raise


def _signed_in(req: func.HttpRequest, settings: Settings, kind: Kind) -> Person:
    who = person(req.headers, settings.authentication)
    if not who:
        raise Unauthorized(f"Sign in to see and {kind.purpose}.")
    return who


def _refuse_replaced(request: ApprovalRequest | None, who: Person, settings: Settings, blobs: Blobs) -> None:
    """Tell an approver who comes with an older link what has changed, and where the newest link is."""
    number = own_number(request, who, settings) if request and request.round > 1 else None
    if request is None or number is None:
        return
    voted = records.read_vote(blobs, request, who.name, range(request.round - 1, 0, -1))
    before, now = (
        blobs.read_json(blob_names.evidence(request.release, request.environment, one))
        for one in (request.round - 1, request.round)
    )
    news = evidence_news.changed(read(Evidence, before), read(Evidence, now)) if before and now else ()
    raise Replaced(request, news, voted, approvals.link_path(request, number, settings.link_secret))


def _decide(req: func.HttpRequest, case: Case, settings: Settings, kind: Kind, blobs: Blobs) -> tuple[Vote, bool]:
    """Keep the vote and its trace; return it, and whether somebody still waits for it."""
    try:
        vote = _read_vote(req, case, settings)
        open_still = _record(case, vote, blobs)
    except DrawbridgeError as error:
        _keep_refusal(blobs, error, case.person, case.request, kind)
        raise
    votes.trace(blobs, case.request, vote)
    return vote, open_still


def _keep_refusal(blobs: Blobs, error: DrawbridgeError, who: Person, request: ApprovalRequest, kind: Kind) -> None:
    place = f"{request.release}:{request.environment}:{request.round}"
    about = {"place": place, "subject": request.release, "evidence": request.digest}
    keep_refusal(blobs, error, who=who.name, of=kind.event, **about)


def _read_vote(req: func.HttpRequest, case: Case, settings: Settings) -> Vote:
    form = forms.read_form(req)
    forms.check_seal(form, _seal(case, settings))
    if form.get("decision") not in {approvals.APPROVE, approvals.REJECT}:
        raise BadRequest("Choose approve or reject.")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    vote = Vote(
        approver=case.approver,
        principal=case.person.name,
        decision=form["decision"],
        comment=approvals.clean_comment(form.get("comment", "")),
        digest=form.get("digest", ""),
        at=now,
        waives=case.request.debt_open and form["decision"] == approvals.APPROVE and form.get("waives") == "yes",
    )
    _check_release(case.record)
    approvals.check_vote(vote, case.request, now)
    approvals.check_waiver(vote, case.request, case.debt, now)
    if case.request.environment == approvals.OVERRIDE:
        approvals.check_override(vote)
    return vote


def _check_release(record: ReleaseRecord | None) -> None:
    if record and record.outcome in {Outcome.SUPERSEDED, Outcome.CANCELLED}:
        newer = "Decide about the newer release: its links are on its change and on its page."
        then = (
            newer if record.outcome is Outcome.SUPERSEDED else f"To release this code after all, {approvals.ASK_AGAIN}"
        )
        raise Expired(" ".join(filter(None, (f"This release ended as {record.outcome.value}.", record.reason, then))))


def _record(case: Case, vote: Vote, blobs: Blobs) -> bool:
    """Keep the vote, once, and say whether somebody still waits for it.

    The same form sent twice is one vote. Raises Conflict when the person voted otherwise, or the question is closed.
    """
    where = case.request.release, case.request.environment, case.request.round
    name = blob_names.vote(*where, vote.principal)
    door = blob_names.approval_outcome(*where)
    outcome = blobs.read_json(door)
    if outcome is None and blobs.create_json(name, asdict(vote)):
        if blobs.exists(door):
            raise Conflict("The votes were being counted when yours arrived. The release page says whether it counted.")
        return True
    kept = blobs.read_json(name)
    if kept is None:
        raise Conflict(_shut(case.request, str(outcome["decision"])))
    first = read(Vote, kept)
    if (first.decision, first.comment, first.digest) != (vote.decision, vote.comment, vote.digest):
        raise Conflict(_voted(first))
    return outcome is None


def _voted(first: Vote) -> str:
    stop = "to stop the release after all, ask another approver to reject it, or cancel it on its page."
    then = stop if first.decision == approvals.APPROVE else f"to release this code after all, {approvals.ASK_AGAIN}"
    return f"You have voted already, at {first.at}: {first.decision}. The first vote counts; {then}"


def _shut(request: ApprovalRequest, decision: str) -> str:
    if decision == "replaced":
        return "New evidence is being put before you: open the newest link, on the change or on the release page."
    goes_on = "The release goes on by itself: its page says how far it is."
    then = goes_on if decision == "approved" else f"To release this code after all, {approvals.ASK_AGAIN}"
    return f"{_subject(request)} is already decided: {decision}. {then}"


def _subject(request: ApprovalRequest) -> str:
    return "The override" if request.environment == approvals.OVERRIDE else f"The deployment to {request.environment}"


def _recorded(case: Case, vote: Vote, kind: Kind, open_still: bool) -> object:
    done = "approved" if vote.decision == approvals.APPROVE else "rejected"
    what = kind.about.format(environment=case.request.environment)
    then = "The release goes on from here by itself." if open_still else "The decision has been taken meanwhile."
    waived = " The evaluation debt is waived, and your reason is kept." if vote.waives else ""
    return message_page("Recorded", f"You {done} {what}.{waived} {then}")


def _seal(case: Case, settings: Settings) -> str:
    return approvals.form_seal(case.token, case.person.name, case.request.digest, settings.link_secret)


def _refuse(
    req: func.HttpRequest, settings: Settings, kind: Kind, error: DrawbridgeError, event: str
) -> func.HttpResponse:
    """Log who was refused what, and tell the person; who is not signed in can do that and come back."""
    token = req.route_params["token"]
    who = principal(req.headers, settings.authentication)
    refused(log, error, event=event, link=_public_part(token), principal=who)
    if isinstance(error, Unauthorized):
        return page("sign_in_needed.html", sign_in_page(f"/api/{kind.path}/{token}", kind.purpose), 401)
    if isinstance(error, Replaced):
        view = replaced_page(error.request, error.news, error.voted, error.newest)
        return page("message.html", view, error.status)
    return refusal_page(error)


def _public_part(token: str) -> str:
    """Return a link without its secret, for logs; of what is not a whole link, nothing: the secret may be anywhere."""
    parts = token.split("~")
    return "~".join(parts[:3]) if len(parts) == 4 else ""

"""Who may let a release through, on what evidence, and what their votes come to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from domain.blob_names import is_id
from domain.debts import can_be_waived
from domain.errors import BadRequest, Conflict, Expired, Forbidden, NotFound
from domain.models import ApprovalRequest, Debt, DebtState, Evidence, Vote
from domain.wire import digest_of, read

APPROVE, REJECT = "approve", "reject"
OVERRIDE = "override"  # the environment of a question to those who may override
GROUP = "entra:"  # an approver of this kind is everybody in the group; the rest of it is the group's object id
MAX_COMMENT = 2_000  # characters
SHOWN_BELOW = 5  # commits named at most, of those that bar a waiver
ASK_AGAIN = "merge a new change: its release asks the approvers again."


def approver_name(name: str) -> str:
    """Return an approver of the config as people read it: a person, a team, or everybody in an Entra group."""
    return f"the Entra group {name.removeprefix(GROUP)}" if name.startswith(GROUP) else f"@{name}"


class Decision(StrEnum):
    """What the votes come to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Link:
    """What an approval link says about itself, before anybody believes it."""

    release: str
    environment: str
    approver: int  # index into ApprovalRequest.approvers
    seal: str


def digest(evidence: Evidence) -> str:
    """Return the SHA-256, in hex, of the evidence in canonical JSON: what a vote is bound to."""
    return digest_of(asdict(evidence))


def check_evidence(stored: Any, request: ApprovalRequest) -> Evidence:
    """Return the evidence stored for a request. Raises Conflict when it is not what the approvers were asked about.

    The digest is taken of what is stored, not of what this version reads into it: a field added to the model later
    must not void the questions that are open.
    """
    if digest_of(stored) != request.digest:
        raise Conflict(
            "The evidence is not the one that the approvers were asked about, so no vote on it can count. "
            "Open the link again later; if this stays, bring a new change."
        )
    return read(Evidence, stored)


def link_token(request: ApprovalRequest, approver: int, secret: str) -> str:
    """Return the token of one approver's link. The seal binds it to release, environment, evidence and person."""
    return f"{request.release}~{request.environment}~{approver}~{_seal(request, approver, secret)}"


def link_path(request: ApprovalRequest, approver: int, secret: str) -> str:
    """Return where one approver's link leads, below the site: approvals and overrides are decided on routes apart."""
    route = "overrides" if request.environment == OVERRIDE else "approvals"
    return f"/api/{route}/{link_token(request, approver, secret)}"


def read_link(token: str) -> Link:
    """Take a token apart without believing it. Raises NotFound when it cannot be one of ours."""
    parts = token.split("~")
    if len(parts) != 4 or not all(is_id(part) for part in parts[:2]) or not parts[3] or not _is_number(parts[2]):
        raise NotFound("This approval link is not complete. Open it again from the pull request's comment.")
    return Link(release=parts[0], environment=parts[1], approver=int(parts[2]), seal=parts[3])


def check_link(link: Link, request: ApprovalRequest | None, secret: str) -> str:
    """Return the approver a link was made for. Raises NotFound when its seal does not hold for this request."""
    stale = "This approval link is not valid, or new evidence has replaced it. Look for the newest link on the change."
    if request is None or link.approver >= len(request.approvers):
        raise NotFound(stale)
    expected = _seal(request, link.approver, secret)
    if not hmac.compare_digest(expected.encode(), link.seal.encode("utf-8", "replace")):
        raise NotFound(stale)
    return request.approvers[link.approver]


def sign_in_name(login: str, people: Mapping[str, str]) -> str:
    """Return the name a GitHub login signs in with, for comparing: its own where `people` has no entry."""
    known = {name.casefold(): principal for name, principal in people.items()}
    return known.get(login.casefold(), login).casefold()


def is_for(approver: str, principal: str, people: Mapping[str, str], groups: Collection[str] = ()) -> bool:
    """Say whether a signed-in person is an approver, or in the group that is one.

    `people` maps GitHub logins to sign-in names; a login without an entry signs in under its own name.
    """
    if approver.startswith(GROUP):
        return approver.removeprefix(GROUP).casefold() in {group.casefold() for group in groups}
    return sign_in_name(approver, people) == principal.casefold()


def check_person(approver: str, principal: str, people: Mapping[str, str], groups: Collection[str] = ()) -> None:
    """See that the signed-in person is one this link was made for. Raises Forbidden when it is somebody else."""
    if is_for(approver, principal, people, groups):
        return
    if approver.startswith(GROUP):
        raise Forbidden(
            f"You are signed in as {principal}, and this link is for the group {approver.removeprefix(GROUP)}, which "
            "your sign-in does not name. Sign out and in again; if you are in the group and this stays, let the app's "
            "registration in Entra emit the groups that are assigned to it."
        )
    raise Forbidden(f"You are signed in as {principal}, and this link is for {approver}. Use your own link.")


def is_excluded(principal: str, request: ApprovalRequest, people: Mapping[str, str]) -> bool:
    """Say whether a person may not vote on this release, under whichever login, and through whichever group."""
    return principal.casefold() in {sign_in_name(login, people) for login in request.excluded}


def check_eligible(principal: str, request: ApprovalRequest, people: Mapping[str, str]) -> None:
    """See that a person may vote on this release. Raises Forbidden for those who made it, where that is barred."""
    if is_excluded(principal, request, people):
        raise Forbidden(
            f"{principal} had a part in this release, and {request.environment} bars self-approval. Ask another "
            "approver."
        )


def check_vote(vote: Vote, request: ApprovalRequest, now: str) -> None:
    """See that a vote can count. Raises Conflict when it is on other evidence, Expired when the time is over."""
    if now >= request.expires_at:
        raise Expired(
            f"The time to decide about {request.environment} ended at {request.expires_at}. To release this code "
            f"after all, {ASK_AGAIN}"
        )
    if vote.digest != request.digest:
        raise Conflict("The evidence changed after this page was opened. Open the link again and look at it once more.")


def check_waiver(vote: Vote, request: ApprovalRequest, debt: Debt | None, now: str) -> None:
    """See that an approval in the face of open evaluation debt waives it, and says why. `debt` is as it stands now.

    Raises Conflict when it does not or when nobody can, BadRequest without a reason.
    """
    if not request.debt_open or vote.decision != APPROVE:
        return
    barred = cannot_waive(debt, now)
    if debt is None or barred:
        raise Conflict(barred)
    if not vote.waives:
        raise Conflict(
            "The full evaluation of this release was skipped and is still owed. Wait for tonight's run, which pays "
            f"the debt and brings you new evidence, or tick “Waive the evaluation debt” and say why "
            f"(possible until {debt.expires_at})."
        )
    if not vote.comment:
        raise BadRequest("Say in the comment why the evaluation debt is waived: it stays in the audit log.")


def cannot_waive(debt: Debt | None, now: str) -> str:
    """Say why nobody can waive a debt that was open when the evidence was gathered; nothing when approvers can."""
    if debt and debt.state is DebtState.PAID:
        return "The evaluation debt was paid meanwhile: you are asked again on the new evidence in a moment."
    if debt and debt.state is DebtState.FAILED:
        return "The full evaluation that pays this release's debt failed, so there is nothing left to waive."
    if debt and can_be_waived(debt, now):
        return ""
    if debt and debt.on_top_of:
        shown = ", ".join(commit[:7] for commit in debt.on_top_of[:SHOWN_BELOW])
        more = len(debt.on_top_of) - SHOWN_BELOW
        return (
            f"This release stands on {shown}{f' and {more} more' if more > 0 else ''} (or GitHub did not say that it "
            "does not), of which no full evaluation has passed. While that is so, its debt cannot be waived: their "
            "code would reach production with it, unevaluated. The nightly run pays the debt, and “/evaluate full” on "
            "its change pays it now."
        )
    return (
        f"The evaluation debt expired{f' at {debt.expires_at}' if debt else ''} and cannot be waived any more. "
        "The release goes on when its full evaluation has passed; the nightly run pays the debt."
    )


def check_override(vote: Vote) -> None:
    """See that an override says why. Raises BadRequest without a reason."""
    if not vote.comment:
        raise BadRequest("Give a reason: it is shown on the release for ever, and stays in the audit log.")


def decide(request: ApprovalRequest, votes: Sequence[Vote]) -> Decision:
    """Return what the votes come to: one rejection ends it, enough distinct people open the bridge.

    Votes on other evidence and of people who may not vote do not count, nor does an approval that leaves open debt
    unmentioned. A person counts once, through however many logins and groups.
    """
    allowed = {name.casefold() for name in request.approvers} - {name.casefold() for name in request.excluded}
    counted = [vote for vote in votes if vote.digest == request.digest and vote.approver.casefold() in allowed]
    if any(vote.decision == REJECT for vote in counted):
        return Decision.REJECTED
    return Decision.APPROVED if len(approving(request, counted)) >= request.approvals else Decision.OPEN


def approving(request: ApprovalRequest, votes: Sequence[Vote]) -> set[str]:
    """Return the people whose approval counts."""
    return {
        vote.principal.casefold()
        for vote in votes
        if vote.decision == APPROVE and (vote.waives or not request.debt_open)
    }


def clean_comment(text: str) -> str:
    """Return a comment as it is kept: no control characters but \n and \t, at most MAX_COMMENT characters."""
    flat = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(char for char in flat if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})
    return kept.strip()[:MAX_COMMENT]


def doorbell(environment: str, approver: int) -> str:
    """Name the event that says: this approver has voted. One name per approver, so that each is waited for once."""
    return f"approval:{environment}:{approver}"


def form_seal(token: str, principal: str, evidence_digest: str, secret: str) -> str:
    """Return the form's CSRF token: only this app can make it, and only for this person, link and evidence."""
    return _mac(secret, "form", token, principal.casefold(), evidence_digest)


def same_form(given: str, expected: str) -> bool:
    """Compare CSRF tokens in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def can_be_reached(request: ApprovalRequest, people: Mapping[str, str]) -> bool:
    """Say whether enough people remain once the excluded ones are gone, however many logins each of them has.

    How many people a group has, nobody knows here.
    """
    if any(name.startswith(GROUP) for name in request.approvers):
        return True
    barred = {sign_in_name(login, people) for login in request.excluded}
    return len({sign_in_name(login, people) for login in request.approvers} - barred) >= request.approvals


def _is_number(text: str) -> bool:
    # int() takes other digits than ours, and minutes for thousands of them.
    return text.isascii() and text.isdecimal() and len(text) <= 3


def _seal(request: ApprovalRequest, approver: int, secret: str) -> str:
    return _mac(
        secret,
        "link",
        request.release,
        request.environment,
        request.digest,
        request.approvers[approver],
        request.nonces[approver],
    )


def _mac(secret: str, *parts: str) -> str:
    # JSON keeps the parts apart, so that no two different lists of parts give the same text.
    mac = hmac.new(secret.encode(), json.dumps(parts).encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

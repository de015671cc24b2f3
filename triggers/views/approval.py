"""The page on which a person lets a release through, or does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from domain.approvals import APPROVE, MAX_COMMENT, REJECT, Decision, decide
from domain.models import ApprovalRequest, Evidence, Vote
from triggers.views.common import (
    CommitView,
    DigestView,
    Link,
    Moment,
    change_links,
    commit_view,
    count,
    digest_view,
    moment,
    opt_out_sentence,
    parse_time,
    release_url,
)
from triggers.views.evaluation import CardView, RowsByEvaluation, card
from triggers.views.release import DeploymentView, VoteView, deployment_views, vote_view


class ApprovalState(StrEnum):
    """What the person looking at the page can do, and why."""

    OPEN = "open"
    VOTED = "voted"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    EXCLUDED = "excluded"
    NOT_APPROVER = "not_approver"


@dataclass(frozen=True)
class FormView:
    action: str
    csrf: str
    digest: str
    comment_limit: int


@dataclass(frozen=True)
class ApprovalView:
    title: str
    environment: str
    state: ApprovalState
    tone: str  # "good" | "bad" | "plain"
    standing: str  # the state as a sentence to the person
    release_url: str
    repository: str
    commit: CommitView
    changes: tuple[Link, ...]
    image: DigestView
    opt_outs: tuple[str, ...]
    deployments: tuple[DeploymentView, ...]
    evaluations: tuple[CardView, ...]
    rules: tuple[str, ...]
    votes: tuple[VoteView, ...]
    approved: int
    needed: int
    expires: Moment | None
    digest: DigestView
    form: FormView | None  # only when the person may vote now


def approval_page(
    evidence: Evidence,
    request: ApprovalRequest,
    votes: Sequence[Vote],
    now: datetime,
    *,
    viewer: str,
    action: str,
    csrf: str,
    rows: RowsByEvaluation = MappingProxyType({}),
) -> ApprovalView:
    """Show the evidence and, to those who may vote now, the form.

    `viewer` is the approver the signed-in person is (a GitHub login), empty for anybody else; `action`
    is the address the form posts to; `rows` holds result rows by evaluation id, also of baselines, so that the
    worst rows show their text.
    """
    votes = [vote for vote in votes if vote.digest == request.digest]  # others were about other evidence
    state = approval_state(request, votes, viewer, now)
    tone, standing = _standing(state, request, votes, viewer, now)
    return ApprovalView(
        title=f"Approval for {evidence.environment}: {evidence.commit.sha[:8]}",
        environment=evidence.environment,
        state=state,
        tone=tone,
        standing=standing,
        release_url=release_url(evidence.release),
        repository=evidence.repository,
        commit=commit_view(evidence.commit),
        changes=change_links(evidence.changes),
        image=digest_view(evidence.image.digest),
        opt_outs=tuple(opt_out_sentence(opt_out) for opt_out in evidence.opt_outs),
        deployments=deployment_views(evidence.deployments, now),
        evaluations=tuple(card(summary, now, rows) for summary in evidence.evaluations),
        rules=_rules(request, evidence),
        votes=tuple(vote_view(evidence.environment, vote, now) for vote in votes),
        approved=_approved(votes),
        needed=request.approvals,
        expires=moment(request.expires_at, now),
        digest=digest_view(request.digest),
        form=FormView(action, csrf, request.digest, MAX_COMMENT) if state is ApprovalState.OPEN else None,
    )


def approval_state(request: ApprovalRequest, votes: Sequence[Vote], viewer: str, now: datetime) -> ApprovalState:
    """Decide what the page offers. A decision comes before everything else, since it is what people look for."""
    decision = decide(request, votes)
    expires = parse_time(request.expires_at)
    checks = (
        (decision is Decision.REJECTED, ApprovalState.REJECTED),
        (decision is Decision.APPROVED, ApprovalState.APPROVED),
        (expires is not None and now >= expires, ApprovalState.EXPIRED),
        (_named(viewer, request.excluded), ApprovalState.EXCLUDED),
        (not _named(viewer, request.approvers), ApprovalState.NOT_APPROVER),
        (_named(viewer, [vote.approver for vote in votes]), ApprovalState.VOTED),
    )
    return next((state for holds, state in checks if holds), ApprovalState.OPEN)


def _standing(
    state: ApprovalState, request: ApprovalRequest, votes: Sequence[Vote], viewer: str, now: datetime
) -> tuple[str, str]:
    """Tone and words for a state."""
    environment = request.environment
    missing = request.approvals - _approved(votes)
    waiting = f"{count(missing, 'more approval')} {'is' if missing == 1 else 'are'} needed."
    rejected_by = next((f"@{vote.approver}" for vote in votes if vote.decision == REJECT), "")
    expires = moment(request.expires_at, now)
    return {
        ApprovalState.OPEN: ("plain", f"@{viewer}, you may decide. {waiting}"),
        ApprovalState.VOTED: ("good", f"@{viewer}, your vote is recorded. {waiting}"),
        ApprovalState.APPROVED: ("good", f"Approved for {environment}. There is nothing left to decide here."),
        ApprovalState.REJECTED: (
            "bad",
            f"Rejected by {rejected_by}. The release ended without reaching {environment}.",
        ),
        ApprovalState.EXPIRED: (
            "bad",
            f"This request expired {expires.relative if expires else ''}. No vote counts now.",
        ),
        ApprovalState.EXCLUDED: (
            "bad",
            f"@{viewer}, you wrote part of this release, and {environment} does not allow approving one's own work.",
        ),
        ApprovalState.NOT_APPROVER: (
            "bad",
            f"You are signed in, but not as one of the approvers of {environment}. You may read, not vote.",
        ),
    }[state]


def _rules(request: ApprovalRequest, evidence: Evidence) -> tuple[str, ...]:
    """Sentences on who decides and how."""
    people = ", ".join(f"@{one}" for one in request.approvers if not _named(one, request.excluded))
    own = ", ".join(f"@{login}" for login in request.excluded) or "no approver this time"
    return (
        f"May approve: {people}.",
        f"{count(request.approvals, 'approval')} needed, one vote per person; one rejection ends the release.",
        f"Authors may not approve their own release: {own}."
        if evidence.prevent_self_approval
        else "Authors may approve their own release.",
        "A vote counts for exactly this evidence. If any of it changes, the vote is refused.",
    )


def _approved(votes: Sequence[Vote]) -> int:
    return len({vote.approver.casefold() for vote in votes if vote.decision == APPROVE})


def _named(login: str, logins: Iterable[str]) -> bool:
    return login.casefold() in {other.casefold() for other in logins}

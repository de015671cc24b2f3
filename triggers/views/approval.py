"""The page on which a person lets a release through, overrides what stopped it, or does neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from domain.approvals import (
    GROUP,
    MAX_COMMENT,
    OVERRIDE,
    REJECT,
    Decision,
    approver_name,
    approving,
    cannot_waive,
    decide,
)
from domain.models import ApprovalRequest, Debt, Evidence, Outcome, ReleaseRecord, Vote
from triggers.views.common import (
    CommitView,
    DigestView,
    Link,
    MessageView,
    Moment,
    change_links,
    commit_view,
    count,
    digest_view,
    message_page,
    moment,
    opt_out_sentence,
    ordinal,
    parse_time,
    release_url,
)
from triggers.views.evaluation import CardView, RowsByEvaluation, card
from triggers.views.release import DeploymentView, VoteView, deployment_views, vote_view
from triggers.views.standing import DebtView, OverrideView, SkipView, debt_view, override_views, skip_views


class ApprovalState(StrEnum):
    """What the person looking at the page can do, and why."""

    OPEN = "open"
    VOTED = "voted"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ENDED = "ended"
    EXCLUDED = "excluded"
    NOT_APPROVER = "not_approver"


@dataclass(frozen=True)
class Viewer:
    """Who looks at the page: the approver the link is for (a login or a group), and the name of the person."""

    approver: str = ""  # empty for anybody who is none
    principal: str = ""
    excluded: bool = False

    @property
    def name(self) -> str:
        """How the page speaks to the person."""
        return self.principal if self.approver.startswith(GROUP) else f"@{self.approver}"


@dataclass(frozen=True)
class FormView:
    action: str
    csrf: str
    digest: str
    comment_limit: int
    approve: str  # what the button says; empty when nobody can approve now
    barred: str  # why
    reject: str
    reason_needed: bool
    waiver: bool  # an approval has to waive the evaluation debt


@dataclass(frozen=True)
class ApprovalView:
    title: str
    heading: str
    environment: str
    state: ApprovalState
    tone: str  # "good" | "bad" | "plain"
    standing: str  # the state as a sentence to the person
    instead: Link | None  # where to go from a release that has ended
    release_url: str
    repository: str
    commit: CommitView
    changes: tuple[Link, ...]
    image: DigestView
    opt_outs: tuple[str, ...]  # those without debt: their full evaluation runs, or its debt is settled
    debt: DebtView | None
    refused: tuple[SkipView, ...]
    overrides: tuple[OverrideView, ...]
    deployments: tuple[DeploymentView, ...]
    evaluations: tuple[CardView, ...]
    rules: tuple[str, ...]
    votes: tuple[VoteView, ...]
    approved: int
    needed: int
    round: str  # "2nd"; empty the first time
    expires: Moment | None
    digest: DigestView
    form: FormView | None  # only when the person may vote now


def approval_page(
    evidence: Evidence,
    request: ApprovalRequest,
    votes: Sequence[Vote],
    now: datetime,
    *,
    viewer: Viewer,
    action: str,
    csrf: str,
    rows: RowsByEvaluation = MappingProxyType({}),
    record: ReleaseRecord | None = None,
    debt: Debt | None = None,
) -> ApprovalView:
    """Show the evidence and, to those who may vote now, the form.

    `action` is the address the form posts to; `rows` holds result rows by evaluation id, also of baselines, so that
    the worst rows show their text; `record` is the release as it stands, `debt` its debt as it stands.
    """
    votes = [vote for vote in votes if vote.digest == request.digest]  # others were about other evidence
    state = approval_state(request, votes, viewer, now, record)
    tone, standing = _standing(state, request, votes, viewer, now, record)
    debt = debt or evidence.debt
    return ApprovalView(
        title=f"{_question(request)}: {evidence.commit.sha[:8]}",
        heading=_heading(request, evidence, state),
        environment=evidence.environment,
        state=state,
        tone=tone,
        standing=standing,
        instead=_instead(record) if state is ApprovalState.ENDED else None,
        release_url=release_url(evidence.release),
        repository=evidence.repository,
        commit=commit_view(evidence.commit),
        changes=change_links(evidence.changes),
        image=digest_view(evidence.image.digest),
        opt_outs=() if debt else tuple(opt_out_sentence(opt_out) for opt_out in evidence.opt_outs),
        debt=debt_view(debt, now, evidence.changes) if debt else None,
        refused=skip_views(record.refused_opt_outs, now, evidence.changes) if record else (),
        overrides=override_views(evidence.overrides, now),
        deployments=deployment_views(evidence.deployments, now),
        evaluations=tuple(card(summary, now, rows) for summary in evidence.evaluations),
        rules=_rules(request, evidence),
        votes=tuple(vote_view(evidence.environment, vote, now) for vote in votes),
        approved=len(approving(request, votes)),
        needed=request.approvals,
        round=ordinal(request.round) if request.round > 1 else "",
        expires=moment(request.expires_at, now),
        digest=digest_view(request.digest),
        form=_form(request, debt, now, action, csrf) if state is ApprovalState.OPEN else None,
    )


def replaced_page(request: ApprovalRequest, news: Sequence[str], voted: Vote | None, newest: str) -> MessageView:
    """Tell somebody with an older link what has changed since, and where the newest link is."""
    at = moment(voted.at, datetime.now(UTC)) if voted else None
    shown = f"you {_done(voted)}{f' on {at.text}' if at else ''}" if voted else "this link was for"
    return message_page(
        "New evidence",
        f"New evidence has replaced what {shown}. Votes on the old evidence do not count any more.",
        *news,
        links=(Link("Look at the newest evidence", newest), Link("The release", release_url(request.release))),
        status=410,
        tone="plain",
    )


def approval_state(
    request: ApprovalRequest, votes: Sequence[Vote], viewer: Viewer, now: datetime, record: ReleaseRecord | None = None
) -> ApprovalState:
    """Decide what the page offers. A decision comes before everything else, since it is what people look for."""
    decision = decide(request, votes)
    expires = parse_time(request.expires_at)
    ended = record is not None and record.outcome in {Outcome.SUPERSEDED, Outcome.CANCELLED}
    voters = {vote.principal.casefold() for vote in votes}
    checks = (
        (decision is Decision.REJECTED, ApprovalState.REJECTED),
        (decision is Decision.APPROVED, ApprovalState.APPROVED),
        (ended, ApprovalState.ENDED),
        (expires is not None and now >= expires, ApprovalState.EXPIRED),
        (viewer.excluded, ApprovalState.EXCLUDED),
        (not viewer.approver, ApprovalState.NOT_APPROVER),
        (viewer.principal.casefold() in voters, ApprovalState.VOTED),
    )
    return next((state for holds, state in checks if holds), ApprovalState.OPEN)


def _question(request: ApprovalRequest) -> str:
    return "Override" if request.environment == OVERRIDE else f"Approval for {request.environment}"


def _heading(request: ApprovalRequest, evidence: Evidence, state: ApprovalState) -> str:
    commit, asks = evidence.commit.sha[:8], state is ApprovalState.OPEN
    if request.environment == OVERRIDE:
        verdicts = [one.verdict.value for one in evidence.evaluations if one.kind == "full"]
        return f"Override the {verdicts[-1] if verdicts else ''} full evaluation of {commit}{'?' if asks else ''}"
    return f"Let {commit} into {evidence.environment}?" if asks else f"{commit} into {evidence.environment}"


def _form(request: ApprovalRequest, debt: Debt | None, now: datetime, action: str, csrf: str) -> FormView:
    override = request.environment == OVERRIDE
    barred = cannot_waive(debt, now.strftime("%Y-%m-%dT%H:%M:%SZ")) if request.debt_open else ""
    approve = "Override, and let the release go on" if override else f"Approve for {request.environment}"
    return FormView(
        action=action,
        csrf=csrf,
        digest=request.digest,
        comment_limit=MAX_COMMENT,
        approve="" if barred else approve,
        barred=barred,
        reject="Do not override, and end the release" if override else "Reject and end the release",
        reason_needed=override,
        waiver=request.debt_open and not barred,
    )


def _standing(
    state: ApprovalState,
    request: ApprovalRequest,
    votes: Sequence[Vote],
    viewer: Viewer,
    now: datetime,
    record: ReleaseRecord | None,
) -> tuple[str, str]:
    """Tone and words for a state."""
    what = "the override" if request.environment == OVERRIDE else request.environment
    missing = request.approvals - len(approving(request, votes))
    waiting = f"{count(missing, 'more approval')} {'is' if missing == 1 else 'are'} needed."
    rejected_by = next((_voter(vote) for vote in votes if vote.decision == REJECT), "")
    expires = moment(request.expires_at, now)
    ended = f"The release ended as {record.outcome.value}: {record.reason}" if record else ""
    return {
        ApprovalState.OPEN: ("plain", f"{viewer.name}, you may decide. {waiting}"),
        ApprovalState.VOTED: ("good", f"{viewer.name}, your vote is recorded. {waiting}"),
        ApprovalState.APPROVED: ("good", f"Approved for {what}. There is nothing left to decide here."),
        ApprovalState.REJECTED: ("bad", f"Rejected by {rejected_by}. The release ended without reaching {what}."),
        ApprovalState.EXPIRED: (
            "bad",
            f"This request expired {expires.relative if expires else ''}. No vote counts now.",
        ),
        ApprovalState.ENDED: ("bad", f"{ended} There is nothing left to decide here."),
        ApprovalState.EXCLUDED: (
            "bad",
            f"{viewer.name}, you had a part in this release, and {what} does not allow approving one's own work.",
        ),
        ApprovalState.NOT_APPROVER: (
            "bad",
            f"You are signed in, but not as one of the approvers of {what}. You may read, not vote.",
        ),
    }[state]


def _instead(record: ReleaseRecord | None) -> Link | None:
    newer = record.superseded_by if record else ""
    return Link("the newer release", release_url(newer)) if newer else None


def _rules(request: ApprovalRequest, evidence: Evidence) -> tuple[str, ...]:
    """Sentences on who decides and how."""
    people = ", ".join(_approver(one, request) for one in request.approvers if not _named(one, request.excluded))
    barred = [
        *(["authors"] if evidence.prevent_self_approval else []),
        *(["who merged it"] if evidence.exclude_merger else []),
    ]
    own = ", ".join(f"@{login}" for login in request.excluded) or "no approver this time"
    allowed = () if request.environment == OVERRIDE else ("Authors may approve their own release.",)
    return (
        f"May {'override' if request.environment == OVERRIDE else 'approve'}: {people}.",
        f"{count(request.approvals, 'approval')} needed, one vote per person; one rejection ends the release.",
        *((f"May not approve, as {' and '.join(barred)}: {own}.",) if barred else allowed),
        "A vote counts for exactly this evidence. If any of it changes, the vote is void and you are asked again.",
    )


def _approver(name: str, request: ApprovalRequest) -> str:
    return f"@{name} (of {request.groups[name]})" if name in request.groups else approver_name(name)


def _voter(vote: Vote) -> str:
    return vote.principal if vote.approver.startswith(GROUP) else f"@{vote.approver}"


def _done(vote: Vote) -> str:
    return "rejected" if vote.decision == REJECT else "approved"


def _named(login: str, logins: Iterable[str]) -> bool:
    return login.casefold() in {other.casefold() for other in logins}

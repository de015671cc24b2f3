"""The page of one release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.approvals import GROUP, OVERRIDE
from domain.lanes import Lane, place_in_line
from domain.messages import headline, next_step, stage_title
from domain.messages_promotion import short
from domain.models import Deployment, Outcome, ReleaseRecord, Stage, Vote
from domain.schedules import EvaluationRecord
from triggers.views.common import (
    Chip,
    CommitView,
    Deck,
    DigestView,
    Link,
    Moment,
    between,
    change_links,
    commit_view,
    digest_view,
    evaluation_url,
    image_view,
    moment,
    opt_out_sentence,
    ordinal,
    outcome_chip,
    release_url,
    safe_url,
    stage_chip,
)
from triggers.views.evaluation import CardView, RowsByEvaluation, card
from triggers.views.progress import REFRESH_SECONDS, ProgressView, pause_url, progress_views
from triggers.views.release_list import deck
from triggers.views.standing import DebtView, OverrideView, SkipView, debt_view, override_views, skip_views


@dataclass(frozen=True)
class Ask:
    """A question that is open now and that the reader may answer."""

    environment: str
    url: str


@dataclass(frozen=True)
class Round:
    """The votes of one round of questions; those of earlier rounds are void."""

    environment: str
    number: int
    void: bool
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class FormLink:
    """A form that the reader may send: where it goes, and its seal."""

    action: str
    csrf: str
    about: str = ""  # the environment


@dataclass(frozen=True)
class Surroundings:
    """What the page shows besides the record: as it is now, and for the person who looks."""

    progress: Sequence[Mapping[str, Any]] = ()  # the live status of each running stage, as orchestrations report it
    rows: RowsByEvaluation = field(
        default_factory=dict
    )  # result rows by evaluation id, also of baselines: the text of the worst rows
    asks: Sequence[Ask] = ()
    rounds: Sequence[Round] = ()
    lanes: Sequence[Lane] = ()  # of the release's repository
    others: Sequence[EvaluationRecord] = ()  # of the same commit, but no part of the release
    cancel: FormLink | None = None
    rollbacks: Sequence[FormLink] = ()
    evaluate: FormLink | None = None


@dataclass(frozen=True)
class StageView:
    title: str
    chip: Chip
    duration: str
    started: Moment | None
    detail: str
    url: str


@dataclass(frozen=True)
class DeploymentView:
    environment: str
    url: str
    image: DigestView
    deployed: Moment | None


@dataclass(frozen=True)
class VoteView:
    environment: str
    who: str
    also: str  # the sign-in name, or through which group
    chip: Chip
    comment: str
    waives: bool  # the evaluation debt
    at: Moment | None
    void: bool = False  # new evidence came after it


@dataclass(frozen=True)
class LineView:
    """Where the release stands in line for an environment."""

    environment: str
    place: str  # "2nd"
    why: str
    since: Moment | None


@dataclass(frozen=True)
class OtherView:
    """An evaluation of the same commit that is no part of the release."""

    title: str
    url: str
    chip: Chip
    asked: str
    at: Moment | None


@dataclass(frozen=True)
class AskView:
    sentence: str
    url: str


@dataclass(frozen=True)
class ReleaseView:
    title: str
    heading: str
    repository: str
    branch: str
    commit: CommitView
    changes: tuple[Link, ...]
    chip: Chip
    reason: str
    newer: Link | None  # the release that superseded this one
    next_step: str
    created: Moment | None
    took: str
    asks: tuple[AskView, ...]
    lines: tuple[LineView, ...]
    opt_outs: tuple[str, ...]  # those without debt
    debt: DebtView | None
    overrides: tuple[OverrideView, ...]
    refused: tuple[SkipView, ...]
    deck: Deck
    stages: tuple[StageView, ...]
    progress: tuple[ProgressView, ...]
    evaluations: tuple[CardView, ...]
    others: tuple[OtherView, ...]
    image: DigestView | None
    deployments: tuple[DeploymentView, ...]
    votes: tuple[VoteView, ...]
    notes: tuple[str, ...]
    cancel: FormLink | None
    rollbacks: tuple[FormLink, ...]
    evaluate: FormLink | None
    actions_url: str  # where the forms are, while the page refreshes itself: that would clear what somebody writes
    refresh: int | None
    pause_url: str


NOTHING_AROUND = Surroundings()


def release_page(
    record: ReleaseRecord, now: datetime, around: Surroundings = NOTHING_AROUND, *, refresh: bool = True
) -> ReleaseView:
    """Show one release."""
    running = record.outcome is Outcome.RUNNING
    moving = running and refresh
    offers = bool(around.cancel or around.rollbacks or around.evaluate)
    return ReleaseView(
        title=f"Release {record.commit.sha[:8]}",
        heading=_titles(record)[0],
        repository=record.repository,
        branch=record.branch,
        commit=commit_view(record.commit),
        changes=change_links(record.changes),
        chip=outcome_chip(record.outcome),
        reason=record.reason,
        newer=_newer(record),
        next_step=_next_step(record),
        created=moment(record.created_at, now),
        took=between(record.created_at, None if running else record.updated_at, now),
        asks=tuple(_ask(ask) for ask in around.asks) if running else (),
        lines=_lines(record, around.lanes, now) if running else (),
        opt_outs=() if record.debt else tuple(opt_out_sentence(opt_out) for opt_out in record.opt_outs),
        debt=debt_view(record.debt, now, record.changes) if record.debt else None,
        overrides=override_views(record.overrides, now),
        refused=skip_views(record.refused_opt_outs, now, record.changes),
        deck=deck([(stage.name, stage.state) for stage in record.stages]),
        stages=tuple(_stage(stage, record, now) for stage in record.stages),
        progress=progress_views(around.progress, now) if running else (),
        evaluations=tuple(card(summary, now, around.rows) for summary in record.evaluations),
        others=tuple(_other(one, now) for one in around.others),
        image=image_view(record.image),
        deployments=deployment_views(record.deployments, now),
        votes=_votes(record, around.rounds, now),
        notes=record.notes,
        cancel=around.cancel if running and not moving else None,
        rollbacks=() if moving else tuple(around.rollbacks),
        evaluate=None if moving else around.evaluate,
        actions_url=f"{release_url(record.id)}?refresh=off#actions" if moving and offers else "",
        refresh=REFRESH_SECONDS if moving else None,
        pause_url=pause_url(release_url(record.id), running, refresh),
    )


def deployment_views(deployments: Iterable[Deployment], now: datetime) -> tuple[DeploymentView, ...]:
    return tuple(
        DeploymentView(one.environment, safe_url(one.url), digest_view(one.image.digest), moment(one.deployed_at, now))
        for one in deployments
    )


def vote_view(environment: str, vote: Vote, now: datetime, void: bool = False) -> VoteView:
    chip = Chip("passed", "approved") if vote.decision == "approve" else Chip("rejected", "rejected")
    group = vote.approver.startswith(GROUP)
    principal = "" if vote.principal == vote.approver else vote.principal
    return VoteView(
        environment="the override" if environment == OVERRIDE else environment,
        who=principal if group else f"@{vote.approver}",
        also=f"in the Entra group {vote.approver.removeprefix(GROUP)}" if group else principal,
        chip=chip,
        comment=vote.comment,
        waives=vote.waives,
        at=moment(vote.at, now),
        void=void,
    )


def _votes(record: ReleaseRecord, rounds: Sequence[Round], now: datetime) -> tuple[VoteView, ...]:
    """All votes by round; where none are stored any more, those that the record kept."""
    known = {one.environment for one in rounds}
    kept = [Round(name, 1, False, votes) for name, votes in record.votes.items() if name not in known]
    return tuple(vote_view(one.environment, vote, now, one.void) for one in (*rounds, *kept) for vote in one.votes)


def _newer(record: ReleaseRecord) -> Link | None:
    newer = record.superseded_by
    return Link(f"Release {short(newer)}", release_url(newer)) if newer else None


def _ask(ask: Ask) -> AskView:
    what = "the override of the full evaluation" if ask.environment == OVERRIDE else ask.environment
    return AskView(f"You are asked to decide about {what}.", ask.url)


def _lines(record: ReleaseRecord, lanes: Sequence[Lane], now: datetime) -> tuple[LineView, ...]:
    found = []
    for lane in lanes:
        place = place_in_line(lane, record.id)
        if place:
            waiting = lane.waiting[place - 1]
            found.append(LineView(lane.environment, ordinal(place), waiting.why, moment(waiting.since, now)))
    return tuple(found)


def _other(one: EvaluationRecord, now: datetime) -> OtherView:
    kind = one.state if one.state in {"running", "passed", "failed", "inconclusive", "cancelled"} else "failed"
    asked = f"{one.source}, asked by {one.asked_by}" if one.asked_by else one.source
    title = f"{one.kind.capitalize()} evaluation"
    return OtherView(title, evaluation_url(one.id), Chip(kind, one.state), asked, moment(one.started_at, now))


def _next_step(record: ReleaseRecord) -> str:
    now = f"Now: {headline(record)}. " if record.outcome is Outcome.RUNNING else ""
    return now + next_step(record)


def _titles(record: ReleaseRecord) -> tuple[str, ...]:
    """Titles of the merged changes; after a direct push, and until they are known, the commit stands in."""
    commit = record.commit.message or f"Commit {record.commit.sha[:8]}"
    return tuple(f"{change.title} (#{change.number})" for change in record.changes) or (commit,)


def _stage(stage: Stage, record: ReleaseRecord, now: datetime) -> StageView:
    chip = stage_chip(stage.state, record.opt_outs)
    return StageView(
        title=stage_title(stage.name),
        chip=chip,
        duration=between(stage.started_at, stage.ended_at, now),
        started=moment(stage.started_at, now),
        detail="" if stage.detail == chip.word else stage.detail,
        url=safe_url(stage.url) or _log_url(stage, record),
    )


def _log_url(stage: Stage, record: ReleaseRecord) -> str:
    """What the validation printed is on a page of its own."""
    return f"{release_url(record.id)}/validation" if stage.name == "validate" and stage.ended_at else ""

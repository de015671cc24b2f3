"""The page of one release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from domain.approvals import GROUP
from domain.messages import headline, next_step, stage_title
from domain.models import Deployment, Outcome, ReleaseRecord, Stage, Vote
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
    image_view,
    moment,
    opt_out_sentence,
    outcome_chip,
    parse_time,
    release_url,
    safe_url,
    stage_chip,
)
from triggers.views.evaluation import CardView, RowsByEvaluation, card
from triggers.views.release_list import REFRESH_SECONDS, deck, pause_url


@dataclass(frozen=True)
class StageView:
    title: str
    chip: Chip
    duration: str
    started: Moment | None
    detail: str
    url: str


@dataclass(frozen=True)
class ProgressView:
    anchor: str
    title: str
    done: int
    total: int  # 0 while it is not known
    running_for: str
    expected_end: Moment | None


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
    next_step: str
    created: Moment | None
    took: str
    opt_outs: tuple[str, ...]
    deck: Deck
    stages: tuple[StageView, ...]
    progress: tuple[ProgressView, ...]
    evaluations: tuple[CardView, ...]
    image: DigestView | None
    deployments: tuple[DeploymentView, ...]
    votes: tuple[VoteView, ...]
    notes: tuple[str, ...]
    refresh: int | None
    pause_url: str


def release_page(
    record: ReleaseRecord,
    now: datetime,
    *,
    progress: Sequence[Mapping[str, Any]] = (),
    rows: RowsByEvaluation = MappingProxyType({}),
    refresh: bool = True,
) -> ReleaseView:
    """Show one release.

    `progress` has the live status of each running stage, as orchestrations report it; `rows` holds result
    rows by evaluation id, also of baselines, so that the worst rows show their text.
    """
    running = record.outcome is Outcome.RUNNING
    return ReleaseView(
        title=f"Release {record.commit.sha[:8]}",
        heading=_titles(record)[0],
        repository=record.repository,
        branch=record.branch,
        commit=commit_view(record.commit),
        changes=change_links(record.changes),
        chip=outcome_chip(record.outcome),
        reason=record.reason,
        next_step=_next_step(record),
        created=moment(record.created_at, now),
        took=between(record.created_at, None if running else record.updated_at, now),
        opt_outs=tuple(opt_out_sentence(opt_out) for opt_out in record.opt_outs),
        deck=deck([(stage.name, stage.state) for stage in record.stages]),
        stages=tuple(_stage(stage, record, now) for stage in record.stages),
        progress=_progress(progress, now) if running else (),
        evaluations=tuple(card(summary, now, rows) for summary in record.evaluations),
        image=image_view(record.image),
        deployments=deployment_views(record.deployments, now),
        votes=tuple(vote_view(name, vote, now) for name, votes in record.votes.items() for vote in votes),
        notes=record.notes,
        refresh=REFRESH_SECONDS if running and refresh else None,
        pause_url=pause_url(release_url(record.id), running, refresh),
    )


def deployment_views(deployments: Iterable[Deployment], now: datetime) -> tuple[DeploymentView, ...]:
    return tuple(
        DeploymentView(one.environment, safe_url(one.url), digest_view(one.image.digest), moment(one.deployed_at, now))
        for one in deployments
    )


def vote_view(environment: str, vote: Vote, now: datetime) -> VoteView:
    chip = Chip("passed", "approved") if vote.decision == "approve" else Chip("rejected", "rejected")
    group = vote.approver.startswith(GROUP)
    principal = "" if vote.principal == vote.approver else vote.principal
    return VoteView(
        environment=environment,
        who=principal if group else f"@{vote.approver}",
        also=f"in the Entra group {vote.approver.removeprefix(GROUP)}" if group else principal,
        chip=chip,
        comment=vote.comment,
        waives=vote.waives,
        at=moment(vote.at, now),
    )


def _next_step(record: ReleaseRecord) -> str:
    now = f"Now: {headline(record)}. " if record.outcome is Outcome.RUNNING else ""
    return now + next_step(record)


def _titles(record: ReleaseRecord) -> tuple[str, ...]:
    """Titles of the merged changes; after a direct push the commit's message stands in."""
    return tuple(f"{change.title} (#{change.number})" for change in record.changes) or (record.commit.message,)


def _stage(stage: Stage, record: ReleaseRecord, now: datetime) -> StageView:
    chip = stage_chip(stage.state, record.opt_outs)
    return StageView(
        title=stage_title(stage.name),
        chip=chip,
        duration=between(stage.started_at, stage.ended_at, now),
        started=moment(stage.started_at, now),
        detail="" if stage.detail == chip.word else stage.detail,
        url=safe_url(stage.url),
    )


def _progress(statuses: Sequence[Mapping[str, Any]], now: datetime) -> tuple[ProgressView, ...]:
    return tuple(
        ProgressView(
            anchor=f"progress-{index}",
            title=stage_title(str(status.get("stage", ""))),
            done=int(status.get("done") or 0),
            total=int(status.get("total") or 0),
            running_for=between(status.get("since"), None, now),
            expected_end=_future(status.get("expected_end"), now),
        )
        for index, status in enumerate(statuses, start=1)
    )


def _future(iso: str | None, now: datetime) -> Moment | None:
    """Leave out an expected end that has passed: it would only mislead."""
    time = parse_time(iso)
    return moment(iso, now) if time and time > now else None

"""A change: how its validation stands, what it printed, what its release will evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from domain.changes import ChangeRecord, ChangeState
from domain.messages_changes import title
from domain.models import StageState
from triggers.views.common import ROOT, Chip, Link, Moment, moment, release_url, safe_url, stage_chip
from triggers.views.logs import StepLogView, step_logs
from triggers.views.progress import REFRESH_SECONDS, pause_url
from triggers.views.standing import SkipView, skip_views

_KINDS = {ChangeState.RUNNING: "running", ChangeState.WAITING: "waiting", ChangeState.PASSED: "passed"}
_KINDS |= {ChangeState.FAILED: "failed", ChangeState.SUPERSEDED: "superseded", ChangeState.CANCELLED: "cancelled"}


@dataclass(frozen=True)
class ChangeStepView:
    title: str
    chip: Chip
    detail: str
    url: str


@dataclass(frozen=True)
class ChangeView:
    title: str
    heading: str
    repository: str
    change: Link
    author: str
    head: str
    base: str
    attempt: int
    chip: Chip
    reason: str
    needed: str
    ended: str
    updated: Moment | None
    newer: Link | None  # the page of the newest validation, when this is an earlier one
    release: Link | None
    steps: tuple[ChangeStepView, ...]
    problems: tuple[str, ...]
    forecast: tuple[str, ...]
    preview: tuple[SkipView, ...]
    logs: tuple[StepLogView, ...]
    notes: tuple[str, ...]
    refresh: int | None
    pause_url: str


def change_page(
    record: ChangeRecord,
    now: datetime,
    *,
    lines: Iterable[Mapping[str, Any]] = (),
    instance: str = "",
    release: str = "",
    refresh: bool = True,
) -> ChangeView:
    """Show a change: its newest validation, or the one of `instance`.

    `lines` are what that one printed; `release` is the release that carries the change after its merge.
    """
    current = instance in ("", record.instance)
    running = current and not record.ended and record.state in (ChangeState.WAITING, ChangeState.RUNNING)
    url = change_url(record.repository, record.key)
    chip = Chip(_KINDS[record.state], record.state.value) if current else Chip("superseded", "an earlier validation")
    return ChangeView(
        title=f"Change #{record.number}",
        heading=record.title or f"Change #{record.number}",
        repository=record.repository,
        change=Link(f"#{record.number}", safe_url(record.url)),
        author=record.author,
        head=record.head if current else _sha_of(instance),
        base=record.base,
        attempt=record.attempt if current else 1,
        chip=chip,
        reason=record.reason if current else "",
        needed=record.needed if current else "",
        ended=record.ended if current else "",
        updated=moment(record.updated_at, now),
        newer=None if current else Link("the newest validation", url),
        release=Link(f"release {release.rpartition('-')[2][:8]}", release_url(release)) if release else None,
        steps=_steps(record) if current else (),
        problems=tuple(record.problems.splitlines()) if current else (),
        forecast=record.forecast,
        preview=skip_views([record.preview], now) if record.preview else (),
        logs=step_logs(lines),
        notes=record.notes if current else (),
        refresh=REFRESH_SECONDS if running and refresh else None,
        pause_url=pause_url(url, running, refresh),
    )


def change_url(repository: str, key: int | str) -> str:
    return f"{ROOT}/changes/{quote(repository.lower().replace('/', '.'), safe='')}/{key}"


def _steps(record: ChangeRecord) -> tuple[ChangeStepView, ...]:
    return tuple(
        ChangeStepView(title(step.name), stage_chip(StageState(step.state)), step.detail, safe_url(step.url))
        for step in record.steps
    )


def _sha_of(instance: str) -> str:
    return instance.rpartition("-")[2].partition(".")[0]

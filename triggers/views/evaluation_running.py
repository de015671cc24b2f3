"""An evaluation that has no report: it runs, or it came to no result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.schedules import CANCELLED, RUNNING, EvaluationRecord
from triggers.views.common import Chip, Moment, evaluation_url, moment
from triggers.views.progress import REFRESH_SECONDS, ProgressView, pause_url, progress_views


@dataclass(frozen=True)
class EvaluationRunningView:
    title: str
    repository: str
    chip: Chip
    asked: str
    started: Moment | None
    sentence: str
    progress: tuple[ProgressView, ...]
    refresh: int | None
    pause_url: str


def evaluation_running_page(
    record: EvaluationRecord, now: datetime, progress: Sequence[Mapping[str, Any]] = (), *, refresh: bool = True
) -> EvaluationRunningView:
    """Show how far an evaluation is, or why there is nothing to show."""
    running = record.state == RUNNING
    kind = record.state if record.state in (RUNNING, CANCELLED) else "failed"
    asked = f"{record.source}, asked by {record.asked_by}" if record.asked_by else record.source
    return EvaluationRunningView(
        title=f"{record.kind.capitalize()} evaluation of {record.commit[:8]}",
        repository=record.repository,
        chip=Chip(kind, record.state),
        asked=asked,
        started=moment(record.started_at, now),
        sentence=record.reason or "Its report appears here when all rows are scored.",
        progress=progress_views(progress, now) if running else (),
        refresh=REFRESH_SECONDS if running and refresh else None,
        pause_url=pause_url(evaluation_url(record.id), running, refresh),
    )

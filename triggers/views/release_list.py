"""The list of releases, one page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from domain.messages import stage_title
from domain.models import DebtState, StageState
from domain.release_rows import Row
from triggers.views.common import (
    ROOT,
    Chip,
    CommitView,
    Deck,
    Moment,
    count,
    moment,
    outcome_chip,
    release_url,
    safe_url,
    stage_chip,
)
from triggers.views.progress import REFRESH_SECONDS, pause_url

_OWED = {
    DebtState.OPEN: "owes its full evaluation",
    DebtState.PAYING: "pays its evaluation debt",
    DebtState.PAID: "evaluation debt paid",
    DebtState.FAILED: "evaluation debt not paid: it failed",
    DebtState.WAIVED: "evaluation debt waived",
}


@dataclass(frozen=True)
class ReleaseRow:
    url: str
    repository: str
    commit: CommitView
    titles: tuple[str, ...]
    chip: Chip
    stage: str
    remarks: tuple[str, ...]  # what must be seen: skipped, owed, overridden
    deck: Deck
    created: Moment | None


@dataclass(frozen=True)
class ReleaseListView:
    title: str
    rows: tuple[ReleaseRow, ...]
    page: int
    pages: int
    newer_url: str
    older_url: str
    refresh: int | None  # seconds until the page loads itself again
    pause_url: str


def release_list_page(
    rows: Sequence[Row], now: datetime, *, page: int = 1, pages: int = 1, refresh: bool = True
) -> ReleaseListView:
    """List releases in the order given; the page refreshes itself while one of them runs."""
    running = any(not row.over for row in rows)
    url = f"{ROOT}/releases" if page == 1 else f"{ROOT}/releases?page={page}"
    return ReleaseListView(
        title="Releases",
        rows=tuple(_row(row, now) for row in rows),
        page=page,
        pages=pages,
        newer_url=f"{ROOT}/releases?page={page - 1}" if page > 1 else "",
        older_url=f"{ROOT}/releases?page={page + 1}" if page < pages else "",
        refresh=REFRESH_SECONDS if running and refresh else None,
        pause_url=pause_url(url, running, refresh),
    )


def deck(stages: Sequence[tuple[str, StageState]]) -> Deck:
    """All stages at a glance."""
    planks = tuple(_plank(name, state) for name, state in stages)
    counts = Counter(state.value for _, state in stages)
    return Deck(planks, "Stages: " + ", ".join(f"{many} {state}" for state, many in counts.items()))


@lru_cache(maxsize=1024)  # 50 releases have 500 planks, of a few dozen kinds
def _plank(name: str, state: StageState) -> Chip:
    return Chip(state.value, f"{stage_title(name)}: {stage_chip(state).word}")


def _row(row: Row, now: datetime) -> ReleaseRow:
    more = (f"and {count(row.more, 'more change')}",) if row.more else ()
    return ReleaseRow(
        url=release_url(row.id),
        repository=row.repository,
        commit=CommitView(row.sha, row.sha[:8], safe_url(row.url), row.author, ""),
        titles=(*row.titles, *more),
        chip=outcome_chip(row.outcome),
        stage=_current_stage(row.stages),
        remarks=_remarks(row),
        deck=deck(row.stages),
        created=moment(row.created_at, now),
    )


def _remarks(row: Row) -> tuple[str, ...]:
    skipped = ("full evaluation skipped",) if row.opted_out and row.debt is None else ()
    owed = (_OWED[row.debt],) if row.debt else ()
    return (*skipped, *owed, *(("overridden",) if row.overridden else ()))


def _current_stage(stages: Sequence[tuple[str, StageState]]) -> str:
    begun = [name for name, state in stages if state not in (StageState.WAITING, StageState.CANCELLED)]
    running = [name for name, state in stages if state is StageState.RUNNING]
    return ", ".join(stage_title(name) for name in running or begun[-1:]) or "not started"

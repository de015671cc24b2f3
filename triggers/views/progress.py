"""How far something is that runs, as its orchestration reports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.messages import stage_title
from triggers.views.common import Moment, between, moment, parse_time

REFRESH_SECONDS = 5


@dataclass(frozen=True)
class ProgressView:
    anchor: str
    title: str
    done: int
    total: int  # 0 while it is not known
    running_for: str
    expected_end: Moment | None


def progress_views(statuses: Sequence[Mapping[str, Any]], now: datetime) -> tuple[ProgressView, ...]:
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


def pause_url(url: str, running: bool, refresh: bool) -> str:
    """Where the switch for the automatic refresh leads; none when nothing refreshes anyway."""
    if not running or not refresh:
        return url if running else ""
    return f"{url}{'&' if '?' in url else '?'}refresh=off"


def _future(iso: str | None, now: datetime) -> Moment | None:
    """Leave out an expected end that has passed: it would only mislead."""
    time = parse_time(iso)
    return moment(iso, now) if time and time > now else None

"""What stays with a release and must be seen: evaluation debt, refused opt-outs, overrides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.approvals import SHOWN_BELOW
from domain.debts import is_overdue
from domain.git_flow import release_id
from domain.messages_promotion import overridden
from domain.models import Change, Debt, DebtState, OptOut, Override
from triggers.views.common import (
    Chip,
    Link,
    Moment,
    evaluation_url,
    moment,
    release_url,
    safe_url,
)

_KINDS = {
    DebtState.OPEN: "skipped",
    DebtState.PAYING: "running",
    DebtState.PAID: "passed",
    DebtState.FAILED: "failed",
    DebtState.WAIVED: "inconclusive",
}


@dataclass(frozen=True)
class SkipView:
    """An opt-out: who put which label on which change, why, and when."""

    by: str
    label: str
    change: Link
    reason: str
    refused: str
    at: Moment | None


@dataclass(frozen=True)
class DebtView:
    chip: Chip
    repository: str
    release: Link
    skips: tuple[SkipView, ...]
    owed: str
    below: tuple[Link, ...]  # releases that it stands on and that bar a waiver, as far as they are shown
    more_below: int
    since: Moment | None
    expires: Moment | None
    overdue: bool
    settled: str  # by whom and how; empty while it is open
    settled_at: Moment | None
    evaluation: Link


@dataclass(frozen=True)
class OverrideView:
    sentence: str
    evaluation: Link
    at: Moment | None


def debt_view(debt: Debt, now: datetime, changes: Sequence[Change] = ()) -> DebtView:
    """Show a debt; `changes` are those of its release, for their addresses."""
    overdue = is_overdue(debt, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return DebtView(
        chip=Chip("failed", "overdue") if overdue else Chip(_KINDS[debt.state], debt.state.value),
        repository=debt.repository,
        release=Link(debt.commit[:8], release_url(debt.release)),
        skips=skip_views(debt.opt_outs, now, changes),
        owed=debt.owed,
        below=tuple(
            Link(sha[:8], release_url(release_id(debt.repository, sha))) for sha in debt.on_top_of[:SHOWN_BELOW]
        ),
        more_below=max(0, len(debt.on_top_of) - SHOWN_BELOW),
        since=moment(debt.at, now),
        expires=moment(debt.expires_at, now),
        overdue=overdue,
        settled=_settled(debt),
        settled_at=moment(debt.settled_at, now),
        evaluation=Link("its full evaluation", evaluation_url(debt.evaluation) if debt.evaluation else ""),
    )


def skip_views(opt_outs: Iterable[OptOut], now: datetime, changes: Sequence[Change] = ()) -> tuple[SkipView, ...]:
    urls = {change.number: safe_url(change.url) for change in changes}
    return tuple(
        SkipView(
            one.by,
            one.label,
            Link(f"#{one.change}", urls.get(one.change, "")),
            one.reason,
            one.refused,
            moment(one.at, now),
        )
        for one in opt_outs
    )


def override_views(overrides: Iterable[Override], now: datetime) -> tuple[OverrideView, ...]:
    return tuple(
        OverrideView(
            f"{overridden(one)}".rstrip("."),
            Link("the evaluation", evaluation_url(one.evaluation)),
            moment(one.at, now),
        )
        for one in overrides
    )


def _settled(debt: Debt) -> str:
    detail = f": {debt.detail}" if debt.detail else ""
    return {
        DebtState.OPEN: debt.detail,
        DebtState.PAYING: "its full evaluation runs now",
        DebtState.PAID: f"paid{detail}",
        DebtState.FAILED: f"its full evaluation did not pass{detail}",
        DebtState.WAIVED: debt.detail or f"waived by {debt.settled_by}",
    }[debt.state]

"""What runs where, who deploys, who waits and why, and what is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.approvals import approver_name
from domain.lanes import Lane, Waiting
from domain.messages_promotion import short
from triggers.views.common import (
    DigestView,
    Link,
    Moment,
    digest_view,
    moment,
    release_url,
    safe_url,
)


@dataclass(frozen=True)
class WaitingView:
    release: Link
    why: str
    since: Moment | None


@dataclass(frozen=True)
class HoldView:
    by: str
    reason: str
    at: Moment | None
    release: Link
    action: str  # where the form to lift it goes; empty for who may not
    csrf: str
    seen: str  # which hold it is, so that nobody lifts another one


@dataclass(frozen=True)
class EnvironmentView:
    anchor: str
    name: str
    release: Link | None  # what runs there
    url: str
    image: DigestView | None
    since: Moment | None
    deploying: Link | None
    deploying_since: Moment | None
    waiting: tuple[WaitingView, ...]
    hold: HoldView | None
    approvers: str


@dataclass(frozen=True)
class RepositoryView:
    name: str
    environments: tuple[EnvironmentView, ...]


@dataclass(frozen=True)
class EnvironmentsView:
    title: str
    repositories: tuple[RepositoryView, ...]


def environments_page(
    lanes: Sequence[Lane], now: datetime, *, lift: Callable[[Lane], tuple[str, str]] = lambda _: ("", "")
) -> EnvironmentsView:
    """Show all lanes, in the order given; `lift` returns address and seal of the form to lift a lane's hold."""
    names = dict.fromkeys(lane.repository for lane in lanes)
    repositories = (
        RepositoryView(name, tuple(_environment(lane, now, lift) for lane in lanes if lane.repository == name))
        for name in names
    )
    return EnvironmentsView("Environments", tuple(repositories))


def release_link(release: str) -> Link:
    return Link(short(release), release_url(release))


def _environment(lane: Lane, now: datetime, lift: Callable[[Lane], tuple[str, str]]) -> EnvironmentView:
    current, holder = lane.current, lane.holder
    return EnvironmentView(
        anchor=f"{lane.repository.replace('/', '.')}-{lane.environment}",
        name=lane.environment,
        release=release_link(current.release) if current else None,
        url=safe_url(current.url) if current else "",
        image=digest_view(current.image.digest) if current else None,
        since=moment(current.at, now) if current else None,
        deploying=release_link(holder.release) if holder else None,
        deploying_since=moment(holder.since, now) if holder else None,
        waiting=tuple(_waiting(one, now) for one in lane.waiting),
        hold=_hold(lane, now, lift),
        approvers=", ".join(map(approver_name, lane.approvers)) or "nobody: it is deployed to without asking",
    )


def _waiting(one: Waiting, now: datetime) -> WaitingView:
    return WaitingView(release_link(one.release), one.why, moment(one.since, now))


def _hold(lane: Lane, now: datetime, lift: Callable[[Lane], tuple[str, str]]) -> HoldView | None:
    if lane.hold is None:
        return None
    held = lane.hold
    action, csrf = lift(lane)
    return HoldView(held.by, held.reason, moment(held.at, now), release_link(held.release), action, csrf, held.at)

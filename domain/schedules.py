"""Evaluations that are no part of a release: when the nightly one is due, who may ask for one, what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.commands import KINDS
from domain.errors import BadRequest, Forbidden
from domain.git_flow import evaluation_id
from domain.models import EvaluationRequest

CONTINUOUS, ON_DEMAND, NIGHTLY = "continuous", "on-demand", "nightly"  # sources
RUNNING, ERROR, CANCELLED = "running", "error", "cancelled"  # states besides the verdicts
WRITERS = frozenset({"admin", "maintain", "write"})

# A last date further ahead than this was written by a wrong clock: waiting for it would mean waiting for years.
_BELIEVABLE = timedelta(days=1)
_SHA = re.compile(r"[0-9a-f]{7,40}")
_REF = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\/.-][^\x00-\x20\x7f~^:?*\[\\]{0,244}")


@dataclass(frozen=True)
class EvaluationRecord:
    """An evaluation that is no part of a release, as pages list it and follow it while it runs."""

    id: str
    repository: str
    commit: str
    kind: str
    source: str
    asked_by: str
    started_at: str
    instance: str  # the orchestration that evaluates; its children tell the progress
    state: str = RUNNING  # or a verdict, ERROR, CANCELLED
    reason: str = ""
    change: int | None = None


def due(now: datetime, nightly_at: time, zone: ZoneInfo, last: date | None) -> date | None:
    """Return the date whose nightly run is to be started now, None when there is none.

    It is the newest date whose hour has come by the clocks of `zone`, however late it is; missed ones before it are
    not made up for. `last` is the date that was started last. An hour that the clocks skip counts from where they
    jump to, of one that they repeat the first.
    """
    today = now.astimezone(zone).date()
    at = datetime.combine(today, nightly_at.replace(tzinfo=None, fold=0), zone).astimezone(UTC)
    newest = today if now >= at else today - timedelta(days=1)
    if last is not None and newest <= last <= newest + _BELIEVABLE:
        return None
    return newest


def may_write(permission: str) -> bool:
    """Say whether a permission on a repository is enough to start an evaluation."""
    return permission in WRITERS


def login_of(principal: str, people: Mapping[str, str]) -> str:
    """Return the GitHub login of a signed-in person: who has no entry in `people` has one name for both.

    Raises Forbidden for a name that is somebody else's login.
    """
    for login, name in people.items():
        if name.casefold() == principal.casefold():
            return login
    if principal.casefold() in {login.casefold() for login in people}:
        raise Forbidden(
            f"You are signed in as {principal}, which is the GitHub login of somebody else here. Have your own login "
            "put into DRAWBRIDGE_PEOPLE by who runs this app."
        )
    return principal


def check_kind(kind: str) -> str:
    """Return the kind of an evaluation that people may ask for. Raises BadRequest."""
    if kind not in KINDS:
        raise BadRequest(f"There is no evaluation {kind!r}: ask for kind minimal or full.")
    return kind


def check_ref(ref: str) -> str:
    """Return what can be the name of a branch or tag. Raises BadRequest."""
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if not _REF.fullmatch(name):
        raise BadRequest(f"{ref[:60]!r} cannot be the name of a branch or tag: write it as in GitHub, such as main.")
    return name


def check_sha(sha: str) -> str:
    """Return what can be a commit's sha, whole or its beginning. Raises BadRequest."""
    if not _SHA.fullmatch(sha.lower()):
        raise BadRequest(f"{sha[:60]!r} is not a commit: expected at least 7 of its 40 hexadecimal digits.")
    return sha.lower()


def opened(request: EvaluationRequest, at: str) -> EvaluationRecord:
    """Return what is kept of an evaluation from the moment it was asked for."""
    name = evaluation_id(request)
    return EvaluationRecord(
        id=name,
        repository=request.repository,
        commit=request.sha,
        kind=request.kind,
        source=request.source,
        asked_by=request.asked_by,
        started_at=at,
        instance=running_instance(name),
        change=request.change,
    )


def running_instance(evaluation: str) -> str:
    """Name the orchestration that evaluates, a child of the one that bears the evaluation's own name."""
    return f"{evaluation}.run"

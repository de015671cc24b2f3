"""Whose turn it is in an environment: one deployment at a time, the older commit first, never back by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain import messages_promotion as messages
from domain.audit import APP
from domain.branch_line import Place, counts
from domain.config import Environment
from domain.errors import Conflict
from domain.models import Deployment, Image
from domain.windows import next_open, parse_window

# Who has not been back for this long after it wanted to look again does not keep the others waiting.
MISSED = timedelta(minutes=10)


@dataclass(frozen=True)
class Occupant:
    """What runs in the environment. `position` is its commit's place on the branch: a newer one's is greater."""

    release: str
    sha: str
    position: int
    image: Image
    at: str
    url: str = ""


@dataclass(frozen=True)
class Holder:
    """Who deploys now: a release on its way, or a rollback to one, which is somebody else."""

    release: str
    since: str
    rollback: bool = False


@dataclass(frozen=True)
class Waiting:
    """Who wants to deploy, and why not yet. `back` is when it looks again."""

    release: str
    sha: str
    position: int
    since: str
    why: str
    back: str
    ready: bool  # nothing of its own holds it back, only the environment
    rollback: bool = False


@dataclass(frozen=True)
class Hold:
    """Nobody is promoted until somebody lifts it: after a rollback."""

    by: str
    reason: str
    at: str
    release: str  # the one that was gone back to


@dataclass(frozen=True)
class Bar:
    """A release gets in no more: somebody is cancelling it. It is gone when the release is over."""

    release: str
    why: str
    at: str
    by: str = APP


@dataclass(frozen=True)
class Lane:
    """One environment of one repository."""

    repository: str
    environment: str
    current: Occupant | None = None
    holder: Holder | None = None
    waiting: tuple[Waiting, ...] = ()
    hold: Hold | None = None
    approvers: tuple[str, ...] = ()  # as the newest release's config names them
    newest: int = 0  # that release's position
    barred: tuple[Bar, ...] = ()
    newest_sha: str = ""


@dataclass(frozen=True)
class Turn:
    """A release that wants to deploy to an environment."""

    release: str
    sha: str
    position: int
    earlier: str | None = None  # since when it has been in the environment before
    rollback: bool = False  # asked for by a person: may go back, and through a hold or a closed window


class Answer(StrEnum):
    """What becomes of a turn."""

    ENTERED = "entered"
    WAITS = "waits"
    SUPERSEDED = "superseded"
    BARRED = "barred"  # cancelled, or about to be


@dataclass(frozen=True)
class Entry:
    """The answer in words; `until` is when it pays to look again, where that is known."""

    answer: Answer
    why: str = ""
    until: str = ""
    by: str = ""  # the release that superseded it
    own: bool = False  # it waits for something of its own, so nobody waits behind it


Newer = Mapping[str, bool]  # by commit: is it newer than the one that asks? As GitHub says it, where counts do not tell


def enter(
    lane: Lane, turn: Turn, environment: Environment, now: datetime, look: timedelta, newer: Newer
) -> tuple[Lane, Entry]:
    """Let a release in, or say why not. Returns the lane as it stands then. Asked again, a holder is in already.

    `newer` speaks of the commits that `uncounted` names; of one that it leaves out nobody knows yet.
    """
    if not turn.rollback and _is_newer(Place(lane.newest_sha, lane.newest), turn.position, newer) is False:
        # An older config must not bring back who may act here.
        approvers = tuple(environment.approvers)
        lane = replace(lane, approvers=approvers, newest=turn.position, newest_sha=turn.sha)
    entry = _ask(lane, turn, environment, now, newer)
    others = tuple(one for one in lane.waiting if not _is(one, turn.release, turn.rollback))
    if entry.answer is Answer.WAITS:
        return replace(lane, waiting=_in_order((*others, _wait(lane, turn, entry, now, look)))), entry
    holder = lane.holder
    if entry.answer is Answer.ENTERED and not _is(holder, turn.release, turn.rollback):
        holder = Holder(turn.release, _text(now), turn.rollback)
    return replace(lane, waiting=others, holder=holder), entry


def leave(lane: Lane, release: str, deployed: Occupant | None = None, rollback: bool = False) -> Lane:
    """Take a release, or the rollback to it, out of the lane, and keep what it deployed."""
    waiting = tuple(one for one in lane.waiting if not _is(one, release, rollback))
    if not _is(lane.holder, release, rollback):
        return replace(lane, waiting=waiting)  # told late, by a step that runs again: somebody else is at work
    return replace(lane, holder=None, waiting=waiting, current=deployed or lane.current)


def bar(lane: Lane, wanted: Bar) -> Lane:
    """Let a release in no more. Raises Conflict while it deploys: that is seen through."""
    if _is(lane.holder, wanted.release, rollback=False):
        raise Conflict(messages.deploys_now(lane.environment))
    return lane if wanted in lane.barred else replace(lane, barred=(*lane.barred, wanted))


def unbar(lane: Lane, unwanted: Bar) -> Lane:
    """Take one bar back; those of others stay."""
    return replace(lane, barred=tuple(one for one in lane.barred if one != unwanted))


def forget(lane: Lane, release: str) -> Lane:
    """Take a release that is over out of the lane: from now on its record says that it gets in no more."""
    left = leave(lane, release)
    return replace(left, barred=tuple(one for one in left.barred if one.release != release))


def rollbacks(lane: Lane) -> tuple[str, ...]:
    """Return the releases that somebody goes back to in the lane, or wants to."""
    there: list[Holder | Waiting] = [*([lane.holder] if lane.holder else []), *lane.waiting]
    return tuple(dict.fromkeys(one.release for one in there if one.rollback))


def rollback_name(release: str, environment: str) -> str:
    """Name the rollbacks to a release, but for their number."""
    return f"{release}.rollback-{environment}"


def occupy(deployment: Deployment, turn: Turn) -> Occupant:
    """Return what runs in an environment after a turn."""
    return Occupant(turn.release, turn.sha, turn.position, deployment.image, deployment.deployed_at, deployment.url)


def uncounted(lane: Lane, release: str, position: int) -> set[Place]:
    """Return the lane's commits of which counting does not tell whether they are newer than this release's."""
    there = {Place(lane.newest_sha, lane.newest)} if lane.newest_sha else set()
    if lane.current and lane.current.release != release:
        there.add(Place(lane.current.sha, lane.current.position))
    return {one for one in there if not counts(one.position, position)}


def overtaken_by(lane: Lane, release: str, position: int, newer: Newer) -> str | None:
    """Return the newer release that runs in the environment already, "" without one, None when nobody knows yet."""
    current = lane.current
    if current is None or current.release == release:
        return ""
    past = _is_newer(Place(current.sha, current.position), position, newer)
    return None if past is None else current.release if past else ""


def place_in_line(lane: Lane, release: str) -> int:
    """Return a release's place among those that wait, from 1; 0 when it does not wait."""
    return next((number for number, one in enumerate(lane.waiting, 1) if _is(one, release, rollback=False)), 0)


def _ask(lane: Lane, turn: Turn, environment: Environment, now: datetime, newer: Newer) -> Entry:
    if _is(lane.holder, turn.release, turn.rollback):
        return Entry(Answer.ENTERED)
    barred = next((one for one in lane.barred if one.release == turn.release), None)
    if barred and not turn.rollback:
        return Entry(Answer.BARRED, barred.why)
    held_back = None
    if not turn.rollback:
        held_back = _overtaken(lane, turn, newer) or _own_or_common(lane, turn, environment, now)
    return held_back or _behind_others(lane, turn, now) or Entry(Answer.ENTERED)


def _overtaken(lane: Lane, turn: Turn, newer: Newer) -> Entry | None:
    past = overtaken_by(lane, turn.release, turn.position, newer)
    if past is None and lane.current:
        return Entry(Answer.WAITS, messages.order_unknown(lane.current.release), own=True)
    return Entry(Answer.SUPERSEDED, messages.superseded(lane.environment, past), by=past) if past else None


def _is_newer(other: Place, position: int, newer: Newer) -> bool | None:
    if not other.sha or counts(other.position, position):
        return other.position > position
    return newer.get(other.sha)


def _own_or_common(lane: Lane, turn: Turn, environment: Environment, now: datetime) -> Entry | None:
    soaked = _soaked(turn, environment)
    if soaked and soaked > now:
        return Entry(Answer.WAITS, messages.soaks(environment, _text(soaked)), _text(soaked), own=True)
    if lane.hold:
        return Entry(Answer.WAITS, messages.held(lane.hold.by, lane.hold.reason))
    opens = next_open(parse_window(environment.window), now) if environment.window else now
    if opens > now:
        return Entry(Answer.WAITS, messages.window_closed(environment, _text(opens)), _text(opens))
    return None


def _behind_others(lane: Lane, turn: Turn, now: datetime) -> Entry | None:
    if lane.holder:
        return Entry(Answer.WAITS, messages.behind(lane.holder.release, lane.environment, deploys=True))
    first = next((one for one in lane.waiting if one.ready and not _missed(one, now)), None)
    ahead = first and not turn.rollback and first.release != turn.release and first.position < turn.position
    return Entry(Answer.WAITS, messages.behind(first.release, lane.environment)) if first and ahead else None


def _soaked(turn: Turn, environment: Environment) -> datetime | None:
    if not environment.soak or turn.earlier is None:
        return None
    return datetime.fromisoformat(turn.earlier) + timedelta(seconds=environment.soak)


def _wait(lane: Lane, turn: Turn, entry: Entry, now: datetime, look: timedelta) -> Waiting:
    known = next((one for one in lane.waiting if _is(one, turn.release, turn.rollback)), None)
    since = known.since if known else _text(now)
    back = max(entry.until, _text(now + look))
    return Waiting(turn.release, turn.sha, turn.position, since, entry.why, back, not entry.own, turn.rollback)


def _is(one: Holder | Waiting | None, release: str, rollback: bool) -> bool:
    return one is not None and (one.release, one.rollback) == (release, rollback)


def _missed(one: Waiting, now: datetime) -> bool:
    return datetime.fromisoformat(one.back) + MISSED < now


def _in_order(waiting: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
    return tuple(sorted(waiting, key=lambda one: (one.position, one.since)))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

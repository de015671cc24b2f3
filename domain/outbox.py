"""What GitHub is to be told, and when: messages, their order, and the pace that GitHub allows. Nothing here sends.

A message is the state that something on GitHub should have. Its subject names that thing; of two messages about one
subject only the newer one counts. Times are UTC: `at` in ISO 8601 by the clock of whoever says it, all others in
seconds since 1970 by the clock of whoever delivers it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from domain.errors import Conflict
from domain.wire import read

PAUSE = 15.0  # seconds that a message waits for a newer one which makes it needless, unless it is urgent
PER_MINUTE, PER_HOUR = 80, 500  # content that GitHub lets one sign-in write
SKEW = 300.0  # seconds that two clocks may differ; a time further ahead was told by a wrong one
FIRST_BACK_OFF, LONGEST_BACK_OFF = 15.0, 120.0  # seconds until a message is tried again after GitHub was away
LONGEST_OUTAGE_PAUSE = 60.0  # seconds until anything is tried again
LONGEST_LIMIT = 3_600.0  # seconds until GitHub's limits begin anew
STALE = 13 * 86_400.0  # seconds; GitHub gives up on a check that is in progress for 14 days
ANNOTATIONS = 50  # that GitHub takes with one request


@dataclass(frozen=True)
class Message:
    """The state that something on GitHub should have. URGENT: people wait for it, so it is delivered at once."""

    kind: ClassVar[str]
    named_by: ClassVar[tuple[str, ...]]  # the fields that tell it from others of its kind in the repository

    repository: str  # owner/name
    at: str = field(kw_only=True)
    urgent: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Raise ValueError for a time that cannot be compared with others."""
        if datetime.fromisoformat(self.at).tzinfo is None:
            raise ValueError(f"{self.at!r} does not say that it is UTC")

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others of its kind in the repository."""
        return tuple(getattr(self, name) for name in self.named_by)

    @property
    def writes(self) -> int:
        """How many writes it takes at most."""
        return 1

    @property
    def subject(self) -> str:
        """Name what it is about; also a blob's name."""
        return subjects(self.repository) + "/".join(_part(str(part)) for part in (self.kind, *self.key))

    @property
    def digest(self) -> str:
        """Tell whether two messages say the same, whenever they say it."""
        said = {name: value for name, value in asdict(self).items() if name not in ("at", "urgent")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Annotation:
    """A remark on a line of a file."""

    path: str
    line: int
    text: str
    level: str = "failure"  # notice | warning | failure


@dataclass(frozen=True)
class Button:
    """What people may ask for on a check; GitHub sends the identifier back when it is pressed."""

    identifier: str
    label: str  # up to 20 characters
    description: str  # up to 40 characters


@dataclass(frozen=True)
class Status(Message):
    """How a stage stands on a commit: a check run when signed in as the App, else a commit status.

    `state` is waiting, running, passed, failed, inconclusive, skipped, rejected, expired, superseded or cancelled.
    """

    kind = "status"
    named_by = ("sha", "context")

    sha: str
    context: str
    state: str
    description: str
    url: str  # where its details are
    summary: str = ""  # Markdown, shown with a check run
    annotations: tuple[Annotation, ...] = ()
    buttons: tuple[Button, ...] = ()
    external_id: str = ""  # the release or change; another one on the same commit gets a check run of its own

    @property
    def writes(self) -> int:
        """One for each lot of annotations."""
        return max(1, -(-len(self.annotations) // ANNOTATIONS))


@dataclass(frozen=True)
class Comment(Message):
    """The one comment with a marker on a change, or on the commit without one; updated in place."""

    kind = "comment"

    change: int | None
    sha: str
    marker: str
    body: str
    link: str = ""  # where the rest stands when the body is too long for GitHub

    @property
    def key(self) -> tuple[object, ...]:
        """A marker on a change or commit."""
        return self.change or self.sha, self.marker


@dataclass(frozen=True)
class Reply(Message):
    """A new comment on a change, written once and never changed."""

    kind = "reply"
    named_by = ("change", "marker")

    change: int
    marker: str
    body: str
    link: str = ""


@dataclass(frozen=True)
class DeploymentState(Message):
    """How a release's deployment to an environment goes, in GitHub's own words for states."""

    kind = "deployment"
    named_by = ("environment", "release")

    sha: str
    environment: str
    release: str
    state: str
    description: str
    environment_url: str
    log_url: str

    @property
    def writes(self) -> int:
        """The deployment and its status."""
        return 2


@dataclass(frozen=True)
class Label(Message):
    """Whether a label is on a change; the repository gets it when it is missing there."""

    kind = "label"

    change: int
    label: str
    on: bool
    occasion: str = ""  # on another one it is put on again, though somebody took it off meanwhile

    @property
    def key(self) -> tuple[object, ...]:
        """A label on a change."""
        return self.change, self.label.casefold()


@dataclass(frozen=True)
class Merge(Message):
    """A change is to be merged as it is at this head and into this branch, and into no other."""

    kind = "merge"
    named_by = ("change", "sha")

    change: int
    sha: str  # the head
    method: str  # merge | squash | rebase
    title: str
    base: str  # the branch


@dataclass(frozen=True)
class Issue(Message):
    """The one issue with a marker: opened, updated, closed, and opened again when it comes back."""

    kind = "issue"
    named_by = ("marker",)

    marker: str
    title: str
    body: str
    open: bool
    labels: tuple[str, ...] = ()
    link: str = ""


KINDS: dict[str, type[Message]] = {
    kind.kind: kind for kind in (Status, Comment, Reply, DeploymentState, Label, Merge, Issue)
}


@dataclass(frozen=True)
class Queued:
    """A message that waits to be delivered."""

    message: Message
    since: float  # when its subject began to wait
    tries: int = 0
    not_before: float = 0.0


@dataclass(frozen=True)
class Written:
    """The thing on GitHub that has the state of a message now."""

    id: int
    url: str
    in_progress: bool = False  # a check run that GitHub takes for stale one day


@dataclass(frozen=True)
class Told:
    """What GitHub was told last about a subject, and what it made of it."""

    at: str
    digest: str
    id: int
    url: str
    since: float = 0.0  # when it began to be in progress; 0 when it is not


@dataclass(frozen=True)
class Delivered:
    """GitHub took the message."""

    url: str


@dataclass(frozen=True)
class Refused:
    """GitHub refuses the message, and here is why."""

    reason: str


@dataclass(frozen=True)
class Refusal:
    """A message that GitHub refused, as it is kept."""

    subject: str
    reason: str
    digest: str
    when: float
    expected: bool = False  # people went on meanwhile: nothing is broken


@dataclass(frozen=True)
class Pace:
    """How fast GitHub may be written to, and what stands in the way."""

    writes: tuple[float, ...] = ()  # when, in the last hour, oldest first
    not_before: float = 0.0  # GitHub asked for it, or is away
    failures: int = 0  # in a row
    why: str = ""  # the last failure, in words

    def wait(self, count: int, now: float) -> float:
        """Return the seconds until as many writes are allowed, 0 when they are."""
        full = (self._full(count, PER_MINUTE, 60.0, now), self._full(count, PER_HOUR, 3600.0, now))
        return max(0.0, believe(self.not_before, now, LONGEST_LIMIT) - now, *full)

    def spend(self, now: float) -> Pace:
        """Count one write."""
        return replace(self, writes=(*(at for at in self.writes if now - 3600.0 < at <= now), now))

    def away(self, why: str, retry_after: float | None, now: float) -> Pace:
        """Leave GitHub alone for as long as it asks, or else longer with each failure in a row."""
        pause = _back_off(self.failures, LONGEST_OUTAGE_PAUSE) if retry_after is None else retry_after
        return replace(self, not_before=now + pause, failures=self.failures + 1, why=why)

    def well(self) -> Pace:
        """Forget the failures."""
        return replace(self, not_before=0.0, failures=0, why="")

    def _full(self, count: int, most: int, window: float, now: float) -> float:
        recent = [at for at in self.writes if now - window < at <= now]
        over = len(recent) + min(count, most) - most
        return recent[over - 1] + window - now if over > 0 else 0.0


def subjects(repository: str) -> str:
    """Return what the subjects of a repository begin with."""
    return f"{repository.lower().replace('/', '.')}/"


def wire(message: Message) -> dict[str, Any]:
    """Write a message as plain data."""
    return {"kind": message.kind, "message": asdict(message)}


def unwire(payload: Any) -> Message:
    """Read what `wire` wrote. Raises LookupError, TypeError or ValueError for anything else."""
    return read(KINDS[payload["kind"]], payload["message"])


def take_in(queued: Queued | None, message: Message, now: float) -> Queued | None:
    """Return what waits for its subject after this message; None when a newer one waits already.

    It keeps its turn: a subject that changes all the time must be heard as well.
    """
    if queued is None:
        return Queued(message, now)
    if is_older(message, queued.message.at, now):
        return None
    return replace(queued, message=replace(message, urgent=message.urgent or queued.message.urgent))


def is_older(message: Message, at: str, now: float) -> bool:
    """Say whether a message was overtaken by one of that time. A time that has not come yet overtakes nothing."""
    other = _seconds(at)
    return _seconds(message.at) < other <= now + SKEW


def is_told(message: Message, told: Told | None, now: float) -> bool:
    """Say whether nothing is left to tell: GitHub knows this already, or something newer."""
    return told is not None and (told.digest == message.digest or is_older(message, told.at, now))


def confirm(message: Message, told: Told, now: float) -> Told:
    """Return what is known after a message said what GitHub was told before: it was so then, and is so now."""
    return told if is_older(message, told.at, now) else replace(told, at=message.at)


def remember(message: Message, written: Written, before: Told | None, now: float) -> Told:
    """Return what is known after a message was delivered."""
    since = (before.since if before else 0.0) or float(int(now))
    return Told(message.at, message.digest, written.id, written.url, since if written.in_progress else 0.0)


def due(waiting: Iterable[Queued], now: float) -> list[Queued]:
    """Return the messages to deliver now: what people wait for first, then whatever waits longest.

    One that failed comes after all that did not: whatever GitHub breaks at must not keep the others from it.
    """
    ready = [one for one in waiting if _due_at(one, now) <= now]
    return sorted(ready, key=lambda one: (one.tries, not one.message.urgent, one.since, one.message.subject))


def failed(queued: Queued, now: float) -> Queued:
    """Try a message again later, and later each time: something in it may be what GitHub breaks at."""
    return replace(queued, tries=queued.tries + 1, not_before=now + _back_off(queued.tries, LONGEST_BACK_OFF))


def is_expected(message: Message, error: Exception) -> bool:
    """Say whether a refusal is everyday life: what was to be merged got a new head, a new base or was closed."""
    return isinstance(message, Merge) and isinstance(error, Conflict)


def believe(at: float, now: float, longest: float) -> float:
    """Return a time that lies ahead; 0 when it is further away than it can be: a clock that is wrong set it."""
    return at if at <= now + longest + SKEW else 0.0


def _due_at(queued: Queued, now: float) -> float:
    pause = 0.0 if queued.message.urgent else PAUSE
    return max(believe(queued.not_before, now, LONGEST_BACK_OFF), believe(queued.since, now, 0.0) + pause)


def _back_off(failures: int, longest: float) -> float:
    # After a day of failures the power would be no number any more.
    return min(FIRST_BACK_OFF * 2.0 ** min(failures, 10), longest)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _part(text: str) -> str:
    name = quote(text, safe="")
    # A blob's name has up to 1,024 characters.
    return name if len(name) <= 250 else f"{name[:180]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"

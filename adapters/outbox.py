"""The way to GitHub: messages are kept as blobs first, and delivered by one drainer at a time at GitHub's pace.

A message that is posted is delivered, sooner or later, however long GitHub is away and wherever a process ends. What
GitHub refuses is kept with the reason.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

from adapters import outbox_turn
from adapters.blobs import Blobs
from adapters.outbox_turn import LostTurn, Turn, take_turn
from domain import messages_github, outbox
from domain.errors import DrawbridgeError, Forbidden, SignedOut, Unavailable
from domain.outbox import Delivered, Message, Queued, Refusal, Refused, Status, Told, Written
from domain.wire import read

T = TypeVar("T")
log = logging.getLogger("drawbridge.outbox")

PENDING, REFUSED, OPEN, TOLD = "outbox/pending/", "outbox/refused/", "outbox/open/", "told/"
BUDGET = 30.0  # seconds after which a drain begins nothing new
LATE = 900.0  # seconds that a message may wait before somebody should look
FRESH = 86_400.0  # seconds that a refusal counts as news
KEPT = 30 * 86_400.0  # seconds that a refusal is kept


class Writer(Protocol):
    """Whoever writes to GitHub."""

    def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
        """Give GitHub's thing the state of the message, looking before acting; calls `spend` before each write."""


@dataclass(frozen=True)
class Drained:
    """What a drain came to."""

    delivered: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Outbox:
    """The outbox of one app: where messages wait, and who writes to GitHub once there are any."""

    blobs: Blobs
    github: Callable[[], Writer]
    now: Callable[[], float] = time.time

    def post(self, *messages: Message) -> None:
        """Keep messages until GitHub has them."""
        for message in messages:
            post(self.blobs, message, self.now)

    def drain(self, budget_seconds: float = BUDGET) -> Drained:
        """Deliver what is due. Raises Unavailable when storage does not answer, never because of GitHub."""
        if not self.blobs.names(PENDING):
            return Drained()
        return drain(self.blobs, self.github(), self.now, budget_seconds)

    def close_stale(self) -> None:
        """Close the check runs that GitHub would soon take for stale. Raises Unavailable."""
        close_stale(self.blobs, self.now())


def post(blobs: Blobs, message: Message, now: Callable[[], float] = time.time) -> None:
    """Keep a message until GitHub has it. It takes the place of an older one about its subject that still waits."""
    name = f"{PENDING}{message.subject}"
    kept = False
    while not kept:
        found = blobs.read_with_etag(name)
        queued = outbox.take_in(_queued(found[0]) if found else None, message, now())
        if queued is None:
            return
        kept = blobs.replace(name, _data(queued), found[1]) if found else blobs.create(name, _data(queued))


def drain(
    blobs: Blobs, github: Writer, now: Callable[[], float] = time.time, budget_seconds: float = BUDGET
) -> Drained:
    """Deliver what is due, what people wait for first, until nothing is, the time is up or GitHub wants a pause.

    Does nothing while another drainer is at work. Raises Unavailable when storage does not answer.
    """
    end = now() + budget_seconds
    results: list[bool] = []
    with take_turn(blobs, now) as turn:
        if turn is None:
            return Drained()
        try:
            while now() < end and (ready := _due(blobs, now())):
                for queued, etag in ready:
                    if now() >= end or turn.pace.wait(queued.message.writes, now()):
                        return _drained(results)
                    results += _settle(turn, blobs, github, queued, etag)
        except LostTurn:
            log.warning("another drainer has taken over")
    return _drained(results)


def outcome(blobs: Blobs, message: Message) -> Delivered | Refused | None:
    """Say what became of a message; None while it waits, and when another one took its place."""
    told = _read(blobs, Told, f"{TOLD}{message.subject}")
    if told and told.digest == message.digest:
        return Delivered(told.url)
    refusal = refused(blobs, message)
    return Refused(refusal.reason) if refusal and refusal.digest == message.digest else None


def refused(blobs: Blobs, message: Message) -> Refusal | None:
    """Return why GitHub refuses to hear about a message's subject, if it does."""
    return _read(blobs, Refusal, f"{REFUSED}{message.subject}")


def refusals(blobs: Blobs, repository: str = "", prefix: str = "") -> list[Refusal]:
    """List what GitHub refused in the last 30 days: of a repository, and of subjects that begin so."""
    where = outbox.subjects(repository) if repository else ""
    found = (_read(blobs, Refusal, name) for name in blobs.names(f"{REFUSED}{where}{prefix}"))
    return [one for one in found if one]


def check(blobs: Blobs, now: float) -> None:
    """See that GitHub takes what it is told. Raises Unavailable or Forbidden, saying since when it does not and why."""
    waiting = (_queued(data) for _, data, _ in _pending(blobs))
    late = [one for one in waiting if one and now - one.since > LATE]
    if late:
        why = outbox_turn.why_away(blobs)
        raise Unavailable(f"GitHub has not taken {_messages(len(late))} for {LATE / 60:.0f} minutes. {why}".strip())
    fresh = (_read(blobs, Refusal, name) for age, name in _refused(blobs) if age < FRESH)
    newest = next((one for one in fresh if one and not one.expected), None)  # there may be thousands: read only a few
    if newest:
        raise Forbidden(f"GitHub refused messages today, the last one: {newest.reason}")


def _refused(blobs: Blobs) -> list[tuple[float, str]]:
    """List the blobs of refusals with their age in seconds, the youngest first; there may be thousands."""
    now, written = blobs.written(REFUSED)
    return sorted(((now - at).total_seconds(), name) for name, at in written.items())


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def close_stale(blobs: Blobs, now: float) -> None:
    """Post the end of each check run that has been in progress for so long that GitHub would soon call it stale."""
    for name in blobs.names(OPEN):
        since, _, subject = name.removeprefix(OPEN).partition("/")
        if now - float(since) < outbox.STALE:
            continue
        told, running = _read(blobs, Told, f"{TOLD}{subject}"), _message(blobs.read(name))
        if told and told.since and isinstance(running, Status):
            post(blobs, messages_github.close_early(running), lambda: now)
        blobs.remove(name)


def _drained(results: list[bool]) -> Drained:
    return Drained(results.count(True), results.count(False))


def _due(blobs: Blobs, now: float) -> list[tuple[Queued, str]]:
    """Read everything that waits, and return what is due, in order. What cannot be read is set aside."""
    waiting = {}
    for name, data, etag in _pending(blobs):
        queued = _queued(data)
        if queued:
            waiting[queued.message.subject] = queued, etag
        else:
            _set_aside(blobs, name, data, etag, now)
    return [waiting[one.message.subject] for one in outbox.due((queued for queued, _ in waiting.values()), now)]


def _pending(blobs: Blobs) -> Iterator[tuple[str, bytes, str]]:
    for name in blobs.names(PENDING):
        found = blobs.read_with_etag(name)
        if found:
            yield name, *found


def _settle(turn: Turn, blobs: Blobs, github: Writer, queued: Queued, etag: str) -> list[bool]:
    """Deliver one message, or take it off because GitHub knows it or refuses it; [] when it has to wait."""
    message, name = queued.message, f"{PENDING}{queued.message.subject}"
    told = _read(blobs, Told, f"{TOLD}{message.subject}")
    try:
        if told and outbox.is_told(message, told, turn.now()):
            known = outbox.confirm(message, told, turn.now())
        else:
            written = github.deliver(message, told, turn.spend)
            turn.well()
            known = outbox.remember(message, written, told, turn.now())
        _remember(blobs, message, known, told)
    except (Unavailable, SignedOut) as error:
        log.warning("GitHub did not take the %s %s: %s", message.kind, message.subject, error)
        blobs.replace(name, _data(outbox.failed(queued, turn.now())), etag)
        turn.away(str(error), getattr(error, "retry_after", None))
        return []
    except LostTurn:
        raise
    except DrawbridgeError as error:
        expected = outbox.is_expected(message, error)
        level = logging.INFO if expected else logging.ERROR
        log.log(level, "GitHub refused the %s %s: %s", message.kind, message.subject, error)
        _refuse(blobs, Refusal(message.subject, str(error), message.digest, turn.now(), expected))
        blobs.remove(name, etag)
        return [False]
    except Exception:  # a fault of ours in one message must not keep the others from GitHub
        log.exception("the %s %s could not be delivered", message.kind, message.subject)
        blobs.replace(name, _data(outbox.failed(queued, turn.now())), etag)
        return []
    blobs.remove(name, etag)  # unless something newer was posted meanwhile
    return [True]


def _remember(blobs: Blobs, message: Message, told: Told, before: Told | None) -> None:
    """Keep what GitHub knows now, and which check runs are in progress since when."""
    if told == before:
        return
    if told.since:
        blobs.write_json(_open(told, message), outbox.wire(message))
    blobs.write_json(f"{TOLD}{message.subject}", asdict(told))
    if before and before.since and not told.since:
        blobs.remove(_open(before, message))
    blobs.remove(f"{REFUSED}{message.subject}")


def _open(told: Told, message: Message) -> str:
    return f"{OPEN}{told.since:.0f}/{message.subject}"


def _set_aside(blobs: Blobs, name: str, data: bytes, etag: str, now: float) -> None:
    """Keep what cannot be read out of the way of everything else."""
    log.error("%s cannot be read: it was set aside", name)
    _refuse(blobs, Refusal(name.removeprefix(PENDING), f"this message cannot be read: {data[:200]!r}", "", now))
    blobs.remove(name, etag)


def _refuse(blobs: Blobs, refusal: Refusal) -> None:
    """Keep a refusal, and forget those of long ago."""
    blobs.write_json(f"{REFUSED}{refusal.subject}", asdict(refusal))
    for age, name in _refused(blobs):
        if age > KEPT:
            blobs.remove(name)


def _queued(data: bytes) -> Queued | None:
    try:
        kept = json.loads(data)
        return Queued(outbox.unwire(kept), float(kept["since"]), int(kept["tries"]), float(kept["not_before"]))
    except (ValueError, LookupError, TypeError):
        return None


def _message(data: bytes | None) -> Message | None:
    try:
        return outbox.unwire(json.loads(data or b"null"))
    except (ValueError, LookupError, TypeError):
        return None


def _data(queued: Queued) -> bytes:
    times = {"since": queued.since, "tries": queued.tries, "not_before": queued.not_before}
    return json.dumps({**outbox.wire(queued.message), **times}).encode()


def _read(blobs: Blobs, kind: type[T], name: str) -> T | None:
    try:
        found: Any = blobs.read_json(name)
        return read(kind, found) if found else None
    except ValueError:
        log.error("%s cannot be read", name)
        return None

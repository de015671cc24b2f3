"""Whose turn it is to write to GitHub, and how fast: one drainer at a time, over all instances of this app."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace

from adapters.blobs import Blobs
from domain.errors import Unavailable
from domain.outbox import Pace, believe
from domain.wire import read

DESK = "outbox/desk.json"
TURN = 60.0  # seconds until others take a drainer for dead; each write begins them anew, and takes up to 20


class LostTurn(Exception):
    """Another drainer has taken over: whatever this one was about to write may be old by now."""


@dataclass(frozen=True)
class Desk:
    """Who sits at it, until when, and how fast GitHub was written to."""

    holder: str = ""
    until: float = 0.0
    pace: Pace = field(default_factory=Pace)


class Turn:
    """The turn of this drainer."""

    def __init__(self, blobs: Blobs, desk: Desk, now: Callable[[], float]) -> None:
        self.now = now
        self._blobs = blobs
        self._desk = desk

    @property
    def pace(self) -> Pace:
        """How fast GitHub was written to so far."""
        return self._desk.pace

    def spend(self) -> None:
        """Count a write that comes now. Raises LostTurn, or Unavailable when GitHub's limits leave no room for it."""
        wait = self.pace.wait(1, self.now())
        if wait:
            raise Unavailable(f"GitHub takes no more content for {wait:.0f} seconds.", wait)
        self._keep(self.pace.spend(self.now()))

    def away(self, why: str, retry_after: float | None) -> None:
        """Leave GitHub alone for a while."""
        self._keep(self.pace.away(why, retry_after, self.now()))

    def well(self) -> None:
        """See that GitHub took something, and that it is still our turn to say so. Raises LostTurn."""
        if self.pace.failures or self.now() > self._desk.until:
            self._keep(self.pace.well())

    def end(self) -> None:
        """Let the next one at the desk."""
        with suppress(LostTurn):
            self._write(replace(self._desk, until=0.0))

    def _keep(self, pace: Pace) -> None:
        self._write(replace(self._desk, until=self.now() + TURN, pace=pace))

    def _write(self, desk: Desk) -> None:
        found = self._blobs.read_with_etag(DESK)
        if not found or _desk(found[0]).holder != self._desk.holder:
            raise LostTurn
        self._desk = desk
        if not self._blobs.replace(DESK, _data(self._desk), found[1]):
            raise LostTurn


@contextmanager
def take_turn(blobs: Blobs, now: Callable[[], float]) -> Iterator[Turn | None]:
    """Write to GitHub while inside; None when somebody else does, or GitHub is to be left alone."""
    found = blobs.read_with_etag(DESK)
    desk = _desk(found[0]) if found else Desk()
    if now() < believe(desk.until, now(), TURN) or desk.pace.wait(1, now()):
        yield None
        return
    mine = Desk(uuid.uuid4().hex, now() + TURN, desk.pace)
    if not (blobs.replace(DESK, _data(mine), found[1]) if found else blobs.create(DESK, _data(mine))):
        yield None
        return
    turn = Turn(blobs, mine, now)
    try:
        yield turn
    finally:
        turn.end()


def why_away(blobs: Blobs) -> str:
    """Say why GitHub took nothing the last time."""
    found = blobs.read(DESK)
    return _desk(found).pace.why if found else ""


def _desk(data: bytes) -> Desk:
    """Read the desk; one that cannot be read is free."""
    try:
        return read(Desk, json.loads(data))
    except ValueError:
        return Desk()


def _data(desk: Desk) -> bytes:
    return json.dumps(asdict(desk)).encode()

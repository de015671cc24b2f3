"""The outbox: whatever is posted reaches GitHub once, in its newest state, however often anything breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from adapters import outbox
from adapters.blobs import Blobs
from adapters.outbox import Drained, Outbox
from domain.errors import DrawbridgeError, Forbidden, Unavailable
from domain.outbox import Comment, Delivered, Message, Refused, Told, Written

START = 1_800_000_000.0
SHA = "a" * 40


@dataclass
class Scribe:
    """A GitHub that remembers what it was told, and fails when asked to."""

    written: list[Message] = field(default_factory=list)
    failing: dict[str, DrawbridgeError] = field(default_factory=dict)  # by subject

    def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
        """Write it down."""
        if message.subject in self.failing:
            raise self.failing[message.subject]
        spend()
        self.written.append(message)
        return Written(told.id if told else len(self.written), "https://github.example/1")


@dataclass
class Clock:
    """The time, moved by hand."""

    at: float = START

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scribe() -> Scribe:
    return Scribe()


@pytest.fixture
def box(blobs: Blobs, scribe: Scribe, clock: Clock) -> Outbox:
    return Outbox(blobs, lambda: scribe, clock)


def comment(body: str, second: int = 0, change: int = 1, urgent: bool = False) -> Comment:
    """Say something about a change at a second of the minute."""
    at = f"2027-01-15T08:00:{second:02}.000000+00:00"
    return Comment("acme/helpdesk", change, SHA, "release", body, at=at, urgent=urgent)


def test_message_waits_for_a_newer_one_and_is_replaced_by_it(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """What follows within seconds costs one write."""
    box.post(comment("begun", 1))
    assert box.drain() == Drained()

    box.post(comment("ended", 2))
    clock.at += 15

    assert box.drain() == Drained(delivered=1)
    assert [one.body for one in scribe.written] == ["ended"]
    assert box.drain() == Drained()

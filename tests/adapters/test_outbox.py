"""The outbox: whatever is posted reaches GitHub once, in its newest state, however often anything breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import outbox, outbox_turn
from adapters.blobs import Blobs
from adapters.outbox import Drained, Outbox, drain
from domain.errors import Conflict, Forbidden, SignedOut, Unavailable
from domain.outbox import Comment, Delivered, Merge, Message, Refused, Status, Told, Written
from tests.model.memory import MemoryBlobs

START = 1_800_000_000.0
SHA = "a" * 40


@dataclass
class Scribe:
    """A GitHub that remembers what it was told, and fails when asked to."""

    written: list[Any] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)  # by subject

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


def test_urgent_message_is_delivered_at_once(box: Outbox, scribe: Scribe) -> None:
    """It stays urgent when something else about its subject is posted before it could go."""
    box.post(comment("links", 1, urgent=True), comment("links, and more", 2))

    assert box.drain() == Drained(delivered=1)
    assert [one.body for one in scribe.written] == ["links, and more"]


def test_older_message_never_follows_a_newer_one(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """Neither while the newer one waits nor after it was delivered."""
    box.post(comment("newer", 5), comment("older", 4))
    clock.at += 15
    box.drain()
    box.post(comment("older", 4))
    clock.at += 15

    assert box.drain() == Drained(delivered=1)
    assert [one.body for one in scribe.written] == ["newer"]
    assert outbox.outcome(box.blobs, comment("older", 4)) is None


def test_what_was_told_is_not_told_again(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """An activity that runs again posts it again."""
    for second in (1, 1, 9):
        box.post(comment("same", second))
        clock.at += 15
        box.drain()

    assert [one.body for one in scribe.written] == ["same"]
    assert box.blobs.names(outbox.PENDING) == []


def test_late_news_of_the_past_do_not_undo_what_was_said_again(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """GitHub knew it already, and knows now that it was still so later."""
    for message in (comment("on", 1), comment("on", 9), comment("off", 5)):
        box.post(message)
        clock.at += 15
        box.drain()

    assert [one.body for one in scribe.written] == ["on"]


def test_outage_leaves_everything_where_it_is(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """One attempt, then a pause for all; afterwards everything arrives, what was never tried first."""
    away = Unavailable("github.example did not answer.")
    for change in (3, 1, 2):
        box.post(comment("text", change=change))
        clock.at += 1
    scribe.failing = {comment("", change=change).subject: away for change in (1, 2, 3)}
    clock.at += 15

    assert box.drain() == Drained()
    scribe.failing.clear()
    assert box.drain() == Drained()
    clock.at += 15
    assert box.drain() == Drained(delivered=3)
    assert [one.change for one in scribe.written] == [1, 2, 3]


def test_pause_that_github_asks_for_holds_for_every_instance(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """Also for what is urgent."""
    scribe.failing = {comment("").subject: Unavailable("github.example limits our requests.", 600)}
    box.post(comment("one", urgent=True), comment("two", change=2, urgent=True))
    box.drain()
    other = Outbox(box.blobs, Scribe, clock)

    clock.at += 599
    assert other.drain() == Drained()
    clock.at += 1
    assert other.drain() == Drained(delivered=2)


def test_message_that_breaks_github_does_not_keep_the_others_from_it(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """Whatever GitHub answers 500 to again and again waits longer and longer."""
    scribe.failing = {comment("").subject: Unavailable("github.example is in trouble (500).")}
    box.post(comment("poison", urgent=True))
    clock.at += 1
    box.post(*(comment("fine", change=change, urgent=True) for change in (2, 3)))

    box.drain()
    clock.at += 15
    assert box.drain() == Drained(delivered=2)
    assert [one.change for one in scribe.written] == [2, 3]


def test_refusal_is_kept_in_words_and_stops_nobody_else(box: Outbox, scribe: Scribe) -> None:
    """Others are told; the refused one does not wait any more."""
    refused = comment("secret", urgent=True)
    scribe.failing = {refused.subject: Forbidden("github.example forbids it (403 locked).")}
    box.post(refused, comment("fine", change=2, urgent=True))

    assert box.drain() == Drained(delivered=1, refused=1)
    assert outbox.outcome(box.blobs, refused) == Refused("github.example forbids it (403 locked).")
    (kept,) = outbox.refusals(box.blobs, "Acme/Helpdesk", "comment/1/")
    assert (kept.subject, kept.reason) == (refused.subject, "github.example forbids it (403 locked).")
    assert outbox.refusals(box.blobs, "acme/other") == []
    assert box.blobs.names(outbox.PENDING) == []
    assert b"secret" not in (box.blobs.read(f"{outbox.REFUSED}{refused.subject}") or b"")


def test_subject_is_told_again_once_github_takes_it(box: Outbox, scribe: Scribe) -> None:
    """And its refusal is forgotten."""
    scribe.failing = {comment("").subject: Forbidden("no.")}
    box.post(comment("one", 1, urgent=True))
    box.drain()
    scribe.failing.clear()
    box.post(comment("two", 2, urgent=True))
    box.drain()

    assert outbox.outcome(box.blobs, comment("two", 2)) == Delivered("https://github.example/1")
    assert outbox.outcome(box.blobs, comment("one", 1)) is None
    assert outbox.refusals(box.blobs) == []


def test_credentials_that_are_refused_lose_nothing(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """A token that has expired is no reason to forget what it should have written."""
    scribe.failing = {comment("").subject: SignedOut("refuses our credentials.")}
    box.post(comment("text", urgent=True))
    assert box.drain() == Drained()
    scribe.failing.clear()
    clock.at += 15

    assert box.drain() == Drained(delivered=1)


def test_fault_of_our_own_stops_nobody_else(box: Outbox, scribe: Scribe, clock: Clock, caplog: Any) -> None:
    """The message stays, and the log has the fault."""
    scribe.failing = {comment("").subject: ValueError("a bug")}
    box.post(comment("text", urgent=True), comment("fine", change=2, urgent=True))
    assert box.drain() == Drained(delivered=1)
    assert "a bug" in caplog.text
    scribe.failing.clear()
    clock.at += 15

    assert box.drain() == Drained(delivered=1)


def test_no_more_than_github_allows_in_a_minute(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """The rest comes a minute later, from whichever instance."""
    box.post(*(comment("text", change=change, urgent=True) for change in range(1, 90)))

    assert box.drain() == Drained(delivered=80)
    assert Outbox(box.blobs, lambda: scribe, clock).drain() == Drained()
    clock.at += 60
    assert box.drain() == Drained(delivered=9)


@pytest.mark.parametrize("broken", [b"", b"no json", b"[]", b'{"kind": "comment"}'])
def test_message_that_cannot_be_read_is_set_aside(box: Outbox, scribe: Scribe, broken: bytes, caplog: Any) -> None:
    """The others are delivered, and it is known which one was not."""
    box.blobs.write(f"{outbox.PENDING}acme.helpdesk/comment/9/x", broken)
    box.post(comment("fine", urgent=True))

    assert box.drain() == Drained(delivered=1)
    (kept,) = outbox.refusals(box.blobs)
    assert kept.subject == "acme.helpdesk/comment/9/x"
    assert "this message cannot be read" in kept.reason
    assert "was set aside" in caplog.text


def test_message_replaces_one_that_cannot_be_read(box: Outbox, scribe: Scribe) -> None:
    """What is told about the subject from now on must not suffer from it."""
    box.blobs.write(f"{outbox.PENDING}{comment('').subject}", b"no json")
    box.post(comment("fine", urgent=True))

    assert box.drain() == Drained(delivered=1)


@pytest.mark.parametrize("name", [outbox_turn.DESK, f"{outbox.TOLD}{comment('').subject}"])
def test_what_is_known_may_be_lost(box: Outbox, scribe: Scribe, name: str) -> None:
    """Whoever writes to GitHub looks there first."""
    box.blobs.write(name, b"{broken")
    box.post(comment("text", urgent=True))

    assert box.drain() == Drained(delivered=1)


def test_one_drainer_at_a_time(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """A second one does nothing while the first is at work; one that died is replaced after a minute."""
    box.post(comment("text", urgent=True))
    with outbox_turn.take_turn(box.blobs, clock) as turn:
        assert turn
        assert box.drain() == Drained()
        clock.at += 61
        assert box.drain() == Drained(delivered=1)

        with pytest.raises(outbox_turn.LostTurn):
            turn.spend()


def test_host_with_a_clock_an_hour_ahead_keeps_nobody_from_the_desk(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """Neither after its turn nor when it died in it."""
    fast = Clock(START + 3600)
    box.post(comment("one", 1, urgent=True))
    Outbox(box.blobs, lambda: scribe, fast).drain()
    box.post(comment("two", 2, urgent=True))
    assert box.drain() == Drained(delivered=1)

    box.post(comment("three", 3, urgent=True))
    with outbox_turn.take_turn(box.blobs, fast) as turn:
        assert turn
        assert box.drain() == Drained(delivered=1)


def test_drainer_that_lost_its_turn_writes_nothing_more(box: Outbox, clock: Clock) -> None:
    """It slept too long over one message; another instance has told GitHub something newer since."""
    waking = Scribe()

    class Sleeper(Scribe):
        def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
            clock.at += 61
            box.post(comment("newer", 9, urgent=True))
            Outbox(box.blobs, lambda: waking, clock).drain()
            return super().deliver(message, told, spend)

    sleeper = Sleeper()
    box.post(comment("older", 1, urgent=True))

    assert drain(box.blobs, sleeper, clock) == Drained()
    assert [one.body for one in waking.written] == ["newer"]
    assert sleeper.written == []


def test_message_posted_while_another_is_delivered_is_not_lost(box: Outbox, clock: Clock) -> None:
    """It follows."""

    class Interrupted(Scribe):
        def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
            if not self.written:
                box.post(comment("second", 2, urgent=True))
            return super().deliver(message, told, spend)

    scribe = Interrupted()
    box.post(comment("first", 1, urgent=True))

    assert drain(box.blobs, scribe, clock) == Drained(delivered=2)
    assert [one.body for one in scribe.written] == ["first", "second"]


def test_drain_ends_when_its_time_is_up(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """An activity does not deliver what everybody else has posted."""

    class Slow(Scribe):
        def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
            clock.at += 3
            return super().deliver(message, told, spend)

    box.post(*(comment("text", change=change, urgent=True) for change in range(1, 9)))

    assert drain(box.blobs, Slow(), clock, budget_seconds=5) == Drained(delivered=2)


def test_nobody_signs_in_while_nothing_waits(blobs: Blobs) -> None:
    """The timer comes every 15 seconds; GitHub's library takes a second to load."""

    def sign_in() -> Scribe:
        raise AssertionError("nobody asked for GitHub")

    assert Outbox(blobs, sign_in).drain() == Drained()


def running(at: str = "2027-01-15T08:00:00Z", state: str = "running") -> Status:
    """Say how a stage stands."""
    return Status("acme/helpdesk", SHA, "drawbridge/evaluate-full", state, state, "https://d/1", at=at, urgent=True)


@dataclass
class Checks(Scribe):
    """A GitHub with check runs."""

    def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
        """Write it down."""
        written = super().deliver(message, told, spend)
        return replace(written, in_progress=getattr(message, "state", "") == "running")


def test_check_is_closed_before_github_calls_it_stale(blobs: Blobs, clock: Clock) -> None:
    """After 13 days, once, and never as passed; its real end still arrives."""
    scribe = Checks()
    box = Outbox(blobs, lambda: scribe, clock)
    box.post(running())
    box.drain()
    for days in (12, 1, 1):
        clock.at += days * 86_400
        box.close_stale()
        clock.at += 15
        box.drain()

    states = [(one.state, one.description) for one in scribe.written if isinstance(one, Status)]
    assert states == [
        ("running", "running"),
        ("inconclusive", "running – closed before GitHub calls it stale; it still runs"),
    ]

    box.post(running("2027-01-30T08:00:00Z", "passed"))
    box.drain()
    assert getattr(scribe.written[-1], "state", "") == "passed"
    assert blobs.names(outbox.OPEN) == []


def test_check_that_ended_is_left_alone(blobs: Blobs, clock: Clock) -> None:
    """However long ago it began."""
    scribe = Checks()
    box = Outbox(blobs, lambda: scribe, clock)
    for state, second in (("running", 1), ("passed", 2)):
        box.post(running(f"2027-01-15T08:00:0{second}Z", state))
        box.drain()
    clock.at += 20 * 86_400
    box.close_stale()
    clock.at += 15

    assert box.drain() == Drained()
    assert len(scribe.written) == 2


def test_health_hears_of_what_waits_too_long_and_why(box: Outbox, scribe: Scribe, clock: Clock) -> None:
    """A quarter of an hour is too long for news."""
    outbox.check(box.blobs, clock())
    scribe.failing = {comment("").subject: Unavailable("github.example did not answer: no route.")}
    box.post(comment("text", urgent=True))
    box.drain()
    clock.at += 900
    outbox.check(box.blobs, clock())
    clock.at += 1

    with pytest.raises(Unavailable, match=r"has not taken 1 message for 15 minutes\. github\.example did not answer"):
        outbox.check(box.blobs, clock())


def kept_in_memory(scribe: Scribe, clock: Clock) -> Outbox:
    """Return an outbox over a storage that goes by the same clock."""
    return Outbox(MemoryBlobs(clock=lambda: datetime.fromtimestamp(clock(), UTC)), lambda: scribe, clock)


def test_health_hears_of_refusals_for_a_day(scribe: Scribe, clock: Clock) -> None:
    """A change that was locked for ever must not be an alarm for ever."""
    box = kept_in_memory(scribe, clock)
    for change, why in ((1, "404 gone"), (2, "403 locked")):
        scribe.failing[comment("", change=change).subject] = Forbidden(f"github.example forbids it ({why}).")
        box.post(comment("text", change=change, urgent=True))
        box.drain()
        clock.at += 60

    with pytest.raises(Forbidden, match=r"refused messages today, the last one: github.example forbids it \(403"):
        outbox.check(box.blobs, clock())
    clock.at += 86_400
    outbox.check(box.blobs, clock())


def test_merge_that_came_too_late_is_no_alarm(scribe: Scribe, clock: Clock) -> None:
    """Somebody pushed meanwhile: health hears of a merge that was forbidden, never of one that was overtaken."""
    box = kept_in_memory(scribe, clock)
    late, forbidden = (
        Merge("acme/helpdesk", 1, sha * 40, "squash", "", "main", at="2027-01-15T08:00:00Z", urgent=True)
        for sha in ("a", "b")
    )
    scribe.failing = {late.subject: Conflict("#1 has a new head."), forbidden.subject: Forbidden("403 protected.")}
    box.post(late)
    box.drain()
    outbox.check(box.blobs, clock())
    clock.at += 60
    box.post(forbidden)
    box.drain()
    clock.at += 60
    later = replace(late, sha="c" * 40)
    scribe.failing[later.subject] = Conflict("#1 has a new head.")
    box.post(later)
    box.drain()

    assert outbox.outcome(box.blobs, late) == Refused("#1 has a new head.")
    with pytest.raises(Forbidden, match=r"the last one: 403 protected\."):
        outbox.check(box.blobs, clock())


def test_refusals_of_long_ago_are_forgotten(scribe: Scribe, clock: Clock) -> None:
    """When the next one is kept."""
    box = kept_in_memory(scribe, clock)
    for change in (1, 2):
        scribe.failing = {comment("", change=change).subject: Forbidden("no.")}
        box.post(comment("text", change=change, urgent=True))
        box.drain()
        clock.at += 31 * 86_400

    assert [one.subject for one in outbox.refusals(box.blobs)] == [comment("", change=2).subject]

"""Messages to GitHub: which one counts, when it is its turn, and how fast GitHub may be written to."""

from __future__ import annotations

import dataclasses
import json

import pytest

from domain.outbox import (
    PAUSE,
    Annotation,
    Button,
    Comment,
    DeploymentState,
    Issue,
    Label,
    Merge,
    Message,
    Pace,
    Queued,
    Reply,
    Status,
    Told,
    Written,
    due,
    failed,
    is_told,
    remember,
    subjects,
    take_in,
    unwire,
    wire,
)

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
AT = "2027-01-15T08:00:00Z"
SHA = "a" * 40
REPOSITORY = "Acme/Help.Desk"

ONE_OF_EACH: tuple[Message, ...] = (
    Status(
        REPOSITORY,
        SHA,
        "drawbridge/validate",
        "failed",
        "2 steps failed",
        "https://d/1",
        "**no**",
        (Annotation("app.py", 3, "unused"),),
        (Button("again", "Again", "Run it again"),),
        "release-1",
        at=AT,
    ),
    Comment(REPOSITORY, None, SHA, "release-1", "text", "https://d/1", at=AT, urgent=True),
    Reply(REPOSITORY, 7, "asked-1", "text", at=AT),
    DeploymentState(REPOSITORY, SHA, "dev", "release-1", "success", "fine", "https://dev", "https://d/1", at=AT),
    Label(REPOSITORY, 7, "needs-human", True, at=AT),
    Merge(REPOSITORY, 7, SHA, "squash", "Better answers", "develop", at=AT),
    Issue(REPOSITORY, "nightly", "It got worse", "text", True, ("regression",), at=AT),
)


def comment(body: str = "text", at: str = AT, urgent: bool = False, change: int = 1) -> Comment:
    """Say something about a change."""
    return Comment("acme/helpdesk", change, SHA, "release", body, at=at, urgent=urgent)


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda one: one.kind)
def test_message_survives_its_way_through_a_blob(message: Message) -> None:
    """Whatever it is, it comes back as it was."""
    assert unwire(json.loads(json.dumps(wire(message)))) == message


def test_subjects_tell_messages_apart_and_begin_with_their_repository() -> None:
    """They are the names of blobs; a repository's name is one part of it, whatever its case."""
    found = {message.subject for message in ONE_OF_EACH}

    assert len(found) == len(ONE_OF_EACH)
    assert all(subject.startswith("acme.help.desk/") for subject in found)
    assert subjects(REPOSITORY) == "acme.help.desk/"
    assert ONE_OF_EACH[0].subject == f"acme.help.desk/status/{SHA}/drawbridge%2Fvalidate"


def test_long_marker_still_makes_a_name_that_storage_takes() -> None:
    """Two of them that differ at the end only stay two."""
    long = [Reply(REPOSITORY, 1, "ü" * 400 + end, "text", at=AT).subject for end in "ab"]

    assert len(set(long)) == 2
    assert all(len(subject) < 400 for subject in long)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, TypeError),
        ({"kind": "telegram", "message": {}}, LookupError),
        ({"kind": "reply", "message": {"repository": "a/b"}}, ValueError),
        ({"kind": "reply", "message": {**wire(ONE_OF_EACH[2])["message"], "at": "soon"}}, ValueError),
    ],
)
def test_what_is_no_message_is_not_read(broken: object, why: type[Exception]) -> None:
    """Whoever reads it can set it aside."""
    with pytest.raises(why):
        unwire(broken)


def test_time_without_a_zone_is_refused() -> None:
    """It could not be compared with others."""
    with pytest.raises(ValueError, match="'2027-01-15T08:00:00' does not say that it is UTC"):
        comment(at="2027-01-15T08:00:00")


def test_same_words_at_another_time_say_the_same() -> None:
    """Neither the time nor the urgency is part of what GitHub shows."""
    assert comment().digest == comment(at="2027-01-15T09:00:00Z", urgent=True).digest
    assert comment().digest != comment("other").digest


def test_newer_message_takes_the_place_of_one_that_waits() -> None:
    """It keeps the turn of the first one, and its urgency, and what was learnt from failures."""
    waiting = Queued(comment("old", urgent=True), NOW, tries=2, not_before=NOW + 30)

    taken = take_in(waiting, comment("new", at="2027-01-15T08:00:00.000001Z"), NOW + 10)

    assert taken == Queued(
        comment("new", at="2027-01-15T08:00:00.000001Z", urgent=True), NOW, tries=2, not_before=NOW + 30
    )


def test_older_message_comes_too_late() -> None:
    """It is dropped; of two of the same moment the one that was posted later counts."""
    waiting = Queued(comment("newer", at="2027-01-15T08:00:01Z"), NOW)

    assert take_in(waiting, comment("older"), NOW + 1) is None
    same = take_in(waiting, comment("again", at="2027-01-15T08:00:01+00:00"), NOW + 1)
    assert same is not None
    assert same.message == comment("again", at="2027-01-15T08:00:01+00:00")


def test_time_an_hour_ahead_does_not_silence_what_follows() -> None:
    """One host with a wrong clock spoke once; nobody waits an hour for GitHub to hear the rest."""
    ahead = comment("from the future", at="2027-01-15T09:00:00Z")
    told = Told(ahead.at, ahead.digest, 1, "")

    assert take_in(Queued(ahead, NOW), comment("now"), NOW) is not None
    assert not is_told(comment("now"), told, NOW)


def test_what_github_knows_is_not_told_again() -> None:
    """Nor is anything older than what it knows."""
    told = Told(AT, comment().digest, 1, "")

    assert is_told(comment(at="2027-01-15T10:00:00Z"), told, NOW)
    assert is_told(comment("older", at="2027-01-15T07:59:59Z"), told, NOW)
    assert not is_told(comment("newer", at="2027-01-15T08:00:01Z"), told, NOW)
    assert not is_told(comment(), None, NOW)


def test_urgent_messages_come_first_and_the_others_by_how_long_they_wait() -> None:
    """Whatever failed comes last; whatever waits for newer words, or after a failure, is not due."""
    urgent = Queued(comment(urgent=True, change=1), NOW)
    long, short = Queued(comment(change=2), NOW - 60), Queued(comment(change=3), NOW - PAUSE)
    young = Queued(comment(change=4), NOW - PAUSE + 1)
    resting = Queued(comment(urgent=True, change=5), NOW - 60, tries=1, not_before=NOW + 1)

    tried = Queued(comment(urgent=True, change=6), NOW - 90, tries=1)

    assert due([young, tried, short, resting, long, urgent], NOW) == [urgent, long, short, tried]


def test_clock_an_hour_ahead_delays_nothing_for_an_hour() -> None:
    """What a host with a wrong clock queued, put off or paused is due for all others."""
    ahead = NOW + 3 * 3600
    queued = Queued(comment(), ahead, tries=1, not_before=ahead)

    assert due([queued], NOW) == [queued]
    assert Pace(not_before=ahead).wait(1, NOW) == 0
    assert Pace(not_before=NOW + 3600).wait(1, NOW) == 3600


def test_message_that_fails_again_waits_longer_each_time() -> None:
    """Up to two minutes."""
    queued, pauses = Queued(comment(), NOW), []
    for _ in range(5):
        queued = failed(queued, NOW)
        pauses.append(queued.not_before - NOW)

    assert pauses == [15, 30, 60, 120, 120]
    assert queued.tries == 5


def test_eighty_writes_a_minute() -> None:
    """The next one waits until the first of them is a minute old."""
    pace = Pace()
    for number in range(80):
        assert pace.wait(1, NOW + number / 4) == 0
        pace = pace.spend(NOW + number / 4)

    assert pace.wait(1, NOW + 20) == 40
    assert pace.wait(1, NOW + 60) == 0
    assert pace.wait(2, NOW + 60) == pytest.approx(0.25)


def test_five_hundred_writes_an_hour() -> None:
    """However slowly they come; what is older than an hour is forgotten."""
    pace = Pace()
    for number in range(500):
        pace = pace.spend(NOW + number)

    assert pace.wait(1, NOW + 500) == 3100
    later = pace.spend(NOW + 3599 + 100)
    assert len(later.writes) == 401
    assert later.wait(1, NOW + 3599 + 100) == 0


def test_message_of_more_writes_than_a_minute_takes_is_still_possible() -> None:
    """It begins when the whole minute is free."""
    assert Pace().wait(200, NOW) == 0
    assert Pace().spend(NOW).wait(200, NOW) == 60


def test_writes_of_a_clock_that_was_ahead_are_not_counted() -> None:
    """They would block for as long as the clock was wrong."""
    assert Pace(writes=(NOW + 3600.0,) * 80).wait(1, NOW) == 0


def test_github_is_left_alone_for_as_long_as_it_asks() -> None:
    """Without a word, for longer with each failure, up to a minute; one success ends it."""
    asked = Pace().away("limits us", 600.0, NOW)
    assert asked.wait(1, NOW) == 600

    pace, pauses = Pace(), []
    for _ in range(4):
        pace = pace.away("is in trouble", None, NOW)
        pauses.append(pace.wait(1, NOW))
    assert pauses == [15, 30, 60, 60]
    assert pace.why == "is in trouble"
    assert pace.well().wait(1, NOW) == 0


def test_outage_of_days_ends_like_any_other() -> None:
    """The pause stays what it is, however often GitHub did not answer."""
    pace, queued = Pace(), Queued(comment(), NOW)
    for _ in range(2000):
        pace, queued = pace.away("is in trouble", None, NOW), failed(queued, NOW)

    assert pace.wait(1, NOW) == 60
    assert queued.not_before == NOW + 120


@pytest.mark.parametrize(("annotations", "writes"), [(0, 1), (1, 1), (50, 1), (51, 2), (143, 3)])
def test_status_costs_a_write_for_each_fifty_annotations(annotations: int, writes: int) -> None:
    """GitHub takes no more at once."""
    status = dataclasses.replace(ONE_OF_EACH[0], annotations=(Annotation("a", 1, "b"),) * annotations)  # type: ignore[call-arg]

    assert status.writes == writes


def test_it_is_known_since_when_a_check_is_in_progress() -> None:
    """From its first message to the one that ends it."""
    begun = remember(comment(), Written(5, "u", in_progress=True), None, NOW + 0.5)
    goes_on = remember(comment("more"), Written(5, "u", in_progress=True), begun, NOW + 60)

    assert (begun.since, goes_on.since) == (NOW, NOW)
    assert remember(comment("done"), Written(5, "u"), goes_on, NOW + 90) == Told(AT, comment("done").digest, 5, "u")

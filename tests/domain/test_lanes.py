"""Whose turn it is, and who is overtaken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.branch_line import MOST_COMMITS, Place
from domain.config import Environment
from domain.errors import Conflict
from domain.lanes import (
    MISSED,
    Answer,
    Bar,
    Entry,
    Hold,
    Lane,
    Occupant,
    Turn,
    bar,
    enter,
    forget,
    leave,
    overtaken_by,
    place_in_line,
    unbar,
    uncounted,
)
from tests import samples

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday
LOOK = timedelta(minutes=5)
PROD = Environment(name="prod", approvers=["maria"])


def turn(number: int, **fields: Any) -> Turn:
    """Return the turn of the number-th commit."""
    return replace(Turn(f"release-{number}", str(number) * 40, number), **fields)


def occupant(number: int) -> Occupant:
    """Return the number-th commit as what runs in the environment."""
    return Occupant(f"release-{number}", str(number) * 40, number, samples.IMAGE, "2026-11-23T08:00:00Z")


def ask(lane: Lane, wanted: Turn, environment: Environment = PROD, now: datetime = NOW) -> tuple[Lane, Entry]:
    """Ask for a turn."""
    return enter(lane, wanted, environment, now, LOOK, {})


EMPTY = Lane("acme/helpdesk", "prod")


def test_one_release_at_a_time_deploys_and_the_others_wait_in_the_order_of_their_commits() -> None:
    """Whoever asks first is in; of those behind, the older commit is first, whoever came first."""
    lane, first = ask(EMPTY, turn(1))
    lane, third = ask(lane, turn(3))
    lane, second = ask(lane, turn(2))

    assert (first.answer, second.answer, third.answer) == (Answer.ENTERED, Answer.WAITS, Answer.WAITS)
    assert third.why == "1 deploys to prod"
    assert [one.release for one in lane.waiting] == ["release-2", "release-3"]
    assert [place_in_line(lane, f"release-{number}") for number in (1, 2, 3)] == [0, 1, 2]

    lane = leave(lane, "release-1", occupant(1))
    lane, third = ask(lane, turn(3))
    assert third.why == "2 is first in line for prod"
    lane, second = ask(lane, turn(2))
    assert second.answer is Answer.ENTERED


def test_asked_again_the_holder_is_in_already() -> None:
    """An activity that runs again must not wait for itself."""
    lane, _ = ask(EMPTY, turn(1))

    again, entry = ask(lane, turn(1), now=NOW + timedelta(hours=1))

    assert entry.answer is Answer.ENTERED
    assert again.holder == lane.holder


def test_older_commit_never_replaces_a_newer_one() -> None:
    """It is superseded, and out of the line."""
    lane = replace(EMPTY, current=occupant(2))
    lane, entry = ask(lane, turn(1))

    assert (entry.answer, entry.by) == (Answer.SUPERSEDED, "release-2")
    assert lane.waiting == ()
    assert overtaken_by(lane, "release-1", 1, {}) == "release-2"
    assert overtaken_by(lane, "release-3", 3, {}) == ""


def test_over_a_rewritten_branch_github_says_what_is_newer_whatever_the_positions() -> None:
    """Until it does, the release waits for that alone, and nobody waits behind it. A rollback asks nobody."""
    there = replace(EMPTY, current=occupant(2))
    late = turn(3, position=4 * MOST_COMMITS + 3)

    def answer(lane: Lane, newer: dict[str, bool], wanted: Turn = late) -> tuple[Lane, Entry]:
        return enter(lane, wanted, PROD, NOW, LOOK, newer)

    lane, entry = answer(there, {})
    assert entry.why == "the branch was rewritten, and GitHub has to say whether 2, which runs there, is newer"
    assert not lane.waiting[0].ready
    assert overtaken_by(there, late.release, late.position, {}) is None
    assert answer(there, {"2" * 40: False})[1].answer is Answer.ENTERED
    assert answer(there, {"2" * 40: True})[1].by == "release-2"
    assert answer(there, {}, replace(late, rollback=True))[1].answer is Answer.ENTERED


def test_only_commits_of_another_generation_have_to_be_compared() -> None:
    """What was pushed one on top of the other is counted, and an outage of GitHub keeps nobody waiting."""
    lane = replace(ask(EMPTY, turn(1))[0], current=occupant(2))
    late = 4 * MOST_COMMITS + 3

    assert uncounted(lane, "release-3", 3) == set()
    assert uncounted(lane, "release-3", late) == {Place("1" * 40, 1), Place("2" * 40, 2)}
    assert uncounted(lane, "release-2", late) == {Place("1" * 40, 1)}


def test_config_of_an_older_commit_never_says_who_may_act_here() -> None:
    """Nor one of which nobody knows whether it is older; a newer one does at once, while it still waits."""
    jonas = Environment(name="prod", approvers=["jonas"])
    lane, _ = ask(EMPTY, turn(2))
    late = turn(3, position=4 * MOST_COMMITS + 3)

    assert ask(lane, turn(1), jonas)[0].approvers == ("maria",)
    assert enter(lane, late, jonas, NOW, LOOK, {})[0].approvers == ("maria",)
    assert enter(lane, late, jonas, NOW, LOOK, {"2" * 40: True})[0].approvers == ("maria",)
    after = enter(lane, late, jonas, NOW, LOOK, {"2" * 40: False})[0]
    assert (after.approvers, after.newest_sha) == (("jonas",), late.sha)


def test_rollback_goes_back_past_a_hold_and_a_closed_window_but_not_over_a_deployment() -> None:
    """A person decided; only what is under way is seen through."""
    night = Environment(name="prod", window="Sat 00:00-01:00 UTC")
    held = replace(EMPTY, current=occupant(2), hold=Hold("maria", "bad answers", "2026-11-23T08:30:00Z", "release-1"))

    assert ask(held, turn(1, rollback=True), night)[1].answer is Answer.ENTERED
    busy, _ = ask(replace(EMPTY, current=occupant(2)), turn(3))
    assert ask(busy, turn(1, rollback=True), night)[1].answer is Answer.WAITS


def test_hold_lets_nobody_in_until_it_is_lifted() -> None:
    """The words say who holds it and why."""
    held = replace(EMPTY, hold=Hold("maria", "bad answers", "2026-11-23T08:30:00Z", "release-1"))
    lane, entry = ask(held, turn(3))

    assert entry.why == (
        "promotion is held by maria since a rollback: bad answers; it goes on when somebody lifts the hold"
    )
    assert ask(replace(lane, hold=None), turn(3))[1].answer is Answer.ENTERED


def test_closed_window_says_when_it_opens() -> None:
    """Who waits for it is looked for again then."""
    office = Environment(name="prod", window="Tue-Thu 09:00-16:00 Europe/Berlin")
    lane, entry = ask(EMPTY, turn(1), office)

    assert entry.until == "2026-11-24T08:00:00Z"
    assert lane.waiting[0].back == entry.until
    assert ask(lane, turn(1), office, NOW + timedelta(hours=23))[1].answer is Answer.ENTERED


def test_release_stays_its_soak_time_in_the_environment_before() -> None:
    """Nobody waits behind it meanwhile."""
    soaking = Environment(name="prod", soak=3600)
    lane, entry = ask(EMPTY, turn(1, earlier="2026-11-23T08:30:00Z"), soaking)

    assert (entry.answer, entry.until) == (Answer.WAITS, "2026-11-23T09:30:00Z")
    assert ask(lane, turn(2, earlier="2026-11-23T07:00:00Z"), soaking)[1].answer is Answer.ENTERED


def test_approvers_are_those_of_the_newest_config_that_was_seen() -> None:
    """An older release that still waits, or a rollback to one, does not bring back people who were taken out."""
    lane, _ = ask(EMPTY, turn(1), Environment(name="prod", approvers=["eve"]))
    lane, _ = ask(lane, turn(2))
    lane, _ = ask(lane, turn(1), Environment(name="prod", approvers=["eve"]))
    lane, _ = ask(lane, turn(1, rollback=True), Environment(name="prod", approvers=["eve"]))

    assert lane.approvers == ("maria",)


def test_release_that_never_came_back_keeps_nobody_waiting() -> None:
    """Its orchestration was ended by an operator."""
    lane, _ = ask(EMPTY, turn(1))
    lane, _ = ask(lane, turn(2))
    lane = leave(lane, "release-1")

    assert ask(lane, turn(3))[1].answer is Answer.WAITS
    assert ask(lane, turn(3), now=NOW + LOOK + MISSED + timedelta(seconds=1))[1].answer is Answer.ENTERED


def test_step_that_runs_again_late_does_not_undo_the_next_release() -> None:
    """Told twice that it left, with what it deployed, it changes nothing any more."""
    lane, _ = ask(EMPTY, turn(1))
    lane = leave(lane, "release-1", occupant(1))
    lane, _ = ask(lane, turn(2))
    lane = leave(lane, "release-2", occupant(2))

    assert leave(lane, "release-1", occupant(1)) == lane


def test_rollback_to_a_release_is_somebody_else_than_the_release() -> None:
    """What the release's own story does meanwhile neither lets it in nor throws the rollback out."""
    lane, _ = ask(replace(EMPTY, current=occupant(2)), turn(1, rollback=True))

    assert leave(lane, "release-1") == lane
    assert leave(lane, "release-1", occupant(1)) == lane
    assert ask(lane, turn(1))[1].answer is not Answer.ENTERED
    assert leave(lane, "release-1", occupant(1), rollback=True) == replace(EMPTY, current=occupant(1))


def test_rollback_that_waits_keeps_its_place_when_its_release_ends() -> None:
    """It waits for a deployment that is under way, and would be overlooked."""
    lane, _ = ask(replace(EMPTY, current=occupant(2)), turn(3))
    lane, _ = ask(lane, turn(1, rollback=True))

    assert leave(lane, "release-1") == lane
    assert place_in_line(lane, "release-1") == 0


BAR = Bar("release-1", "Cancelled by maria: wrong branch", "2026-11-23T09:00:00Z")


def test_release_that_is_being_cancelled_gets_in_no_more() -> None:
    """It is told why, and gives up its place in the line. Whoever goes back to it later is somebody else."""
    waits = leave(ask(ask(EMPTY, turn(2))[0], turn(1))[0], "release-2")
    lane, entry = ask(bar(waits, BAR), turn(1))

    assert entry == Entry(Answer.BARRED, BAR.why)
    assert (lane.holder, lane.waiting) == (None, ())
    assert ask(lane, turn(3))[1].answer is Answer.ENTERED
    assert ask(lane, turn(1, rollback=True))[1].answer is Answer.ENTERED


def test_release_that_deploys_is_not_barred() -> None:
    """It is seen through; a rollback to it does not count as it."""
    lane, _ = ask(EMPTY, turn(1))
    back, _ = ask(EMPTY, turn(1, rollback=True))

    with pytest.raises(Conflict, match="It is being deployed to prod right now, and half a deployment helps nobody"):
        bar(lane, BAR)
    assert bar(back, BAR).barred == (BAR,)


def test_bar_stays_until_the_release_is_over() -> None:
    """A step that leaves the lane late does not take it away; of two people who cancel at once each has their own."""
    other, newer = replace(BAR, why="Cancelled by jonas."), replace(BAR, release="release-2")
    lane = leave(bar(bar(bar(bar(EMPTY, BAR), BAR), other), newer), "release-1")

    assert lane.barred == (BAR, other, newer)
    assert unbar(lane, BAR).barred == (other, newer)
    assert forget(lane, "release-1").barred == (newer,)

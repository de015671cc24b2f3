"""A place in a lane is for a release that is on its way."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from activities.enter_lane import enter_lane
from activities.leave_lane import leave_lane
from adapters import closing, lanes, records
from domain.branch_line import MOST_COMMITS
from domain.config import Environment
from domain.errors import Conflict
from domain.lanes import Bar, Occupant, Turn, occupy
from domain.models import Outcome
from tests import samples
from tests.activities.conftest import World, run


def enter(world: World, rollback: bool = False, position: int = 4) -> str:
    """Let the world's release ask for its turn in prod."""
    turn = Turn(world.record.id, world.record.commit.sha, position, rollback=rollback)
    order = {
        "repository": world.repository,
        "environment": Environment(name="prod", approvers=["maria"]).model_dump(mode="json"),
        "turn": asdict(turn),
    }
    return str(run(enter_lane, order)["answer"])


def holder(world: World) -> str:
    """Return who deploys to prod."""
    lane = lanes.read(world.blobs, world.repository, "prod")
    return lane.holder.release if lane.holder else ""


def test_release_that_is_on_its_way_gets_in(world: World) -> None:
    """Its record says that it runs."""
    records.save_record(world.blobs, world.record)

    assert enter(world) == "entered"
    assert holder(world) == world.record.id


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.FAILED])
def test_step_that_comes_after_the_end_of_its_release_keeps_nobody_out(world: World, outcome: Outcome) -> None:
    """A person cancelled it while this was on its way: nobody would ever leave the lane again."""
    records.save_record(world.blobs, replace(world.record, outcome=outcome))

    assert enter(world) == "barred"
    assert holder(world) == ""


def test_rollback_to_a_release_that_is_over_gets_in(world: World) -> None:
    """That it is over is the rule there."""
    records.save_record(world.blobs, replace(world.record, outcome=Outcome.RELEASED))

    assert enter(world, rollback=True) == "entered"
    assert holder(world) == world.record.id


def test_rollback_whose_release_ends_meanwhile_says_what_runs_now(world: World) -> None:
    """The end of the release frees its own places only, so what the rollback has deployed is kept."""
    records.save_record(world.blobs, world.record)
    enter(world, rollback=True)
    closing.tidy(world.blobs, replace(world.record, outcome=Outcome.EXPIRED))
    turn = Turn(world.record.id, world.record.commit.sha, 4, rollback=True)
    departure = {
        "repository": world.repository,
        "environment": "prod",
        "release": world.record.id,
        "rollback": True,
        "deployed": asdict(occupy(samples.deployment("prod"), turn)),
        "order": {},
        "by": "maria",
        "evidence": "",
    }

    run(leave_lane, departure)

    lane = lanes.read(world.blobs, world.repository, "prod")
    assert lane.holder is None
    assert lane.current
    assert lane.current.release == world.record.id


def test_release_that_was_barred_early_gets_into_no_lane_that_comes(world: World) -> None:
    """It was being prepared, and prod had never been deployed to: nobody knew that it would want to go there."""
    records.save_record(world.blobs, world.record)
    lanes.bar(world.blobs, world.repository, (), Bar(world.record.id, "cancelled by maria", "now"))

    assert enter(world) == "barred"
    assert holder(world) == ""
    assert enter(world, rollback=True) == "entered"


def test_release_that_deploys_is_barred_from_no_lane_that_comes(world: World) -> None:
    """Who wanted to cancel it was told that it is seen through."""
    records.save_record(world.blobs, world.record)
    enter(world)
    with pytest.raises(Conflict, match="being deployed to prod right now"):
        lanes.bar(world.blobs, world.repository, (), Bar(world.record.id, "cancelled by maria", "now"))

    assert lanes.find_bar(world.blobs, world.record.id) is None
    assert enter(world) == "entered"


def occupied(world: World, sha: str, position: int) -> None:
    """Let another commit run in prod."""
    there = Occupant(f"release-{sha}", sha, position, samples.IMAGE, "2026-11-23T08:00:00Z")
    lanes.change(world.blobs, world.repository, "prod", lambda lane: replace(lane, current=there))


def test_ancestor_whose_position_turned_round_never_replaces_its_descendant(world: World) -> None:
    """Its origin was found late, among forced pushes; within one generation GitHub is not even asked."""
    occupied(world, world.merge()["merge_commit_sha"], 2 * MOST_COMMITS + 5)

    assert enter(world, position=4 * MOST_COMMITS + 4) == "superseded"
    world.double.fault(status=503, times=100)
    assert enter(world, position=2 * MOST_COMMITS + 4) == "superseded"


def test_what_the_branch_has_replaces_what_it_lost_whatever_the_positions(world: World) -> None:
    """A forced push took away what runs there, or went back behind it."""
    first = world.record.commit.sha
    occupied(world, world.merge()["merge_commit_sha"], 4 * MOST_COMMITS + 5)
    world.double.move_branch(world.repository, "main", first)

    assert enter(world, position=2 * MOST_COMMITS + 4) == "entered"


def test_release_waits_for_github_to_say_which_commit_is_newer(world: World) -> None:
    """Nobody guesses: it looks again, and the page says what it waits for."""
    occupied(world, world.merge()["merge_commit_sha"], 2 * MOST_COMMITS + 5)
    world.double.fault(status=429, retry_after=600, times=10)

    assert enter(world, position=4 * MOST_COMMITS + 4) == "waits"
    world.double.clear_faults()
    assert enter(world, position=4 * MOST_COMMITS + 4) == "superseded"

"""What has changed around a release while it waited."""

from __future__ import annotations

from dataclasses import replace

from activities.look_around import look_around
from adapters import lanes
from domain.branch_line import MOST_COMMITS
from domain.lanes import Occupant
from tests import samples
from tests.activities.conftest import World, run


def superseded_by(world: World, position: int) -> str:
    """Look around for the world's release on its way to prod."""
    where = {
        "release": world.record.id,
        "repository": world.repository,
        "sha": world.record.commit.sha,
        "position": position,
        "environment": "prod",
        "lane": "prod",
    }
    return str(run(look_around, where)["superseded_by"])


def test_release_hears_that_a_newer_one_runs_where_it_wants_to_go(world: World) -> None:
    """Over a rewritten branch GitHub says so; while it is away nothing is said, and nobody waits here."""
    newer = world.merge()["merge_commit_sha"]
    there = Occupant(f"release-{newer}", newer, 2 * MOST_COMMITS + 5, samples.IMAGE, "2026-11-23T08:00:00Z")
    lanes.change(world.blobs, world.repository, "prod", lambda lane: replace(lane, current=there))

    assert superseded_by(world, 2 * MOST_COMMITS + 4) == there.release
    assert superseded_by(world, 4 * MOST_COMMITS + 4) == there.release
    assert superseded_by(world, 2 * MOST_COMMITS + 6) == ""
    world.double.fault(status=429, retry_after=600, times=10)
    assert superseded_by(world, 4 * MOST_COMMITS + 4) == ""
    assert superseded_by(world, 2 * MOST_COMMITS + 4) == there.release

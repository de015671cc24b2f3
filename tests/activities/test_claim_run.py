"""What a story is about to run as its child is nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

from activities.claim_run import claim_run
from tests.activities.conftest import World, run
from tests.triggers.edge import FakeDurable
from triggers.start import DUPLICATE, start_once

INSTANCE = "on-demand-acme.helpdesk-full-rerun12"


def claims(story: str) -> bool:
    return bool(run(claim_run, {"instance": INSTANCE, "story": story}))


def test_first_story_runs_it_however_often_it_asks(world: World) -> None:
    """Activities may run twice; another story may not."""
    assert [claims("one"), claims("one"), claims("two")] == [True, True, False]


def test_what_an_event_started_is_no_storys(world: World) -> None:
    """A child of that name would take the instance over."""
    client = FakeDurable()
    asyncio.run(start_once(client, world.blobs, "scheduled_evaluation", INSTANCE, {}))

    assert claims("one") is False


def test_what_a_story_runs_no_event_starts(world: World) -> None:
    """Also before the story has come to starting it, and after its process died there."""
    client = FakeDurable()
    claims("one")

    assert start(client, world) == DUPLICATE
    assert client.started == []


def start(client: FakeDurable, world: World) -> Any:
    return asyncio.run(start_once(client, world.blobs, "scheduled_evaluation", INSTANCE, {}))

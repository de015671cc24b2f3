"""A rollback is written on the release that was gone back to, and changes nothing else there."""

from __future__ import annotations

from dataclasses import asdict, replace

from activities.note_rollback import note_rollback
from adapters import records
from domain import timeline
from domain.models import Outcome
from tests import samples
from tests.activities.conftest import World, run


def test_rollback_is_noted_once_and_the_release_stays_over(world: World) -> None:
    """The step may run again, and a late step of the release's own story takes nothing back."""
    running = world.record
    ended = timeline.close(running, Outcome.EXPIRED, "Nobody answered.", "2026-11-23T10:00:00Z")
    records.save_record(world.blobs, ended)
    deployment = samples.deployment("prod", release=running.id)

    told = [run(note_rollback, {"deployment": asdict(deployment), "by": "maria"}) for _ in range(2)]
    records.save_record(world.blobs, running)

    noted = replace(ended, notes=("prod was rolled back to this release by maria",), deployments=(deployment,))
    assert records.need_record(world.blobs, running.id) == noted
    assert [one["record"]["outcome"] for one in told] == ["expired", "expired"]

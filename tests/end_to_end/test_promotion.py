"""Several releases on their way to one environment, through real processes: in order, never back by accident."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import lanes
from domain.lanes import Lane
from domain.models import StageState
from domain.timeline import deploy
from tests.end_to_end.conftest import LONG, REPOSITORY, System

pytestmark = pytest.mark.timeout(LONG)


def production(system: System) -> Lane:
    return lanes.read(system.blobs, REPOSITORY, "prod")


def released(system: System, files: dict[str, str | None], title: str) -> str:
    """Bring a change to production; returns its release."""
    number = system.merge(files, title)
    system.approve(number)
    record = system.wait_for_end(system.release_of(number))
    assert record.outcome == "released", record.reason
    return record.id


def test_newer_release_overtakes_an_older_one_that_still_waits_for_people(system: System) -> None:
    """The older one ends as superseded: its change and its approval link say by which."""
    older = system.merge({"a.md": "a"}, "Add a")
    link = system.wait_for_link(older, "maria", "prod")
    newer = system.merge({"b.md": "b"}, "Add b")
    system.approve(newer)

    ended = system.wait_for_end(system.release_of(older))
    first = system.wait_for_end(system.release_of(newer))
    told = system.wait_for_verdict(older, "superseded")
    page = system.sign_in("maria").open(link)

    assert (first.outcome, ended.outcome, ended.superseded_by) == ("released", "superseded", first.id)
    assert first.commit.sha[:7] in told["comments"][0]["body"]
    assert (page.status_code, "superseded" in page.text) == (200, True)
    assert first.commit.sha[:7] in page.text
    current = production(system).current
    assert current is not None
    assert current.release == first.id
    system.wait_for_deployments(older, ["dev"])


def test_rollback_holds_the_environment_until_somebody_lifts_it(system: System) -> None:
    """Only an approver goes back; the next release waits in line, says why, and goes on by itself."""
    good = released(system, {"a.md": "a"}, "Add a")
    released(system, {"b.md": "b"}, "Add b")
    back = {"environment": "prod", "reason": "b confuses people"}
    stranger = system.sign_in("alex").call(f"/api/releases/{good}/rollback", back)
    asked = system.sign_in("maria").call(f"/api/releases/{good}/rollback", back)
    system.wait("the rollback", lambda: (now := production(system)).current and now.current.release == good)
    waiting = system.merge({"c.md": "c"}, "Add c")
    system.approve(waiting)
    stage = system.wait("the hold", lambda: held(system, system.release_of(waiting)))
    lifted = system.sign_in("jonas").call(f"/api/environments/{REPOSITORY.replace('/', '.')}/prod/lift", {})
    record = system.wait_for_end(system.release_of(waiting))

    assert (stranger.status_code, asked.status_code, lifted.status_code) == (403, 202, 202), (stranger.text, asked.text)
    assert "b confuses people" in stage.detail
    assert record.outcome == "released", record.reason
    assert production(system).hold is None


def held(system: System, release: str) -> Any:
    """Return the release's last stage when it waits for a hold."""
    record = system.record(release)
    stages = [one for one in record.stages if one.name == deploy("prod")] if record else []
    return next((one for one in stages if one.state is StageState.RUNNING and "held" in one.detail), None)

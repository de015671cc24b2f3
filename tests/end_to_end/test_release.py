"""One whole release through real processes, and what must hold around it."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import BAD, LONG, System

pytestmark = pytest.mark.timeout(LONG)

WRITES = 25  # that GitHub gets of a small release: 13 where each stage takes a moment, more where some last


def test_good_merge_reaches_production_and_a_worse_one_is_stopped(system: System) -> None:
    """The main job: evaluated, deployed, approved by two people, and the next merge is held against it."""
    number = system.merge({"README.md": "hello"}, "Say hello")

    assert "Recorded" in system.vote(number, "maria", "prod", "approve", "looks right")
    assert "Recorded" in system.vote(number, "jonas", "prod", "approve")
    record = system.wait_for_end(system.release_of(number))
    assert record.outcome == "released", record.reason
    assert {stage.state for stage in record.stages} == {"passed"}
    pull = system.wait_for_verdict(number, "released")
    assert len(pull["comments"]) == 1
    # What was deployed is shown by GitHub's own deployments.
    stages = [stage.name for stage in record.stages if not stage.name.startswith("deploy-")]
    system.wait_for_statuses(number, {f"drawbridge/{name}": "success" for name in stages})
    system.wait_for_deployments(number, ["dev", "prod"])
    writes = [f"{one['method']} {one['path']}" for one in system.github.requests() if one["method"] != "GET"]
    assert len(writes) <= WRITES, writes

    worse = system.merge({"flows/echo/echo.py": BAD}, "Answer differently")
    stopped = system.wait_for_end(system.release_of(worse))
    system.wait_for_verdict(worse, "failed")
    assert stopped.outcome == "failed"
    assert "exact" in stopped.reason
    comparison = stopped.evaluations[0].comparison
    assert comparison is not None
    assert {row.id for row in comparison.worse} == {"r4", "r5", "r6", "r7"}

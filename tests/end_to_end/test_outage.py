"""GitHub is away while a release runs: that goes on, and GitHub hears all of it afterwards, once and in order."""

from __future__ import annotations

from collections import Counter

import pytest

from domain.models import StageState
from domain.timeline import approve
from tests.end_to_end.conftest import LONG, REPOSITORY, System

pytestmark = pytest.mark.timeout(LONG)

ALWAYS = 100_000
ORDER = {"pending": 0, "success": 1}


def test_release_goes_on_while_github_is_away_and_everything_is_told_afterwards(system: System) -> None:
    """Deployed to dev and ready for people without GitHub; the links come when it is back."""
    number = system.merge({"README.md": "hello"}, "Say hello")
    release = system.release_of(number)
    system.wait("its evaluation", lambda: (found := system.record(release)) and found.changes and found.stages[2:])
    system.github.fault(path_regex="^/(repos|orgs|app|user)", times=ALWAYS, status=502, retry_after=1)

    system.wait("the approval", lambda: asks(system, release))
    silent = system.github.pull(REPOSITORY, number)
    system.github.clear_faults()
    system.approve(number)
    record = system.wait_for_end(release)
    system.wait_for_verdict(number, "released")
    system.wait_for_deployments(number, ["dev", "prod"])
    stages = [stage.name for stage in record.stages if not stage.name.startswith("deploy-")]
    system.wait_for_statuses(number, {f"drawbridge/{name}": "success" for name in stages})

    pull = system.github.pull(REPOSITORY, number)
    assert not any("approve" in one["context"] for one in silent["statuses"])
    assert record.outcome == "released", record.reason
    assert len(pull["comments"]) == 1
    told: dict[str, list[int]] = {}
    for status in sorted(pull["statuses"], key=lambda one: int(one["id"])):
        told.setdefault(status["context"], []).append(ORDER[status["state"]])
    assert all(states == sorted(states) for states in told.values()), told
    said = Counter((one["context"], one["state"], one["description"]) for one in pull["statuses"])
    assert max(said.values()) == 1


def asks(system: System, release: str) -> bool:
    """Say whether a release waits for the approvers of production."""
    record = system.record(release)
    return record is not None and any(
        stage.name == approve("prod") and stage.state is StageState.RUNNING for stage in record.stages
    )

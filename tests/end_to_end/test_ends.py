"""Ends that nobody wishes for, through real processes: nobody answers, and a deployment that does not hold."""

from __future__ import annotations

import pytest

from domain.models import StageState
from tests.end_to_end.conftest import CONFIG, LONG, System

pytestmark = pytest.mark.timeout(LONG)

IMPATIENT = CONFIG.replace("approvals: 2,", "approvals: 2, expires_after: 1s,")
TOO_SLOW = CONFIG.replace("{name: dev, watch: 1s}", "{name: dev, watch: 1s, max_latency_p95: 0.0001}")


def test_release_ends_when_nobody_answers_and_when_its_deployment_does_not_hold(system: System) -> None:
    """Both ends are told on the change, with what to do."""
    ignored = system.merge({"drawbridge.yaml": IMPATIENT}, "Wait for a second")
    expired = system.wait_for_end(system.release_of(ignored))
    slow = system.merge({"drawbridge.yaml": TOO_SLOW}, "Promise too much")
    failed = system.wait_for_end(system.release_of(slow))

    system.wait_for_verdict(ignored, "expired")
    system.wait_for_verdict(slow, "failed")
    system.wait_for_completion(failed.id)
    assert expired.outcome == "expired", expired.reason
    system.wait_for_deployments(ignored, ["dev"])
    assert failed.outcome == "failed"
    states = {stage.name: stage.state for stage in failed.stages}
    assert states["deploy-dev"] is StageState.FAILED
    assert "p95 latency" in failed.reason

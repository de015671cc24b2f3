"""Whether a deployment holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.config import Environment
from domain.models import Probe
from domain.watching import fault, together

GOOD = Probe(healthy=True, requests=10, errors=0, latencies=(0.5,) * 10, detail="")
ENVIRONMENT = Environment(name="dev", max_latency_p95=2.0, max_error_rate=0.1)


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (GOOD, ""),
        (replace(GOOD, errors=1), ""),
        (replace(GOOD, errors=2, detail="500"), "2 of 10 requests failed (500)"),
        (replace(GOOD, latencies=(2.1,) * 10), "p95 latency 2.10 s is over 2.00 s"),
        (replace(GOOD, latencies=(0.5,) * 99 + (9.0,), requests=100), ""),
        (replace(GOOD, healthy=False, detail="connection refused"), "it is not healthy: connection refused"),
        (replace(GOOD, requests=0), "no request reached it: give validate.sample rows to try it with"),
    ],
)
def test_deployment_holds_only_within_its_limits(probe: Probe, words: str) -> None:
    """Silence is no proof: without a request nothing holds."""
    assert fault(probe, ENVIRONMENT) == words


def test_looks_add_up() -> None:
    """All answered requests count for the percentile; the newest look says whether it is healthy now."""
    both = together(GOOD, Probe(False, 5, 1, (0.7,), "gone"))

    assert both == Probe(False, 15, 1, (0.5,) * 10 + (0.7,), "gone")

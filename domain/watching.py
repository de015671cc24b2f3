"""Whether a deployment holds: the rules for its smoke test and its watch."""

from __future__ import annotations

from domain.config import Environment
from domain.models import Probe


def together(first: Probe, second: Probe) -> Probe:
    """Add up two looks at one deployment. The newest says whether it is healthy; the worst latency stays."""
    latencies = [probe.latency_p95 for probe in (first, second) if probe.latency_p95 is not None]
    return Probe(
        healthy=second.healthy,
        requests=first.requests + second.requests,
        errors=first.errors + second.errors,
        latency_p95=max(latencies, default=None),
        detail=second.detail,
    )


def fault(probe: Probe, environment: Environment) -> str:
    """Say what is wrong with a deployment, or return "" when it holds.

    `probe` covers all requests so far. A deployment that was never asked anything does not hold: silence is no proof.
    """
    if not probe.healthy:
        return f"it is not healthy: {probe.detail}"
    if probe.requests == 0:
        return "no request reached it: give validate.sample rows to try it with"
    rate = probe.errors / probe.requests
    if rate > environment.max_error_rate:
        return f"{probe.errors} of {probe.requests} requests failed ({probe.detail})"
    limit = environment.max_latency_p95
    if limit is not None and probe.latency_p95 is not None and probe.latency_p95 > limit:
        return f"p95 latency {probe.latency_p95:.2f} s is over {limit:.2f} s"
    return ""

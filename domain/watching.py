"""Whether a deployment holds: the rules for its smoke test and its watch."""

from __future__ import annotations

from domain.config import Environment
from domain.models import Probe
from domain.statistics import percentile


def together(first: Probe, second: Probe) -> Probe:
    """Add up two looks at one deployment. The newest says whether it is healthy."""
    return Probe(
        healthy=second.healthy,
        requests=first.requests + second.requests,
        errors=first.errors + second.errors,
        latencies=first.latencies + second.latencies,
        detail=second.detail,
    )


def latency_p95(probe: Probe) -> float | None:
    """Return the 95th percentile of the answered requests' latencies in seconds; None when none was answered."""
    return percentile(probe.latencies, 95) if probe.latencies else None


def fault(probe: Probe, environment: Environment) -> str:
    """Say what is wrong with a deployment, or return "" when it holds.

    `probe` covers all requests so far. A deployment that was never asked anything does not hold: silence is no proof.
    """
    if not probe.healthy:
        return f"it is not healthy: {probe.detail}"
    if probe.requests == 0:
        return "no request reached it: give validate.sample rows to try it with"
    if probe.errors / probe.requests > environment.max_error_rate:
        return f"{probe.errors} of {probe.requests} requests failed ({probe.detail})"
    limit, p95 = environment.max_latency_p95, latency_p95(probe)
    if limit is not None and p95 is not None and p95 > limit:
        return f"p95 latency {p95:.2f} s is over {limit:.2f} s"
    return ""

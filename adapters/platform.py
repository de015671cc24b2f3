"""What the platform does for a release, whoever provides it: one machine today, Azure's services beside it later."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from domain.models import Deployment, Image, Job, JobStatus, Probe


class Compute(Protocol):
    """Runs evaluation jobs away from this process. Locally worker processes, on Azure jobs of Azure ML."""

    def submit(self, job: Job) -> None:
        """Run a job; the same name twice runs once. A LOST job is run again and goes on where it stopped."""

    def status(self, names: Sequence[str]) -> list[JobStatus]:
        """Say where each job stands, in the order asked for."""

    def result(self, name: str) -> dict[str, Any]:
        """Return what an ended job came to: {"ok": true, …} or {"ok": false, "error": …}. Raises NotFound."""

    def results_file(self, name: str) -> Path:
        """Return the job's results.jsonl as it is now, one row or step a line."""

    def cancel(self, name: str) -> None:
        """End a job that waits or runs; it counts as FAILED."""

    def log_tail(self, name: str) -> str:
        """Return the end of what the job printed."""


class Registry(Protocol):
    """Builds images and keeps them by digest. Locally archives in blobs, on Azure a container registry."""

    def build(self, snapshot: str, target: dict[str, Any], commit: str) -> Image:
        """Build the target of a snapshot; the same content has the same digest. Raises Invalid when it cannot be."""


class WebApp(Protocol):
    """Runs images for people, one per environment. Locally processes, on Azure App Service with slots."""

    def deploy(self, environment: str, image: Image, release: str) -> Deployment:
        """Make an image the current one once it is healthy; the one before keeps serving until then. Raises Invalid."""

    def current(self, environment: str) -> Deployment | None:
        """Return what runs in an environment."""

    def roll_back(self, environment: str, to: Image | None, release: str) -> Deployment | None:
        """Return an environment to an image; None takes the app down, as before its first deployment."""

    def probe(self, environment: str, rows: Sequence[dict[str, Any]], requests: int) -> Probe:
        """Send real requests made from `rows` and say what they showed."""

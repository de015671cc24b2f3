"""Show a deployment and its state on GitHub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from adapters import connect, outbox
from domain import messages
from domain.outbox import DeploymentState
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def announce_deployment(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"refused": why GitHub does not let us show it, or ""}. Nothing here waits for GitHub.

    Input: {"repository", "commit", "environment", "release", "state", "detail", "url"}, and "at" where the clock of the
    story is known. One GitHub deployment per release and environment.
    """
    settings = current()
    box = connect.outbox(settings)
    message = DeploymentState(
        payload["repository"],
        payload["commit"],
        payload["environment"],
        payload["release"],
        payload["state"],
        payload["detail"],
        payload["url"],
        f"{settings.public_url}/api/releases/{payload['release']}",
        at=payload.get("at") or datetime.now(UTC).isoformat(),
    )
    box.post(message)
    refusal = outbox.refused(box.blobs, message)
    return {"refused": messages.refused_by_github(refusal.reason) if refusal else ""}

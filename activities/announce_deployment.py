"""Show a deployment and its state on GitHub."""

from __future__ import annotations

import logging
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import DrawbridgeError, Unavailable
from settings import current

bp = df.Blueprint()
log = logging.getLogger("drawbridge.github")


@bp.activity_trigger(input_name="payload")
def announce_deployment(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"delivered"}: false when GitHub refuses, which no second try changes. Raises Unavailable.

    Input: {"repository", "commit", "environment", "release", "state", "detail", "url"}. One GitHub deployment per
    release and environment, found again by its payload.
    """
    settings = current()
    github = connect.github(settings)
    page = f"{settings.public_url}/api/releases/{payload['release']}"
    try:
        number = github.ensure_deployment(
            payload["repository"], payload["commit"], payload["environment"], payload["release"]
        )
        github.set_deployment_status(
            payload["repository"], number, payload["state"], payload["detail"], payload["url"], page
        )
    except Unavailable:
        raise
    except DrawbridgeError as error:
        log.warning("GitHub did not take the %s deployment of %s: %s", payload["state"], payload["release"], error)
        return {"delivered": False}
    return {"delivered": True}

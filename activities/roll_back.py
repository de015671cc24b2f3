"""Return an environment to the image it had before a deployment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect
from adapters.blobs import Blobs
from domain.audit import APP
from domain.git_flow import web_app_name
from domain.messages import rolled_back
from domain.models import Deployment
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def roll_back(payload: dict[str, Any]) -> dict[str, Any]:
    """Undo {"repository", "release", "deployment"}; without an image before it, the environment is left empty.

    Further input: {"why": what was seen, "instance": the deployment's own, "evidence": the digest it was let through
    on}. Returns {"image": what runs now or None, "replaced": another release was deployed meanwhile and nothing
    changed}.
    """
    settings, deployment = current(), read(Deployment, payload["deployment"])
    app = web_app_name(payload["repository"], deployment.environment)
    now = connect.web_app(settings).roll_back(app, deployment.previous, payload["release"])
    image = now.image if now else None
    replaced = bool(now and now.release != payload["release"])
    trace(
        payload,
        deployment,
        rolled_back(deployment.environment, payload["why"], image, replaced),
        connect.blobs(settings),
    )
    return {"image": asdict(image) if image else None, "replaced": replaced}


def trace(order: dict[str, Any], deployment: Deployment, words: str, blobs: Blobs) -> None:
    """Record that the app itself took a deployment back, and why."""
    audit.record(
        blobs,
        key=f"{order['instance']}:rolled-back",
        what="rolled-back",
        who=APP,
        subject=order["release"],
        evidence=order["evidence"],
        details={"environment": deployment.environment, "image": deployment.image.digest, "why": words},
    )

"""Run an image in an environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect
from adapters.blobs import Blobs
from domain.errors import Invalid
from domain.git_flow import web_app_name
from domain.models import Image
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def deploy_image(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"deployment"} or {"error": why it cannot run}.

    Input: {"repository", "environment", "image", "release", "commit", "instance": the deployment's own, "by": who let
    the release through, "evidence": the digest of what they saw}. Idempotent: the same image of the same release is
    found running and left alone. The image before keeps running until the new one is healthy.
    """
    settings = current()
    trace(payload, connect.blobs(settings))
    app = web_app_name(payload["repository"], payload["environment"])
    try:
        deployment = connect.web_app(settings).deploy(app, read(Image, payload["image"]), payload["release"])
    except Invalid as error:
        return {"error": str(error)}
    return {"deployment": {**asdict(deployment), "environment": payload["environment"]}}


def trace(order: dict[str, Any], blobs: Blobs) -> None:
    """Record on whose word and on what evidence the release goes there, before it does."""
    audit.record(
        blobs,
        key=f"{order['instance']}:promoted",
        what="promoted",
        who=order["by"],
        subject=order["release"],
        evidence=order["evidence"],
        details={
            "environment": order["environment"],
            "image": read(Image, order["image"]).digest,
            "commit": order["commit"],
        },
    )

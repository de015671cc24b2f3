"""Run an image in an environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import Invalid
from domain.git_flow import web_app_name
from domain.models import Image
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def deploy_image(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"deployment"} or {"error": why it cannot run} for {"repository", "environment", "image", "release"}.

    Idempotent: the same image of the same release is found running and left alone. The image before keeps running
    until the new one is healthy.
    """
    app = web_app_name(payload["repository"], payload["environment"])
    try:
        deployment = connect.web_app(current()).deploy(app, read(Image, payload["image"]), payload["release"])
    except Invalid as error:
        return {"error": str(error)}
    return {"deployment": {**asdict(deployment), "environment": payload["environment"]}}

"""Run an image in an environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import DrawbridgeError
from domain.models import Image
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def deploy_image(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"deployment"} or {"error": why it does not run} for {"environment", "image", "release"}.

    Idempotent: the same image of the same release is found running and left alone. The image before keeps running
    until the new one is healthy.
    """
    try:
        deployment = connect.web_app(current()).deploy(
            payload["environment"], read(Image, payload["image"]), payload["release"]
        )
    except DrawbridgeError as error:
        return {"error": str(error)}
    return {"deployment": asdict(deployment)}

"""Return an environment to the image it had before a deployment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.git_flow import web_app_name
from domain.models import Deployment
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def roll_back(payload: dict[str, Any]) -> dict[str, Any]:
    """Undo {"repository", "release", "deployment"}; without an image before it, the environment is left empty.

    Returns {"image": what runs now or None, "replaced": another release was deployed meanwhile and nothing changed}.
    """
    deployment = read(Deployment, payload["deployment"])
    app = web_app_name(payload["repository"], deployment.environment)
    now = connect.web_app(current()).roll_back(app, deployment.previous, payload["release"])
    return {"image": asdict(now.image) if now else None, "replaced": bool(now and now.release != payload["release"])}

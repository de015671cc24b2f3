"""Return an environment to the image it had before a deployment."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.models import Deployment
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def roll_back(payload: dict[str, Any]) -> None:
    """Undo {"release", "deployment"}; without an image before it, the environment is left empty."""
    deployment = read(Deployment, payload["deployment"])
    connect.web_app(current()).roll_back(deployment.environment, deployment.previous, payload["release"])

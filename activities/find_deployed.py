"""Find what runs in each environment of a repository."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect, lanes
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def find_deployed(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"deployed": {environment: sha}} of {"repository"}; where nothing ever ran is left out."""
    known = lanes.all_lanes(connect.blobs(current()), payload["repository"])
    return {"deployed": {lane.environment: lane.current.sha for lane in known if lane.current}}

"""Claim what a story is about to run as its child, so that nobody else starts it, then or later."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain import blob_names
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def claim_run(payload: dict[str, Any]) -> bool:
    """Say whether {"instance"} is {"story"}'s to run: an event or another story may have started it before."""
    blobs, name = connect.blobs(current()), blob_names.claim(payload["instance"])
    if blobs.create_json(name, {"story": payload["story"]}):
        return True
    return bool(blobs.read_json(name).get("story") == payload["story"])

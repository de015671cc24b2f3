"""Read what the newest finished night of a repository came to."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain import blob_names
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def read_last_night(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"night": null before the first} of {"repository"}."""
    return {"night": connect.blobs(current()).read_json(blob_names.nightly(payload["repository"]))}

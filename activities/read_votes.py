"""Read the votes on an environment: the blobs are the truth, events only ring."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def read_votes(payload: dict[str, Any]) -> list[Any]:
    """Return the votes of {"release", "environment"} in the order they were given."""
    blobs = connect.blobs(current())
    request = records.need_request(blobs, payload["release"], payload["environment"])
    return [asdict(vote) for vote in records.read_votes(blobs, request)]
